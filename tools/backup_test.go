package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// writeFile makes a file that survives a power cut.
func writeFile(t *testing.T, fsys disk.FS, dir, name, text string) {
	t.Helper()
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := disk.ReplaceSync(fsys, dir+"/"+name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// backUp makes a new copy of /conf/mailboxes.db.
func backUp(fsys disk.FS) error {
	dir, err := rotateBackups(fsys, "/conf")
	if err != nil {
		return err
	}
	locks := lock.NewTable(fsys, slog.New(slog.DiscardHandler))
	for _, name := range []string{"/conf/mailboxes.db", "/conf/quotas.db"} {
		if err := copyDatabase(context.Background(), fsys, locks, name, dir); err != nil {
			return err
		}
	}
	return fsys.SyncDir(dir)
}

func read(fsys disk.FS, name string) string {
	b, err := disk.ReadFile(fsys, name)
	if err != nil {
		return ""
	}
	return string(b)
}

func TestBackup(t *testing.T) {
	m := disk.NewMem()
	for i, text := range []string{"one", "two", "three"} {
		writeFile(t, m, "/conf", "mailboxes.db", text)
		if err := backUp(m); err != nil {
			t.Fatal(err)
		}
		before := []string{"", "one", "two"}[i]
		if got := read(m, "/conf/db.backup1/mailboxes.db"); got != text {
			t.Errorf("db.backup1 has %q, want %q", got, text)
		}
		if got := read(m, "/conf/db.backup2/mailboxes.db"); got != before {
			t.Errorf("db.backup2 has %q, want %q", got, before)
		}
	}
}

// TestBackupFaults lets each step fail in turn: a complete copy is left,
// with and without a power cut, and the next attempt succeeds.
func TestBackupFaults(t *testing.T) {
	for i := 0; ; i++ {
		m := disk.NewMem()
		for _, text := range []string{"one", "two"} {
			writeFile(t, m, "/conf", "mailboxes.db", text)
			if err := backUp(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.SyncDir("/"); err != nil {
			t.Fatal(err)
		}
		writeFile(t, m, "/conf", "mailboxes.db", "three")
		err := backUp(disk.FailAt(m, i))
		for cut, d := range map[string]*disk.Mem{"": m, " and a power cut": m.Crash(uint64(i))} {
			complete := map[string]bool{"one": true, "two": true, "three": true}
			if !complete[read(d, "/conf/db.backup1/mailboxes.db")] && !complete[read(d, "/conf/db.backup2/mailboxes.db")] {
				t.Errorf("fault %d%s: no copy is left", i, cut)
			}
			if err := backUp(d); err != nil || read(d, "/conf/db.backup1/mailboxes.db") != "three" {
				t.Errorf("fault %d%s: the next attempt: %v", i, cut, err)
			}
		}
		if err == nil {
			return
		}
		if !errors.Is(err, disk.ErrInjected) {
			t.Fatalf("fault %d: %v", i, err)
		}
	}
}

func TestRemoveTree(t *testing.T) {
	dir := t.TempDir()
	fsys := disk.OS()
	writeFile(t, fsys, dir+"/keep", "file", "x")
	writeFile(t, fsys, dir+"/tree/sub", "file", "x")
	if err := os.Symlink(dir+"/keep", dir+"/tree/link"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := disk.RemoveTree(fsys, dir+"/tree"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir + "/tree"); !os.IsNotExist(err) {
		t.Error("the tree is still there")
	}
	if read(fsys, dir+"/keep/file") != "x" {
		t.Error("a link was followed")
	}
}

func TestStampRecovery(t *testing.T) {
	p := &program{log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	m := disk.NewMem()
	if err := m.MkdirAll("/conf", 0o755); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	if err := p.stampRecovery(m, "/conf", now); err != nil {
		t.Fatal(err)
	}
	stamp := read(m, "/conf/db/skipstamp")
	if len(stamp) != 4 || binary.BigEndian.Uint32([]byte(stamp)) != 1_700_000_000 {
		t.Errorf("stamp is %x", stamp)
	}
	writeFile(t, m, "/conf/db", "skipcleanshutdown", "")
	if err := p.stampRecovery(m, "/conf", now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if read(m, "/conf/db/skipstamp") != stamp {
		t.Error("the stamp was changed after a clean shutdown")
	}
	if _, err := m.Stat("/conf/db/skipcleanshutdown"); err == nil {
		t.Error("skipcleanshutdown is still there")
	}
}
