package disk

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ReadOnly returns a view of fsys in which nothing can be changed but below
// the directory except ("" for nowhere): every attempt is EROFS. Files may be
// opened for writing, as those do who only want a shared lock on them, and
// are then open for reading.
func ReadOnly(fsys FS, except string) FS {
	if except != "" {
		except = filepath.Clean(except)
	}
	return readOnlyFS{fsys, except}
}

type readOnlyFS struct {
	FS
	except string
}

// free reports whether a name may be changed.
func (r readOnlyFS) free(name string) bool {
	name = filepath.Clean(name)
	return r.except != "" && (name == r.except || strings.HasPrefix(name, r.except+"/"))
}

func refuse(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: syscall.EROFS} }

func (r readOnlyFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if r.free(name) {
		return r.FS.OpenFile(name, flag, perm)
	}
	if flag&os.O_TRUNC != 0 {
		return nil, refuse("open", name)
	}
	f, err := r.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return readOnlyFile{f}, nil
}

func (r readOnlyFS) Open(name string) (File, error) { return r.OpenFile(name, os.O_RDONLY, 0) }

func (r readOnlyFS) MkdirAll(name string, perm fs.FileMode) error {
	if r.free(name) {
		return r.FS.MkdirAll(name, perm)
	}
	return refuse("mkdir", name)
}

func (r readOnlyFS) Rename(oldname, newname string) error {
	if r.free(oldname) && r.free(newname) {
		return r.FS.Rename(oldname, newname)
	}
	return refuse("rename", oldname)
}

func (r readOnlyFS) Link(oldname, newname string) error {
	if r.free(newname) {
		return r.FS.Link(oldname, newname)
	}
	return refuse("link", newname)
}

func (r readOnlyFS) Symlink(target, name string) error {
	if r.free(name) {
		return r.FS.Symlink(target, name)
	}
	return refuse("symlink", name)
}

func (r readOnlyFS) Remove(name string) error {
	if r.free(name) {
		return r.FS.Remove(name)
	}
	return refuse("remove", name)
}

func (r readOnlyFS) Chtimes(name string, mtime time.Time) error {
	if r.free(name) {
		return r.FS.Chtimes(name, mtime)
	}
	return refuse("chtimes", name)
}

func (r readOnlyFS) SyncDir(dir string) error {
	if r.free(dir) {
		return r.FS.SyncDir(dir)
	}
	return nil
}

// readOnlyFile is a file of the view.
type readOnlyFile struct{ File }

func (f readOnlyFile) Write([]byte) (int, error)          { return 0, refuse("write", f.Name()) }
func (f readOnlyFile) WriteAt([]byte, int64) (int, error) { return 0, refuse("write", f.Name()) }
func (f readOnlyFile) Truncate(int64) error               { return refuse("truncate", f.Name()) }
func (f readOnlyFile) Sync() error                        { return nil }
func (f readOnlyFile) Datasync() error                    { return nil }
