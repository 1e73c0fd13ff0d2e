package cyrusdb

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/cyrusdb/skiplist"
	"gocyrus/libcyrus/cyrusdb/twoskip"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// oldDB is a skiplist file, which becomes a twoskip file at the first
// change, by us or by another process.
type oldDB struct {
	fs    disk.FS
	locks *lock.Table
	path  string

	mu  sync.Mutex
	now DB
}

func openOld(fsys disk.FS, locks *lock.Table, path string) (DB, error) {
	db, err := skiplist.Open(fsys, locks, path)
	if errors.Is(err, skiplist.ErrNotSkiplist) {
		return twoskip.Open(fsys, locks, path, 0)
	}
	if err != nil {
		return nil, err
	}
	return &oldDB{fs: fsys, locks: locks, path: path, now: db}, nil
}

// do calls fn with the database as it is now.
func (d *oldDB) do(fn func(DB) error) error {
	d.mu.Lock()
	db := d.now
	d.mu.Unlock()
	err := fn(db)
	if !errors.Is(err, skiplist.ErrNotSkiplist) {
		return err
	}
	if err := d.reopen(db); err != nil {
		return err
	}
	return d.do(fn)
}

// reopen opens the twoskip file that has taken the place of old.
func (d *oldDB) reopen(old DB) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now != old {
		return nil
	}
	db, err := twoskip.Open(d.fs, d.locks, d.path, 0)
	if err != nil {
		return err
	}
	d.now = db
	return old.Close()
}

func (d *oldDB) Get(ctx context.Context, key []byte) (value []byte, err error) {
	err = d.do(func(db DB) error {
		value, err = db.Get(ctx, key)
		return err
	})
	return value, err
}

func (d *oldDB) Scan(ctx context.Context, from []byte, fn ScanFunc) error {
	return d.do(func(db DB) error { return db.Scan(ctx, from, fn) })
}

func (d *oldDB) ScanPrefix(ctx context.Context, prefix []byte, fn ScanFunc) error {
	return d.do(func(db DB) error { return db.ScanPrefix(ctx, prefix, fn) })
}

func (d *oldDB) Commit(ctx context.Context, tx Tx) error {
	return d.do(func(db DB) error {
		if _, old := db.(*skiplist.DB); !old {
			return db.Commit(ctx, tx)
		}
		for _, c := range tx.If {
			ok, err := c.Holds(db.Get(ctx, c.Key))
			if err != nil {
				return err
			}
			if !ok {
				return ErrConflict
			}
		}
		if len(tx.Set) == 0 {
			return nil
		}
		if err := d.convert(ctx); err != nil {
			return err
		}
		return skiplist.ErrNotSkiplist // once more with the new file
	})
}

// convert writes a twoskip file in place of the skiplist file, unless
// somebody has just done that.
func (d *oldDB) convert(ctx context.Context) error {
	f, held, err := d.locks.OpenFile(ctx, d.path, os.O_RDWR, lock.Exclusive)
	if err != nil {
		return disk.Error("cyrusdb.convert", d.path, err)
	}
	defer f.Close()
	defer held.Release()
	b, err := disk.ReadFile(d.fs, d.path)
	if err != nil {
		return disk.Error("cyrusdb.convert", d.path, err)
	}
	records, err := skiplist.Parse(b)
	if err != nil {
		if errors.Is(err, skiplist.ErrNotSkiplist) {
			return nil
		}
		return disk.Error("cyrusdb.convert", d.path, err)
	}
	keys := slices.Sorted(maps.Keys(records))
	return twoskip.Write(d.fs, d.path, func(fn kv.ScanFunc) error {
		for _, key := range keys {
			if _, err := fn([]byte(key), records[key]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *oldDB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now.Close()
}
