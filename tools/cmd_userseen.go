package main

import (
	"context"
	"fmt"

	"gocyrus/libcyrus/mboxlist"
)

const cyrUserseenUse = "cyr_userseen [-C <altconfig>] -d\n"

// cyrUserseen lists, and with -d removes, what users' own databases of seen
// messages hold of their own mailboxes: that is in the mailboxes.
//
// Source: Cyrus imap/cyr_userseen.c.
func cyrUserseen(p *program) int { return p.end(p.cyrUserseen(context.Background())) }

func (p *program) cyrUserseen(ctx context.Context) error {
	opts, _, err := p.options("C:d", cyrUserseenUse, exMinusOne)
	if err != nil {
		return err
	}
	conf, remove := "", false
	for _, o := range opts {
		if o.Letter == 'C' {
			conf = o.Arg
		} else {
			remove = true
		}
	}
	s, err := p.openSite(conf)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		user := e.Name.OwnerOf(s.Layout.DeletedPrefix)
		if user == "" || !e.Exists() {
			return true, nil
		}
		fmt.Fprintf(p.out, "removing seen for %s on %s\n", user, e.Name)
		if !remove || e.Has(mboxlist.Remote) {
			return true, nil
		}
		return true, s.Seen.Remove(ctx, user, e.UniqueID)
	})
}
