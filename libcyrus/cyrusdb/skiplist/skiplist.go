// Package skiplist reads Cyrus's skiplist files, the format before twoskip.
// Nothing is ever written in it: package cyrusdb makes a twoskip file of one
// at its first change (Cyrus lib/cyrusdb_skiplist.c).
//
//	header, 48 octets: magic 20, version, minor version, maximal level,
//	    level, size of the list, start of the log, time of last recovery
//	record: type (257 list head, 1 in order, 2 added), key length, key,
//	    value length, value, forward pointers, 0xFFFFFFFF
//	delete: 4, offset of the record
//	commit: 255
//
// All numbers are 32 bits, big endian; keys and values are padded to 4.
// Records "in order" were written by a checkpoint; the log of changes
// follows, in which what comes after the last commit does not count.
package skiplist

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// Magic is how a file begins.
const Magic = "\xa1\x02\x8b\x0dskiplist file\x00\x00\x00"

// ErrNotSkiplist is the error of reading a file that is none any more.
var ErrNotSkiplist = errors.New("no skiplist file")

// DB is a skiplist file open for reading. It implements kv.DB, but Commit
// makes no changes. Keys are in the order of their octets, unlike in the
// file, where octets have a sign.
type DB struct {
	fs    disk.FS
	locks *lock.Table
	path  string

	mu     sync.Mutex
	f      disk.File // of which the rest was read
	ino    uint64
	size   int64
	keys   []string
	values map[string][]byte
}

var _ kv.DB = (*DB)(nil)

// Open opens a file and reads it.
func Open(fsys disk.FS, locks *lock.Table, path string) (*DB, error) {
	d := &DB{fs: fsys, locks: locks, path: path}
	if _, _, err := d.load(context.Background()); err != nil {
		return nil, err
	}
	return d, nil
}

// Close forgets the file.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.f == nil {
		return nil
	}
	err := d.f.Close()
	d.f, d.keys, d.values = nil, nil, nil
	return err
}

// load reads the file if it has changed. What it returns is not changed
// afterwards.
func (d *DB) load(ctx context.Context) ([]string, map[string][]byte, error) {
	f, held, err := d.locks.OpenFile(ctx, d.path, os.O_RDWR, lock.Shared)
	if err != nil {
		return nil, nil, disk.Error("skiplist.read", d.path, err)
	}
	defer held.Release()
	d.mu.Lock()
	defer d.mu.Unlock()
	fi, err := f.Stat()
	if err == nil && d.f != nil && disk.Inode(fi) == d.ino && fi.Size() == d.size {
		f.Close()
		return d.keys, d.values, nil
	}
	var b []byte
	if err == nil {
		b = make([]byte, fi.Size())
		_, err = f.ReadAt(b, 0)
	}
	if err == nil {
		d.values, err = Parse(b)
		if err != nil {
			err = errs.New(errs.BadFormat, "skiplist.read", d.path, err)
		}
	}
	if err != nil {
		f.Close()
		return nil, nil, disk.Error("skiplist.read", d.path, err)
	}
	if d.f != nil {
		d.f.Close()
	}
	d.f, d.ino, d.size = f, disk.Inode(fi), fi.Size()
	d.keys = slices.Sorted(maps.Keys(d.values))
	return d.keys, d.values, nil
}

// Get returns a copy of the value of key.
func (d *DB) Get(ctx context.Context, key []byte) ([]byte, error) {
	_, values, err := d.load(ctx)
	if err != nil {
		return nil, err
	}
	v, ok := values[string(key)]
	if !ok {
		return nil, kv.ErrNotFound
	}
	return append([]byte{}, v...), nil
}

// Scan calls fn for the records from a key on, as they were when it began.
func (d *DB) Scan(ctx context.Context, from []byte, fn kv.ScanFunc) error {
	keys, values, err := d.load(ctx)
	if err != nil {
		return err
	}
	i, _ := slices.BinarySearch(keys, string(from))
	for _, key := range keys[i:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := fn([]byte(key), values[key])
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// ScanPrefix calls fn for the records whose keys begin with prefix.
func (d *DB) ScanPrefix(ctx context.Context, prefix []byte, fn kv.ScanFunc) error {
	return kv.ScanPrefix(ctx, d, prefix, fn)
}

// Commit fails with errs.NotSupported.
func (d *DB) Commit(ctx context.Context, tx kv.Tx) error {
	return errs.New(errs.NotSupported, "skiplist.Commit", d.path, nil)
}
