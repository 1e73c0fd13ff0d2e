package mboxlist

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// DeleteOptions says how a mailbox is deleted.
type DeleteOptions struct {
	Force     bool // skip the rights, and the protection of special uses
	Immediate bool // for good, also with delete_mode delayed
	KeepUser  bool // of an INBOX only it, not the folders and data of the user; others must have no children (LOCALDELETE)
}

// Delete deletes a mailbox without children: with delete_mode delayed it
// gets a name below DELETED. An INBOX can be deleted by admins only;
// everything of the user goes with it.
//
// Kinds: errs.NotFound, errs.Denied, errs.HasChildren, errs.NotSupported
// (one's own INBOX, and ErrUseTaken for a protected special use).
//
// Source: cmd_delete in Cyrus imap/imapd.c, mboxlist_deletemailbox in
// imap/mboxlist.c.
func (l *List) Delete(ctx context.Context, who Actor, n mboxname.Name, o DeleteOptions) error {
	l.Resume(ctx)
	e, err := l.mayDelete(ctx, who, n, o)
	if err != nil {
		return err
	}
	if !n.IsInbox() || o.KeepUser {
		err = l.deleteOne(ctx, who, e, o)
	} else {
		err = l.deleteUser(ctx, who, e, o)
	}
	if err == nil {
		l.tell(event.MailboxDelete, who, e)
	}
	if err == nil && l.o.DeleteUnsub && who.User != "" {
		_, err = l.o.Subs.Remove(ctx, who.User, n)
	}
	return err
}

// mayDelete decides whether who may delete a mailbox.
func (l *List) mayDelete(ctx context.Context, who Actor, n mboxname.Name, o DeleteOptions) (*Entry, error) {
	e, err := l.Lookup(ctx, n)
	if err != nil || o.Force && (!o.KeepUser || n.IsInbox()) {
		return e, err
	}
	if o.Force {
		return e, l.childless(ctx, n)
	}
	if err := l.allowed(who, e, acl.Lookup); err != nil {
		return nil, err
	}
	if n.IsInbox() {
		if l.owns(who, n) {
			return nil, errs.New(errs.NotSupported, "mboxlist.Delete", string(n), nil)
		}
		if !l.isAdmin(who, n) {
			return nil, denied("mboxlist.Delete", n)
		}
		return e, l.allowed(who, e, acl.DeleteMailbox)
	}
	if err := l.childless(ctx, n); err != nil {
		return nil, err
	}
	if err := l.allowed(who, e, acl.DeleteMailbox); err != nil {
		return nil, err
	}
	uses, err := l.SpecialUses(ctx, e)
	if err != nil {
		return nil, err
	}
	if n.IsUser() && overlap(uses, l.o.ProtectedUses) {
		return nil, errs.New(errs.NotSupported, "mboxlist.Delete", string(n), ErrUseTaken)
	}
	return e, nil
}

// hasChildren reports whether there are mailboxes below n, whoever may see
// them.
func (l *List) hasChildren(ctx context.Context, n mboxname.Name) (has bool, err error) {
	err = l.Tree(ctx, n, func(e *Entry) (bool, error) {
		has = e.Name != n
		return !has, nil
	})
	return has, err
}

// childless returns errs.HasChildren for a mailbox that has some.
func (l *List) childless(ctx context.Context, n mboxname.Name) error {
	has, err := l.hasChildren(ctx, n)
	if err == nil && has {
		err = errs.New(errs.HasChildren, "mboxlist.Delete", string(n), nil)
	}
	return err
}

// deleteOne deletes one mailbox, at once or later.
func (l *List) deleteOne(ctx context.Context, who Actor, e *Entry, o DeleteOptions) error {
	s, err := l.deleteStep(ctx, e, o)
	if err != nil {
		return err
	}
	return l.asOne(ctx, who, []step{s}, func(func()) error { return l.takeDelete(ctx, who, &s) })
}

// later reports whether a mailbox only gets a name below DELETED.
func (l *List) later(e *Entry, o DeleteOptions) bool {
	return l.o.DelayedDelete && !o.Immediate && !e.Name.IsDeleted(l.o.Names.DeletedPrefix)
}

// takeDelete takes a step that deletes a mailbox.
func (l *List) takeDelete(ctx context.Context, who Actor, s *step) error {
	if s.Immediate {
		return retry(ctx, func() error { return l.removeOne(ctx, who, s.Name) })
	}
	to := s.To
	return retry(ctx, func() error {
		at, err := l.fetch(ctx, keyOf(to))
		if err != nil {
			return err
		}
		if at.Entry != nil {
			if to, err = l.deletedName(ctx, s.Name); err != nil {
				return err
			}
		}
		return l.moveOne(ctx, who, s.Name, to, moveOptions{})
	})
}

// deletedName is a free name for a deleted mailbox: the time in it is now,
// or as much later as it must be to be free.
func (l *List) deletedName(ctx context.Context, n mboxname.Name) (mboxname.Name, error) {
	for t := uint32(min(l.now(), 1<<32-2)); ; t++ {
		to := n.Deleted(l.o.Names.DeletedPrefix, t)
		s, err := l.fetch(ctx, keyOf(to))
		if err == nil && s.Entry == nil {
			return to, nil
		}
		if err != nil && !errs.Is(err, errs.BadFormat) {
			return "", err
		}
	}
}

// removeOne deletes a mailbox for good. A tombstone keeps what must not
// repeat at its name; the name of a deleted mailbox never comes again and
// leaves nothing.
func (l *List) removeOne(ctx context.Context, who Actor, n mboxname.Name) error {
	s, err := l.fetch(ctx, keyOf(n))
	if err != nil {
		return err
	}
	if s.Entry == nil || !s.Exists() {
		return notFound(n)
	}
	err = l.o.Store.Delete(ctx, s.Ref(), who.SessionID, func(m *mailbox.Mailbox) error {
		return l.leave(ctx, who, s, m.NextModseq())
	})
	if errs.Is(err, errs.NotFound) {
		// The files are gone already: a crash came between.
		err = l.leave(ctx, who, s, s.FolderModseq+1)
	}
	if err != nil {
		return err
	}
	if l.o.MailboxGone != nil && !n.IsDeleted(l.o.Names.DeletedPrefix) {
		l.o.MailboxGone(n, who.SessionID)
	}
	return l.o.Annot.RemoveAll(ctx, s.UniqueID)
}

// leave takes a mailbox from the list.
func (l *List) leave(ctx context.Context, who Actor, s stored, folderModseq uint64) error {
	c := l.begin(who)
	if s.Name.IsDeleted(l.o.Names.DeletedPrefix) {
		c.gone(s)
		c.forget(s.UniqueID)
		c.remove(s.Entry, counters.Folder)
		return c.commit(ctx)
	}
	t := tombstone(s.Entry, folderModseq, l.now())
	c.name(s, t)
	c.remove(t, 0)
	if err := c.id(ctx, t, nil); err != nil {
		return err
	}
	return c.commit(ctx)
}

// deleteUser deletes all mailboxes of a user, the INBOX last, and his data, as
// one operation.
func (l *List) deleteUser(ctx context.Context, who Actor, inbox *Entry, o DeleteOptions) error {
	user := inbox.Name.Owner()
	var all []*Entry
	err := l.User(ctx, user, false, func(e *Entry) (bool, error) {
		all = append(all, e)
		return true, nil
	})
	if err != nil {
		return err
	}
	slices.Reverse(all) // children before parents
	var todo []step
	for _, e := range all {
		s, err := l.deleteStep(ctx, e, o)
		if err != nil {
			return err
		}
		todo = append(todo, s)
	}
	todo = append(todo, step{Do: stepData, Name: inbox.Name, ID: inbox.UniqueID, Type: inbox.Type})
	return l.asOne(ctx, who, todo, func(took func()) error {
		for i := range all {
			if err := l.takeDelete(ctx, who, &todo[i]); err != nil && !errs.Is(err, errs.NotFound) {
				return err
			}
			took()
		}
		return l.deleteData(ctx, user, inbox, who.SessionID)
	})
}

// userFiles are what a user leaves when his INBOX is gone.
var userFiles = []mboxname.UserFile{
	mboxname.Subscriptions, mboxname.SeenState, mboxname.Counters, mboxname.Conversations,
	mboxname.UserDAV, mboxname.MboxKey, mboxname.XapianActive,
}

// deleteData removes the files and quota roots of a user whose INBOX was
// this one.
//
// Source: user_deletedata in Cyrus imap/user.c.
func (l *List) deleteData(ctx context.Context, user string, inbox *Entry, session string) error {
	legacy := inbox.Has(LegacyDirs)
	var failed error
	for _, f := range userFiles {
		failed = errors.Join(failed, l.remove(l.o.Layout.UserFile(f, user, inbox.UniqueID, legacy)))
	}
	dir := l.o.Layout.UserSieveDir(user, inbox.UniqueID, legacy)
	if entries, err := l.o.FS.ReadDir(dir); err == nil {
		for _, d := range entries {
			if !d.IsDir() {
				failed = errors.Join(failed, l.remove(dir+"/"+d.Name()))
			}
		}
		l.o.FS.Remove(dir) // stays if something else is in it
	}
	if has, err := l.anyIn(ctx, inbox.Name); err != nil {
		failed = errors.Join(failed, err)
	} else if !has {
		failed = errors.Join(failed, l.removeRoots(ctx, inbox.Name))
	}
	if l.o.UserGone != nil {
		l.o.UserGone(user, session)
	}
	return failed
}

// removeRoots removes all quota roots at and below a name, but not while
// somebody counts: "quota -f" would stop at one that disappears.
func (l *List) removeRoots(ctx context.Context, n mboxname.Name) error {
	roots, err := l.o.Quota.Below(ctx, n)
	if err != nil || len(roots) == 0 {
		return err
	}
	held, err := l.LockQuota(ctx)
	if err != nil {
		return err
	}
	defer held.Release()
	return l.dropRoots(ctx, roots)
}

// remove removes a file that need not be there.
func (l *List) remove(path string) error {
	if err := l.o.FS.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return disk.Error("mboxlist.deleteData", path, err)
	}
	return nil
}
