// Package annot keeps annotations: of the server and of mailboxes in one
// database of the site, of messages in one small database per mailbox.
package annot

import (
	"context"
	"errors"
	"log/slog"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/pool"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// The annotations of mailboxes that Cyrus itself acts on.
const (
	Comment          = "/comment"
	SpecialUse       = "/specialuse" // private: "\\Junk \\Trash"
	Expire           = "/vendor/cmu/cyrus-imapd/expire"
	Archive          = "/vendor/cmu/cyrus-imapd/archive"
	Delete           = "/vendor/cmu/cyrus-imapd/delete"
	SieveScript      = "/vendor/cmu/cyrus-imapd/sieve"
	SearchFuzzy      = "/vendor/cmu/cyrus-imapd/search-fuzzy-always"
	Squat            = "/vendor/cmu/cyrus-imapd/squat"
	SharedSeen       = "/vendor/cmu/cyrus-imapd/sharedseen"       // a bit of the index, not kept here
	DuplicateDeliver = "/vendor/cmu/cyrus-imapd/duplicatedeliver" // likewise
	SortOrder        = "/vendor/cmu/cyrus-imapd/sortorder"
)

// Options says what a Store works with.
type Options struct {
	DB    cyrusdb.DB // of the site
	FS    disk.FS
	Locks *lock.Table
	Log   *slog.Logger
	Kind  string // annotation_db: of new databases of mailboxes
}

// Store is the annotations of a site. It may be used from many goroutines.
// It checks no rights and knows no defaults.
type Store struct {
	o    Options
	pool *pool.Pool
}

// maxOpen is how many databases of mailboxes stay open between uses.
const maxOpen = 128

// New returns the annotations of a site.
func New(o Options) *Store { return &Store{o, pool.New(o.FS, o.Locks, o.Kind, maxOpen)} }

// Close closes all databases, that of the site too.
func (s *Store) Close() error { return errors.Join(s.pool.Close(), s.o.DB.Close()) }

// Scope is what an annotation of the site's database belongs to. The zero
// value is the server.
type Scope struct {
	MailboxID string // unique id
	Owner     string // of the mailbox; "" if it is shared
}

// Get returns a value and whether there is one.
func (s *Store) Get(ctx context.Context, sc Scope, k Key) ([]byte, bool, error) {
	b, err := s.o.DB.Get(ctx, k.owned(sc.Owner).encode(sc.MailboxID))
	if errors.Is(err, cyrusdb.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	v, err := decode(b)
	if err != nil {
		return nil, false, errs.New(errs.BadFormat, "annot.Get", k.Entry, err)
	}
	return v.Data, !v.Deleted, nil
}

// Set stores a value, or removes it if data is nil. It lasts on return. The
// change in the octets that the values of the mailbox take is returned.
func (s *Store) Set(ctx context.Context, sc Scope, k Key, data []byte) (delta int64, err error) {
	if err := k.check(); err != nil {
		return 0, err
	}
	err = pool.Edit(ctx, s.o.DB, k.owned(sc.Owner).encode(sc.MailboxID), func(old []byte) ([]byte, error) {
		delta = int64(len(data)) - size(old)
		if data == nil {
			return nil, nil
		}
		return Value{Data: data}.encode(), nil
	})
	return delta, err
}

// SetAll stores values of one scope, or removes those that are nil, all in
// one transaction that lasts on return.
func (s *Store) SetAll(ctx context.Context, sc Scope, rows []Row) error {
	var tx cyrusdb.Tx
	for _, r := range rows {
		if err := r.check(); err != nil {
			return err
		}
		k := r.owned(sc.Owner).encode(sc.MailboxID)
		if r.Value == nil {
			tx.Delete(k)
			continue
		}
		tx.Put(k, Value{Data: r.Value}.encode())
	}
	if len(tx.Set) == 0 {
		return nil
	}
	return s.o.DB.Commit(ctx, tx)
}

// size is the number of octets of a stored value.
func size(value []byte) int64 {
	v, err := decode(value)
	if err != nil {
		return 0
	}
	return int64(len(v.Data))
}

// Each calls fn for all annotations of the scope, or with entry "" whatever
// their entry; a final '*' or '%' in entry is not understood.
func (s *Store) Each(ctx context.Context, sc Scope, fn func(Key, []byte) error) error {
	return s.o.DB.ScanPrefix(ctx, append([]byte(sc.MailboxID), 0), func(kb, vb []byte) (bool, error) {
		scope, k, ok := parseKey(kb)
		if !ok || scope != sc.MailboxID {
			return true, nil
		}
		v, err := decode(vb)
		if err != nil {
			s.o.Log.Error("DBERROR: annotation cannot be read", "entry", k.Entry, "uniqueid", sc.MailboxID, "error", err)
			return true, nil
		}
		if v.Deleted {
			return true, nil
		}
		return true, fn(k.real(sc.Owner), v.Data)
	})
}

// RemoveAll removes all annotations of a mailbox, in one transaction.
func (s *Store) RemoveAll(ctx context.Context, mailboxID string) error {
	if mailboxID == "" {
		return errs.New(errs.BadArgument, "annot.RemoveAll", "", nil)
	}
	var tx cyrusdb.Tx
	err := s.o.DB.ScanPrefix(ctx, append([]byte(mailboxID), 0), func(k, _ []byte) (bool, error) {
		tx.Delete(append([]byte(nil), k...))
		return true, nil
	})
	if err != nil || len(tx.Set) == 0 {
		return err
	}
	return s.o.DB.Commit(ctx, tx)
}

// Copy gives a mailbox the annotations of another; private values of the
// owner become those of the new owner.
func (s *Store) Copy(ctx context.Context, from, to Scope) error {
	var tx cyrusdb.Tx
	err := s.Each(ctx, from, func(k Key, data []byte) error {
		if k.User == from.Owner && from.Owner != "" {
			k.User = to.Owner
		}
		tx.Put(k.owned(to.Owner).encode(to.MailboxID), Value{Data: data}.encode())
		return nil
	})
	if err != nil || len(tx.Set) == 0 {
		return err
	}
	return s.o.DB.Commit(ctx, tx)
}
