package mboxlist

import (
	"context"
	"strings"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// Install makes a mailbox of a copy of one, which is open in another store:
// e says its name, type, unique id ("" makes one), access control list and,
// if that is there and no parent has another one, partition. Parents that
// are missing are made. The quota root in o is that of the name. A name that
// was used since by another mailbox gives a higher UIDVALIDITY. No right is
// checked: it is for the administrator's restoring of a backup.
//
// Kinds: errs.Exists (the name, or the unique id), errs.OverQuota,
// errs.BadPartition.
func (l *List) Install(ctx context.Context, who Actor, e *Entry, from *mailbox.Mailbox, o mailbox.InstallOptions) (made *Entry, in *mailbox.Installed, err error) {
	err = retry(ctx, func() error {
		made, in, err = l.install(ctx, who, e, from, o)
		return err
	})
	return made, in, err
}

func (l *List) install(ctx context.Context, who Actor, want *Entry, from *mailbox.Mailbox, o mailbox.InstallOptions) (*Entry, *mailbox.Installed, error) {
	old, err := l.fetch(ctx, keyOf(want.Name))
	if err != nil {
		return nil, nil, err
	}
	if old.Entry != nil && old.Exists() {
		return nil, nil, errs.New(errs.Exists, "mboxlist.Install", string(want.Name), nil)
	}
	e, err := l.installed(ctx, who, want)
	if err != nil {
		return nil, nil, err
	}
	if err := l.freeID(ctx, e.UniqueID); err != nil {
		return nil, nil, err
	}
	if e.Name.IsInbox() && old.Entry == nil {
		if old, err = l.announce(ctx, who, e); err != nil {
			return nil, nil, err
		}
	}
	if o.QuotaRoot, err = l.rootFor(ctx, e.Name, o.IgnoreQuota); err != nil {
		return nil, nil, err
	}
	o.SessionID, o.ACL, o.UIDValidity = who.SessionID, e.ACL.String(), want.UIDValidity
	if old.Entry != nil && old.UIDValidity > want.UIDValidity {
		o.UIDValidity = floor(old.Entry)
	}
	in, err := l.o.Store.Install(ctx, e.Ref(), from, o, func(c mailbox.Created) error {
		e.UIDValidity, e.CreatedModseq, e.FolderModseq = c.UIDValidity, c.Modseq, c.Modseq
		e.Mtime = l.now()
		return l.enter(ctx, who, old, e, false)
	})
	return e, in, err
}

// installed is the entry of the new mailbox. Its parents are made.
func (l *List) installed(ctx context.Context, who Actor, want *Entry) (*Entry, error) {
	e := *want
	e.History, e.Server = nil, ""
	if e.UniqueID == "" {
		e.UniqueID = mailbox.NewUniqueID()
	}
	if e.Name.IsDeleted(l.o.Names.DeletedPrefix) {
		if _, err := l.o.Layout.Root(e.Partition); err != nil {
			e.Partition = l.o.DefaultPartition
		}
		e.Type = withFlags(e.Type, "", string(Tombstone)+string(Intermediate)+string(Moving)+string(Remote))
		return &e, nil
	}
	if err := l.o.Names.Valid(e.Name); err != nil {
		return nil, err
	}
	p, err := l.plan(ctx, e.Name)
	if err != nil {
		return nil, err
	}
	part := e.Partition
	if _, err := l.o.Layout.Root(part); err != nil {
		part = ""
	}
	if err := l.place(p, part); err != nil {
		return nil, err
	}
	for _, missing := range p.missing {
		if p.parent, err = l.make(ctx, who, p, missing, CreateOptions{}); err != nil {
			return nil, err
		}
	}
	e.Partition = p.partition
	clear, set := string(Tombstone)+string(Intermediate)+string(Moving)+string(Remote), ""
	if e.Name.IsUser() && !e.Name.IsInbox() {
		clear += string(LegacyDirs) // as his INBOX has it
		if p.legacy {
			clear, set = strings.TrimSuffix(clear, string(LegacyDirs)), string(LegacyDirs)
		}
	}
	e.Type = withFlags(e.Type, set, clear)
	return &e, nil
}

// freeID refuses an id that a mailbox has.
func (l *List) freeID(ctx context.Context, id string) error {
	_, err := l.LookupID(ctx, id)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err == nil {
		err = errs.New(errs.Exists, "mboxlist.Install", id, nil)
	}
	return err
}

// rootFor finds the quota root of a new mailbox, and asks it unless that is
// not wanted.
func (l *List) rootFor(ctx context.Context, n mboxname.Name, ignore bool) (mboxname.Name, error) {
	if !ignore {
		return l.roomForFolder(ctx, n)
	}
	return l.o.Quota.FindRoot(ctx, n)
}

// AnnotateIfNone gives a mailbox an annotation from a copy of it, unless it
// has one with that key. It reports whether it had not.
func (l *List) AnnotateIfNone(ctx context.Context, e *Entry, key annot.Key, data []byte) (bool, error) {
	sc := annot.Scope{MailboxID: e.UniqueID, Owner: e.Name.OwnerOf(l.o.Names.DeletedPrefix)}
	if _, ok, err := l.o.Annot.Get(ctx, sc, key); ok || err != nil {
		return false, err
	}
	delta, err := l.o.Annot.Set(ctx, sc, key, data)
	if err != nil {
		return false, err
	}
	return true, l.changeBox(ctx, e, func(box *mailbox.Mailbox) bool {
		box.AddAnnotationUse(delta)
		return true
	})
}

// LimitIfNone gives a quota root its limits from a copy of it, unless there
// is such a root. What is used below it is counted there from now on.
func (l *List) LimitIfNone(ctx context.Context, root mboxname.Name, limits quota.Limits) (bool, error) {
	_, err := l.o.Quota.Get(ctx, root)
	if err == nil || !errs.Is(err, errs.QuotaNotFound) {
		return false, err
	}
	return true, l.newRoot(ctx, root, limits)
}
