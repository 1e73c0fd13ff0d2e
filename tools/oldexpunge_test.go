package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/data"
)

// TestOldExpunge takes over mailboxes of Cyrus before 2.4, which have their
// expunged messages in cyrus.expunge: they can be brought back.
func TestOldExpunge(t *testing.T) {
	conf, root := sampleConf(t, data.Old, shared)
	if r := call("", "ctl_cyrusdb", "-C", conf, "-r"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	spool := filepath.Join(root, "spool")
	tried := map[uint32]bool{}
	err := filepath.WalkDir(spool, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Name() != "cyrus.index" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(spool, filepath.Dir(path))
		name := legacyName(rel, true)
		version := binary.BigEndian.Uint32(b[8:])
		if version >= 12 || binary.BigEndian.Uint32(b[20:]) == 0 || strings.ContainsAny(string(name), "!#") || tried[version] {
			return nil
		}
		tried[version] = true
		external := strings.ReplaceAll(strings.ReplaceAll(string(name), ".", "/"), "^", ".")
		uid := expungeLast(t, path, b)
		r := call("", "unexpunge", "-C", conf, "-l", external)
		if r.status != 0 || !strings.Contains(r.out, fmt.Sprintf("UID: %d\n", uid)) {
			t.Errorf("version %d: %s: %d is not listed: %+v", version, external, uid, r)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "cyrus.expunge")); err == nil {
			t.Errorf("version %d: cyrus.expunge is left", version)
		}
		if now, _ := os.ReadFile(path); binary.BigEndian.Uint32(now[8:]) < 12 {
			t.Errorf("version %d: the index is of version %d", version, now[11])
		}
		if r := call("", "unexpunge", "-C", conf, "-a", external); r.status != 0 || !strings.Contains(call("", "mbexamine", "-C", conf, external).out, "> UID:") {
			t.Errorf("version %d: %+v", version, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tried) < 3 {
		t.Errorf("versions %v", tried)
	}
}

// expungeLast moves the last record of an old index to cyrus.expunge, and
// returns its UID.
func expungeLast(t *testing.T, path string, index []byte) uint32 {
	t.Helper()
	be := binary.BigEndian
	start, size, n := be.Uint32(index[12:]), be.Uint32(index[16:]), be.Uint32(index[20:])
	last := index[start+(n-1)*size:][:size]
	gone := append([]byte{}, index[:start]...)
	be.PutUint32(gone[20:], 1)
	be.PutUint32(index[20:], n-1)
	for name, b := range map[string][]byte{path: index[:start+(n-1)*size], filepath.Join(filepath.Dir(path), "cyrus.expunge"): append(gone, last...)} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return be.Uint32(last)
}
