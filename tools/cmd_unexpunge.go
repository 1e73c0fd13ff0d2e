package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/site"
)

const unexpungeUse = `unexpunge [-C <altconfig>] -l <mailbox> [<uid>...]
unexpunge [-C <altconfig>] -t time-interval [-d] [-v] [-f flag] mailbox
unexpunge [-C <altconfig>] -a [-d] [-v] [-f flag] <mailbox>
unexpunge [-C <altconfig>] -u [-d] [-v] [-f flag] <mailbox> <uid>...
`

// revival is one run of unexpunge.
type revival struct {
	*program
	site *site.Site

	mode           byte // l, a, t or u
	since          time.Time
	clear, verbose bool
	keywords       []string
	conf, box      string
	uids           []uint32 // ascending
}

// unexpunge lists messages that are expunged but still there, and brings
// them back.
//
// Source: Cyrus imap/unexpunge.c.
func unexpunge(p *program) int { return p.end((&revival{program: p}).run(context.Background())) }

func (r *revival) run(ctx context.Context) (err error) {
	if err := r.arguments(time.Now()); err != nil {
		return err
	}
	if r.site, err = r.openSite(r.conf); err != nil {
		return err
	}
	defer r.site.Close()
	if len(r.keywords) > 0 && strings.HasPrefix(r.keywords[0], `\`) {
		r.log.Error("can't set a system flag")
		return fatal(exSoftware, "can't set a system flag")
	}
	ns := r.site.Namespace("", true)
	name, err := ns.Internal(r.box)
	var entry *mboxlist.Entry
	if err == nil {
		entry, err = r.site.List.Lookup(ctx, name)
	}
	switch {
	case r.mode == 'l' && err != nil:
		fmt.Fprintf(r.out, "Failed to open mailbox %s: Mailbox does not exist", name)
		return nil
	case r.mode == 'l':
		return r.list(ctx, entry)
	case err != nil:
		fmt.Fprintf(r.out, "Failed to open mailbox '%s'\n", name)
		return &exit{exNoBox, nil}
	}
	return r.restore(ctx, entry, ns.ExternalOr(name))
}

// exNoBox is what unexpunge ends with if the mailbox cannot be opened: the
// lowest octet of IMAP_MAILBOX_NONEXISTENT.
const exNoBox = 20

// exNoKeyword is what it ends with if a user flag cannot be made: the lowest
// octet of IMAP_INVALID_IDENTIFIER.
const exNoKeyword = 31

// arguments reads the command line.
func (r *revival) arguments(now time.Time) error {
	opts, operands, err := r.options("C:laudt:f:v", unexpungeUse, exMinusOne)
	if err != nil {
		return err
	}
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			r.conf = o.Arg
		case 'd':
			r.clear = true
		case 'v':
			r.verbose = true
		case 'f':
			r.keywords = []string{o.Arg}
		default:
			if r.mode != 0 {
				return r.misused(unexpungeUse, exMinusOne)
			}
			r.mode = o.Letter
			if o.Letter == 't' {
				r.since = now.Add(-interval(o.Arg))
			}
		}
	}
	if r.mode == 0 || len(operands) == 0 || r.mode == 'u' && len(operands) == 1 {
		return r.misused(unexpungeUse, exMinusOne)
	}
	r.box = operands[0]
	if (r.mode == 'u' || r.mode == 'l') && len(operands) > 1 {
		r.uids = []uint32{}
		for _, word := range operands[1:] {
			digits := word[:len(word)-len(strings.TrimLeft(word, "0123456789"))]
			if uid, err := strconv.ParseUint(digits, 10, 32); err == nil {
				r.uids = append(r.uids, uint32(uid))
			}
		}
		slices.Sort(r.uids)
	}
	return nil
}

// interval reads a number with a unit: s (the default), m, h, d or w.
// What cannot be read is 0.
func interval(s string) time.Duration {
	unit := time.Second
	digits := strings.TrimRight(s, "smhdw")
	if u, ok := map[byte]time.Duration{
		'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	}[(s + " ")[len(digits)]]; ok {
		unit = u
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	if n > math.MaxInt64/int64(unit) {
		return math.MaxInt64
	}
	return time.Duration(n) * unit
}

// expunged calls fn for each message that can be brought back and is chosen.
func (r *revival) expunged(ctx context.Context, e *mboxlist.Entry, fn func(*mailbox.Mailbox, *mailbox.Record)) error {
	m, err := r.site.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return err
	}
	defer m.Close()
	since := mailbox.StampOf(r.since)
	return m.Each(1, func(rec *mailbox.Record) bool {
		switch {
		case rec.Live() || rec.Flags.Has(mailbox.Unlinked):
		case r.uids != nil && !slices.Contains(r.uids, rec.UID):
		case r.mode == 't' && rec.LastUpdated < since:
		default:
			fn(m, rec)
		}
		return true
	})
}

// list prints the messages that can be brought back.
func (r *revival) list(ctx context.Context, e *mboxlist.Entry) error {
	w := bufio.NewWriter(r.out)
	defer w.Flush()
	var buf mailbox.CacheBuffer
	defer buf.Free()
	return r.expunged(ctx, e, func(m *mailbox.Mailbox, rec *mailbox.Record) {
		fmt.Fprintf(w, "UID: %d\n\tSize: %d\n", rec.UID, rec.Size)
		fmt.Fprintf(w, "\tSent: %s\tRecv: %s\tExpg: %s", ctime(rec.SentDate), ctime(rec.InternalDate), ctime(rec.LastUpdated))
		c, err := m.Cache(rec, &buf)
		if err != nil {
			fmt.Fprint(w, "\tERROR: cache record missing or corrupt, not printing cache details\n\n")
			return
		}
		addressLines(w, &c)
	})
}

// restore brings messages back.
func (r *revival) restore(ctx context.Context, e *mboxlist.Entry, external string) error {
	all := ""
	if r.mode == 'a' {
		all = "all "
	}
	fmt.Fprintf(r.out, "restoring %sexpunged messages in mailbox '%s'\n", all, external)
	uids := []uint32{}
	err := r.expunged(ctx, e, func(_ *mailbox.Mailbox, rec *mailbox.Record) { uids = append(uids, rec.UID) })
	if err != nil {
		return err
	}
	var pairs []mailbox.CopyPair
	if len(uids) > 0 {
		for _, k := range r.keywords {
			if !imapwire.IsAtom(k) {
				return &exit{exNoKeyword, nil}
			}
		}
		pairs, err = r.site.Store.Unexpunge(ctx, e.Ref(), uids, r.clear, "", r.keywords...)
	}
	if r.verbose {
		for _, p := range pairs {
			fmt.Fprintf(r.out, "Unexpunged %s: %d => %d\n", external, p.Source, p.Copy)
		}
	}
	if err != nil {
		return errors.Join(errors.New("unexpunge"), err)
	}
	fmt.Fprintf(r.out, "restored %d expunged messages\n", len(pairs))
	r.notice("restored %d expunged messages in mailbox '%s'", len(pairs), external)
	return nil
}
