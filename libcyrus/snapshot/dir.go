package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// nameFormat is how snapshots are called: by the time they began, UTC.
const nameFormat = "20060102T150405Z"

// partialSuffix is at the end of the name of one that is not complete,
// which has a dot in front as well.
const partialSuffix = ".partial"

// lockName is the file that a writer locks.
const lockName = "lock"

// Dir is a directory of snapshots.
type Dir struct {
	Path  string
	fs    disk.FS
	locks *lock.Table
}

// NewDir returns the directory at path. Nothing is opened or made yet.
func NewDir(fsys disk.FS, locks *lock.Table, path string) *Dir {
	return &Dir{filepath.Clean(path), fsys, locks}
}

// Snapshot is one snapshot of a directory.
type Snapshot struct {
	Name string
	Path string
	Time time.Time // of its name
}

// List returns the complete snapshots, the oldest first. Those that have no
// manifest are none.
func (d *Dir) List() ([]Snapshot, error) {
	entries, err := d.fs.ReadDir(d.Path)
	if err != nil {
		return nil, disk.Error("snapshot.List", d.Path, err)
	}
	var out []Snapshot
	for _, e := range entries { // by name, which is by time
		at, err := time.Parse(nameFormat, e.Name())
		if err != nil || !e.IsDir() {
			continue
		}
		path := filepath.Join(d.Path, e.Name())
		if _, err := d.fs.Stat(filepath.Join(path, ManifestName)); err == nil {
			out = append(out, Snapshot{e.Name(), path, at})
		}
	}
	return out, nil
}

// lockWait is how long is waited for another writer. It is only for one
// that is about to end: a backup takes longer.
const lockWait = 2 * time.Second

// lock makes the directory if it is not there and takes its lock.
func (d *Dir) lock(ctx context.Context) (*lock.Held, error) {
	if err := disk.MkdirSync(d.fs, d.Path, dirMode); err != nil {
		return nil, disk.Error("snapshot.Take", d.Path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	held, err := d.locks.Name(ctx, filepath.Join(d.Path, lockName), lock.Exclusive)
	if errs.Is(err, errs.Locked) {
		return nil, errs.New(errs.Locked, "snapshot.Take", d.Path, errors.New("another backup writes there just now"))
	}
	return held, err
}

// clean removes what was not finished. The lock is held.
func (d *Dir) clean() error {
	entries, err := d.fs.ReadDir(d.Path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), partialSuffix) {
			if err := disk.RemoveTree(d.fs, filepath.Join(d.Path, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// partial is the path of a snapshot while it is not complete.
func (d *Dir) partial(name string) string { return filepath.Join(d.Path, "."+name+partialSuffix) }

// newName is the name for a snapshot that begins now: later than all there
// are, also if the clock went back.
func newName(all []Snapshot, now time.Time) string {
	now = now.UTC().Truncate(time.Second)
	if n := len(all); n > 0 && !now.After(all[n-1].Time) {
		now = all[n-1].Time.Add(time.Second)
	}
	return now.Format(nameFormat)
}

// publish gives a snapshot its name, when all of it lasts.
func (d *Dir) publish(name string) error {
	if err := disk.SyncTree(d.fs, d.partial(name)); err != nil {
		return err
	}
	if err := d.fs.Rename(d.partial(name), filepath.Join(d.Path, name)); err != nil {
		return err
	}
	return d.fs.SyncDir(d.Path)
}

// Keep says which snapshots stay when others are removed. The newest always
// does. The zero value keeps all.
type Keep struct {
	Count int           // that many of the newest
	Age   time.Duration // those younger than this
}

// gone returns those of all that are not kept at a time.
func (k Keep) gone(all []Snapshot, now time.Time) []Snapshot {
	var out []Snapshot
	for i, s := range all {
		newer := len(all) - 1 - i
		switch {
		case newer == 0:
		case k.Count > 0 && newer >= k.Count, k.Age > 0 && now.Sub(s.Time) > k.Age:
			out = append(out, s)
		}
	}
	return out
}

// Prune removes the snapshots that are not kept, except those that somebody
// reads just now, and returns which it removed.
func (d *Dir) Prune(ctx context.Context, k Keep, now time.Time) (removed []Snapshot, err error) {
	held, err := d.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer held.Release()
	all, err := d.List()
	if err != nil {
		return nil, err
	}
	for _, s := range k.gone(all, now) {
		used, err := d.inUse(ctx, s)
		if err == nil && used {
			continue
		}
		if err == nil {
			err = d.remove(s)
		}
		if err != nil {
			return removed, disk.Error("snapshot.Prune", s.Path, err)
		}
		removed = append(removed, s)
	}
	return removed, nil
}

// inUse reports whether somebody has the snapshot open: see Hold.
func (d *Dir) inUse(ctx context.Context, s Snapshot) (bool, error) {
	f, err := d.fs.OpenFile(filepath.Join(s.Path, ManifestName), os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(ctx, lockWait/10)
	defer cancel()
	held, err := d.locks.File(ctx, f, f.Name(), lock.Exclusive)
	if errs.Is(err, errs.Locked) {
		return true, nil
	}
	if err == nil {
		held.Release()
	}
	return false, err
}

// remove takes the name from a snapshot first, so that what is left of it if
// this does not end is none.
func (d *Dir) remove(s Snapshot) error {
	if err := d.fs.Rename(s.Path, d.partial(s.Name)); err != nil {
		return err
	}
	if err := d.fs.SyncDir(d.Path); err != nil {
		return err
	}
	return disk.RemoveTree(d.fs, d.partial(s.Name))
}

// Hold keeps a snapshot from being pruned until release.
func (d *Dir) Hold(ctx context.Context, s Snapshot) (release func(), err error) {
	path := filepath.Join(s.Path, ManifestName)
	f, err := d.fs.Open(path)
	if err != nil {
		return nil, disk.Error("snapshot.Hold", path, err)
	}
	held, err := d.locks.File(ctx, f, path, lock.Shared)
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { held.Release(); f.Close() }, nil
}

// Find returns the snapshot at path if it is one, and the directory that it
// lies in; or a directory of snapshots and nil.
func Find(fsys disk.FS, locks *lock.Table, path string) (*Dir, *Snapshot, error) {
	path = filepath.Clean(path)
	fi, err := fsys.Stat(path)
	if err == nil && !fi.IsDir() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a directory")}
	}
	if err != nil {
		return nil, nil, disk.Error("snapshot.Find", path, err)
	}
	if _, err := fsys.Stat(filepath.Join(path, ManifestName)); err != nil {
		return NewDir(fsys, locks, path), nil, nil
	}
	at, err := time.Parse(nameFormat, filepath.Base(path))
	if err != nil {
		return nil, nil, errs.New(errs.BadArgument, "snapshot.Find", path, fmt.Errorf("%s is not the name of a snapshot", filepath.Base(path)))
	}
	return NewDir(fsys, locks, filepath.Dir(path)), &Snapshot{filepath.Base(path), path, at}, nil
}

// At chooses the snapshots that tell what was at a time: the newest that is
// not later, and the oldest that is; either may be nil.
func At(all []Snapshot, t time.Time) (before, after *Snapshot) {
	for i := range all {
		if !all[i].Time.After(t) {
			before = &all[i]
		} else if after == nil {
			after = &all[i]
		}
	}
	return before, after
}
