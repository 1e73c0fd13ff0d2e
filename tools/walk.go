package main

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"gocyrus/libcyrus/disk"
)

// walkDirs calls fn for a directory and all below it, with what is in each
// of them, in order. Those that vanish meanwhile are left out, and those
// whose name begins with a dot or ends in one (stage.).
func walkDirs(fsys disk.FS, dir string, fn func(dir string, entries []fs.DirEntry)) error {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	fn(dir, entries)
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || name[0] == '.' || name[len(name)-1] == '.' {
			continue
		}
		if err := walkDirs(fsys, filepath.Join(dir, name), fn); err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
