package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/duplicate"
	"gocyrus/libcyrus/lock"
)

const ctlDeliverUse = "ctl_deliver [-C <altconfig>] -d [-f <dbfile>]\n"

// ctlDeliver prints which mails were delivered.
//
// Source: Cyrus imap/ctl_deliver.c; duplicate_dump in imap/duplicate.c.
func ctlDeliver(p *program) int {
	args, err := p.ctlDeliverArgs()
	if err != nil {
		return p.end(err)
	}
	if args.days == "" {
		return p.end(p.ctlDeliver(context.Background(), args))
	}
	fmt.Fprintln(p.err, "ctl_deliver -E is deprecated: using cyr_expire -E instead")
	p.args = []string{"cyr_expire", "-E", args.days}
	if args.conf != "" {
		p.args = append(p.args, "-C", args.conf)
	}
	p.called = p.args[0]
	return cyrExpire(p)
}

type deliverArgs struct{ conf, file, days string }

func (p *program) ctlDeliverArgs() (a deliverArgs, err error) {
	opts, _, err := p.options("C:E:df:", ctlDeliverUse, exMinusOne)
	if err != nil {
		return a, err
	}
	dump := false
	for _, o := range opts {
		switch {
		case o.Letter == 'C':
			a.conf = o.Arg
		case o.Letter == 'f' && a.file == "":
			a.file = o.Arg
		case o.Letter == 'd' && !dump && a.days == "":
			dump = true
		case o.Letter == 'E' && !dump && a.days == "" && o.Arg != "":
			a.days = o.Arg
		default:
			return a, p.misused(ctlDeliverUse, exMinusOne)
		}
	}
	if !dump && a.days == "" {
		return a, p.misused(ctlDeliverUse, exMinusOne)
	}
	return a, nil
}

func (p *program) ctlDeliver(ctx context.Context, a deliverArgs) error {
	marks, done, err := p.openMarks(a)
	if err != nil {
		return err
	}
	defer done()
	w := bufio.NewWriter(p.out)
	defer w.Flush()
	fmt.Fprintf(w, "it is NOW: %d\n", time.Now().Unix())
	count := 0
	err = marks.Each(ctx, func(k duplicate.Key, m duplicate.Mark) error {
		count++
		fmt.Fprintf(w, "id: %-40s\tto: %-20s\tat: %d\tuid: %d\n", printableID(k), k.To, m.Time.Unix(), m.UID)
		return nil
	})
	fmt.Fprintf(w, "got %d entries\n", count)
	return err
}

// openMarks opens the site's list of deliveries, or the file that -f names,
// which it makes if there is none, as Cyrus does.
func (p *program) openMarks(a deliverArgs) (*duplicate.Store, func(), error) {
	if a.file == "" {
		s, err := p.openSite(a.conf)
		if err != nil {
			return nil, nil, err
		}
		return s.Duplicate, func() { s.Close() }, nil
	}
	c, err := p.configure(a.conf)
	if err != nil {
		return nil, nil, err
	}
	kind := config.DuplicateDb.In(c)
	if own, err := cyrusdb.OwnMode(c); err == nil && own {
		kind = "twoskip"
	}
	db, err := cyrusdb.OpenBehind(c, disk.OS(), lock.NewTable(disk.OS(), p.log), p.log, kind, a.file, cyrusdb.Create)
	if err != nil {
		p.log.Error(fmt.Sprintf("DBERROR: opening %s: %v", a.file, err))
		return nil, nil, &exit{exFailure, errors.New("ctl_deliver: unable to init duplicate delivery database")}
	}
	s := duplicate.New(db, p.log)
	return s, func() { s.Close() }, nil
}

// printableID is the id of a delivery; those that are hashes are printed in
// hexadecimal.
func printableID(k duplicate.Key) string {
	for _, b := range []byte(k.ID) {
		if b < ' ' || b > '~' {
			return fmt.Sprintf("%x", k.ID)
		}
	}
	return k.ID
}
