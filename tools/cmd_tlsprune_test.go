package main

import (
	"context"
	"encoding/binary"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

func TestTLSPrune(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	path, _ := conf(t, "tls_sessions_db: skiplist\ntls_sessions_db_path: "+file+"\n")
	r := call("", "tls_prune", "-C", path)
	if r.status != 0 || !strings.Contains(r.log, "tls_prune: "+file+" not found, nothing to do") {
		t.Errorf("without a database: %+v", r)
	}
	ctx := context.Background()
	db, err := cyrusdb.Open(disk.OS(), lock.NewTable(disk.OS(), slog.New(slog.DiscardHandler)), "skiplist", file, cyrusdb.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var tx cyrusdb.Tx
	for name, age := range map[string]time.Duration{"old": time.Hour, "older": 48 * time.Hour, "new": -time.Hour} {
		v := binary.NativeEndian.AppendUint64(nil, uint64(time.Now().Add(-age).Unix()))
		tx.Put([]byte(name), append(v, "session"...))
	}
	tx.Put([]byte("short"), []byte("x"))
	if err := db.Commit(ctx, tx); err != nil {
		t.Fatal(err)
	}
	r = call("", "tls_prune", "-C", path)
	if r.status != 0 || !strings.Contains(r.log, "tls_prune: purged 3 out of 4 entries") {
		t.Errorf("first: %+v", r)
	}
	if _, err := db.Get(ctx, []byte("new")); err != nil {
		t.Errorf("the new session: %v", err)
	}
	r = call("", "tls_prune", "-C", path)
	if !strings.Contains(r.log, "tls_prune: purged 0 out of 1 entries") {
		t.Errorf("second: %+v", r)
	}
	if r := call("", "tls_prune", "-x"); r.status != exMinusOne || r.err != "tls_prune: invalid option -- 'x'\n"+tlsPruneUse {
		t.Errorf("wrong use: %+v", r)
	}
}
