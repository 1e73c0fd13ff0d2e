package cyrusdb

import (
	"context"
	"io"

	"gocyrus/libcyrus/cyrusdb/skiplist"
	"gocyrus/libcyrus/cyrusdb/twoskip"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// Dump prints how the records of a file lie in it, for twoskip and skiplist;
// other kinds have nothing to print. With values those of twoskip are printed
// too.
func Dump(ctx context.Context, fsys disk.FS, locks *lock.Table, path string, w io.Writer, values bool) error {
	kind, err := Detect(fsys, path)
	if err != nil || kind != "twoskip" && kind != "skiplist" {
		return disk.Error("cyrusdb.Dump", path, err)
	}
	f, err := fsys.Open(path)
	if err != nil {
		return disk.Error("cyrusdb.Dump", path, err)
	}
	defer f.Close()
	held, err := locks.File(ctx, f, path, lock.Shared)
	if err != nil {
		return err
	}
	defer held.Release()
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<62))
	if err != nil {
		return disk.Error("cyrusdb.Dump", path, err)
	}
	if kind == "twoskip" {
		return twoskip.Dump(w, data, values)
	}
	return skiplist.Dump(w, data)
}
