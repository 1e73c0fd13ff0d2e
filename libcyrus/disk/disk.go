// Package disk is the file system as the mail store uses it. Everything
// that is stored goes through an FS: the real one, one in memory that can
// lose its power (Mem), or one that fails on request (FailAt).
//
// What may be relied on after a power cut, and what Mem therefore keeps:
//
//	written, not synced   any subset of the touched 4 KiB pages is on disk
//	File.Sync, Datasync   contents and size of the file are on disk
//	created, renamed      the name lasts after SyncDir of its directory;
//	                      with NewMem also after Sync of the file itself
//	removed               gone for good only after SyncDir
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/errs"
)

// FS is a file system. Names are paths as of package os. Errors are
// *fs.PathError or *os.LinkError, so that they say operation, path and errno.
type FS interface {
	Open(name string) (File, error)
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	MkdirAll(name string, perm fs.FileMode) error
	Rename(oldname, newname string) error
	Link(oldname, newname string) error
	Symlink(target, name string) error
	Readlink(name string) (string, error)
	Remove(name string) error
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Chtimes(name string, mtime time.Time) error
	// SyncDir makes the names in a directory last. It is no error if the
	// file system below cannot do it (EINVAL).
	SyncDir(dir string) error
}

// File is an open file. Its methods may be called from several goroutines,
// but Read and Write share one position.
type File interface {
	io.Reader
	io.Writer
	io.Seeker
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error     // fsync
	Datasync() error // fdatasync: contents and size, not the times
	Stat() (fs.FileInfo, error)
	Name() string // as given to Open
	Fd() uintptr  // NoFd if it is not a file of the kernel
}

// NoFd is the Fd of a File that the kernel does not know.
const NoFd = ^uintptr(0)

// OS returns the real file system.
func OS() FS { return osFS{} }

type osFS struct{}

type osFile struct{ *os.File }

// Datasync is fdatasync(2), repeated when a signal comes between.
func (f osFile) Datasync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &fs.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}

func (osFS) Open(name string) (File, error) { return OS().OpenFile(name, os.O_RDONLY, 0) }

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	fd, err := open(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{os.NewFile(uintptr(fd), name)}, nil
}

// open is os.OpenFile without what that does to learn whether it can wait
// for the file by polling: four fcntl and an epoll_ctl for each file, to find
// that it cannot. Whoever fetches many messages opens many files.
func open(name string, flag int, perm fs.FileMode) (int, error) {
	for {
		fd, err := unix.Open(name, flag|unix.O_CLOEXEC|unix.O_LARGEFILE, uint32(perm.Perm()))
		if err == nil {
			return fd, nil
		}
		if err != unix.EINTR {
			return -1, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

func (osFS) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(name, perm) }
func (osFS) Rename(oldname, newname string) error         { return os.Rename(oldname, newname) }
func (osFS) Link(oldname, newname string) error           { return os.Link(oldname, newname) }
func (osFS) Symlink(target, name string) error            { return os.Symlink(target, name) }
func (osFS) Readlink(name string) (string, error)         { return os.Readlink(name) }
func (osFS) Remove(name string) error                     { return os.Remove(name) }
func (osFS) Stat(name string) (fs.FileInfo, error)        { return os.Stat(name) }
func (osFS) Lstat(name string) (fs.FileInfo, error)       { return os.Lstat(name) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error)   { return os.ReadDir(name) }

func (osFS) Chtimes(name string, mtime time.Time) error { return os.Chtimes(name, mtime, mtime) }

func (osFS) SyncDir(dir string) error {
	fd, err := open(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		err := unix.Fsync(fd)
		if err == nil || err == unix.EINVAL {
			return nil
		}
		if err != unix.EINTR {
			return &fs.PathError{Op: "fsync", Path: dir, Err: err}
		}
	}
}

// Inode is the file's inode number. Two files of one file system are the
// same exactly if their numbers are, as long as one of them is open.
func Inode(fi fs.FileInfo) uint64 {
	switch s := fi.Sys().(type) {
	case *syscall.Stat_t:
		return s.Ino
	case *memStat:
		return s.ino
	}
	return 0
}

// Links is the number of names the file has; 0 for one that was removed
// while open.
func Links(fi fs.FileInfo) int {
	switch s := fi.Sys().(type) {
	case *syscall.Stat_t:
		return int(s.Nlink)
	case *memStat:
		return s.links
	}
	return 1
}

// Changed is when contents or attributes of the file were changed last, as the
// system notes it; unlike the time of modification nobody can set it.
func Changed(fi fs.FileInfo) time.Time {
	if s, ok := fi.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctim.Unix())
	}
	return fi.ModTime()
}

// Full reports whether err says that there is no room: on the disk, in the
// disk quota, or within the largest size of a file that the process may write.
func Full(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}

// Exhausted reports whether err says that the process or the system has no
// more of something that comes back: open files, memory. It says nothing of
// the file.
func Exhausted(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EAGAIN)
}

// Error classifies a failure of this package's for a client: errs.DiskFull
// if there is no room, errs.Unavailable if it is Exhausted, otherwise errs.IO.
// It returns nil for nil, and an error that has a kind already unchanged.
func Error(op, name string, err error) error {
	var known *errs.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case Full(err):
		return errs.New(errs.DiskFull, op, name, err)
	case Exhausted(err):
		return errs.New(errs.Unavailable, op, name, err)
	}
	return errs.New(errs.IO, op, name, err)
}
