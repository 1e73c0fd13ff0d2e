package cyrusdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// SiteCopy is the names that CopySite gives to the files, by database, and
// the kind that a new one of them has.
var SiteCopy = []struct{ File, Kind string }{
	{"annotations.db", "twoskip"}, {"deliver.db", "twoskip"}, {"user_deny.db", "flat"}, {"mailboxes.db", "twoskip"},
}

// CopySite copies the four databases of a site into files of Cyrus's kinds in
// dir, with the names of SiteCopy; one that is not there yet gives an empty one.
// Server is the site's cyrusdbd, nil in shared mode. In own mode all four
// are as they were at one moment; in shared mode each of them is. Nobody has
// to wait in own mode, writers for as long as it takes to copy the file in
// shared mode. After an error there may be files.
func CopySite(ctx context.Context, c *config.Config, fsys disk.FS, locks *lock.Table, server *dbd.Client, dir string) error {
	if server == nil {
		for i, f := range siteFiles(c) {
			to := filepath.Join(dir, SiteCopy[i].File)
			err := copyLocked(ctx, fsys, locks, f.path, to)
			if errors.Is(err, fs.ErrNotExist) {
				err = WriteFile(ctx, fsys, SiteCopy[i].Kind, to, func(ScanFunc) error { return nil })
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	const tries = 3 // cyrusdbd may be restarted meanwhile
	var err error
	for range tries {
		if err = copyFrozen(ctx, c, fsys, server, dir); !errors.Is(err, dbd.ErrThawed) {
			break
		}
	}
	return err
}

// copyFrozen writes the records of pebble.
func copyFrozen(ctx context.Context, c *config.Config, fsys disk.FS, server *dbd.Client, dir string) error {
	f, err := server.Freeze(ctx)
	if err != nil {
		return err
	}
	defer f.Thaw(context.WithoutCancel(ctx))
	for i, sf := range siteFiles(c) {
		to := SiteCopy[i]
		path := filepath.Join(dir, to.File)
		each := func(fn ScanFunc) error { return f.Scan(ctx, sf.name, fn) }
		if err := WriteFile(ctx, fsys, to.Kind, path, each); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// copyLocked copies a file while nobody can change it. The error is
// fs.ErrNotExist if it is not there.
func copyLocked(ctx context.Context, fsys disk.FS, locks *lock.Table, path, to string) error {
	in, held, err := locks.OpenFile(ctx, path, os.O_RDONLY, lock.Shared)
	if err != nil {
		return disk.Error("cyrusdb.CopySite", path, err)
	}
	defer in.Close()
	defer held.Release()
	out, err := fsys.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return disk.Error("cyrusdb.CopySite", to, err)
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return disk.Error("cyrusdb.CopySite", to, err)
}
