package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

const cyrPwdUse = "usage: cyr_pwd [-C <alt_config>]\n"

// cyrPwd prints the name of the mailbox whose directory is the working
// directory. In none the status is 0 too, as with Cyrus.
//
// Source: Cyrus imap/cyr_pwd.c.
func cyrPwd(p *program) int { return p.end(p.cyrPwd(context.Background())) }

func (p *program) cyrPwd(ctx context.Context) error {
	opts, _, err := p.options("C:", cyrPwdUse+"\n", exMinusOne)
	if err != nil {
		return err
	}
	conf := ""
	for _, o := range opts {
		conf = o.Arg
	}
	s, err := p.openSite(conf)
	if err != nil {
		return err
	}
	defer s.Close()
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	name := ""
	if strings.Contains(dir, "/uuid/") {
		if n, err := (&mbpathRun{program: p, site: s}).fromPath(ctx, dir); err == nil {
			name = s.Namespace("", true).ExternalOr(n)
		}
	}
	if name == "" {
		fmt.Fprintln(p.err, "ERROR: not in Cyrus UUID mailbox directory")
		return nil
	}
	fmt.Fprintln(p.out, name)
	return nil
}
