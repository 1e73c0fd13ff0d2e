package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/site"
)

const mbtoolUse = `Usage:
    mbtool [options] {-r|-t} mailbox...

Commands:
    -r    create new unique IDs for specified mailboxes
    -t    normalise internaldates in specified mailboxes

Options:
    -C alt_config  use alternate imapd.conf file
`

// mbtool gives mailboxes new unique ids, or their messages the internal
// dates that their Date headers say.
//
// Source: Cyrus imap/mbtool.c. Its -r changes cyrus.header alone, so that the
// list does not find the mailbox any more.
func mbtool(p *program) int { return p.end(p.mbtool(context.Background())) }

func (p *program) mbtool(ctx context.Context) error {
	opts, operands, err := p.options("C:rt", mbtoolUse, exUsage)
	if err != nil {
		return err
	}
	conf := ""
	var cmd byte
	for _, o := range opts {
		switch {
		case o.Letter == 'C':
			conf = o.Arg
		case cmd != 0:
			return p.misused(mbtoolUse, exUsage)
		default:
			cmd = o.Letter
		}
	}
	if cmd == 0 || len(operands) == 0 {
		return p.misused(mbtoolUse, exUsage)
	}
	s, err := p.openSite(conf)
	if err != nil {
		return err
	}
	defer s.Close()
	work := p.redate
	if cmd == 'r' {
		work = p.reid
	}
	for _, pattern := range operands {
		err := eachMatch(ctx, s, []string{pattern}, func(external string, e *mboxlist.Entry) error {
			fmt.Fprintf(p.out, "Working on %s...\n", external)
			if err := work(ctx, s, external, e); err != nil {
				p.log.Error(fmt.Sprintf("%s: %v", e.Name, err))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// farApart is how many seconds internal and sent date may differ: Cyrus says
// that a day is close enough.
const farApart = 24 * 60 * 60

// dateForm is how dates are printed (RFC 5322).
const dateForm = "Mon, 02 Jan 2006 15:04:05 -0700"

// redate corrects the internal dates of a mailbox. An index before version 12
// does not have what Date says: Cyrus takes what stands there for it.
func (p *program) redate(ctx context.Context, s *site.Site, _ string, e *mboxlist.Entry) error {
	m, err := s.Store.Open(ctx, e.Ref(), mailbox.Write)
	if err != nil {
		return err
	}
	defer m.Close()
	var wrong []mailbox.Record
	err = m.Each(1, func(r *mailbox.Record) bool {
		if apart := int64(r.InternalDate) - int64(r.GMTime); r.Live() && r.GMTime != 0 && (apart >= farApart || apart <= -farApart) {
			wrong = append(wrong, *r)
		}
		return true
	})
	if err != nil || len(wrong) == 0 {
		return err
	}
	text := func(t mailbox.Stamp) string { return t.Time().In(time.Local).Format(dateForm) }
	for i := range wrong {
		r := &wrong[i]
		fmt.Fprintf(p.out, "  %d: %s => %s\n", r.UID, text(r.InternalDate), text(r.GMTime))
		if err := m.SetInternalDate(r, r.GMTime); err != nil {
			return err
		}
	}
	return m.Commit(ctx)
}

// reid gives a mailbox a new unique id.
func (p *program) reid(ctx context.Context, s *site.Site, external string, e *mboxlist.Entry) error {
	_, err := s.List.Reid(ctx, mboxlist.Actor{}, e.Name)
	if errors.Is(err, mboxlist.ErrByID) {
		fmt.Fprintf(p.out, "Non-legacy mailbox, cannot reid: %s", external) // without a newline, as Cyrus
		return nil
	}
	return err
}
