package disk

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
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

// Mkdirs makes directories and those above them that are missing, and returns
// the directories that must be synced for them to survive a power cut.
func Mkdirs(fsys FS, perm fs.FileMode, dirs ...string) (changed []string, err error) {
	for _, dir := range dirs {
		missing := dir
		for {
			_, err := fsys.Stat(missing)
			if err == nil {
				break
			}
			parent := filepath.Dir(missing)
			if !errors.Is(err, fs.ErrNotExist) || parent == missing {
				return changed, err
			}
			if missing = parent; !slices.Contains(changed, parent) {
				changed = append(changed, parent)
			}
		}
		if missing == dir {
			continue
		}
		if err := fsys.MkdirAll(dir, perm); err != nil {
			return changed, err
		}
	}
	return changed, nil
}
