package cyrusdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// Suffixes of what Relist keeps of a list that it replaces.
const (
	damagedSuffix = ".DAMAGED"
	lostSuffix    = ".LOST"
)

// Relist puts a new mailbox list in the place of one that is lost or
// damaged, in either mode. contents is asked for its records, and told what
// can still be opened of the old list, or nil; it may be called twice. What is
// replaced is kept beside it: the paths are returned. No other program
// may be running.
//
// In own mode the new list becomes a file of Cyrus's first, which is true as
// soon as it is there; then it is taken into pebble, as ctl_cyrusdb -r would do
// if this ended in between. Pebble is used as it is if it can be opened, so
// that annotations, duplicates and user deny stay; else its directory and the
// markers are moved aside.
func Relist(ctx context.Context, c *config.Config, fsys disk.FS, locks *lock.Table, log *slog.Logger, contents func(old DB) ([]KV, error)) (kept []string, err error) {
	own, err := OwnMode(c)
	if err != nil {
		return nil, err
	}
	files := siteFiles(c)
	r := &relisting{ctx: ctx, c: c, fsys: fsys, locks: locks, log: log, contents: contents, file: files[len(files)-1], files: files}
	if !own {
		err = r.fromFile(r.file.kind)
		return r.kept, err
	}
	if err = r.fromFile(r.file.classic); err == nil {
		err = r.openPebble()
	}
	if err == nil {
		_, err = Convert(ctx, c, fsys, locks, log)
	}
	return r.kept, err
}

// relisting is one run of Relist.
type relisting struct {
	ctx      context.Context
	c        *config.Config
	fsys     disk.FS
	locks    *lock.Table
	log      *slog.Logger
	contents func(DB) ([]KV, error)
	file     siteFile
	files    []siteFile
	kept     []string
}

// fromFile replaces the file of the list.
func (r *relisting) fromFile(kind string) error {
	if err := r.keep(r.file.path, damagedSuffix); err != nil {
		return err
	}
	var old DB
	if is, _, err := look(r.fsys, r.file.path); err == nil && is == isCyrus {
		if db, _, err := OpenAny(r.fsys, r.locks, r.file.path); err == nil {
			defer db.Close()
			old = db
		}
	}
	records, err := r.contents(old)
	if err != nil {
		return err
	}
	return r.write(kind, records)
}

func (r *relisting) write(kind string, records []KV) error {
	if kind != "flat" {
		kind = "twoskip"
	}
	return WriteFile(r.ctx, r.fsys, kind, r.file.path, func(fn ScanFunc) error {
		for _, kv := range records {
			if more, err := fn(kv.Key, kv.Value); err != nil || !more {
				return err
			}
		}
		return nil
	})
}

// keep gives what is at path, if anything, another name too.
func (r *relisting) keep(path, suffix string) error {
	err := Keep(r.fsys, path, suffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		r.kept = append(r.kept, path+suffix)
	}
	return err
}

// openPebble makes sure that cyrusdbd can serve, and asks contents again if
// pebble still has a list.
func (r *relisting) openPebble() error {
	dir := dbwire.PathsOf(config.Configdirectory.In(r.c)).Data
	entries, err := r.fsys.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return disk.Error("cyrusdb.Relist", dir, err)
	}
	if len(entries) == 0 {
		if err := r.dropMarkers(); err != nil {
			return err
		}
		return r.ask()
	}
	if err = r.ask(); err == nil {
		return nil
	}
	r.log.Error("databases do not open with their markers", "error", err)
	if err := r.dropMarkers(); err != nil {
		return err
	}
	if err = r.ask(); err == nil {
		return nil
	}
	aside := fmt.Sprintf("%s%s.%d", dir, lostSuffix, time.Now().UnixNano())
	r.log.Error("databases do not open, and are moved aside", "to", aside, "error", err)
	if err := r.fsys.Rename(dir, aside); err != nil {
		return disk.Error("cyrusdb.Relist", dir, err)
	}
	r.kept = append(r.kept, aside)
	if err := r.fsys.SyncDir(filepath.Dir(dir)); err != nil {
		return disk.Error("cyrusdb.Relist", dir, err)
	}
	return r.ask()
}

// dropMarkers moves the markers aside, which name databases that are not
// there.
func (r *relisting) dropMarkers() error {
	for _, f := range r.files[:len(r.files)-1] {
		if is, _, err := look(r.fsys, f.path); err == nil && is != isMarker {
			continue
		}
		if err := r.keep(f.path, lostSuffix); err != nil {
			return err
		}
		if err := r.fsys.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return disk.Error("cyrusdb.Relist", f.path, err)
		}
	}
	return nil
}

// ask starts cyrusdbd, and merges the list that it has.
func (r *relisting) ask() error {
	client := Connect(r.c, r.log)
	defer client.Close()
	if _, err := client.Hello(r.ctx); err != nil {
		return err
	}
	db := client.DB(r.file.name)
	some := false
	err := db.Scan(r.ctx, nil, func(_, _ []byte) (bool, error) {
		some = true
		return false, nil
	})
	if err != nil || !some {
		return err
	}
	records, err := r.contents(db)
	if err != nil {
		return err
	}
	return r.write(r.file.classic, records)
}
