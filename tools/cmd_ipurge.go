package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"time"

	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/site"
)

const ipurgeUse = `usage: %[1]s [-f] [-s] [-C <alt_config>] [-x] [-X] [-i] [-o] [-n] {-d days | -b bytes|-k Kbytes|-m Mbytes}
	[mboxpattern1 ... [mboxpatternN]]
	there are no defaults and at least one of -d, -b, -k, -m
	must be specified
	if no mboxpattern is given %[1]s works on all mailboxes
	 -x specifies an exact match for days or size
	 -f force also to delete mail below user.* and INBOX.*
	 -s skip over messages that are flagged.
	 -X use delivery time instead of date header for date matches.
	 -i invert match logic: -x means not equal, date is for newer, size is for smaller.
	 -M don't recurse mailboxes.
	 -o only purge messages that are deleted.
	 -n only print messages that would be deleted (dry run).
	 -v enable verbose output/logging.
`

// purge is one run of ipurge.
type purge struct {
	*program
	site *site.Site
	w    *bufio.Writer
	now  time.Time

	conf                                        string
	days, size                                  int64 // -1 is not asked for
	exact, invert, delivered, flagged, deleted  bool
	users, literal, look, verbose               bool
	total, totalBytes, expunged, expungedOctets int64 // of one mailbox
}

// ipurge expunges messages by age or size.
//
// Source: Cyrus imap/ipurge.c.
func ipurge(p *program) int {
	return p.end((&purge{program: p, now: time.Now(), days: -1, size: -1}).run(context.Background()))
}

func (r *purge) run(ctx context.Context) error {
	operands, err := r.arguments()
	if err != nil {
		return err
	}
	if r.site, err = r.openSite(r.conf); err != nil {
		return err
	}
	defer r.site.Close()
	r.w = bufio.NewWriter(r.out)
	defer r.w.Flush()
	if len(operands) == 0 {
		operands, r.literal = []string{"*"}, false
	}
	if !r.literal {
		return eachMatch(ctx, r.site, operands, func(_ string, e *mboxlist.Entry) error { return r.mailbox(ctx, e) })
	}
	for _, name := range operands {
		n, err := r.site.Namespace("", true).Internal(name)
		if err != nil {
			continue
		}
		e, err := r.site.List.Lookup(ctx, n)
		if err == nil {
			err = r.mailbox(ctx, e)
		}
		if err != nil {
			r.log.Error(fmt.Sprintf("%s: %v", n, err))
		}
	}
	return nil
}

// arguments reads the command line. As in Cyrus how to use it goes to
// standard output, and the status is then 0.
func (r *purge) arguments() ([]string, error) {
	opts, operands, err := r.options("C:MXfhinosvxb:d:k:m:", "", exOK)
	use := fmt.Sprintf(ipurgeUse, r.called)
	if err != nil {
		fmt.Fprint(r.out, use)
		return nil, err
	}
	switches := map[byte]*bool{
		'x': &r.exact, 'i': &r.invert, 'X': &r.delivered, 's': &r.flagged, 'o': &r.deleted,
		'f': &r.users, 'M': &r.literal, 'n': &r.look, 'v': &r.verbose,
	}
	units := map[byte]int64{'b': 1, 'k': 1 << 10, 'm': 1 << 20}
	for _, o := range opts {
		switch {
		case switches[o.Letter] != nil:
			*switches[o.Letter] = true
		case o.Letter == 'C':
			r.conf = o.Arg
		case o.Letter == 'h':
			fmt.Fprint(r.out, use)
			return nil, &exit{exOK, nil}
		default:
			n, err := strconv.ParseInt(o.Arg, 10, 32)
			if err != nil || n < 0 {
				fmt.Fprint(r.out, use)
				return nil, fatal(exUsage, "-%c %s is not a number", o.Letter, o.Arg)
			}
			if o.Letter == 'd' {
				r.days = n
			} else {
				r.size = n * units[o.Letter]
			}
		}
	}
	if r.days < 0 && r.size < 0 {
		fmt.Fprint(r.out, "One of these must be specified -d, -b -k, -m\n", use)
		return nil, &exit{exOK, nil}
	}
	return operands, nil
}

// mailbox expunges what is to go in one mailbox.
func (r *purge) mailbox(ctx context.Context, e *mboxlist.Entry) error {
	if !r.users && e.Name.OwnerOf(r.site.Layout.DeletedPrefix) != "" {
		return nil
	}
	if r.verbose {
		fmt.Fprintf(r.w, "Working on %s...\n", e.Name)
	}
	mode := mailbox.Write
	if r.look {
		mode = mailbox.Read
	}
	m, err := r.site.Store.Open(ctx, e.Ref(), mode)
	if err != nil {
		r.log.Error(fmt.Sprintf("%s: %v", e.Name, err))
		return nil
	}
	defer m.Close()
	r.total, r.totalBytes, r.expunged, r.expungedOctets = 0, 0, 0, 0
	var gone []mailbox.Record
	var buf mailbox.CacheBuffer
	defer buf.Free()
	err = m.Each(1, func(rec *mailbox.Record) bool {
		if !rec.Live() {
			return true
		}
		r.total++
		r.totalBytes += int64(rec.Size)
		if r.chosen(rec) {
			r.expunged++
			r.expungedOctets += int64(rec.Size)
			gone = append(gone, *rec)
		}
		return true
	})
	if err != nil {
		return err
	}
	if !r.look {
		m.Announce(event.Cause{Expunge: event.MessageExpunge, First: true})
	}
	for i := range gone {
		if r.look {
			r.tell(m, &gone[i], &buf)
		} else if err := m.Expire(&gone[i], ""); err != nil {
			return err
		}
	}
	if !r.look && len(gone) > 0 {
		if err := m.Commit(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(r.w, "Total messages    \t\t %d\nTotal bytes       \t\t %d\n", r.total, r.totalBytes)
	fmt.Fprintf(r.w, "Deleted messages  \t\t %d\nDeleted bytes     \t\t %d\n", r.expunged, r.expungedOctets)
	fmt.Fprintf(r.w, "Remaining messages\t\t %d\nRemaining bytes   \t\t %d\n", r.total-r.expunged, r.totalBytes-r.expungedOctets)
	return nil
}

// chosen reports whether a message is to go: for its age or for its size.
func (r *purge) chosen(rec *mailbox.Record) bool {
	if r.flagged && rec.Flags.Has(mailbox.Flagged) || r.deleted && !rec.Flags.Has(mailbox.Deleted) {
		return false
	}
	const day = 24 * 60 * 60
	since := rec.SentDate
	if r.delivered {
		since = rec.InternalDate
	}
	age := r.now.Unix() - int64(since)
	if r.exact {
		age /= day
		return r.days >= 0 && (age == r.days) != r.invert || r.size >= 0 && (int64(rec.Size) == r.size) != r.invert
	}
	return r.days >= 0 && r.beyond(age, r.days*day) || r.size >= 0 && r.beyond(int64(rec.Size), r.size)
}

// beyond compares what a message has with a limit.
func (r *purge) beyond(value, limit int64) bool {
	if r.invert {
		return value < limit
	}
	return value > limit
}

// tell prints a message that would be expunged.
func (r *purge) tell(m *mailbox.Mailbox, rec *mailbox.Record, buf *mailbox.CacheBuffer) {
	fmt.Fprintf(r.w, "UID: %d\n\tSize: %d\n\tSent: %s\tRecv: %s", rec.UID, rec.Size, ctime(rec.SentDate), ctime(rec.InternalDate))
	if c, err := m.Cache(rec, buf); err == nil {
		addressLines(r.w, &c)
	}
}

// addressLines prints whom a message is from and to, its subject, and an
// empty line.
func addressLines(w *bufio.Writer, c *message.Cache) {
	for _, i := range []struct {
		name string
		item message.Item
	}{{"From", message.ItemFrom}, {"To  ", message.ItemTo}, {"Cc  ", message.ItemCc}, {"Bcc ", message.ItemBcc}, {"Subj", message.ItemSubject}} {
		fmt.Fprintf(w, "\t%s: %s\n", i.name, untilNUL(c.Item(i.item)))
	}
	fmt.Fprintln(w)
}
