package mboxlist

import (
	"context"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// Relocate moves a mailbox from a directory by name to one by its unique id,
// and with an INBOX the files of its user. One that lies there already is
// left alone.
//
//	step                            if it stops after this
//	copy of the mailbox             the copy is in nobody's way
//	files of the user, one by one   some are at their new place only: another
//	                                Relocate moves the rest; until then he is
//	                                without them
//	mailbox list                    of the old place there may be files left
//	old place removed               done
//
// Kinds: errs.NotFound, errs.Locked, errs.IO.
//
// Source: Cyrus imap/relocate_by_id.c.
func (l *List) Relocate(ctx context.Context, who Actor, n mboxname.Name) error {
	return retry(ctx, func() error { return l.relocate(ctx, who, n) })
}

func (l *List) relocate(ctx context.Context, who Actor, n mboxname.Name) error {
	old, err := l.fetch(ctx, keyOf(n))
	if err != nil {
		return err
	}
	if old.Entry == nil || !old.Exists() {
		return notFound(n)
	}
	if !old.Has(LegacyDirs) {
		return nil
	}
	e := *old.Entry
	e.Type = withFlags(e.Type, "", string(LegacyDirs))
	box, err := l.o.Store.Open(ctx, old.Ref(), mailbox.Read)
	if err != nil {
		return err
	}
	root := box.QuotaRoot()
	box.Close()
	return l.o.Store.Move(ctx, old.Ref(), e.Ref(), root, 0, who.SessionID, func(*mailbox.Mailbox) error {
		return l.relocated(ctx, who, old, &e)
	})
}

// relocated moves the files of an INBOX's user, and changes the list. If the
// list cannot be changed, the files go back.
func (l *List) relocated(ctx context.Context, who Actor, old stored, e *Entry) error {
	if e.Name.IsInbox() {
		if err := l.relocateFiles(e, false); err != nil {
			return err
		}
	}
	e.Mtime = l.now()
	c := l.begin(who)
	c.name(old, e)
	err := c.id(ctx, e, nil)
	if err == nil {
		err = c.commit(ctx)
	}
	if err != nil && e.Name.IsInbox() {
		if back := l.relocateFiles(e, true); back != nil {
			l.o.Log.Error("files of a user are not where they belong", "mailbox", e.Name, "error", back)
		}
	}
	return err
}

// relocateFiles moves the files of a user to where his INBOX's unique id
// says, or back.
func (l *List) relocateFiles(e *Entry, back bool) error {
	for _, p := range l.FilesByID(e) {
		if back {
			p[0], p[1] = p[1], p[0]
		}
		if err := l.renameFile(p[0], p[1]); err != nil {
			return err
		}
	}
	return nil
}

// FilesByID is where the files of an INBOX's user lie with directories by
// name, and by unique id. Not all of them are there.
func (l *List) FilesByID(e *Entry) (paths [][2]string) {
	lay, user := l.o.Layout, e.Name.Owner()
	for _, f := range []mboxname.UserFile{
		mboxname.Subscriptions, mboxname.SeenState, mboxname.Conversations, mboxname.Counters,
		mboxname.MboxKey, mboxname.UserDAV, mboxname.XapianActive,
	} {
		paths = append(paths, [2]string{lay.UserFile(f, user, e.UniqueID, true), lay.UserFile(f, user, e.UniqueID, false)})
	}
	return append(paths, [2]string{lay.UserSieveDir(user, e.UniqueID, true), lay.UserSieveDir(user, e.UniqueID, false)})
}
