package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"gocyrus/libcyrus/disk"
)

// stampRecovery tells Cyrus's skiplist databases that the machine may have
// crashed: files older than the time in db/skipstamp are checked when they
// are opened next. If an administrator's script left db/skipcleanshutdown,
// all is well, and only that file is removed.
//
// Source: myinit in Cyrus lib/cyrusdb_skiplist.c.
func (p *program) stampRecovery(fsys disk.FS, configDir string, now time.Time) error {
	dir := filepath.Join(configDir, "db")
	err := fsys.Remove(filepath.Join(dir, "skipcleanshutdown"))
	if err == nil {
		p.notice("skiplist: clean shutdown detected, starting normally")
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.notice("skiplist: clean shutdown file missing, updating recovery stamp")
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := filepath.Join(dir, "skipstamp")
	stamp := binary.BigEndian.AppendUint32(nil, uint32(now.Unix()))
	if err := disk.ReplaceSync(fsys, name, stamp, 0o644); err != nil {
		return fmt.Errorf("DBERROR: writing %s: %w", name, err)
	}
	return nil
}
