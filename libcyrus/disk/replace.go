package disk

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
	tmp := name + NewSuffix
	f, err := fsys.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
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
