// Package mboxkey keeps the secrets with which users sign URLs of messages
// (RFC 4467 section 4): one per mailbox, in a small database per user.
package mboxkey

import (
	"context"
	"crypto/rand"
	"errors"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/pool"
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
	Kind   string // mboxkey_db: of new databases
	Home   mboxname.Home
}

// Store is the keys of a site. It may be used from many goroutines, while
// other processes use the same files.
type Store struct {
	o    Options
	pool *pool.Pool
}

// maxOpen is how many databases stay open between uses.
const maxOpen = 16

// New returns the keys of a site.
func New(o Options) *Store { return &Store{o, pool.New(o.FS, o.Locks, o.Kind, maxOpen)} }

// Close closes all databases.
func (s *Store) Close() error { return s.pool.Close() }

// The record of a mailbox, whose key is its internal name: a number in two
// octets, high one first, and the secret.
//
// Source: mboxkey_write in Cyrus imap/mboxkey.c.
const version = 1

// keyLen is the octets of a new secret (MBOX_KEY_LEN in Cyrus imap/imapd.c).
const keyLen = 16

// Get returns the secret of a user for a mailbox; nil if he has none, so that
// no signature of his is good.
func (s *Store) Get(ctx context.Context, userID string, n mboxname.Name) (secret []byte, err error) {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return nil, err
	}
	err = s.pool.Read(path, func(db cyrusdb.DB) error {
		secret = nil
		record, err := db.Get(ctx, []byte(n))
		if errors.Is(err, cyrusdb.ErrNotFound) {
			return nil
		}
		if err == nil {
			secret, err = decode(record, path)
		}
		return err
	})
	return secret, err
}

// Make is Get, but makes a secret, durably, if there is none.
func (s *Store) Make(ctx context.Context, userID string, n mboxname.Name) (secret []byte, err error) {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return nil, err
	}
	fresh := make([]byte, keyLen)
	rand.Read(fresh)
	err = s.pool.Change(ctx, path, []byte(n), func(old []byte) ([]byte, error) {
		if old == nil {
			secret = fresh
			return append([]byte{0, version}, fresh...), nil
		}
		var err error
		secret, err = decode(old, path)
		return old, err
	})
	return secret, err
}

// Remove forgets the secret for a mailbox, durably: no URL that was signed
// with it is good any more.
func (s *Store) Remove(ctx context.Context, userID string, n mboxname.Name) error {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return err
	}
	return s.pool.Read(path, func(db cyrusdb.DB) error {
		return pool.Edit(ctx, db, []byte(n), func([]byte) ([]byte, error) { return nil, nil })
	})
}

// RemoveAll forgets all secrets of a user, durably and in one step.
func (s *Store) RemoveAll(ctx context.Context, userID string) error {
	path, err := s.Path(ctx, userID)
	if err != nil {
		return err
	}
	return s.pool.Read(path, func(db cyrusdb.DB) error {
		var tx cyrusdb.Tx
		err := db.Scan(ctx, nil, func(k, _ []byte) (bool, error) {
			tx.Delete(append([]byte(nil), k...))
			return true, nil
		})
		if err != nil || len(tx.Set) == 0 {
			return err
		}
		return db.Commit(ctx, tx)
	})
}

// Path is the file of a user's secrets.
func (s *Store) Path(ctx context.Context, userID string) (string, error) {
	return s.o.Layout.FileOf(ctx, s.o.Home, mboxname.MboxKey, userID)
}

// decode reads a record. An empty secret is none: anybody could sign with it.
func decode(record []byte, path string) ([]byte, error) {
	if len(record) <= 2 || record[0] != 0 || record[1] != version {
		return nil, errs.New(errs.BadFormat, "mboxkey.Get", path, errors.New("no version 1 and secret in the record"))
	}
	return append([]byte(nil), record[2:]...), nil
}
