package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mboxname"
)

// shared is the lines that let Cyrus's own programs work on the store too.
const shared = "mboxlist_db: twoskip\nannotation_db: twoskip\nduplicate_db: twoskip\nuserdeny_db: flat\n"

func TestCheckpoint(t *testing.T) {
	path, dir := conf(t, shared)
	for name, text := range map[string]string{"mailboxes.db": "m", "annotations.db": "a", "deliver.db": "d"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := call("", "ctl_cyrusdb", "-C", path, "-c")
	if r.status != 0 || !strings.Contains(r.log, `msg="checkpointing cyrus databases"`) ||
		!strings.Contains(r.log, `msg="done checkpointing cyrus databases"`) {
		t.Errorf("%+v", r)
	}
	names, err := filepath.Glob(dir + "/db.backup1/*")
	if err != nil || len(names) != 2 {
		t.Errorf("copied: %v", names)
	}
	if b, err := os.ReadFile(dir + "/db.backup1/mailboxes.db"); string(b) != "m" {
		t.Errorf("copy of mailboxes.db: %q, %v", b, err)
	}
}

func TestCheckpointFails(t *testing.T) {
	path, dir := conf(t, shared)
	if err := os.WriteFile(filepath.Join(dir, "db.backup1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mailboxes.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	// The file of that name is taken for the last copy and moved away.
	if r := call("", "ctl_cyrusdb", "-C", path, "-c"); r.status != 0 {
		t.Errorf("%+v", r)
	}
	if err := os.Remove(filepath.Join(dir, "db.backup1")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nonexistent", filepath.Join(dir, "db.backup1")); err != nil {
		t.Fatal(err)
	}
	r := call("", "ctl_cyrusdb", "-C", path, "-c")
	if r.status != exFailure || r.err != "ctl_cyrusdb: unable to archive environment\n" {
		t.Errorf("%+v", r)
	}
}

func TestCtlCyrusDBUse(t *testing.T) {
	path, _ := conf(t, shared)
	for _, args := range []string{"", "-r -c", "-c -x", "-x", "-h", "-r -r"} {
		r := call("", append([]string{"ctl_cyrusdb", "-C", path}, strings.Fields(args)...)...)
		if r.status != exMinusOne || !strings.HasSuffix(r.err, ctlCyrusDBUse) {
			t.Errorf("%s: %+v", args, r)
		}
	}
}

// TestRemoveReserved checks that -r removes what a crash left of a mailbox
// that was being made.
func TestRemoveReserved(t *testing.T) {
	s := newStore(t, "")
	s.make("user.a")
	db, err := cyrusdb.Open(disk.OS(), s.Locks, "twoskip", filepath.Join(s.Layout.ConfigDir, "mailboxes.db"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var tx cyrusdb.Tx
	key := []byte("N" + mboxname.Name("user.a.new").DBKey())
	tx.Put(key, []byte("%(T ez P default V 1 M 1 A %(a lrs))"))
	if err := db.Commit(s.ctx, tx); err != nil {
		t.Fatal(err)
	}
	if r := call("", "ctl_cyrusdb", "-C", s.path, "-r", "-x"); r.status != 0 || strings.Contains(r.log, "reserved") {
		t.Errorf("with -x: %+v", r)
	}
	r := call("", "ctl_cyrusdb", "-C", s.path, "-r")
	if r.status != 0 || !strings.Contains(r.log, "removed reserved mailbox 'user.a.new'") {
		t.Errorf("%+v", r)
	}
	if v, err := db.Get(s.ctx, key); err == nil && !strings.Contains(string(v), "T ed") {
		t.Errorf("still there: %s", v)
	}
	if fi, err := os.Stat(filepath.Join(s.Layout.ConfigDir, "db/skipstamp")); err != nil || fi.Size() != 4 {
		t.Errorf("skipstamp: %v", err)
	}
}

// TestCleanStage: what killed programs have left of messages that they
// received is removed when it is a day old, at the start and each night.
func TestCleanStage(t *testing.T) {
	s := newStore(t, "")
	s.make("user.a")
	dir, err := s.Layout.StageDir("default")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(dir, fmt.Sprintf("12-%d-3", time.Now().Unix()))
	for _, args := range []string{"ctl_cyrusdb -r", "cyr_expire -E 3"} {
		old := filepath.Join(dir, "12-1700000000-3")
		for _, name := range []string{old, fresh} {
			if err := os.WriteFile(name, []byte("Subject: half\r\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		words := strings.Fields(args)
		if r := call("", append([]string{words[0], "-C", s.path}, words[1:]...)...); r.status != 0 || !strings.Contains(r.log, "removed 1 stale stage files") {
			t.Errorf("%s: %+v", args, r)
		}
		if _, err := os.Stat(old); err == nil {
			t.Errorf("%s: the old file is left", args)
		}
		if _, err := os.Stat(fresh); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
}
