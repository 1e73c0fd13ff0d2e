// Package seen keeps what users have read of mailboxes that are not theirs:
// one database per user, by the unique ids of the mailboxes. What owners have
// read is in the mailboxes themselves.
package seen

import (
	"context"
	"errors"
	"log/slog"

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
	Kind   string // seenstate_db: of new databases
	Home   mboxname.Home
}

// Store is the seen databases of a site. It may be used from many
// goroutines.
type Store struct {
	o    Options
	pool *pool.Pool
}

// maxOpen is how many databases stay open between uses: those of the users
// who are logged in and read others' mailboxes.
const maxOpen = 64

// New returns the seen databases of a site.
func New(o Options) *Store { return &Store{o, pool.New(o.FS, o.Locks, o.Kind, maxOpen)} }

// Get returns what a user has seen of a mailbox. An entry that cannot be
// read is logged and counts as nothing.
func (s *Store) Get(ctx context.Context, userID, mailboxID string) (st State, err error) {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return st, err
	}
	err = s.pool.Read(path, func(db cyrusdb.DB) error {
		v, err := db.Get(ctx, []byte(mailboxID))
		if err == nil {
			st = s.read(userID, mailboxID, v)
		}
		return err
	})
	if errors.Is(err, cyrusdb.ErrNotFound) {
		err = nil
	}
	return st, err
}

// read decodes a value, or logs that it cannot.
func (s *Store) read(userID, mailboxID string, v []byte) State {
	st, err := decode(v)
	if err != nil {
		s.o.Log.Error("DBERROR: seen state cannot be read", "user", userID, "uniqueid", mailboxID, "error", err)
		return State{}
	}
	return st
}

// Update lets change alter what a user has seen of a mailbox, and stores
// it durably, as one step. change may be called more than once.
func (s *Store) Update(ctx context.Context, userID, mailboxID string, change func(*State)) error {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return err
	}
	return s.pool.Change(ctx, path, []byte(mailboxID), func(old []byte) ([]byte, error) {
		var st State
		if old != nil {
			st = s.read(userID, mailboxID, old)
		}
		change(&st)
		return st.encode(), nil
	})
}

// Set stores what a user has seen of a mailbox, durably.
func (s *Store) Set(ctx context.Context, userID, mailboxID string, st State) error {
	return s.Update(ctx, userID, mailboxID, func(old *State) { *old = st })
}

// Remove forgets one mailbox.
func (s *Store) Remove(ctx context.Context, userID, mailboxID string) error {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return err
	}
	return s.pool.Read(path, func(db cyrusdb.DB) error {
		var tx cyrusdb.Tx
		tx.Delete([]byte(mailboxID))
		return db.Commit(ctx, tx)
	})
}

// Each calls fn for all mailboxes of which the user's database knows.
func (s *Store) Each(ctx context.Context, userID string, fn func(mailboxID string, st State) error) error {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return err
	}
	return s.pool.Read(path, func(db cyrusdb.DB) error {
		return db.Scan(ctx, nil, func(k, v []byte) (bool, error) {
			return true, fn(string(k), s.read(userID, string(k), v))
		})
	})
}

// Path is the file of a user's database.
func (s *Store) Path(ctx context.Context, userID string) (string, error) {
	return s.o.Layout.FileOf(ctx, s.o.Home, mboxname.SeenState, userID)
}

// Close closes all databases. None may be in use.
func (s *Store) Close() error { return s.pool.Close() }
