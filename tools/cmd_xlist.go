package main

import (
	"context"
	"fmt"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/site"
)

const xlistUse = `Usage:
    %s [options] mailbox...

Options:
    -C alt_config       # alternate config file
    -v                  # verbose

`

// xlistRun is one run of cvt_xlist_specialuse.
type xlistRun struct {
	*program
	site    *site.Site
	uses    map[string]string // by the name of the folder
	verbose bool
}

// cvtXlistSpecialuse gives the folders that imapd.conf's xlist-* options name
// the special uses that they say.
//
// Source: Cyrus imap/cvt_xlist_specialuse.c.
func cvtXlistSpecialuse(p *program) int {
	return p.end((&xlistRun{program: p, uses: map[string]string{}}).run(context.Background()))
}

func (r *xlistRun) run(ctx context.Context) error {
	use := fmt.Sprintf(xlistUse, r.called[strings.LastIndexByte(r.called, '/')+1:])
	opts, operands, err := r.options("C:v", use, exUsage)
	if err != nil {
		return err
	}
	conf := ""
	for _, o := range opts {
		if o.Letter == 'C' {
			conf = o.Arg
		} else {
			r.verbose = true
		}
	}
	if len(operands) == 0 {
		return r.misused(use, exUsage)
	}
	c, err := r.configure(conf)
	if err != nil {
		return err
	}
	if r.settings(c); len(r.uses) == 0 {
		fmt.Fprintf(r.err, "no xlist- settings in %s, nothing to do\n", c.Path())
		return nil
	}
	if r.site, err = r.openStore(c); err != nil {
		return err
	}
	defer r.site.Close()
	return eachMatch(ctx, r.site, operands, func(_ string, e *mboxlist.Entry) error { return r.mailbox(ctx, e) })
}

func (r *xlistRun) tell(format string, args ...any) {
	if r.verbose {
		fmt.Fprintf(r.out, format, args...)
	}
}

// settings reads the xlist-* options.
func (r *xlistRun) settings(c *config.Config) {
	for _, kv := range c.OverflowPrefix("xlist-") {
		flag := `\` + strings.TrimPrefix(kv.Key, "xlist-")
		r.tell("will set %s for folders named %s\n", flag, kv.Value)
		r.uses[kv.Value] = flag
	}
}

// mailbox sets the use of a mailbox directly below an INBOX, unless the user
// has one with this use.
func (r *xlistRun) mailbox(ctx context.Context, e *mboxlist.Entry) error {
	parts := e.Name.Parts(r.site.Layout.DeletedPrefix)
	if parts.Localpart == "" || parts.WasDeleted || len(parts.Boxes) != 1 {
		return nil
	}
	flag := r.uses[parts.Boxes[0]]
	if flag == "" {
		return nil
	}
	have, err := r.site.List.SpecialUse(ctx, parts.UserID(), flag)
	if err == nil {
		r.tell("not setting specialuse %s for %s, already exists as %s\n", flag, e.Name, have.Name)
		return nil
	}
	if !errs.Is(err, errs.NotFound) {
		return err
	}
	if err := r.site.List.SetSpecialUse(ctx, e, flag); err != nil {
		fmt.Fprintf(r.err, "failed to set specialuse %s for %s: %v", flag, e.Name, err)
		return nil
	}
	r.tell("set specialuse %s for %s\n", flag, e.Name)
	return nil
}
