package cyrusdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"gocyrus/libcyrus/cyrusdb/flat"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/cyrusdb/twoskip"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// OpenAny opens a database file of whatever kind, which it returns:
// "twoskip", "skiplist" or "flat". A file that is none of the three, such as
// one of Berkeley DB, is an error of kind errs.BadFormat; one that is not
// there, fs.ErrNotExist.
func OpenAny(fsys disk.FS, locks *lock.Table, path string) (DB, string, error) {
	kind, err := Detect(fsys, path)
	if err != nil {
		return nil, "", disk.Error("cyrusdb.OpenAny", path, err)
	}
	if kind == "" {
		kind = "flat"
	}
	db, err := Open(fsys, locks, kind, path, 0)
	if err != nil && kind == "flat" && !errors.Is(err, fs.ErrNotExist) {
		err = errs.New(errs.BadFormat, "cyrusdb.OpenAny", path, fmt.Errorf("neither twoskip nor skiplist nor flat: %w", err))
	}
	if err != nil {
		return nil, "", err
	}
	return db, kind, nil
}

// WriteFile writes a new database file of the kind "twoskip" or "flat" with
// the records that each gives, which it may ask for twice, in the order of
// their octets, and renames it to path. A power cut leaves what was there
// before or the new file; when WriteFile has returned nil, the new one.
func WriteFile(ctx context.Context, fsys disk.FS, kind, path string, each func(ScanFunc) error) error {
	if kind != "flat" {
		return twoskip.Write(fsys, path, func(fn kv.ScanFunc) error { return each(fn) })
	}
	tmp := path + ".NEW.flat"
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return disk.Error("cyrusdb.WriteFile", tmp, err)
	}
	locks := lock.NewTable(fsys, nil)
	defer locks.Close()
	to, err := flat.Open(fsys, locks, tmp, Create)
	if err != nil {
		return err
	}
	defer to.Close()
	var tx Tx
	err = each(func(key, value []byte) (bool, error) {
		tx.Put(append([]byte{}, key...), append([]byte{}, value...))
		return true, nil
	})
	if err == nil {
		err = to.Commit(ctx, tx)
	}
	if err == nil {
		err = disk.Error("cyrusdb.WriteFile", tmp, fsys.Rename(tmp, path))
	}
	if err == nil {
		err = disk.Error("cyrusdb.WriteFile", path, fsys.SyncDir(filepath.Dir(path)))
	}
	return err
}

// Keep gives a file a second name, path with a suffix, or with a suffix and
// a number if another file has that name already. The name lasts.
func Keep(fsys disk.FS, path, suffix string) error {
	if err := keep(fsys, path, suffix); err != nil {
		return err
	}
	return disk.Error("cyrusdb.Keep", path, fsys.SyncDir(filepath.Dir(path)))
}

// IsMarker reports whether what lies at path is a marker of own mode: the
// records are in pebble.
func IsMarker(fsys disk.FS, path string) (bool, error) {
	is, _, err := look(fsys, path)
	return is == isMarker, err
}
