package mboxlist

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// RenameOptions says how a mailbox is renamed.
type RenameOptions struct {
	Partition string // move to it; "" stays. Only admins, and only without a new name
	Force     bool   // skip the rights
	Alone     bool   // not what is below it
	// Moved, if not nil, is called after each mailbox that has moved, with
	// its names.
	Moved func(from, to mboxname.Name)
}

// ErrMoveAndRename means that a mailbox cannot get a new name and a new
// partition at once; the text is Cyrus's. The error that wraps it is of kind
// errs.NotSupported.
var ErrMoveAndRename = errors.New("Cross-server or cross-partition move w/rename not supported")

// Rename renames a mailbox and all below it, the mailbox first. An INBOX is
// renamed by its owner by moving its messages to a new mailbox; by an admin
// (allowusermoves) the whole user. If it is interrupted, what has moved has
// moved.
//
// Kinds: errs.NotFound, errs.Denied, errs.Exists, errs.BadName,
// errs.NotSupported, errs.OverQuota, errs.NoSuchMessage (an empty INBOX).
//
// Source: cmd_rename in Cyrus imap/imapd.c, mboxlist_renamemailbox in
// imap/mboxlist.c.
func (l *List) Rename(ctx context.Context, who Actor, from, to mboxname.Name, o RenameOptions) error {
	l.Resume(ctx)
	e, err := l.Lookup(ctx, from)
	if err != nil {
		return err
	}
	if !o.Force {
		if err := l.allowed(who, e, acl.Lookup); err != nil {
			return err
		}
	}
	switch {
	case from == to:
		return l.repartition(ctx, who, e, o)
	case o.Partition != "":
		return errs.New(errs.NotSupported, "mboxlist.Rename", string(from), ErrMoveAndRename)
	case from.IsInbox() && l.owns(who, from) && !l.isAdmin(who, from):
		return l.renameInbox(ctx, who, e, to)
	}
	m := moveOptions{moved: o.Moved}
	if from.IsInbox() {
		if err := l.mayMoveUser(who, from, to, o); err != nil {
			return err
		}
		m.oldUser, m.newUser = from.Owner(), to.Owner()
	}
	if m.parents, err = l.mayRename(ctx, who, e, to, o); err != nil {
		return err
	}
	if m.newUser != "" {
		return l.renameUser(ctx, who, e, to, m)
	}
	return l.renameTree(ctx, who, e, to, m, o.Alone || to.Below(from))
}

// mayMoveUser decides whether an INBOX may become another user's.
func (l *List) mayMoveUser(who Actor, from, to mboxname.Name, o RenameOptions) error {
	switch {
	case !o.Force && !l.isAdmin(who, from):
		return denied("mboxlist.Rename", from)
	case !to.IsInbox() || !o.Force && !l.o.UserMoves:
		return errs.New(errs.NotSupported, "mboxlist.Rename", string(from), nil)
	}
	return nil
}

// mayRename decides whether a mailbox may get a new name, and returns the
// steps that make the parents that the new name lacks.
func (l *List) mayRename(ctx context.Context, who Actor, e *Entry, to mboxname.Name, o RenameOptions) ([]step, error) {
	if !o.Force && !l.isAdmin(who, e.Name) {
		if err := l.allowed(who, e, acl.DeleteMailbox); err != nil {
			return nil, err
		}
	}
	p, err := l.mayCreate(ctx, who, to, CreateOptions{Force: o.Force})
	if err != nil {
		return nil, err
	}
	missing := slices.DeleteFunc(p.missing, func(n mboxname.Name) bool {
		return n == e.Name || n.Below(e.Name) // its place is filled when the mailbox has moved
	})
	return l.makeSteps(p, missing, "", CreateOptions{}), nil
}

// renameTree moves a mailbox and, unless alone, all below it, as one operation.
// If something is left below the old name, or the new one lies below it, a new
// mailbox fills the gap.
func (l *List) renameTree(ctx context.Context, who Actor, e *Entry, to mboxname.Name, m moveOptions, alone bool) error {
	tree, err := l.tree(ctx, e, alone)
	if err != nil {
		return err
	}
	todo := slices.Clone(m.parents)
	for _, c := range tree {
		todo = append(todo, moveStep(c, c.Name.Move(e.Name, to), m))
	}
	if alone {
		todo = append(todo, step{
			Do: stepFill, Name: e.Name, To: to, ID: e.UniqueID, Type: e.Type, From: e.Partition, ACL: e.ACL.String(),
		})
	}
	return l.asOne(ctx, who, todo, func(took func()) error {
		if _, err := l.takeMakes(ctx, who, m.parents, took); err != nil {
			return err
		}
		if err := l.moveTree(ctx, who, tree, e, to, m, alone, took); err != nil || !alone {
			return err
		}
		return l.fillIn(ctx, who, e, to)
	})
}

// tree is a mailbox and, unless alone, all below it.
func (l *List) tree(ctx context.Context, e *Entry, alone bool) ([]*Entry, error) {
	tree := []*Entry{e}
	if alone {
		return tree, nil
	}
	err := l.Tree(ctx, e.Name, func(c *Entry) (bool, error) {
		if c.Name != e.Name {
			tree = append(tree, c)
		}
		return true, nil
	})
	return tree, err
}

// moveTree moves the mailboxes of a tree one after the other.
func (l *List) moveTree(ctx context.Context, who Actor, tree []*Entry, e *Entry, to mboxname.Name, m moveOptions, alone bool, took func()) error {
	for _, c := range tree {
		name := c.Name.Move(e.Name, to)
		err := retry(ctx, func() error { return l.moveOne(ctx, who, c.Name, name, m) })
		if err != nil {
			return err
		}
		took()
		if c == e && to != e.Name {
			l.tellRename(ctx, who, e, to)
		}
		if m.moved != nil && (!alone || !to.Below(e.Name)) {
			m.moved(c.Name, name)
		}
	}
	return nil
}

// fillIn makes a mailbox at the old name of e, and at all between it and
// the new one, if there are mailboxes below.
func (l *List) fillIn(ctx context.Context, who Actor, e *Entry, to mboxname.Name) error {
	has, err := l.hasChildren(ctx, e.Name)
	if err != nil || !has {
		return err
	}
	gaps := []mboxname.Name{e.Name}
	if to.Below(e.Name) {
		gaps = nil
		parents(to, func(p mboxname.Name) (bool, error) {
			gaps = append([]mboxname.Name{p}, gaps...)
			return p != e.Name, nil
		})
	}
	for _, n := range gaps {
		l.o.Log.Info("mboxlist: intermediate fill-in mailbox: " + string(n))
		_, err := l.Create(ctx, who, n, CreateOptions{Force: true, ACL: e.ACL, Partition: e.Partition})
		if err != nil && !errs.Is(err, errs.Exists) {
			return err
		}
	}
	return nil
}

// moveOptions is what moves with a mailbox.
type moveOptions struct {
	partition        string // "" stays
	oldUser, newUser string // in the ACL, if a whole user moves
	moved            func(from, to mboxname.Name)
	parents          []step // that make what the new name lacks
}

// moveOne gives one mailbox a new name, or a new partition, in the list and
// on disk.
//
// Source: mboxlist_renamemailbox in Cyrus imap/mboxlist.c.
func (l *List) moveOne(ctx context.Context, who Actor, from, to mboxname.Name, m moveOptions) error {
	old, err := l.fetch(ctx, keyOf(from))
	if err != nil {
		return err
	}
	if old.Entry == nil || !old.Exists() {
		return notFound(from)
	}
	there, err := l.fetch(ctx, keyOf(to))
	if err != nil {
		return err
	}
	if from != to && there.Entry != nil && there.Exists() {
		return errs.New(errs.Exists, "mboxlist.Rename", string(to), nil)
	}
	e := m.entry(old.Entry, to)
	root, err := l.roomFor(ctx, old.Entry, to, m.renamesUser())
	if err != nil {
		return err
	}
	validity := uint32(0)
	if there.Entry != nil && there.UniqueID != old.UniqueID {
		validity = floor(there.Entry)
	}
	err = l.o.Store.Move(ctx, old.Ref(), e.Ref(), root, validity, who.SessionID, func(box *mailbox.Mailbox) error {
		return l.moveEntry(ctx, who, old, there, e, box)
	})
	if err != nil || from == to {
		return err
	}
	l.o.Log.Info(fmt.Sprintf("Rename: %s -> %s", from, to))
	if !m.renamesUser() {
		return nil
	}
	return l.changeBox(ctx, e, func(box *mailbox.Mailbox) bool {
		box.SetACL(e.ACL.String())
		return true
	})
}

func (m moveOptions) renamesUser() bool { return m.oldUser != "" && m.oldUser != m.newUser }

// entry is what old becomes.
func (m moveOptions) entry(old *Entry, to mboxname.Name) *Entry {
	e := *old
	e.Name = to
	e.History = nil
	if m.partition != "" {
		e.Partition = m.partition
	}
	if m.renamesUser() {
		e.ACL = old.ACL.Clone()
		for i := range e.ACL {
			switch e.ACL[i].ID {
			case m.oldUser:
				e.ACL[i].ID = m.newUser
			case "-" + m.oldUser:
				e.ACL[i].ID = "-" + m.newUser
			}
		}
	}
	return &e
}

// moveEntry is the change of the list for moveOne, in one transaction.
func (l *List) moveEntry(ctx context.Context, who Actor, old, there stored, e *Entry, box *mailbox.Mailbox) error {
	h := box.Header()
	e.FolderModseq, e.UIDValidity, e.Mtime = h.HighestModseq, h.UIDValidity, l.now()
	c := l.begin(who)
	if old.Name == e.Name {
		c.name(old, e)
		if err := c.id(ctx, e, nil); err != nil {
			return err
		}
		return c.commit(ctx)
	}
	t := tombstone(old.Entry, e.FolderModseq, e.Mtime)
	if old.Name.IsDeleted(l.o.Names.DeletedPrefix) {
		c.gone(old)
	} else {
		c.name(old, t)
	}
	c.name(there, e)
	if e.Name.IsDeleted(l.o.Names.DeletedPrefix) {
		c.remove(e, 0)
	}
	partition := ""
	if old.Partition != e.Partition {
		partition = old.Partition
	}
	if err := c.id(ctx, e, renamed(t, partition)); err != nil {
		return err
	}
	if there.Entry != nil && there.UniqueID != e.UniqueID && there.UniqueID != "" {
		if err := c.forgetDead(ctx, there.UniqueID); err != nil {
			return err
		}
	}
	return c.commit(ctx)
}

// roomFor finds the quota root of the new name and, if it is another than
// before, asks whether the mailbox fits below it. With sure it does, as when a
// user who is over his limits gets another name.
func (l *List) roomFor(ctx context.Context, e *Entry, to mboxname.Name, sure bool) (mboxname.Name, error) {
	root, err := l.o.Quota.FindRoot(ctx, to)
	if err != nil || root == "" || sure {
		return root, err
	}
	box, err := l.o.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return root, err
	}
	was, use := box.QuotaRoot(), boxUse(box)
	box.Close()
	if was == root {
		return root, nil
	}
	return root, l.o.Quota.Check(ctx, root, use)
}

// repartition moves a mailbox, and all of a user if it is his INBOX, to
// another partition.
func (l *List) repartition(ctx context.Context, who Actor, e *Entry, o RenameOptions) error {
	n := e.Name
	switch {
	case o.Partition == "" || !o.Force && !l.isAdmin(who, n):
		return denied("mboxlist.Rename", n)
	case o.Partition == e.Partition:
		return errs.New(errs.Exists, "mboxlist.Rename", string(n), nil)
	}
	if _, err := l.o.Layout.Root(o.Partition); err != nil {
		return errs.New(errs.NotSupported, "mboxlist.Rename", string(n), err)
	}
	tree, err := l.tree(ctx, e, !n.IsInbox() || o.Alone)
	if err != nil {
		return err
	}
	tree = slices.DeleteFunc(tree, func(c *Entry) bool { return c.Partition == o.Partition })
	m := moveOptions{partition: o.Partition}
	var todo []step
	for _, c := range tree {
		todo = append(todo, moveStep(c, c.Name, m))
	}
	m.moved = o.Moved
	return l.asOne(ctx, who, todo, func(took func()) error {
		return l.moveTree(ctx, who, tree, e, e.Name, m, false, took)
	})
}
