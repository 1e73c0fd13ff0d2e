// Package kv is the interface of all databases: keys and values of bytes,
// ordered, with transactions that may have conditions. Package cyrusdb
// gives its names to the rest of the program; cyrusdb/dbtest is the
// contract that every implementation is tested against.
package kv

import (
	"bytes"
	"context"
	"errors"
)

// ErrNotFound is the error of Get for a key that is not there.
var ErrNotFound = errors.New("key not found")

// ErrConflict is the error of Commit when a condition does not hold.
var ErrConflict = errors.New("condition of transaction does not hold")

// DB is an open database. Its methods may be called from several
// goroutines, and other processes may use the same database. Errors other
// than the two above are *errs.Error: IO, DiskFull, BadFormat, Locked,
// Unavailable.
type DB interface {
	// Get returns a copy of the value of key, or ErrNotFound.
	Get(ctx context.Context, key []byte) ([]byte, error)

	// Scan calls fn for every record from key `from` on (nil: from the
	// first), in the database's order, until fn says stop or fails; its
	// error is returned as it is. The slices are fn's only during the call.
	// No lock is held while fn runs, and fn may use the database. What
	// others change meanwhile is seen or not; what is not changed is seen
	// exactly once.
	Scan(ctx context.Context, from []byte, fn ScanFunc) error

	// ScanPrefix is Scan for the records whose key begins with prefix.
	ScanPrefix(ctx context.Context, prefix []byte, fn ScanFunc) error

	// Commit makes all changes of tx, or none if the error is ErrConflict,
	// DiskFull, Locked or BadFormat. When it returns nil they survive a
	// power cut. After other errors either is possible.
	Commit(ctx context.Context, tx Tx) error

	Close() error
}

// ScanFunc is what Scan calls for a record.
type ScanFunc func(key, value []byte) (more bool, err error)

// Tx is a transaction. The zero value changes nothing.
type Tx struct {
	If  []Cond
	Set []KV
}

// Cond is a condition: the value that the key must have before the
// transaction. A nil Value means that the key must not be there.
type Cond struct {
	Key, Value []byte
}

// KV is a change: the value that a key gets. A nil Value removes it, which
// is no error if it is not there; an empty one that is not nil is stored.
// Of several changes of a key the last counts.
type KV struct {
	Key, Value []byte
}

// Put adds a change that gives key a value.
func (tx *Tx) Put(key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	tx.Set = append(tx.Set, KV{key, value})
}

// Delete adds a change that removes key.
func (tx *Tx) Delete(key []byte) { tx.Set = append(tx.Set, KV{key, nil}) }

// Require adds a condition.
func (tx *Tx) Require(key, value []byte) { tx.If = append(tx.If, Cond{key, value}) }

// Holds reports whether a condition holds for what Get said of its key.
// Errors other than ErrNotFound are returned.
func (c Cond) Holds(value []byte, err error) (bool, error) {
	switch {
	case errors.Is(err, ErrNotFound):
		return c.Value == nil, nil
	case err != nil:
		return false, err
	}
	return c.Value != nil && bytes.Equal(c.Value, value), nil
}

// ScanPrefix is DB.ScanPrefix in terms of Scan, for databases in which the
// keys with a prefix follow each other and the prefix itself comes first.
func ScanPrefix(ctx context.Context, db DB, prefix []byte, fn ScanFunc) error {
	return db.Scan(ctx, prefix, func(key, value []byte) (bool, error) {
		if !bytes.HasPrefix(key, prefix) {
			return false, nil
		}
		return fn(key, value)
	})
}

// Flags say how a database is opened.
type Flags uint8

const (
	// Create makes an empty database if there is none; otherwise that is
	// an error of kind fs.ErrNotExist.
	Create Flags = 1 << iota
)
