// Package twoskip reads and writes Cyrus's twoskip files: a skip list in a
// file that only grows, until it is written anew. Keys are ordered by their
// octets (Cyrus lib/cyrusdb_twoskip.c).
//
// Many processes may use a file at once: readers lock it shared, for as long
// as one call takes, writers exclusively. Nothing is mapped; what was read
// is remembered until the header shows that the file has changed.
package twoskip

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// DB is an open database. It implements kv.DB.
type DB struct {
	fs    disk.FS
	locks *lock.Table
	path  string
	log   *slog.Logger

	mu     sync.Mutex
	h      *handle // the file as it was opened last, nil after Close
	closed bool
}

var _ kv.DB = (*DB)(nil)

// Open opens the database in the file path. A file of no octets is a
// database without records.
func Open(fsys disk.FS, locks *lock.Table, path string, flags kv.Flags) (*DB, error) {
	d := &DB{fs: fsys, locks: locks, path: path, log: slog.Default()}
	h, err := d.open(0)
	if errors.Is(err, fs.ErrNotExist) && flags&kv.Create != 0 {
		h, err = d.create()
	}
	if err != nil {
		return nil, err
	}
	d.h = h
	return d, nil
}

// SetLog makes d write recoveries and repacks to log instead of the default.
func (d *DB) SetLog(log *slog.Logger) { d.log = log }

func (d *DB) open(flag int) (*handle, error) {
	f, err := d.fs.OpenFile(d.path, os.O_RDWR|flag, 0o644)
	if err != nil {
		return nil, disk.Error("twoskip.open", d.path, err)
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, disk.Error("twoskip.open", d.path, err)
	}
	return &handle{path: d.path, f: f, ino: disk.Inode(fi), refs: 1, pages: map[uint64][]byte{}}, nil
}

// create makes the file, which the first lock for writing fills.
func (d *DB) create() (*handle, error) {
	h, err := d.open(os.O_CREATE)
	if errors.Is(err, fs.ErrNotExist) {
		if err = disk.MkdirSync(d.fs, filepath.Dir(d.path), 0o755); err == nil {
			h, err = d.open(os.O_CREATE)
		}
	}
	if err != nil {
		return nil, disk.Error("twoskip.create", d.path, err)
	}
	d.h = h
	s, err := d.lockForWriting(context.Background())
	if err != nil {
		d.Close()
		return nil, err
	}
	s.unlock()
	return d.h, nil
}

// Close closes the file. Calls that are running end first.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		d.drop(d.h)
	}
	return nil
}

// drop ends a use of h. d.mu is held.
func (d *DB) drop(h *handle) {
	if h.refs--; h.refs == 0 {
		h.f.Close()
	}
}

// session is a locked file that has been found to be the current one.
type session struct {
	d    *DB
	h    *handle
	held *lock.Held
	size int64
}

func (s *session) unlock() {
	s.held.Release()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.drop(s.h)
}

// lock locks the file that d.path names.
func (d *DB) lock(ctx context.Context, write bool) (*session, error) {
	mode := lock.Shared
	if write {
		mode = lock.Exclusive
	}
	for {
		d.mu.Lock()
		if d.closed {
			d.mu.Unlock()
			return nil, errs.New(errs.IO, "twoskip", d.path, os.ErrClosed)
		}
		h := d.h
		h.refs++
		d.mu.Unlock()
		held, err := d.locks.File(ctx, h.f, d.path, mode)
		if err != nil {
			d.mu.Lock()
			d.drop(h)
			d.mu.Unlock()
			return nil, err
		}
		s := &session{d: d, h: h, held: held}
		fi, err := d.fs.Stat(d.path)
		if err == nil && disk.Inode(fi) == h.ino {
			s.size = fi.Size()
			return s, nil
		}
		s.unlock()
		if err != nil {
			return nil, disk.Error("twoskip.lock", d.path, err)
		}
		if err := d.reopen(h); err != nil {
			return nil, err
		}
	}
}

// reopen opens the file again, if nobody has done so since old was current.
func (d *DB) reopen(old *handle) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.h != old || d.closed {
		return nil
	}
	h, err := d.open(0)
	if err != nil {
		return err
	}
	d.drop(old)
	d.h = h
	return nil
}

// read calls fn with the file locked for reading. A file that was not left
// clean is recovered first.
func (d *DB) read(ctx context.Context, fn func(*view) error) error {
	for {
		s, err := d.lock(ctx, false)
		if err != nil {
			return err
		}
		clean, err := d.readLocked(s, fn)
		if clean {
			return err
		}
		if s, err = d.lockForWriting(ctx); err != nil {
			return err
		}
		s.unlock()
	}
}

// readLocked returns false if the file must be recovered.
func (d *DB) readLocked(s *session, fn func(*view) error) (bool, error) {
	defer s.unlock()
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	clean, err := s.h.look(s.size)
	if err != nil && isDamage(err) || err == nil && !clean {
		return false, err
	}
	if err == nil {
		err = fn(&view{h: s.h, end: s.h.header.size})
	}
	return true, err
}

// Get returns a copy of the value of key.
func (d *DB) Get(ctx context.Context, key []byte) (value []byte, err error) {
	err = d.read(ctx, func(v *view) error {
		value, err = v.get(key)
		return err
	})
	return value, err
}

// Commit makes all changes of tx or none.
func (d *DB) Commit(ctx context.Context, tx kv.Tx) error {
	for _, c := range tx.Set {
		if len(c.Key) == 0 {
			return errs.New(errs.BadArgument, "twoskip.Commit", d.path, errors.New("empty key"))
		}
	}
	s, err := d.lockForWriting(ctx)
	if err != nil {
		return err
	}
	defer s.unlock()
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	v := s.h.begin()
	if err := v.holds(tx.If); err != nil {
		return err
	}
	for _, c := range tx.Set {
		if err := v.set(c.Key, c.Value); err != nil {
			return err
		}
	}
	if err := v.write(d.fs); err != nil {
		return err
	}
	d.repackIfDue(s.h)
	return nil
}

// repackIfDue rewrites a file of which half is out of date. A failure costs
// only room.
func (d *DB) repackIfDue(h *handle) {
	if now := h.header; now.size > minRepack && now.size > 2*now.repackSize {
		if err := d.repack(h); err != nil {
			d.log.Warn("twoskip: failed to checkpoint", "file", d.path, "error", err)
		}
	}
}

// Generation returns two numbers that are the same again only if nothing
// has been changed in between.
func (d *DB) Generation(ctx context.Context) (generation, size uint64, err error) {
	err = d.read(ctx, func(v *view) error {
		generation, size = v.h.header.generation, v.h.header.size
		return nil
	})
	return generation, size, err
}

// batch is a number of records read under one lock.
type batch struct {
	data []byte // keys and values one after the other
	ends []int  // of each key and each value
	more bool   // there are records after these
}

const (
	// A scan begins with a few records, for it may need no more, and goes
	// up to maxBatch records or about maxBatchSize octets.
	firstBatch   = 32
	maxBatch     = 2000
	maxBatchSize = 256 << 10
)

// Scan calls fn for the records from a key on.
func (d *DB) Scan(ctx context.Context, from []byte, fn kv.ScanFunc) error {
	return scan(ctx, from, nil, fn, d.viewer(ctx))
}

// ScanPrefix calls fn for the records whose keys begin with prefix.
func (d *DB) ScanPrefix(ctx context.Context, prefix []byte, fn kv.ScanFunc) error {
	return scan(ctx, prefix, prefix, fn, d.viewer(ctx))
}

// viewer is read for scan.
func (d *DB) viewer(ctx context.Context) func(func(*view) error) error {
	return func(fn func(*view) error) error { return d.read(ctx, fn) }
}

// scan reads some records at a time with read.
func scan(ctx context.Context, from, prefix []byte, fn kv.ScanFunc, read func(func(*view) error) error) error {
	var b batch
	for limit := firstBatch; ; limit = min(4*limit, maxBatch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := read(func(v *view) error { return v.collect(from, prefix, limit, &b) })
		if err != nil {
			return err
		}
		start := 0
		for i := 0; i < len(b.ends); i += 2 {
			key, value := b.data[start:b.ends[i]:b.ends[i]], b.data[b.ends[i]:b.ends[i+1]:b.ends[i+1]]
			more, err := fn(key, value)
			if err != nil || !more {
				return err
			}
			if start = b.ends[i+1]; i+2 == len(b.ends) {
				from = append(append(from[:0:0], key...), 0) // what comes next after key
			}
		}
		if !b.more {
			return nil
		}
	}
}

// collect reads up to limit records from a key on, as long as they begin
// with prefix.
func (v *view) collect(from, prefix []byte, limit int, b *batch) error {
	*b = batch{data: b.data[:0], ends: b.ends[:0]}
	var p place
	if err := v.find(from, &p); err != nil {
		return err
	}
	r := &p.record
	if !p.exact {
		if err := v.live(p.forward[0], r); err != nil {
			return err
		}
	}
	for ; r.offset != 0; limit-- {
		key, value, err := v.tail(r)
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(key, prefix) {
			return nil
		}
		if limit == 0 || len(b.data) > maxBatchSize {
			b.more = true
			return nil
		}
		b.data = append(b.data, key...)
		b.ends = append(b.ends, len(b.data))
		b.data = append(b.data, value...)
		b.ends = append(b.ends, len(b.data))
		if err := v.live(r.pointer(0, v.end), r); err != nil {
			return err
		}
	}
	return nil
}

func syncParent(fsys disk.FS, path string) error { return fsys.SyncDir(filepath.Dir(path)) }
