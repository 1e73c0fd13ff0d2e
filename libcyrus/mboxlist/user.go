package mboxlist

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// renameUser makes a user's mailboxes another's, who did not exist, with what
// he has seen, his subscriptions, Sieve scripts and quota roots, as one
// operation: new quota roots, mailboxes (INBOX first), files of users with
// legacy directories, which others find by the id of their INBOX; the old
// quota roots go last.
func (l *List) renameUser(ctx context.Context, who Actor, inbox *Entry, to mboxname.Name, m moveOptions) error {
	roots, err := l.o.Quota.Below(ctx, inbox.Name)
	if err != nil {
		return err
	}
	tree, err := l.tree(ctx, inbox, false)
	if err != nil {
		return err
	}
	var todo []step
	for _, r := range roots {
		todo = append(todo, step{Do: stepRoot, Name: r.Name, To: r.Name.Move(inbox.Name, to), Limits: &r.Limit})
	}
	for _, c := range tree {
		todo = append(todo, moveStep(c, c.Name.Move(inbox.Name, to), m))
	}
	files := step{Do: stepFiles, Name: inbox.Name, ID: inbox.UniqueID, Type: inbox.Type, OldUser: m.oldUser, NewUser: m.newUser}
	if inbox.Has(LegacyDirs) {
		todo = append(todo, files)
	}
	if len(roots) > 0 {
		todo = append(todo, step{Do: stepDrop, Name: inbox.Name, To: to})
	}
	err = l.asOne(ctx, who, todo, func(took func()) error {
		for i := range roots {
			if err := l.finishRoot(ctx, who, &todo[i]); err != nil {
				return err
			}
			took()
		}
		if err := l.moveTree(ctx, who, tree, inbox, to, m, false, took); err != nil {
			return err
		}
		if inbox.Has(LegacyDirs) {
			if err := l.renameFiles(inbox, m); err != nil {
				return err
			}
			took()
		}
		return l.removeRoots(ctx, inbox.Name)
	})
	if err == nil && l.o.UserGone != nil {
		l.o.UserGone(m.oldUser, who.SessionID)
	}
	return err
}

// dropRoots removes the quota roots of a user who has another name now.
func (l *List) dropRoots(ctx context.Context, roots []*quota.Root) error {
	for _, r := range roots {
		if err := l.o.Quota.Delete(ctx, r.Name); err != nil && !errs.Is(err, errs.QuotaNotFound) {
			return err
		}
	}
	return nil
}

// renameFiles gives the files of a user with legacy directories their new
// names; those of others do not depend on the user's name.
func (l *List) renameFiles(inbox *Entry, m moveOptions) error {
	lay := l.o.Layout
	for _, f := range userFiles {
		from := lay.UserFile(f, m.oldUser, inbox.UniqueID, true)
		if l.o.Counters != nil && (f == mboxname.Counters || f == mboxname.Conversations) {
			// The new user got his own with his first mailbox.
			if err := l.remove(from); err != nil {
				return err
			}
			continue
		}
		if err := l.renameFile(from, lay.UserFile(f, m.newUser, inbox.UniqueID, true)); err != nil {
			return err
		}
	}
	return l.renameFile(lay.UserSieveDir(m.oldUser, inbox.UniqueID, true), lay.UserSieveDir(m.newUser, inbox.UniqueID, true))
}

// renameFile renames a file or directory that need not be there, and makes
// it last.
func (l *List) renameFile(from, to string) error {
	if _, err := l.o.FS.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	dir := filepath.Dir(to)
	err := disk.MkdirSync(l.o.FS, dir, 0o755)
	if err == nil {
		err = l.o.FS.Rename(from, to)
	}
	if err == nil {
		// A power cut may have left both names to one file: then renaming does
		// nothing.
		if _, serr := l.o.FS.Stat(from); serr == nil {
			err = l.o.FS.Remove(from)
		}
	}
	if err == nil {
		err = l.o.FS.SyncDir(dir)
	}
	if err == nil {
		err = l.o.FS.SyncDir(filepath.Dir(from))
	}
	if err != nil {
		return disk.Error("mboxlist.renameFile", from, err)
	}
	return nil
}
