package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
)

// rebuildList is -m: it makes the mailbox list anew if it is lost or cannot
// be read, and else adds what is missing in it.
func (r *reconstruction) rebuildList(ctx context.Context) error {
	c, err := r.configure(r.conf)
	if err != nil {
		return err
	}
	if err := c.CheckPartitions(); err != nil {
		return &exit{exConfig, err}
	}
	r.site, err = site.Open(c, r.log)
	if err == nil {
		defer r.site.Close()
		if err = r.site.List.Sound(ctx); err == nil {
			return r.insertMissing(ctx)
		}
		r.site.Close()
	}
	fmt.Fprintf(r.out, "the mailbox list cannot be used: %v\n", err)
	return r.relist(ctx, c)
}

// relist makes a new list.
func (r *reconstruction) relist(ctx context.Context, c *config.Config) error {
	l, err := site.Relist(ctx, disk.OS(), c, r.log, r.o.Look)
	if err != nil {
		if mode, ok := errors.AsType[*config.Error](err); ok {
			return &exit{exConfig, mode}
		}
		return err
	}
	for _, path := range l.Aside {
		fmt.Fprintf(r.out, "kept %s\n", path)
	}
	for _, x := range l.Found {
		r.created(x)
	}
	for _, x := range l.Rest {
		r.leftOut(x)
	}
	for _, e := range l.Gone {
		fmt.Fprintf(r.out, "%s (%s) was in the list, but has no directory: left out\n", e.Name, e.UniqueID)
	}
	fmt.Fprintf(r.out, "%d mailboxes found, %d entries kept, %d directories left out\n", len(l.Found), len(l.Kept), len(l.Rest))
	return nil
}

// created tells of an entry that was made from a mailbox's files.
func (r *reconstruction) created(x *mboxlist.Found) {
	if !r.quiet {
		fmt.Fprintf(r.out, "created mbentry for %s (%s)\n", x.Name, x.UniqueID)
	}
	if x.Note != "" {
		fmt.Fprintf(r.out, "%s: %s: %s\n", x.Name, x.Dir, x.Note)
	}
}

func (r *reconstruction) leftOut(x *mboxlist.Found) {
	fmt.Fprintf(r.out, "%s: %s is another mailbox of that name (%s, %d messages), and stays as it is\n", x.Name, x.Dir, x.UniqueID, x.Messages)
}

// insertMissing is -d, and -m with a list that can be read: mailboxes that
// are on the partitions and not in the list are put into it.
func (r *reconstruction) insertMissing(ctx context.Context) error {
	all, err := r.missing(ctx, "", func(*mboxlist.Found) bool { return true })
	if err != nil {
		return err
	}
	for _, x := range all {
		if err := r.insert1(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// missing lists mailboxes on a partition that are not in the list.
func (r *reconstruction) missing(ctx context.Context, partition string, wanted func(*mboxlist.Found) bool) ([]*mboxlist.Found, error) {
	all, err := r.site.FindMailboxes(partition)
	if err != nil {
		return nil, err
	}
	var out []*mboxlist.Found
	for _, x := range all {
		if !wanted(x) {
			continue
		}
		e, err := r.site.List.Lookup(ctx, x.Name)
		if err == nil {
			if e.UniqueID != x.UniqueID || e.Partition != x.Partition {
				if known, err := r.site.List.LookupID(ctx, x.UniqueID); err == nil && known.Partition == x.Partition && !x.Has(mboxlist.LegacyDirs) {
					continue // its header has an old name
				}
				if e.Has(mboxlist.LegacyDirs) && x.Has(mboxlist.LegacyDirs) && e.Partition == x.Partition {
					continue // only the ids differ
				}
				r.leftOut(x)
			}
			continue
		}
		if !errs.Is(err, errs.NotFound) && !errs.Is(err, errs.BadFormat) {
			return nil, err
		}
		if known, err := r.site.List.LookupID(ctx, x.UniqueID); err == nil {
			if !x.Has(mboxlist.LegacyDirs) {
				if known.Partition != x.Partition {
					r.leftOut(x)
				}
				continue
			}
			x.Note, x.UniqueID = fmt.Sprintf("its unique id is that of %s: it gets a new one", known.Name), mailbox.NewUniqueID()
		}
		out = append(out, x)
	}
	list, rest := mboxlist.Choose(out, func(mboxname.Name) string { return "" })
	for _, x := range rest {
		r.leftOut(x)
	}
	return list, nil
}

// insert1 puts one mailbox into the list.
func (r *reconstruction) insert1(ctx context.Context, x *mboxlist.Found) error {
	if !r.o.Look {
		if err := r.site.List.Load(ctx, &x.Entry); err != nil {
			fmt.Fprintf(r.out, "failed to create mbentry for %s (%s): %v\n", x.Name, x.UniqueID, err)
			return nil
		}
	}
	r.created(x)
	return nil
}

// fromPartition is -p: mailboxes that are not in the list are looked for on a
// partition.
func (r *reconstruction) fromPartition(ctx context.Context, operands []string) error {
	if len(operands) == 0 {
		return &exit{exUsage, errors.New("When using -p, you must specify a mailbox to attempt to reconstruct.")}
	}
	ns := r.site.Namespace("", true)
	var names []mboxname.Name
	for _, o := range operands {
		if strings.ContainsAny(o, "%*") {
			return &exit{exUsage, errors.New("Using wildcards with -p is not supported.")}
		}
		n, err := ns.Internal(o)
		if err == nil {
			_, err = r.site.List.Lookup(ctx, n)
		}
		if err == nil {
			return &exit{exUsage, fmt.Errorf("Mailbox %s already exists.  Cannot specify -p.", o)}
		}
		names = append(names, n)
	}
	if _, err := r.site.Layout.Root(r.partition); err != nil {
		return &exit{exUsage, fmt.Errorf("no partition-%s in the configuration", r.partition)}
	}
	for i, n := range names {
		list, err := r.missing(ctx, r.partition, func(x *mboxlist.Found) bool { return x.Name == n })
		if err != nil {
			return err
		}
		if len(list) == 0 {
			fmt.Fprintf(r.err, "could not create %s\n", operands[i])
			continue
		}
		if err := r.enter(ctx, list[0]); err != nil {
			return err
		}
	}
	return nil
}

// enter puts a mailbox into the list that was found; with -x only its
// messages are kept.
func (r *reconstruction) enter(ctx context.Context, x *mboxlist.Found) error {
	if r.o.Look {
		r.created(x)
		return nil
	}
	if r.fresh {
		parent, err := r.site.List.Lookup(ctx, x.Name.Parent())
		if err == nil {
			x.ACL = parent.ACL
		}
		if x.Has(mboxlist.LegacyDirs) {
			x.UniqueID = mailbox.NewUniqueID()
		}
		x.UIDValidity, x.FolderModseq, x.CreatedModseq = 0, 0, 0
	}
	if err := r.site.List.Load(ctx, &x.Entry); err != nil {
		return err
	}
	if !r.fresh {
		return nil
	}
	o := r.o
	o.Fresh = true
	defer func(was mailbox.ReconstructOptions) { r.o = was }(r.o)
	r.o = o
	is, err := r.compare(ctx, &x.Entry)
	if err != nil {
		return err
	}
	e, err := r.site.List.Lookup(ctx, x.Name)
	if err != nil {
		return err
	}
	fixed := *e
	fixed.UIDValidity, fixed.FolderModseq, fixed.CreatedModseq = is.UIDValidity, is.Modseq, 1
	return r.site.List.Load(ctx, &fixed)
}

// discover is -f: mailboxes below one that are on the same partition and
// not in the list.
func (r *reconstruction) discover(ctx context.Context, e *mboxlist.Entry) error {
	list, err := r.missing(ctx, e.Partition, func(x *mboxlist.Found) bool {
		return x.Name.Below(e.Name) && x.Name.Parent() == e.Name
	})
	if err != nil {
		return err
	}
	ns := r.site.Namespace("", true)
	for _, x := range list {
		fmt.Fprintf(r.out, "discovered %s\n", x.Name)
		if r.o.Look {
			continue
		}
		if err := r.enter(ctx, x); err != nil {
			fmt.Fprintf(r.err, "createmailbox %s: %v\n", x.Name, err)
			continue
		}
		e, err := r.site.List.Lookup(ctx, x.Name)
		if err == nil {
			err = r.mailbox(ctx, ns.ExternalOr(x.Name), e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fromPath is -P: it makes the record of the mailbox to which a cyrus.header
// belongs, and nothing else.
//
// Source: reconstruct_mbentry in Cyrus imap/reconstruct.c.
func (r *reconstruction) fromPath(ctx context.Context, path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		fmt.Fprintf(r.out, "Can not resolve path '%s'\n", path)
		return nil
	}
	header := real
	if filepath.Base(header) != "cyrus.header" {
		header = filepath.Join(header, "cyrus.header")
	}
	all, err := r.site.FindMailboxes("")
	if err != nil {
		return err
	}
	for _, x := range all {
		at, err := r.site.Layout.MetaPath(mboxname.Header, x.Partition, x.Name, x.UniqueID, x.Has(mboxlist.LegacyDirs))
		if err != nil || !r.sameFile(at, header) {
			continue
		}
		if x.Glance.HeaderErr != nil {
			break
		}
		if x.Glance.Head == nil {
			fmt.Fprintf(r.out, "failed to open mailbox %s (%s): %s\n", x.Name, x.UniqueID, errs.BadFormat)
			return nil
		}
		if old, err := r.site.List.Stored(ctx, x.UniqueID); err == nil {
			x.History = old.History
		}
		return r.insert1(ctx, x)
	}
	fmt.Fprintf(r.out, "Invalid/missing cyrus.header at '%s'\n", header)
	return nil
}

// sameFile reports whether two paths lead to one file.
func (r *reconstruction) sameFile(a, b string) bool {
	if a == b {
		return true
	}
	x, err := r.site.FS.Stat(a)
	if err != nil {
		return false
	}
	y, err := r.site.FS.Stat(b)
	return err == nil && disk.Inode(x) == disk.Inode(y)
}
