package disk

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SyncTree makes everything at and below a directory last: names and
// contents. On the real file system that is one syncfs(2), which writes all
// that the file system has waiting.
func SyncTree(fsys FS, dir string) error {
	if _, real := fsys.(osFS); !real {
		return syncEach(fsys, dir)
	}
	fd, err := open(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		err := unix.Syncfs(fd)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return &fs.PathError{Op: "syncfs", Path: dir, Err: err}
		}
	}
}

func syncEach(fsys FS, dir string) error {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			err = syncEach(fsys, name)
		case e.Type().IsRegular():
			err = syncFile(fsys, name)
		}
		if err != nil {
			return err
		}
	}
	return fsys.SyncDir(dir)
}

func syncFile(fsys FS, name string) error {
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// RemoveTree removes a file, or a directory with all that is in it. It
// follows no links. What is not there is no error.
func RemoveTree(fsys FS, name string) error {
	fi, err := fsys.Lstat(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.IsDir() {
		entries, err := fsys.ReadDir(name)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := RemoveTree(fsys, filepath.Join(name, e.Name())); err != nil {
				return err
			}
		}
	}
	return fsys.Remove(name)
}

// Clone makes to, which is open and empty, share the contents of from, if
// both are files of one file system that can do that (FICLONE). It reports
// whether it did.
func Clone(to, from File) bool {
	a, b := to.Fd(), from.Fd()
	return a != NoFd && b != NoFd && unix.IoctlFileClone(int(a), int(b)) == nil
}
