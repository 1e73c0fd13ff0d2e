package main

import (
	"context"
	"fmt"
	"math"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

const expireUse = `Usage: cyr_expire [OPTIONS] {mailbox|users}
Expire messages and duplicate delivery database entries.

-a                       skip annotation lookup
-c                       do not expire conversations
-h                       print this help and exit
-p <mailbox-prefix>      specify prefix for mailboxes
-t                       remove user flags which are not used
-u <user-id>             specify user id for mailbox lookup
-v                       enable verbose output
-x                       do not expunge messages
-C <config-file>         use <config-file> instead of config from imapd.conf
-A <archive-duration>    
-D <delete-duration>     
-E <expire-duration>     
-X <expunge-duration>    

`

// expireArgs is the command line of cyr_expire. A duration that is not
// given is unset.
type expireArgs struct {
	conf, prefix, user                       string
	archive, deleted, duplicates, expunged   time.Duration
	noAnnotations, noExpunge, flags, verbose bool
	noConversations                          bool
	look                                     bool // --dry-run, which is not Cyrus's
}

const unset = -1 * time.Second

// expiry is one run of cyr_expire. Errors of one mailbox are logged, and
// the others are done nevertheless.
type expiry struct {
	*program
	site *site.Site
	args expireArgs
	now  time.Time

	// what the summary tells
	mailboxes, seen, expired, expunged, flagsRemoved int
	noExpireUser                                     string   // the last user looked up
	noExpire                                         bool     // and whether he is left alone
	users                                            []string // whose mailboxes were seen to

	plan expirePlan
}

// cyrExpire removes what has become old: messages by the expire annotation
// of their mailbox, expunged messages for good, deleted mailboxes, marks of
// delivered messages.
//
// Source: Cyrus imap/cyr_expire.c. In 3.6.1 the expire annotation of a
// mailbox is not inherited by those below it, whatever its manual says.
func cyrExpire(p *program) int { return p.end(p.cyrExpire()) }

func (p *program) cyrExpire() error {
	args, err := p.expireArgs()
	if err != nil {
		return err
	}
	s, err := p.openSite(args.conf)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	e := &expiry{program: p, site: s, args: args, now: time.Now()}
	if args.prefix != "" {
		if n, err := s.Namespace("", true).Internal(args.prefix); err == nil {
			e.args.prefix = string(n)
		}
	}
	return e.run(ctx)
}

// expireArgs reads the command line.
func (p *program) expireArgs() (a expireArgs, err error) {
	words := slices.DeleteFunc(slices.Clone(p.args), func(w string) bool { return w == "--dry-run" })
	a.look, p.args = len(words) < len(p.args), words
	opts, _, err := p.options("A:C:D:E:X:achp:tu:vx", expireUse, exUsage)
	if err != nil {
		return a, err
	}
	a.archive, a.deleted, a.duplicates, a.expunged = unset, unset, unset, unset
	durations := map[byte]*time.Duration{'A': &a.archive, 'D': &a.deleted, 'E': &a.duplicates, 'X': &a.expunged}
	switches := map[byte]*bool{'a': &a.noAnnotations, 'c': &a.noConversations, 't': &a.flags, 'v': &a.verbose, 'x': &a.noExpunge}
	texts := map[byte]*string{'C': &a.conf, 'p': &a.prefix, 'u': &a.user}
	for _, o := range opts {
		switch {
		case durations[o.Letter] != nil:
			d, ok := fractionOfDays(o.Arg)
			if !ok {
				return a, p.misused(expireUse, exUsage)
			}
			*durations[o.Letter] = d
		case switches[o.Letter] != nil:
			*switches[o.Letter] = true
		case texts[o.Letter] != nil:
			*texts[o.Letter] = o.Arg
		case o.Letter == 'h':
			return a, p.misused(expireUse, exUsage)
		}
	}
	if a.prefix != "" && a.user != "" {
		return a, p.misused(expireUse, exUsage)
	}
	if a.archive == unset && a.deleted == unset && a.duplicates == unset && a.expunged == unset && !a.flags {
		return a, p.misused("Missing arguments.\n"+expireUse, exUsage)
	}
	return a, nil
}

// fractionOfDays reads a number with a fraction and one unit, d (the default),
// h, m or s: "1.5", "36h". It cannot be negative.
//
// Source: parse_duration in Cyrus imap/cyr_expire.c.
func fractionOfDays(s string) (time.Duration, bool) {
	number := strings.TrimLeft(s, " \t")
	unit := 24 * time.Hour
	if n := len(number); n > 0 {
		if u, ok := map[byte]time.Duration{'d': unit, 'h': time.Hour, 'm': time.Minute, 's': time.Second}[number[n-1]]; ok {
			number, unit = number[:n-1], u
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(v) || math.Signbit(v) {
		return 0, false
	}
	const longest = 100 * 365 * 24 * time.Hour
	if v*float64(unit) > float64(longest) {
		return longest, true
	}
	return time.Duration(v * float64(unit)).Truncate(time.Second), true
}

func (e *expiry) run(ctx context.Context) error {
	steps := []func(context.Context) error{e.archive, e.expunge, e.pruneConversations, e.deleteMailboxes, e.pruneDuplicates}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if !e.args.look && e.args.prefix == "" && e.args.user == "" {
		e.cleanStage(e.site)
	}
	if e.args.look {
		e.printPlan()
	} else if e.plan.archived.Messages > 0 {
		e.notice("Archived %d messages", e.plan.archived.Messages)
	}
	return nil
}

// tell prints a line and an empty one, with -v.
func (e *expiry) tell(format string, args ...any) {
	if e.args.verbose {
		fmt.Fprintf(e.err, format+"\n\n", args...)
	}
}

// summary logs a line, and prints it with -v.
func (e *expiry) summary(format string, args ...any) {
	e.notice(format, args...)
	e.tell(format, args...)
}

func days(d time.Duration) float64 { return d.Hours() / 24 }

// mark is the time before which something is too old: in Cyrus a second
// that is d ago is old already.
func (e *expiry) mark(d time.Duration) time.Time {
	return e.now.Add(time.Second - d).Truncate(time.Second)
}

// each calls fn for the mailboxes that the command line chooses, and for
// what else the list has among them.
func (e *expiry) each(ctx context.Context, fn func(*mboxlist.Entry) error) error {
	tick := func() {}
	if !e.args.verbose {
		tick = e.ticker("cyr_expire: mailboxes", func() (n int, err error) {
			err = e.walk(ctx, func(*mboxlist.Entry) error { n++; return nil })
			return n, err
		})
	}
	return e.walk(ctx, func(entry *mboxlist.Entry) error {
		tick()
		return fn(entry)
	})
}

// walk is each without showing how far it is.
func (e *expiry) walk(ctx context.Context, fn func(*mboxlist.Entry) error) error {
	visit := func(entry *mboxlist.Entry) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, &exit{exTempFail, nil}
		}
		if entry.Has(mboxlist.Remote) || !strings.HasPrefix(string(entry.Name), e.args.prefix) {
			return true, nil
		}
		return true, fn(entry)
	}
	if e.args.user != "" {
		return eachOfUser(ctx, e.site, e.args.user, visit)
	}
	return e.site.List.Scan(ctx, "", visit)
}

// archive moves messages to the archive partition that are older than -A,
// or than the archive annotation of their mailbox says.
func (e *expiry) archive(ctx context.Context) error {
	if e.args.archive < 0 || !config.ArchiveEnabled.In(e.site.Config) {
		return nil
	}
	return e.each(ctx, func(entry *mboxlist.Entry) error {
		if !entry.Exists() {
			return nil
		}
		age := e.args.archive
		if d, ok := e.annotation(ctx, entry, annot.Archive); ok {
			if d <= 0 {
				return nil // never
			}
			age = d
		}
		if err := e.archiveMailbox(ctx, entry, age); err != nil {
			e.log.Warn(fmt.Sprintf("unable to archive %s: %v", entry.Name, err))
		}
		return nil
	})
}

func (e *expiry) archiveMailbox(ctx context.Context, entry *mboxlist.Entry, age time.Duration) error {
	if e.args.look {
		f, err := e.site.Store.ForeseeArchive(ctx, entry.Ref(), e.mark(age))
		e.foreseen("archive", entry.Name, f)
		e.plan.archived.Messages += f.Messages
		e.plan.archived.Octets += f.Octets
		return err
	}
	n, err := e.site.Store.ArchiveMessages(ctx, entry.Ref(), e.mark(age), "")
	e.plan.archived.Messages += n
	return err
}

// expunge goes through all mailboxes: it expires messages by annotation,
// removes unused flags with -t, and removes expunged messages for good.
func (e *expiry) expunge(ctx context.Context) error {
	if e.args.noExpunge || e.args.expunged < 0 && e.args.duplicates == 0 && !e.args.flags {
		return nil
	}
	if e.args.expunged >= 0 {
		e.tell("Expunging deleted messages in mailboxes older than %0.2f days", days(e.args.expunged))
	}
	var stale []mboxname.Name
	err := e.each(ctx, func(entry *mboxlist.Entry) error {
		if entry.Has(mboxlist.Tombstone) && time.Unix(entry.Mtime, 0).Before(e.now.Add(-tombstoneAge)) {
			if !e.args.look {
				e.summary("Removing stale tombstone for %s", entry.Name)
			}
			stale = append(stale, entry.Name)
		}
		if !entry.Exists() || e.leftAlone(ctx, entry.Name) {
			return nil
		}
		if err := e.expungeMailbox(ctx, entry); err != nil {
			e.log.Warn(fmt.Sprintf("failure expiring %s: %v", entry.Name, err))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if e.args.look {
		e.plan.tombstones = len(stale)
		return nil
	}
	if e.args.verbose {
		fmt.Fprintln(e.err)
	}
	e.summary("Expired %d and expunged %d out of %d messages from %d mailboxes", e.expired, e.expunged, e.seen, e.mailboxes)
	if e.args.flags {
		e.summary("Expunged %d user flags", e.flagsRemoved)
	}
	e.forget(ctx, stale)
	return nil
}

// pruneConversations removes old Message-IDs from the conversations of the
// users whose mailboxes were seen to.
func (e *expiry) pruneConversations(ctx context.Context) error {
	c := e.site.Conversations
	if c == nil || e.args.noConversations || e.args.look || e.args.noExpunge || e.args.duplicates < 0 && e.args.expunged < 0 {
		return nil
	}
	age := config.ConversationsExpireAfter.In(e.site.Config)
	keep := config.ConversationsKeepExisting.In(e.site.Config)
	e.tell("Removing conversation entries older than %0.2f days", days(age))
	dbs, all, old := 0, 0, 0
	for _, user := range e.users {
		path, err := c.Path(ctx, user)
		if err != nil {
			return err
		}
		e.tell("Pruning conversations from db %s", path)
		err = e.site.Store.WithConversations(ctx, user, func(t *conversations.Txn) error {
			seen, removed, err := t.Prune(e.now.Add(-age).Unix(), keep)
			if err == nil {
				err = t.Commit(ctx)
			}
			dbs, all, old = dbs+1, all+seen, old+removed
			return err
		})
		if err != nil {
			e.log.Error(fmt.Sprintf("conversations of %s: %v", user, err))
		}
	}
	e.summary("Expired %d entries of %d entries seen in %d conversation databases", old, all, dbs)
	return nil
}

// tombstoneAge is how long the list remembers that a mailbox was deleted.
const tombstoneAge = 7 * 24 * time.Hour

// forget removes tombstones from the list.
func (e *expiry) forget(ctx context.Context, stale []mboxname.Name) {
	for _, n := range slices.Backward(stale) {
		if err := e.site.List.Forget(ctx, n); err != nil && errs.KindOf(err) != errs.NotFound {
			e.log.Error(fmt.Sprintf("could not remove tombstone of %s: %v", n, err))
		}
	}
	if len(stale) > 0 {
		e.summary("Cleaned up %d expired mboxlist tombstones", len(stale))
	}
}

func (e *expiry) expungeMailbox(ctx context.Context, entry *mboxlist.Entry) error {
	ref := entry.Ref()
	age := e.duration(ctx, entry, annot.Expire)
	var o mailbox.CleanupOptions
	if e.args.expunged >= 0 {
		o.ExpungedBefore = e.mark(e.args.expunged)
	}
	if e.args.look {
		return e.foreseeExpunge(ctx, entry, age, o)
	}
	if age > 0 {
		e.tell("expiring messages in %s older than %0.2f days", entry.Name, days(age))
	}
	seen, err := e.expireMessages(ctx, ref, age)
	if err != nil {
		return err
	}
	e.tell("cleaning up expunged messages in %s", entry.Name)
	removed, _, err := e.site.Store.Cleanup(ctx, ref, o)
	if owner := entry.Name.Owner(); owner != "" && !slices.Contains(e.users, owner) {
		e.users = append(e.users, owner)
	}
	e.seen += seen
	e.expunged += removed
	e.mailboxes++
	return err
}

// expireMessages expunges the messages whose Date is older than age, unless
// that is zero, and with -t removes the flags that no message has. It
// returns the number of messages that the index has.
func (e *expiry) expireMessages(ctx context.Context, ref mailbox.Ref, age time.Duration) (int, error) {
	mode := mailbox.Read
	if age > 0 || e.args.flags {
		mode = mailbox.Write
	}
	m, err := e.site.Store.Open(ctx, ref, mode)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	if mode == mailbox.Read {
		return int(m.Header().NumRecords), nil
	}
	var used mailbox.UserFlags
	var old, dead []mailbox.Record
	mark := mailbox.StampOf(e.mark(age))
	err = m.Each(1, func(r *mailbox.Record) bool {
		switch {
		case !r.Live():
			dead = append(dead, *r)
		case age > 0 && r.GMTime < mark:
			old = append(old, *r)
		default:
			used = used.Or(r.User)
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	m.Announce(event.Cause{Expunge: event.MessageExpire, First: true})
	for i := range old {
		if err := m.Expire(&old[i], ""); err != nil {
			return 0, err
		}
	}
	removed := 0
	if e.args.flags {
		removed, err = e.removeFlags(m, used, append(dead, old...))
	}
	if err != nil {
		return 0, err
	}
	seen := int(m.Header().NumRecords)
	if err := m.Commit(ctx); err != nil {
		return 0, err
	}
	e.expired += len(old)
	e.flagsRemoved += removed
	return seen, nil
}

// removeFlags frees the slots of flags that are not among used. Expunged
// messages may have them: these lose them, so that none has a flag of
// another name should it come back.
func (e *expiry) removeFlags(m *mailbox.Mailbox, used mailbox.UserFlags, expunged []mailbox.Record) (removed int, err error) {
	for i := range expunged {
		r := &expunged[i]
		if lost := r.User.AndNot(used); lost.Any() {
			r.User = r.User.AndNot(lost)
			if err := m.RewriteSilent(r); err != nil {
				return 0, err
			}
		}
	}
	for n, name := range slices.Clone(m.Flags()) {
		if name == "" || used.Has(n) {
			continue
		}
		e.tell("Expunging userflag %d (%s) from %s", n, name, m.Ref().Name)
		m.RemoveFlag(n)
		removed++
	}
	return removed, nil
}

// duration returns the value of an annotation of the mailbox that is a
// number of days, or 0 if it has none.
func (e *expiry) duration(ctx context.Context, entry *mboxlist.Entry, name string) time.Duration {
	d, _ := e.annotation(ctx, entry, name)
	return max(d, 0)
}

// annotation is duration, and tells whether there is such an annotation.
func (e *expiry) annotation(ctx context.Context, entry *mboxlist.Entry, name string) (time.Duration, bool) {
	if e.args.noAnnotations {
		return 0, false
	}
	v, ok := e.value(ctx, entry, name)
	if !ok {
		return 0, false
	}
	d, err := config.ParseDuration(v, "d")
	if err != nil {
		e.log.Error(fmt.Sprintf("%s of %s: %v", name, entry.Name, err))
		return 0, false
	}
	return d, true
}

// value returns the shared value of an annotation of a mailbox.
func (e *expiry) value(ctx context.Context, entry *mboxlist.Entry, name string) (string, bool) {
	scope := annot.Scope{MailboxID: entry.UniqueID, Owner: entry.Name.OwnerOf(e.site.Layout.DeletedPrefix)}
	v, ok, err := e.site.Annot.Get(ctx, scope, annot.Key{Entry: name})
	if err != nil {
		e.log.Error(fmt.Sprintf("%s of %s: %v", name, entry.Name, err))
	}
	return string(v), ok && err == nil && len(v) > 0
}

const noExpireUntil = "/vendor/cmu/cyrus-imapd/noexpire_until"

// leftAlone reports whether the owner of a mailbox has the annotation
// noexpire_until on his INBOX, and its time has not come; 0 is never.
func (e *expiry) leftAlone(ctx context.Context, n mboxname.Name) bool {
	user := n.OwnerOf(e.site.Layout.DeletedPrefix)
	if user == "" {
		return false
	}
	if user != e.noExpireUser {
		e.noExpireUser, e.noExpire = user, e.userLeftAlone(ctx, user)
	}
	if e.noExpire {
		e.tell("(noexpire) %s", n)
	}
	return e.noExpire
}

func (e *expiry) userLeftAlone(ctx context.Context, user string) bool {
	inbox, err := e.site.List.Lookup(ctx, mboxname.Inbox(user))
	if err != nil {
		return false
	}
	v, ok := e.value(ctx, inbox, noExpireUntil)
	if !ok {
		return false
	}
	until, err := strconv.ParseInt(v, 10, 64)
	return err == nil && until >= 0 && (until == 0 || e.now.Unix() < until)
}

// deleteMailboxes removes the mailboxes for good that were deleted before -D.
func (e *expiry) deleteMailboxes(ctx context.Context) error {
	if e.args.deleted < 0 || config.DeleteMode.In(e.site.Config) != "delayed" {
		return nil
	}
	e.tell("Removing deleted mailboxes older than %0.2f days", days(e.args.deleted))
	var old []mboxname.Name
	err := e.each(ctx, func(entry *mboxlist.Entry) error {
		if e.deletable(ctx, entry) {
			if !e.args.look {
				e.tell("Cleaning up %s", entry.Name)
			}
			old = append(old, entry.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if e.args.look {
		e.plan.deleted = old
		return nil
	}
	for _, n := range old {
		if ctx.Err() != nil {
			return &exit{exTempFail, nil}
		}
		e.tell("Removing: %s", n)
		err := e.site.List.Delete(ctx, mboxlist.Actor{}, n, mboxlist.DeleteOptions{Force: true, Immediate: true})
		if err != nil && errs.KindOf(err) != errs.NotFound {
			e.log.Error(fmt.Sprintf("could not remove %s: %v", n, err))
		}
	}
	e.tell("Removed %d deleted mailboxes", len(old))
	e.notice("Removed %d deleted mailboxes", len(old))
	return nil
}

// deletable reports whether a mailbox was deleted long enough ago: -D, or
// the delete annotation that it had.
func (e *expiry) deletable(ctx context.Context, entry *mboxlist.Entry) bool {
	t, ok := entry.Name.DeletedAt(e.site.Layout.DeletedPrefix)
	if !ok || t == 0 || entry.Has(mboxlist.Tombstone) || e.leftAlone(ctx, entry.Name) {
		return false
	}
	age := e.args.deleted
	if d, ok := e.annotation(ctx, entry, annot.Delete); ok {
		if d <= 0 {
			return false // never
		}
		age = d
	}
	return !time.Unix(int64(t), 0).After(e.mark(age))
}

// pruneDuplicates removes the marks of messages that were delivered before
// -E.
func (e *expiry) pruneDuplicates(ctx context.Context) (err error) {
	if e.args.duplicates <= 0 {
		return nil
	}
	if e.args.look {
		e.plan.marks, e.plan.oldMarks, err = e.site.Duplicate.Old(ctx, e.now.Add(-e.args.duplicates))
		return err
	}
	e.notice("duplicate_prune: pruning back %0.2f days", days(e.args.duplicates))
	count, removed, err := e.site.Duplicate.Prune(ctx, e.now.Add(-e.args.duplicates))
	e.notice("duplicate_prune: purged %d out of %d entries", removed, count)
	return err
}
