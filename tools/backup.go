package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// The copies of the databases lie in two directories beside db: the last
// in db.backup1, the one before in db.backup2. In whatever step making a
// new copy fails, one complete copy is left:
//
//	step                            db.backup1      db.backup2
//	at the start                    last            before
//	remove db.backup2               last            partial, then none
//	rename db.backup1 to db.backup2 none            last
//	make db.backup1, copy           partial         last
//	done                            new             last
//
// Source: main in Cyrus imap/ctl_cyrusdb.c.

// backup1 and backup2 are the directories, below configdirectory.
const (
	backup1 = "db.backup1"
	backup2 = "db.backup2"
)

// rotateBackups makes room for a new copy and returns the directory for
// it, which is there and empty.
func rotateBackups(fsys disk.FS, configDir string) (string, error) {
	first, second := filepath.Join(configDir, backup1), filepath.Join(configDir, backup2)
	_, err := fsys.Stat(first)
	switch {
	case errors.Is(err, fs.ErrNotExist): // an earlier attempt stopped after the rename
	case err != nil:
		return "", err
	default:
		if err := disk.RemoveTree(fsys, second); err != nil {
			return "", err
		}
		if err := fsys.Rename(first, second); err != nil {
			return "", err
		}
	}
	if err := fsys.MkdirAll(first, 0o755); err != nil {
		return "", err
	}
	return first, fsys.SyncDir(configDir)
}

// copyDatabase copies the file of a database into dir, while nobody can
// change it. A file that is not there is no error.
func copyDatabase(ctx context.Context, fsys disk.FS, locks *lock.Table, path, dir string) (err error) {
	from, held, err := locks.OpenFile(ctx, path, os.O_RDONLY, lock.Shared)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	defer held.Release()
	to, err := fsys.OpenFile(filepath.Join(dir, filepath.Base(path)), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if _, err := io.Copy(to, io.NewSectionReader(from, 0, 1<<62)); err != nil {
		return err
	}
	return to.Sync()
}
