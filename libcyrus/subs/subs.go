// Package subs keeps the lists of mailboxes to which users have subscribed:
// one small database per user.
package subs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/pool"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
)

// Options says what a Store works with.
type Options struct {
	FS     disk.FS
	Locks  *lock.Table
	Layout *mboxname.Layout
	Log    *slog.Logger
	Kind   string // subscription_db: of new databases
	Home   mboxname.Home
}

// Store is the subscriptions of a site. It may be used from many goroutines.
type Store struct {
	o    Options
	pool *pool.Pool
}

// maxOpen is how many databases stay open between uses.
const maxOpen = 64

// New returns the subscriptions of a site.
func New(o Options) *Store { return &Store{o, pool.New(o.FS, o.Locks, o.Kind, maxOpen)} }

// The record that says which form the keys have, and its value. It is
// there in files of Cyrus 3.6; without it keys are internal names.
//
// Source: mboxlist_opensubs in Cyrus imap/mboxlist.c.
const (
	versionKey = "\x1fVER\x1f"
	version    = "2"
)

// ownInbox stands in keys for the user's own INBOX.
const ownInbox = "INBOX"

// hierSep separates the components of a key.
const hierSep = "\x1f"

// key is the key of a mailbox in the database of a user.
//
// Source: mboxlist_make_subskey in Cyrus imap/mboxlist.c.
func key(userID string, n mboxname.Name) []byte {
	k := n.DBKey()
	if inbox := mboxname.Inbox(userID); userID != "" && inbox.Contains(n) {
		k = ownInbox + strings.TrimPrefix(k, inbox.DBKey())
	}
	return []byte("N" + k)
}

// name is the mailbox of a key, "" if it is none.
func name(userID, k string) mboxname.Name {
	k, ok := strings.CutPrefix(k, "N")
	if !ok || k == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(k, ownInbox); ok && userID != "" && (rest == "" || strings.HasPrefix(rest, hierSep)) {
		k = mboxname.Inbox(userID).DBKey() + rest
	}
	return mboxname.FromDB(k)
}

// List returns what a user has subscribed to, in the list's order.
func (s *Store) List(ctx context.Context, userID string) ([]mboxname.Name, error) {
	var out []mboxname.Name
	err := s.read(ctx, userID, func(db cyrusdb.DB) error {
		out = nil
		return db.Scan(ctx, nil, func(k, _ []byte) (bool, error) {
			if n := name(userID, string(k)); n != "" {
				out = append(out, n)
			}
			return true, nil
		})
	})
	slices.SortFunc(out, mboxname.Compare)
	return out, err
}

// Has reports whether a user has subscribed to a mailbox.
func (s *Store) Has(ctx context.Context, userID string, n mboxname.Name) (bool, error) {
	found := false
	err := s.read(ctx, userID, func(db cyrusdb.DB) error {
		_, err := db.Get(ctx, key(userID, n))
		if errors.Is(err, cyrusdb.ErrNotFound) {
			return nil
		}
		found = err == nil
		return err
	})
	return found, err
}

// Add subscribes a user, durably. It reports whether that is new.
func (s *Store) Add(ctx context.Context, userID string, n mboxname.Name) (bool, error) {
	return s.change(ctx, userID, n, true)
}

// Remove takes a mailbox from the list, durably. It reports whether it was
// on it.
func (s *Store) Remove(ctx context.Context, userID string, n mboxname.Name) (bool, error) {
	return s.change(ctx, userID, n, false)
}

// change adds or removes one name. The first name of a new database brings
// the version record along.
func (s *Store) change(ctx context.Context, userID string, n mboxname.Name, want bool) (changed bool, err error) {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return false, err
	}
	if err := s.upgrade(ctx, userID, path); err != nil {
		return false, err
	}
	k := key(userID, n)
	err = s.pool.Use(path, cyrusdb.Create, func(db cyrusdb.DB) error {
		return pool.Edit(ctx, withVersion{db}, k, func(old []byte) ([]byte, error) {
			changed = want != (old != nil)
			if !changed {
				return old, nil
			}
			if want {
				return []byte{}, nil
			}
			return nil, nil
		})
	})
	return changed && err == nil, err
}

// withVersion adds the version record to each transaction.
type withVersion struct{ cyrusdb.DB }

func (d withVersion) Commit(ctx context.Context, tx cyrusdb.Tx) error {
	tx.Put([]byte(versionKey), []byte(version))
	return d.DB.Commit(ctx, tx)
}

// read runs fn with the user's database, if he has one.
func (s *Store) read(ctx context.Context, userID string, fn func(cyrusdb.DB) error) error {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return err
	}
	if err := s.upgrade(ctx, userID, path); err != nil {
		return err
	}
	return s.pool.Read(path, fn)
}

// Path is the file of a user's list.
func (s *Store) Path(ctx context.Context, userID string) (string, error) {
	return s.o.Layout.FileOf(ctx, s.o.Home, mboxname.Subscriptions, userID)
}

// upgrade rewrites a database of Cyrus 3.4 or older, whose keys are
// internal names, in one transaction under the lock that Cyrus uses for it.
func (s *Store) upgrade(ctx context.Context, userID, path string) error {
	old := false
	err := s.pool.Read(path, func(db cyrusdb.DB) (err error) {
		old, err = isOld(ctx, db)
		return err
	})
	if err != nil || !old {
		return err
	}
	held, err := s.o.Locks.Name(ctx, s.o.Layout.LockPath("$SUBS_UPGRADE$"+userID), lock.Exclusive)
	if err != nil {
		return err
	}
	defer held.Release()
	return s.pool.Read(path, func(db cyrusdb.DB) error {
		if old, err := isOld(ctx, db); err != nil || !old {
			return err
		}
		tx, err := upgraded(ctx, db, userID)
		if err != nil {
			return err
		}
		s.o.Log.Info("subscriptions converted to the keys of Cyrus 3.6", "user", userID)
		return db.Commit(ctx, tx)
	})
}

// isOld reports whether a database has records, but no version.
func isOld(ctx context.Context, db cyrusdb.DB) (old bool, err error) {
	err = db.Scan(ctx, nil, func(_, _ []byte) (bool, error) {
		old = true
		return false, nil
	})
	if err != nil || !old {
		return false, err
	}
	_, err = db.Get(ctx, []byte(versionKey))
	if errors.Is(err, cyrusdb.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// upgraded is the transaction that gives all records their new keys.
func upgraded(ctx context.Context, db cyrusdb.DB, userID string) (cyrusdb.Tx, error) {
	var tx cyrusdb.Tx
	var names []mboxname.Name
	err := db.Scan(ctx, nil, func(k, _ []byte) (bool, error) {
		names = append(names, mboxname.Name(k))
		return true, nil
	})
	tx.Require([]byte(versionKey), nil)
	for _, n := range names {
		tx.Delete([]byte(n))
	}
	for _, n := range names {
		tx.Put(key(userID, n), []byte{})
	}
	tx.Put([]byte(versionKey), []byte(version))
	return tx, err
}

// Close closes all databases. None may be in use.
func (s *Store) Close() error { return s.pool.Close() }
