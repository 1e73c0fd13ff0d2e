// Package duplicate remembers which mails were delivered, and which replies
// were sent, so that nothing is done twice.
package duplicate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/errs"
)

// Key says what was done.
//
//	delivery       ID = Message-ID, To = unique id of the mailbox, Date = text of Date
//	Sieve has run  ID = Message-ID, To = SieveTo(address)
//	redirect       ID = Message-ID "-" address, To = SieveTo(address)
//	vacation       ID = hash, To = user
type Key struct {
	ID, To, Date string
}

// SieveTo is the To of what a user's Sieve script has done. The address is
// local part and domain, also if that is the default one.
func SieveTo(address string) string { return "." + address + ".sieve." }

// Mark is what is remembered.
type Mark struct {
	Time time.Time // of the delivery, or when a vacation reply may be sent again
	UID  uint32    // of the message; 0 if it is not about one
}

// Store is the deliveries of a site. It may be used from many goroutines.
type Store struct {
	db  cyrusdb.DB
	log *slog.Logger
}

// New returns the deliveries kept in db.
func New(db cyrusdb.DB, log *slog.Logger) *Store { return &Store{db, log} }

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// encode is "ID NUL To NUL Date NUL".
//
// Source: make_key in Cyrus imap/duplicate.c.
func (k Key) encode() []byte {
	b := append([]byte(k.ID), 0)
	b = append(append(b, k.To...), 0)
	return append(append(b, k.Date...), 0)
}

// ParseKey reads a stored key. IDs may hold any byte but NUL, and binary
// hashes even that: the last three NULs count.
func ParseKey(b []byte) (k Key, ok bool) {
	b, ok = bytes.CutSuffix(b, []byte{0})
	if !ok {
		return k, false
	}
	i := bytes.LastIndexByte(b, 0)
	if i < 0 {
		return k, false
	}
	k.Date = string(b[i+1:])
	b = b[:i]
	if i = bytes.LastIndexByte(b, 0); i < 0 {
		return k, false
	}
	k.To, k.ID = string(b[i+1:]), string(b[:i])
	return k, true
}

// check refuses keys without an id or with a NUL where none may be.
func (k Key) check() error {
	if k.ID == "" || bytes.IndexByte([]byte(k.To+k.Date), 0) >= 0 {
		return errs.New(errs.BadArgument, "duplicate.Key", k.ID, nil)
	}
	return nil
}

var errMark = errors.New("duplicate delivery mark is damaged")

// decode reads a value: i64 time, u64 UID, in the byte order of amd64.
func decode(b []byte) (Mark, error) {
	if len(b) != 16 {
		return Mark{}, errMark
	}
	t := int64(binary.LittleEndian.Uint64(b))
	return Mark{time.Unix(t, 0), uint32(binary.LittleEndian.Uint64(b[8:]))}, nil
}

func (m Mark) encode() []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(m.Time.Unix()))
	return binary.LittleEndian.AppendUint64(b, uint64(m.UID))
}

// Check returns the mark of a key, and false if there is none.
func (s *Store) Check(ctx context.Context, k Key) (Mark, bool, error) {
	b, err := s.db.Get(ctx, k.encode())
	if errors.Is(err, cyrusdb.ErrNotFound) {
		return Mark{}, false, nil
	}
	if err != nil {
		return Mark{}, false, err
	}
	m, err := decode(b)
	if err != nil {
		s.log.Error("DBERROR: error fetching duplicate mark", "id", k.ID, "error", err)
		return Mark{}, false, nil
	}
	return m, true, nil
}

// Mark stores a mark, durably, in the place of an earlier one.
func (s *Store) Mark(ctx context.Context, k Key, m Mark) error {
	return s.MarkAll(ctx, []Key{k}, []Mark{m})
}

// MarkAll stores several marks in one transaction.
func (s *Store) MarkAll(ctx context.Context, keys []Key, marks []Mark) error {
	var tx cyrusdb.Tx
	for i, k := range keys {
		if err := k.check(); err != nil {
			return err
		}
		tx.Put(k.encode(), marks[i].encode())
	}
	return s.db.Commit(ctx, tx)
}

// Remove forgets a key.
func (s *Store) Remove(ctx context.Context, k Key) error {
	var tx cyrusdb.Tx
	tx.Delete(k.encode())
	return s.db.Commit(ctx, tx)
}

// Each calls fn for all marks, in the order of the database.
func (s *Store) Each(ctx context.Context, fn func(Key, Mark) error) error {
	return s.db.Scan(ctx, nil, func(kb, vb []byte) (bool, error) {
		k, ok := ParseKey(kb)
		m, err := decode(vb)
		if !ok || err != nil {
			return true, nil
		}
		return true, fn(k, m)
	})
}

// pruneBatch is how many marks are removed in one transaction, so that
// deliveries need not wait for a whole night's work.
const pruneBatch = 500

// Old says how many marks there are, and how many Prune would remove.
func (s *Store) Old(ctx context.Context, before time.Time) (count, old int, err error) {
	err = s.db.Scan(ctx, nil, func(_, v []byte) (bool, error) {
		count++
		if m, err := decode(v); err != nil || m.Time.Before(before) {
			old++
		}
		return true, nil
	})
	return count, old, err
}

// Prune removes all marks from before a time, and what cannot be read.
// It returns how many there were and how many it removed.
//
// Source: duplicate_prune in Cyrus imap/duplicate.c.
func (s *Store) Prune(ctx context.Context, before time.Time) (count, removed int, err error) {
	var tx cyrusdb.Tx
	flush := func() error {
		if len(tx.Set) == 0 {
			return nil
		}
		removed += len(tx.Set)
		err := s.db.Commit(ctx, tx)
		tx = cyrusdb.Tx{}
		return err
	}
	err = s.db.Scan(ctx, nil, func(k, v []byte) (bool, error) {
		count++
		if m, err := decode(v); err == nil && !m.Time.Before(before) {
			return true, nil
		}
		tx.Delete(bytes.Clone(k))
		if len(tx.Set) < pruneBatch {
			return true, nil
		}
		return true, flush()
	})
	if err == nil {
		err = flush()
	}
	return count, removed, err
}
