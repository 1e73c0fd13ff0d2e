package main

import (
	"context"
	"fmt"
	"strings"

	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/site"
)

const reconstructUse = `Usage: reconstruct [OPTIONS] [mailbox...]
A tool to reconstruct mailboxes.

-C <config-file>   use <config-file> instead of config from imapd.conf
-r                 recursively reconstruct
-s                 don't stat underlying files
-q                 run quietly
-n                 do not make changes
-G                 compare the contents of messages with the index
-u                 give usernames instead of mailbox prefixes
`

// reconstruction is one run of reconstruct.
type reconstruction struct {
	*program
	site  *site.Site
	check boxCheck

	conf                     string
	below, quiet, look, user bool
	failed                   bool
}

// reconstruct compares mailboxes with their message files, and repairs their
// indexes. It needs a cyrus.header and the head of cyrus.index; what
// is lost with these it does not make anew.
//
// Source: Cyrus imap/reconstruct.c.
func reconstruct(p *program) int {
	return p.end((&reconstruction{program: p}).run(context.Background()))
}

func (r *reconstruction) run(ctx context.Context) error {
	operands, err := r.arguments()
	if err != nil {
		return err
	}
	if r.site, err = r.openSite(r.conf); err != nil {
		return err
	}
	defer r.site.Close()
	r.check.site, r.check.out = r.site, r.out
	if err := r.each(ctx, operands); err != nil {
		return err
	}
	if r.failed {
		return &exit{exTempFail, nil}
	}
	return nil
}

// each does the mailboxes that operands choose, or all.
func (r *reconstruction) each(ctx context.Context, operands []string) error {
	if r.user {
		ns := r.site.Namespace("", true)
		for _, user := range operands {
			err := r.site.List.User(ctx, user, false, func(e *mboxlist.Entry) (bool, error) {
				return true, r.mailbox(ctx, ns.ExternalOr(e.Name), e)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	patterns := operands
	if len(operands) == 0 {
		patterns = []string{"*"}
	}
	if r.below {
		for _, o := range operands {
			name, domain, at := strings.Cut(o, "@")
			o = name + "/*"
			if at {
				o += "@" + domain
			}
			patterns = append(patterns, o)
		}
	}
	return eachMatch(ctx, r.site, patterns, func(external string, e *mboxlist.Entry) error {
		return r.mailbox(ctx, external, e)
	})
}

// arguments reads the command line.
func (r *reconstruction) arguments() ([]string, error) {
	opts, operands, err := r.options("C:dgGIkmMnoOp:PqrRsuUV:xf", reconstructUse, exUsage)
	if err != nil {
		return nil, err
	}
	switches := map[byte]*bool{
		'r': &r.below, 's': &r.check.noStat, 'q': &r.quiet, 'n': &r.look, 'G': &r.check.digest, 'u': &r.user,
	}
	for _, o := range opts {
		switch {
		case o.Letter == 'C':
			r.conf = o.Arg
		case switches[o.Letter] != nil:
			*switches[o.Letter] = true
		case o.Letter == 'g' || o.Letter == 'k':
			fmt.Fprintf(r.err, "reconstruct: deprecated option -%c ignored\n", o.Letter)
		default:
			return nil, fatal(exUsage, "option -%c is not supported", o.Letter)
		}
	}
	return operands, nil
}

// mailbox does one mailbox. What fails is printed, and the others are done
// nevertheless.
func (r *reconstruction) mailbox(ctx context.Context, external string, e *mboxlist.Entry) error {
	found, err := r.check.run(ctx, e)
	if err == nil && !r.look && !found.none() {
		err = r.check.repair(ctx, e, found)
	}
	if err != nil {
		r.failed = true
		r.log.Error(fmt.Sprintf("%s: %v", e.Name, err))
		fmt.Fprintf(r.err, "%s: %v\n", external, err)
		return nil
	}
	if !r.quiet {
		fmt.Fprintln(r.out, external)
	}
	return nil
}
