package main

import (
	"context"
	"fmt"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

const chkCyrusUse = "chk_cyrus [-C <altconfig>] partition\n"

// chkCyrus tells which message files are missing or too many. It changes
// nothing.
//
// Source: Cyrus imap/chk_cyrus.c.
func chkCyrus(p *program) int { return p.end(p.chkCyrus(context.Background())) }

func (p *program) chkCyrus(ctx context.Context) error {
	opts, _, err := p.options("C:P:M:", chkCyrusUse, exMinusOne)
	if err != nil {
		return err
	}
	var conf, partition, name string
	for _, o := range opts {
		switch o.Letter {
		case 'C':
			conf = o.Arg
		case 'P':
			partition = o.Arg
		case 'M':
			name = o.Arg
		}
	}
	if partition != "" && name != "" {
		return p.misused(chkCyrusUse, exMinusOne)
	}
	s, err := p.openSite(conf)
	if err != nil {
		return err
	}
	defer s.Close()
	o := mailbox.ReconstructOptions{Look: true, NoStat: true, Say: func(line string) { fmt.Fprintln(p.out, line) }}
	check := func(_ string, e *mboxlist.Entry) error {
		if partition != "" && e.Partition != partition {
			return nil
		}
		fmt.Fprintf(p.err, "checking: %s\n", e.Name)
		o.ACL, o.UIDValidity = e.ACL.String(), e.UIDValidity
		if _, err := s.Store.Reconstruct(ctx, e.Ref(), o); err != nil {
			fmt.Fprintf(p.out, "%s: %v\n", e.Name, err)
		}
		return nil
	}
	if name != "" {
		fmt.Fprintf(p.err, "Examining mailbox: %s\n", name)
		if e, err := s.List.Lookup(ctx, mboxname.Name(name)); err == nil {
			return check("", e)
		}
		return nil
	}
	which := partition
	if which == "" {
		which = "ALL PARTITIONS"
	}
	fmt.Fprintf(p.err, "Examining partition: %s\n", which)
	return eachMatch(ctx, s, []string{"*"}, check)
}
