package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

const relocateUse = `Usage: relocate_by_id [OPTIONS]
A tool to relocate mailbox trees by their ids.

-C <config-file>   use <config-file> instead of config from imapd.conf
-q                 run quietly
-n                 do not make changes
-u                 give usernames instead of mailbox prefixes

`

// relocation is one run of relocate_by_id.
type relocation struct {
	*program
	site *site.Site
	ns   *mboxname.Namespace

	conf               string
	look, quiet, users bool
}

// relocateByID moves mailboxes from directories by name to those by unique
// id.
//
// Source: Cyrus imap/relocate_by_id.c.
func relocateByID(p *program) int {
	return p.end((&relocation{program: p}).run(context.Background()))
}

func (r *relocation) run(ctx context.Context) error {
	opts, operands, err := r.options("C:nqu", relocateUse, exUsage)
	if err != nil {
		return err
	}
	switches := map[byte]*bool{'n': &r.look, 'q': &r.quiet, 'u': &r.users}
	for _, o := range opts {
		if o.Letter == 'C' {
			r.conf = o.Arg
		} else {
			*switches[o.Letter] = true
		}
	}
	if r.site, err = r.openSite(r.conf); err != nil {
		return err
	}
	defer r.site.Close()
	r.ns = r.site.Namespace("", true)
	if len(operands) == 0 {
		fmt.Fprintln(r.err, "please specify a mailbox to recurse from")
		return &exit{exUsage, nil}
	}
	for _, o := range operands {
		if err := r.tree(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// tell prints a line of progress, unless -q.
func (r *relocation) tell(format string, args ...any) {
	if !r.quiet {
		fmt.Fprintf(r.out, format, args...)
	}
}

// tree relocates what an operand means, with all below it, and what waits for
// its final deletion; what is below comes first.
func (r *relocation) tree(ctx context.Context, operand string) error {
	var all []*mboxlist.Entry
	found := false
	err := r.each(ctx, operand, func(e *mboxlist.Entry) (bool, error) {
		if e.Has(mboxlist.Tombstone) {
			return true, nil
		}
		found = true
		if e.Has(mboxlist.LegacyDirs) {
			all = append(all, e)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	kind := "mailbox"
	if r.users {
		kind = "user"
	}
	switch {
	case !found:
		fmt.Fprintf(r.err, "%s: %s not found\n", operand, kind)
	case len(all) == 0:
		fmt.Fprintf(r.err, "%s: %s already relocated\n", operand, kind)
	}
	if all, err = r.promote(ctx, all); err != nil {
		return nil
	}
	for _, e := range slices.Backward(all) {
		if err := r.one(ctx, e); err != nil {
			r.log.Error(err.Error())
			return nil // those above it stay, as in Cyrus
		}
	}
	return nil
}

// each calls fn for what an operand means, tombstones too.
func (r *relocation) each(ctx context.Context, operand string, fn mboxlist.ScanFunc) error {
	if r.users {
		return eachOfUser(ctx, r.site, operand, fn)
	}
	n, err := r.ns.Internal(operand)
	if err != nil {
		return nil // nothing has such a name
	}
	if err := eachBelow(ctx, r.site, n, fn); err != nil {
		return err
	}
	parts := n.Parts(r.site.Layout.DeletedPrefix)
	if parts.WasDeleted {
		return nil
	}
	deleted := r.site.Layout.DeletedPrefix + "." + string(n.Local())
	if d := n.Domain(); d != "" {
		deleted = d + "!" + deleted
	}
	return eachBelow(ctx, r.site, mboxname.Name(deleted), fn)
}

// promote makes mailboxes of names that only stand for what is below them.
func (r *relocation) promote(ctx context.Context, all []*mboxlist.Entry) ([]*mboxlist.Entry, error) {
	out := all[:0]
	for _, e := range all {
		if !e.Has(mboxlist.Intermediate) {
			out = append(out, e)
			continue
		}
		external := r.ns.ExternalOr(e.Name)
		r.tell("\nPromoting intermediary: %s\n", external)
		if r.look {
			continue
		}
		made, err := r.site.List.Create(ctx, mboxlist.Actor{}, e.Name, mboxlist.CreateOptions{Force: true})
		if err != nil {
			fmt.Fprintf(r.err, "\tFailed to promote intermediary %s: %v\n", external, err)
			return nil, err
		}
		if made.Has(mboxlist.LegacyDirs) {
			out = append(out, made)
		}
	}
	return out, nil
}

// one relocates a mailbox.
func (r *relocation) one(ctx context.Context, e *mboxlist.Entry) error {
	external := r.ns.ExternalOr(e.Name)
	r.tell("\nRelocating: %s\n", external)
	paths, err := r.paths(e)
	if err != nil {
		return err
	}
	gone := []string{}
	for _, p := range paths {
		if slices.ContainsFunc(gone, func(dir string) bool { return strings.HasPrefix(p[0], dir+"/") }) {
			continue // moves with its directory
		}
		if _, err := r.site.FS.Stat(p[0]); err == nil {
			r.tell("\tRenaming: %s\t -> %s\n", p[0], p[1])
			if !r.look {
				gone = append(gone, p[0])
			}
		}
	}
	if r.look {
		return nil
	}
	if err := r.site.List.Relocate(ctx, mboxlist.Actor{}, e.Name); err != nil {
		fmt.Fprintf(r.err, "\tFailed to relocate %s: %v\n", external, err)
		return err
	}
	return nil
}

// paths is what a mailbox may have, where it is and where it will be: the
// directory of its messages, that of the archive, its other files, and for
// an INBOX the files of the user.
func (r *relocation) paths(e *mboxlist.Entry) (paths [][2]string, err error) {
	l := r.site.Layout
	add := func(path func(legacy bool) (string, error)) {
		from, ferr := path(true)
		to, terr := path(false)
		if err == nil && ferr == nil && terr == nil && !slices.ContainsFunc(paths, func(p [2]string) bool { return p[0] == from }) {
			paths = append(paths, [2]string{from, to})
		}
		if ferr != nil {
			err = ferr
		}
		if terr != nil {
			err = terr
		}
	}
	add(func(legacy bool) (string, error) { return l.MailboxDir(e.Partition, e.Name, e.UniqueID, legacy) })
	add(func(legacy bool) (string, error) { return l.ArchiveDir(e.Partition, e.Name, e.UniqueID, legacy) })
	for _, m := range []mboxname.MetaFile{
		mboxname.Header, mboxname.Index, mboxname.Cache, mboxname.Expunge, mboxname.Squat,
		mboxname.Annotations, mboxname.DAV, mboxname.ArchiveCache,
	} {
		add(func(legacy bool) (string, error) { return l.MetaPath(m, e.Partition, e.Name, e.UniqueID, legacy) })
	}
	if err == nil && e.Name.IsInbox() {
		paths = append(paths, r.site.List.FilesByID(e)...)
	}
	return paths, err
}
