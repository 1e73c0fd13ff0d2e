package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/seen"
)

// User brings back a user: his mailboxes with their rights and annotations,
// quota limits, subscriptions, what he has seen of others' mailboxes and they
// of his, and his compiled Sieve scripts. into is another user's id, or "".
//
// Kinds: errs.NotFound if no snapshot has him, and those of the store.
func (r *Run) User(ctx context.Context, user, into string) error {
	if into == "" {
		into = user
	}
	n, err := r.inbox(user)
	if err != nil {
		return err
	}
	to, err := r.inbox(into)
	if err != nil {
		return err
	}
	if err := r.limits(ctx, n, to); err != nil {
		return err
	}
	found, err := r.boxes(ctx, n, to, true, nil)
	if err == nil && found == 0 {
		err = errs.New(errs.NotFound, "restore", user, fmt.Errorf("the user has no mailbox in %s", r.where()))
	}
	if err == nil && !r.o.DryRun {
		err = r.personal(ctx, user, into)
	}
	if err == nil {
		err = r.recount(ctx)
	}
	return err
}

// personal brings back what a user has besides mailboxes.
func (r *Run) personal(ctx context.Context, user, into string) error {
	if err := r.subscriptions(ctx, user, into); err != nil {
		return err
	}
	if err := r.seenElsewhere(ctx, user, into); err != nil {
		return err
	}
	return r.scripts(ctx, user, into)
}

// subscriptions adds what the user had subscribed to.
func (r *Run) subscriptions(ctx context.Context, user, into string) error {
	names, err := r.o.From.Site.Subs.List(ctx, user)
	if err != nil {
		r.warn(fmt.Errorf("subscriptions of %s: %w", user, err))
		return nil
	}
	was, is := r.o.From.Site.Names.Inbox(user), r.site.Names.Inbox(into)
	for _, n := range names {
		if was.Contains(n) {
			n = n.Move(was, is)
		}
		added, err := r.site.Subs.Add(ctx, into, n)
		if err != nil {
			return err
		}
		if added {
			r.say("%s: subscribed to %s", into, r.shown(n))
		}
	}
	return nil
}

// seenElsewhere brings back what the user had seen of mailboxes that are not
// his, where nothing is known of that here.
func (r *Run) seenElsewhere(ctx context.Context, user, into string) error {
	err := r.o.From.Site.Seen.Each(ctx, user, func(id string, st seen.State) error {
		if other, ok := r.ids[id]; ok {
			id = other
		}
		if _, err := r.site.List.LookupID(ctx, id); err != nil {
			if errs.Is(err, errs.NotFound) {
				return nil
			}
			return err
		}
		return r.site.Seen.Update(ctx, into, id, func(now *seen.State) {
			if now.LastUID == 0 && len(now.Seen) == 0 {
				*now = st
			}
		})
	})
	return err
}

// readers are those who may have seen something of a mailbox: the users in
// its access control list, or all if it names a group.
func (r *Run) readers(ctx context.Context, w *want) ([]string, error) {
	var out []string
	owner := w.entry.Name.OwnerOf(w.src.Site.Names.DeletedPrefix)
	for _, a := range w.entry.ACL {
		if a.ID == "anyone" || strings.HasPrefix(a.ID, "group:") {
			return r.allUsers(ctx)
		}
		if a.ID != owner && a.ID[0] != '-' {
			out = append(out, a.ID)
		}
	}
	return out, nil
}

// allUsers are those with an INBOX in the snapshot.
func (r *Run) allUsers(ctx context.Context) ([]string, error) {
	if r.users != nil {
		return r.users, nil
	}
	r.users = []string{}
	err := r.o.From.Site.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if e.Exists() && e.Name.IsInbox() {
			r.users = append(r.users, e.Name.Owner())
		}
		return true, nil
	})
	return r.users, err
}

// seenAgain brings back what others have seen of a mailbox that was made
// again with its UIDs.
func (r *Run) seenAgain(ctx context.Context, w *want, e *mboxlist.Entry) error {
	return r.eachReader(ctx, w, func(user string, st seen.State) error {
		return r.site.Seen.Update(ctx, user, e.UniqueID, func(now *seen.State) {
			for _, x := range st.Seen {
				now.Seen = now.Seen.Add(x.First, x.Last)
			}
			now.LastUID, now.LastRead = max(now.LastUID, st.LastUID), max(now.LastRead, st.LastRead)
			now.LastChange = max(now.LastChange, st.LastChange)
		})
	})
}

// seenOf brings back what others have seen of messages that were appended;
// pairs has their new UIDs.
func (r *Run) seenOf(ctx context.Context, w *want, e *mboxlist.Entry, pairs map[uint32]uint32) error {
	if len(pairs) == 0 {
		return nil
	}
	return r.eachReader(ctx, w, func(user string, st seen.State) error {
		var add []uint32
		for was, is := range pairs {
			if st.Seen.Has(was) {
				add = append(add, is)
			}
		}
		if len(add) == 0 {
			return nil
		}
		slices.Sort(add)
		return r.site.Seen.Update(ctx, user, e.UniqueID, func(now *seen.State) {
			for _, uid := range add {
				now.Seen = now.Seen.Add(uid, uid)
			}
		})
	})
}

// eachReader calls fn for those who had seen something of a mailbox.
func (r *Run) eachReader(ctx context.Context, w *want, fn func(user string, st seen.State) error) error {
	users, err := r.readers(ctx, w)
	if err != nil {
		return err
	}
	for _, u := range users {
		st, err := w.src.Site.Seen.Get(ctx, u, w.entry.UniqueID)
		if err == nil && len(st.Seen) > 0 {
			err = fn(u, st)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scripts brings back the compiled Sieve scripts of a user who has none.
// Their texts are messages of #sieve.
func (r *Run) scripts(ctx context.Context, user, into string) error {
	was, err := r.sieveDir(ctx, r.o.From.Site.List, r.o.From.Site.Layout, user)
	if err != nil {
		return err
	}
	is, err := r.sieveDir(ctx, r.site.List, r.site.Layout, into)
	if err != nil {
		return err
	}
	if _, err := r.site.FS.Stat(is); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return r.tree(was, is)
}

func (r *Run) sieveDir(ctx context.Context, list *mboxlist.List, l *mboxname.Layout, user string) (string, error) {
	id, legacy, err := list.HomeOf(ctx, user)
	return l.UserSieveDir(user, id, legacy), err
}

// tree copies the files of a directory that are not there yet. They last.
func (r *Run) tree(from, to string) error {
	fsys := r.site.FS
	entries, err := fsys.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := disk.MkdirSync(fsys, to, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		a, b := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		_, err := fsys.Lstat(b)
		there := err == nil
		switch {
		case e.IsDir():
			err = r.tree(a, b)
		case there:
		case e.Type()&fs.ModeSymlink != 0:
			err = r.symlink(a, b)
		default:
			err = r.file(a, b)
		}
		if err != nil && !(there && errors.Is(err, fs.ErrExist)) && !errors.Is(err, fs.ErrNotExist) {
			return disk.Error("restore", b, err)
		}
	}
	return fsys.SyncDir(to)
}

func (r *Run) symlink(from, to string) error {
	target, err := r.site.FS.Readlink(from)
	if err == nil {
		err = r.site.FS.Symlink(target, to)
	}
	return err
}

// file copies a file, under another name until it lasts.
func (r *Run) file(from, to string) error {
	fsys := r.site.FS
	in, err := fsys.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return disk.ReplaceFrom(fsys, to, in, 0o600)
}
