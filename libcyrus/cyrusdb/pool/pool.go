// Package pool keeps databases of which there are many, one per user or per
// mailbox, open for a while between uses.
package pool

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// Pool is databases of one kind. It may be used from many goroutines.
type Pool struct {
	fs    disk.FS
	locks *lock.Table
	kind  string
	max   int

	mu   sync.Mutex
	open map[string]*handle // by path
	uses uint64             // counts uses, for the choice of what to close
}

// handle is an open database. Its fields are guarded by the Pool's mu.
type handle struct {
	db    cyrusdb.DB
	users int
	last  uint64
}

// New returns a pool that keeps up to max databases open which nobody uses
// just now. kind is that of new ones (cyrusdb.Open).
func New(fsys disk.FS, locks *lock.Table, kind string, max int) *Pool {
	return &Pool{fs: fsys, locks: locks, kind: kind, max: max, open: map[string]*handle{}}
}

// Use runs fn with the database at path. Without it, and without
// cyrusdb.Create among the flags, the error wraps fs.ErrNotExist.
func (p *Pool) Use(path string, flags cyrusdb.Flags, fn func(cyrusdb.DB) error) error {
	h, err := p.acquire(path, flags)
	if err != nil {
		return err
	}
	defer p.release(path, h)
	return fn(h.db)
}

// Read is Use for a database that may be missing: then fn is not called.
func (p *Pool) Read(path string, fn func(cyrusdb.DB) error) error {
	err := p.Use(path, 0, fn)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Change stores what edit makes of the value of key, nil for none, as one
// step. edit may be called more than once; if it returns the value as it
// was nothing is written. The database is made if it does not exist.
func (p *Pool) Change(ctx context.Context, path string, key []byte, edit func(old []byte) ([]byte, error)) error {
	return p.Use(path, cyrusdb.Create, func(db cyrusdb.DB) error {
		return Edit(ctx, db, key, edit)
	})
}

// Edit is Change for an open database.
func Edit(ctx context.Context, db cyrusdb.DB, key []byte, edit func(old []byte) ([]byte, error)) error {
	for {
		old, err := db.Get(ctx, key)
		if errors.Is(err, cyrusdb.ErrNotFound) {
			old = nil
		} else if err != nil {
			return err
		}
		value, err := edit(old)
		if err != nil || (value == nil) == (old == nil) && string(value) == string(old) {
			return err
		}
		tx := cyrusdb.Tx{
			If:  []cyrusdb.Cond{{Key: key, Value: old}},
			Set: []cyrusdb.KV{{Key: key, Value: value}},
		}
		if err = db.Commit(ctx, tx); !errors.Is(err, cyrusdb.ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			return errs.New(errs.Locked, "pool.Edit", "", ctx.Err())
		}
	}
}

func (p *Pool) acquire(path string, flags cyrusdb.Flags) (*handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uses++
	if h := p.open[path]; h != nil {
		if _, err := p.fs.Stat(path); err == nil {
			h.users, h.last = h.users+1, p.uses
			return h, nil
		}
		p.forget(path, h) // it was removed with its user
	}
	if flags&cyrusdb.Create != 0 {
		if err := disk.MkdirSync(p.fs, filepath.Dir(path), 0o755); err != nil {
			return nil, disk.Error("pool.Use", path, err)
		}
	}
	db, err := cyrusdb.Open(p.fs, p.locks, p.kind, path, flags)
	if err != nil {
		return nil, err
	}
	h := &handle{db: db, users: 1, last: p.uses}
	p.open[path] = h
	return h, nil
}

// forget takes h out of the table; it is closed when nobody uses it.
func (p *Pool) forget(path string, h *handle) {
	delete(p.open, path)
	if h.users == 0 {
		h.db.Close()
	}
}

func (p *Pool) release(path string, h *handle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.users--
	if h.users == 0 && p.open[path] != h {
		h.db.Close()
		return
	}
	if len(p.open) > p.max {
		p.closeOldest()
	}
}

// closeOldest closes the database that was not used for longest.
func (p *Pool) closeOldest() {
	var oldest string
	for path, h := range p.open {
		if h.users == 0 && (oldest == "" || h.last < p.open[oldest].last) {
			oldest = path
		}
	}
	if oldest != "" {
		p.forget(oldest, p.open[oldest])
	}
}

// Close closes all databases. None may be in use.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for path, h := range p.open {
		p.forget(path, h)
	}
	return nil
}
