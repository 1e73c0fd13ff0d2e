package disk

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"time"
)

// ErrInjected is the error of an operation that FailAt lets fail.
var ErrInjected = errors.New("injected failure")

// FailAt returns fsys, but its n'th operation (counted from 0, over the
// file system and all files opened through it) fails with ErrInjected and
// does nothing; of a failing write the pages in its first half are written.
// All others work, so that cleaning up is tested as well. Close, Name and Fd
// do not count.
func FailAt(fsys FS, n int) FS { return newFailing(fsys, n, false) }

// FailFrom is FailAt for the n'th operation and all after it: what is on
// disk then is what a process leaves that is killed at this point.
func FailFrom(fsys FS, n int) FS { return newFailing(fsys, n, true) }

// KillAt is FailFrom that counts only operations which change something: what
// is on disk at a kill before one that reads is the same as at the next of
// them.
func KillAt(fsys FS, n int) FS {
	f := newFailing(fsys, n, true)
	f.c.changes = true
	return f
}

func newFailing(fsys FS, n int, stay bool) failFS {
	c := &countdown{stay: stay}
	c.left.Store(int64(n))
	return failFS{fsys, c}
}

type countdown struct {
	left    atomic.Int64
	stay    bool
	changes bool // only what changes something counts
}

// reads is the operations that change nothing.
var reads = map[string]bool{"open": true, "readlink": true, "stat": true, "lstat": true, "readdir": true, "read": true}

// fails counts one operation.
func (c *countdown) fails(op string) bool {
	if c.changes && reads[op] {
		return c.left.Load() < 0
	}
	n := c.left.Add(-1)
	return n == -1 || c.stay && n < 0
}

// step counts an operation on a name.
func (c *countdown) step(op, name string) error {
	if c.fails(op) {
		return &fs.PathError{Op: op, Path: name, Err: ErrInjected}
	}
	return nil
}

type failFS struct {
	fs FS
	c  *countdown
}

func (f failFS) Open(name string) (File, error) {
	if err := f.c.step("open", name); err != nil {
		return nil, err
	}
	return f.wrap(f.fs.Open(name))
}

func (f failFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	op := "open"
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		op = "create"
	}
	if err := f.c.step(op, name); err != nil {
		return nil, err
	}
	return f.wrap(f.fs.OpenFile(name, flag, perm))
}

func (f failFS) wrap(file File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return failFile{file, f.c}, nil
}

func (f failFS) MkdirAll(name string, perm fs.FileMode) error {
	if err := f.c.step("mkdir", name); err != nil {
		return err
	}
	return f.fs.MkdirAll(name, perm)
}

func (f failFS) Rename(oldname, newname string) error {
	if err := f.c.step("rename", oldname); err != nil {
		return err
	}
	return f.fs.Rename(oldname, newname)
}

func (f failFS) Link(oldname, newname string) error {
	if err := f.c.step("link", newname); err != nil {
		return err
	}
	return f.fs.Link(oldname, newname)
}

func (f failFS) Symlink(target, name string) error {
	if err := f.c.step("symlink", name); err != nil {
		return err
	}
	return f.fs.Symlink(target, name)
}

func (f failFS) Readlink(name string) (string, error) {
	if err := f.c.step("readlink", name); err != nil {
		return "", err
	}
	return f.fs.Readlink(name)
}

func (f failFS) Remove(name string) error {
	if err := f.c.step("remove", name); err != nil {
		return err
	}
	return f.fs.Remove(name)
}

func (f failFS) Stat(name string) (fs.FileInfo, error) {
	if err := f.c.step("stat", name); err != nil {
		return nil, err
	}
	return f.fs.Stat(name)
}

func (f failFS) Lstat(name string) (fs.FileInfo, error) {
	if err := f.c.step("lstat", name); err != nil {
		return nil, err
	}
	return f.fs.Lstat(name)
}

func (f failFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.c.step("readdir", name); err != nil {
		return nil, err
	}
	return f.fs.ReadDir(name)
}

func (f failFS) Chtimes(name string, mtime time.Time) error {
	if err := f.c.step("chtimes", name); err != nil {
		return err
	}
	return f.fs.Chtimes(name, mtime)
}

func (f failFS) SyncDir(dir string) error {
	if err := f.c.step("fsync", dir); err != nil {
		return err
	}
	return f.fs.SyncDir(dir)
}

type failFile struct {
	File
	c *countdown
}

func (f failFile) Read(b []byte) (int, error) {
	if err := f.c.step("read", f.Name()); err != nil {
		return 0, err
	}
	return f.File.Read(b)
}

func (f failFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.c.step("read", f.Name()); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}

func (f failFile) Write(b []byte) (int, error) {
	if err := f.c.step("write", f.Name()); err != nil {
		n, _ := f.File.Write(b[:len(b)/2/pageSize*pageSize])
		return n, err
	}
	return f.File.Write(b)
}

func (f failFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.c.step("write", f.Name()); err != nil {
		half := (off + int64(len(b)/2)) / pageSize * pageSize
		n, _ := f.File.WriteAt(b[:max(half-off, 0)], off)
		return n, err
	}
	return f.File.WriteAt(b, off)
}

func (f failFile) Truncate(size int64) error {
	if err := f.c.step("truncate", f.Name()); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f failFile) Sync() error {
	if err := f.c.step("fsync", f.Name()); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f failFile) Datasync() error {
	if err := f.c.step("fdatasync", f.Name()); err != nil {
		return err
	}
	return f.File.Datasync()
}

func (f failFile) Stat() (fs.FileInfo, error) {
	if err := f.c.step("stat", f.Name()); err != nil {
		return nil, err
	}
	return f.File.Stat()
}
