package twoskip

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"gocyrus/libcyrus/cyrusdb/dbtest"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func open(t testing.TB, fsys disk.FS, path string) *DB {
	t.Helper()
	db, err := Open(fsys, lock.NewTable(fsys, quiet), path, kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	db.SetLog(quiet)
	return db
}

func TestContract(t *testing.T) {
	dbtest.Run(t, func(t testing.TB) dbtest.Backend {
		path := filepath.Join(t.TempDir(), "conf/x.db")
		return dbtest.Backend{Open: func(t testing.TB) kv.DB {
			db := open(t, disk.OS(), path)
			t.Cleanup(func() { checked(t, open(t, disk.OS(), path)) })
			return db
		}}
	})
}

// checked checks the whole file and closes db.
func checked(t testing.TB, db *DB) {
	t.Helper()
	if err := db.Consistent(context.Background()); err != nil {
		t.Error(err)
	}
	db.Close()
}

func fill(t testing.TB, db kv.DB, n int) {
	t.Helper()
	var tx kv.Tx
	for i := range n {
		tx.Put(fmt.Appendf(nil, "Nuser\x1fu%06d\x1fFolder", i),
			fmt.Appendf(nil, "%%(T e I uniqueid%015d P default V 1795448000 C 3 F 5 M 1795448001 A %%(u%06d lrswipkxtecdan))", i, i))
	}
	if err := db.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
}
