package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/site"
)

const arbitronUse = `usage: arbitron [-o] [-u] [-l] [-C alt_config] [-d days | -D mmddyyy[:mmddyyyy]]
                [-p months] [mboxpattern]
`

// readership is one run of arbitron.
type readership struct {
	conf, pattern      string
	from, to           time.Time // when a reader must have looked last
	prune              time.Time // what was looked at before is forgotten; zero: nothing
	noSubs, ids, table bool

	boxes  map[string]*readers // by unique id
	byName map[mboxname.Name]*readers
	order  []*readers
}

// readers is who reads and who subscribes to one mailbox.
type readers struct {
	name              mboxname.Name
	external          string
	reads, subscribes []string
}

// arbitron reports how many users read and subscribe to mailboxes that are
// not theirs, and makes old seen states forgotten.
//
// Source: Cyrus imap/arbitron.c.
func arbitron(p *program) int { return p.end(p.arbitron(context.Background())) }

func (p *program) arbitron(ctx context.Context) error {
	r, err := p.readership(time.Now())
	if err != nil {
		return err
	}
	s, err := p.openSite(r.conf)
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Fprint(p.err, "Loading Mailboxes...")
	if err := r.mailboxes(ctx, s); err != nil {
		return err
	}
	fmt.Fprint(p.err, "Done\nLoading Users...")
	if err := r.users(ctx, s); err != nil {
		return err
	}
	fmt.Fprintln(p.err, "Done")
	for _, b := range r.order {
		if !b.name.IsUser() || len(b.reads) > 0 {
			r.report(p, b)
		}
	}
	return nil
}

// readership reads the command line.
func (p *program) readership(now time.Time) (*readership, error) {
	r := &readership{pattern: "*", to: now, boxes: map[string]*readers{}, byName: map[mboxname.Name]*readers{}}
	opts, operands, err := p.options("C:D:d:lop:u", arbitronUse, exUsage)
	if err != nil {
		return nil, err
	}
	days := 30
	for _, o := range opts {
		ok := true
		switch o.Letter {
		case 'C':
			r.conf = o.Arg
		case 'D':
			ok = r.dates(o.Arg)
		case 'd':
			days = leadingNumber(o.Arg)
			ok = days > 0 && r.from.IsZero()
		case 'p':
			months := leadingNumber(o.Arg)
			r.prune, ok = now.Add(-time.Duration(months)*31*24*time.Hour), months > 0
		case 'l':
			r.table, r.ids = true, true
		case 'o':
			r.noSubs = true
		case 'u':
			r.ids = true
		}
		if !ok {
			return nil, p.misused(arbitronUse, exUsage)
		}
	}
	if r.from.IsZero() {
		r.from = now.Add(-time.Duration(days) * 24 * time.Hour)
	}
	if len(operands) > 0 {
		r.pattern = operands[0]
	}
	return r, nil
}

// leadingNumber is C's atoi, within what a number of days can be.
func leadingNumber(text string) int {
	n, err := strconv.Atoi(regexp.MustCompile(`^\s*[-+]?\d*`).FindString(text))
	if err != nil || n > 100000 {
		return 0
	}
	return n
}

// dates reads the argument of -D, mmddyyyy or mmddyyyy:mmddyyyy. A second day
// that has another length counts as not given.
func (r *readership) dates(text string) bool {
	const form = "01022006"
	first, second, _ := strings.Cut(text, ":")
	from, err := time.ParseInLocation(form, first, time.Local)
	if err != nil {
		return false
	}
	r.from = from
	if len(second) == len(form) {
		if r.to, err = time.ParseInLocation(form, second, time.Local); err != nil {
			return false
		}
	}
	return true
}

// mailboxes finds those that the report is about.
func (r *readership) mailboxes(ctx context.Context, s *site.Site) error {
	return eachMatch(ctx, s, []string{r.pattern}, func(external string, e *mboxlist.Entry) error {
		if e.Exists() && !e.Has(mboxlist.Remote) {
			b := &readers{name: e.Name, external: external}
			r.boxes[e.UniqueID], r.byName[e.Name] = b, b
			r.order = append(r.order, b)
		}
		return nil
	})
}

// users looks at what each user has seen and subscribed to.
func (r *readership) users(ctx context.Context, s *site.Site) error {
	var users []string
	err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if e.Exists() && e.Name.IsInbox() {
			users = append(users, e.Name.Owner())
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	slices.Sort(users)
	for _, u := range users {
		if err := r.seen(ctx, s, u); err != nil {
			return fmt.Errorf("what %s has seen: %w", u, err)
		}
		if r.noSubs {
			continue
		}
		names, err := s.Subs.List(ctx, u)
		if err != nil {
			return fmt.Errorf("subscriptions of %s: %w", u, err)
		}
		for _, n := range names {
			if b := r.byName[n]; b != nil {
				b.subscribes = append(b.subscribes, u)
			}
		}
	}
	return nil
}

// seen counts a user as a reader of what he has looked at, but for what is his
// own, and makes old entries forgotten.
func (r *readership) seen(ctx context.Context, s *site.Site, user string) error {
	var old []string
	err := s.Seen.Each(ctx, user, func(id string, st seen.State) error {
		at := time.Unix(st.LastRead, 0)
		if b := r.boxes[id]; b != nil && !at.Before(r.from) && !at.After(r.to) && b.name.Owner() != user {
			b.reads = append(b.reads, user)
		}
		if at.Before(r.prune) {
			old = append(old, id)
		}
		return nil
	})
	for _, id := range old {
		if e := s.Seen.Remove(ctx, user, id); !errs.Is(e, errs.NotFound) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// report prints one mailbox.
func (r *readership) report(p *program, b *readers) {
	if r.table {
		const form = "01-02-2006 15:04:05"
		for _, x := range []struct {
			letter string
			users  []string
		}{{"r", b.reads}, {"s", b.subscribes}} {
			for _, u := range x.users {
				fmt.Fprintf(p.out, "%s,%s,%s,%s,%s\n", b.external, u, x.letter, r.from.Format(form), r.to.Format(form))
			}
		}
		return
	}
	list := func(users []string) string {
		if !r.ids || len(users) == 0 {
			return fmt.Sprint(len(users))
		}
		return fmt.Sprintf("%d:%s", len(users), strings.Join(users, ","))
	}
	line := b.external + " " + list(b.reads)
	if !r.noSubs {
		line += " " + list(b.subscribes)
	}
	fmt.Fprintln(p.out, line)
}
