package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// MkdirSync makes a directory and those above it that are missing. When it
// has returned nil they survive a power cut.
func MkdirSync(fsys FS, dir string, perm fs.FileMode) error {
	if _, err := fsys.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MkdirSync(fsys, parent, perm); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(dir, perm); err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}
