package main

import (
	"context"
	"fmt"
	"time"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// expirePlan is what cyr_expire --dry-run has found.
type expirePlan struct {
	archived, expired, removed mailbox.Foreseen
	flags                      int
	deleted                    []mboxname.Name
	tombstones                 int
	marks, oldMarks            int // of delivered messages
}

// foreseen prints a line about a mailbox, with -v.
func (e *expiry) foreseen(what string, n mboxname.Name, f mailbox.Foreseen) {
	if f.Messages > 0 {
		e.tell("would %s %d messages of %d bytes in %s", what, f.Messages, f.Octets, n)
	}
}

// foreseeExpunge does what expungeMailbox does, and changes nothing.
func (e *expiry) foreseeExpunge(ctx context.Context, entry *mboxlist.Entry, age time.Duration, o mailbox.CleanupOptions) error {
	removed, err := e.site.Store.ForeseeCleanup(ctx, entry.Ref(), o)
	if err != nil {
		return err
	}
	m, err := e.site.Store.Open(ctx, entry.Ref(), mailbox.Read)
	if err != nil {
		return err
	}
	defer m.Close()
	var expired mailbox.Foreseen
	var used mailbox.UserFlags
	mark := mailbox.StampOf(e.mark(age))
	err = m.Each(1, func(r *mailbox.Record) bool {
		switch {
		case !r.Live():
		case age > 0 && r.GMTime < mark:
			expired.Messages++
			expired.Octets += uint64(r.Size)
		default:
			used = used.Or(r.User)
		}
		return true
	})
	if err != nil {
		return err
	}
	if e.args.expunged == 0 { // what expires now goes at once
		removed.Messages += expired.Messages
		removed.Octets += expired.Octets
	}
	e.foreseen("expire", entry.Name, expired)
	e.foreseen("expunge", entry.Name, removed)
	for n, name := range m.Flags() {
		if e.args.flags && name != "" && !used.Has(n) {
			e.tell("would remove user flag %d (%s) from %s", n, name, entry.Name)
			e.plan.flags++
		}
	}
	e.mailboxes++
	e.seen += int(m.Header().NumRecords)
	e.plan.expired.Messages += expired.Messages
	e.plan.expired.Octets += expired.Octets
	e.plan.removed.Messages += removed.Messages
	e.plan.removed.Octets += removed.Octets
	return nil
}

// printPlan says what would be done.
func (e *expiry) printPlan() {
	p := &e.plan
	if e.args.archive >= 0 {
		fmt.Fprintf(e.out, "would archive %d messages of %d bytes\n", p.archived.Messages, p.archived.Octets)
	}
	if e.mailboxes > 0 {
		fmt.Fprintf(e.out, "would expire %d and expunge %d out of %d messages from %d mailboxes, which frees %d bytes\n",
			p.expired.Messages, p.removed.Messages, e.seen, e.mailboxes, p.removed.Octets)
	}
	if e.args.flags {
		fmt.Fprintf(e.out, "would remove %d user flags\n", p.flags)
	}
	for _, n := range p.deleted {
		fmt.Fprintf(e.out, "would remove mailbox %s\n", n)
	}
	if e.args.deleted >= 0 {
		fmt.Fprintf(e.out, "would remove %d deleted mailboxes\n", len(p.deleted))
	}
	if p.tombstones > 0 {
		fmt.Fprintf(e.out, "would forget %d names of deleted mailboxes\n", p.tombstones)
	}
	if e.args.duplicates > 0 {
		fmt.Fprintf(e.out, "would remove %d out of %d marks of delivered messages\n", p.oldMarks, p.marks)
	}
}
