package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
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

// eachOfUser calls fn for all that the list has of a user, tombstones and
// names without a mailbox too; what waits for its final deletion comes last.
func eachOfUser(ctx context.Context, s *site.Site, user string, fn mboxlist.ScanFunc) error {
	prefix := s.Layout.DeletedPrefix
	for _, deleted := range []bool{false, true} {
		stopped := false
		err := s.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
			if e.Name.IsDeleted(prefix) != deleted || e.Name.OwnerOf(prefix) != user {
				return true, nil
			}
			more, err := fn(e)
			stopped = !more
			return more, err
		})
		if err != nil || stopped {
			return err
		}
	}
	return nil
}

// eachBelow calls fn for all that the list has at a name and below it.
func eachBelow(ctx context.Context, s *site.Site, n mboxname.Name, fn mboxlist.ScanFunc) error {
	return s.List.Scan(ctx, n, func(e *mboxlist.Entry) (bool, error) {
		if !n.Contains(e.Name) {
			return true, nil
		}
		return fn(e)
	})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
