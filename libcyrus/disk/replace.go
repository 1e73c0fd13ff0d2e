package disk

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// NewSuffix is what Cyrus appends to the name of a file that is being
// written to replace another.
const NewSuffix = ".NEW"

// Replace writes data to name+".NEW", syncs it and renames it to name. A
// reader sees the old contents or the new, never a mixture; so does one
// after a power cut, but which of them is certain only after a SyncDir.
// After an error the old file is there and the temporary one is not
// (unless removing it failed too).
func Replace(fsys FS, name string, data []byte, perm fs.FileMode) error {
	return ReplaceFrom(fsys, name, bytes.NewReader(data), perm)
}

// ReplaceFrom is Replace with what r has, to its end. After an error of r the
// old file is there.
func ReplaceFrom(fsys FS, name string, r io.Reader, perm fs.FileMode) error {
	tmp := name + NewSuffix
	f, err := fsys.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		fsys.Remove(tmp)
	}
	return err
}

// ReplaceSync is Replace followed by a sync of the directory: when it has
// returned nil the new contents survive a power cut. If only that last
// sync fails the new contents are there, but may be gone after a power cut.
func ReplaceSync(fsys FS, name string, data []byte, perm fs.FileMode) error {
	if err := Replace(fsys, name, data, perm); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// NewFile is a file that is to be made.
type NewFile struct {
	Name string
	Data []byte
}

// CreateSync makes files that nobody looks at before it has returned nil: then
// they survive a power cut. After one that comes before, or after an error,
// there may be any part of them; a process that is killed leaves each whole or
// with its NewSuffix.
//
// Everything that changes directories comes before the first sync: so the file
// system commits its journal once, where ReplaceSync of each file commits it
// twice.
func CreateSync(fsys FS, perm fs.FileMode, files ...NewFile) (err error) {
	var open []File
	var dirs []string
	defer func() {
		for _, f := range open {
			if cerr := f.Close(); err == nil {
				err = cerr
			}
		}
	}()
	for _, n := range files {
		f, err := fsys.OpenFile(n.Name+NewSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
		if err != nil {
			return err
		}
		open = append(open, f)
		if _, err := f.Write(n.Data); err != nil {
			return err
		}
		if err := fsys.Rename(n.Name+NewSuffix, n.Name); err != nil {
			return err
		}
		if dir := filepath.Dir(n.Name); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, f := range open {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	for _, dir := range dirs {
		if err := fsys.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// ReadFile returns the contents of a file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, fi.Size())
	n, err := io.ReadFull(f, b)
	if err == io.ErrUnexpectedEOF || err == io.EOF { // it has just become shorter
		err = nil
	}
	return b[:n], err
}
