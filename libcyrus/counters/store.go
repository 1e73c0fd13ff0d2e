package counters

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
)

// Options says what a Store works with.
type Options struct {
	FS     disk.FS
	Locks  *lock.Table
	Layout *mboxname.Layout
	Log    *slog.Logger
	Home   mboxname.Home
}

// Store is the counters of a site. It may be used from many goroutines, while
// other processes use the same files.
type Store struct{ o Options }

// New returns the counters of a site.
func New(o Options) *Store { return &Store{o} }

// Path is the file that counts for a mailbox: its owner's, also if it is
// deleted, or that of the shared mailboxes of its domain.
func (s *Store) Path(ctx context.Context, n mboxname.Name) (string, error) {
	owner := n.OwnerOf(s.o.Layout.DeletedPrefix)
	if owner == "" {
		return s.o.Layout.SharedFile(mboxname.Counters, n.Domain()), nil
	}
	return s.o.Layout.FileOf(ctx, s.o.Home, mboxname.Counters, owner)
}

// KindOf is what the mailbox n of a type (its letters in the mailbox list)
// counts as.
//
// Source: mboxname_domodseq in Cyrus imap/mboxname.c.
func KindOf(n mboxname.Name, letters string) Kind {
	if letters != "" {
		switch letters[0] {
		case 'a':
			return AddressBook
		case 'c':
			return Calendar
		case 's':
			return Submission
		case 'f':
			return Sieve
		}
	}
	if !n.IsUser() {
		return Mail
	}
	_, rest, _ := strings.Cut(string(n.Local()), ".")
	_, rest, _ = strings.Cut(rest, ".")
	top, _, _ := strings.Cut(rest, ".")
	return tops[strings.ReplaceAll(top, "^", ".")]
}

// tops are folders with contents of their own below an INBOX; imapd.conf's
// defaults.
var tops = map[string]Kind{
	"#calendars": Calendar, "#addressbooks": AddressBook, "Notes": Notes, "#jmapsubmission": Submission,
	"#notifications": DAVNotification, "#jmapnotification": JMAPNotification, "#sieve": Sieve,
}

// Read returns the counters that a mailbox has; all zero if there is no file.
func (s *Store) Read(ctx context.Context, n mboxname.Name) (Counters, error) {
	path, err := s.Path(ctx, n)
	if err != nil {
		return Counters{}, err
	}
	return s.read(path)
}

func (s *Store) read(path string) (Counters, error) {
	b, err := disk.ReadFile(s.o.FS, path)
	if errors.Is(err, fs.ErrNotExist) {
		return Counters{}, nil
	}
	if err != nil {
		return Counters{}, disk.Error("counters.Read", path, err)
	}
	c, err := decode(b)
	if err != nil {
		return c, errs.New(errs.BadFormat, "counters.Read", path, err)
	}
	return c, nil
}

// Update lets fn change the counters of a mailbox, as one step that lasts on
// return. If it changes nothing, nothing is written. A file that cannot be
// understood is logged, and counting begins anew: the caller's own numbers
// keep it above all that was given.
//
//	step                          if it stops after this
//	lock the file, .NEW, sync     the old counters; .NEW is overwritten
//	rename, sync the directory    the new ones
func (s *Store) Update(ctx context.Context, n mboxname.Name, fn func(*Counters)) error {
	return s.change(ctx, n, fn, disk.ReplaceSync)
}

// Raise is Update without syncing the directory: a power cut may leave the old
// counters. It is for numbers that stand elsewhere too, from where they can be
// raised again.
func (s *Store) Raise(ctx context.Context, n mboxname.Name, fn func(*Counters)) error {
	return s.change(ctx, n, fn, disk.Replace)
}

// replace is disk.ReplaceSync or disk.Replace.
type replace func(fsys disk.FS, name string, data []byte, perm fs.FileMode) error

func (s *Store) change(ctx context.Context, n mboxname.Name, fn func(*Counters), write replace) error {
	path, err := s.Path(ctx, n)
	if err != nil {
		return err
	}
	for {
		done, err := s.update(ctx, path, fn, write)
		if done || err != nil {
			return disk.Error("counters.Update", path, err)
		}
	}
}

// update is one try of Update. It is not done if the file that it locked is
// no longer the one.
func (s *Store) update(ctx context.Context, path string, fn func(*Counters), write replace) (done bool, err error) {
	f, held, err := s.o.Locks.OpenFile(ctx, path, os.O_RDWR|os.O_CREATE, lock.Exclusive)
	if errors.Is(err, fs.ErrNotExist) {
		return false, disk.MkdirSync(s.o.FS, filepath.Dir(path), 0o755)
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	defer held.Release()
	c, err := s.read(path)
	if errs.Is(err, errs.BadFormat) {
		s.o.Log.Error("counters cannot be read and begin anew", "file", path, "error", err)
		c = Counters{}
	} else if err != nil {
		return false, err
	}
	old := c
	if fn(&c); c == old {
		return true, nil
	}
	c.Generation++
	return true, write(s.o.FS, path, c.encode(), 0o644)
}
