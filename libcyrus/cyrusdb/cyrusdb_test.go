package cyrusdb

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"gocyrus/libcyrus/cyrusdb/dbtest"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// emptySkiplist is the file of a skiplist database without records.
func emptySkiplist() []byte {
	b := make([]byte, 48+4+4+4+20*4+4)
	copy(b, "\xa1\x02\x8b\x0dskiplist file\x00\x00\x00")
	b[23], b[27], b[31] = 1, 2, 20
	b[50], b[51] = 1, 1
	copy(b[len(b)-4:], "\xff\xff\xff\xff")
	return b
}

// TestContract: a skiplist database behaves as all others, for it becomes
// twoskip when it is changed.
func TestContract(t *testing.T) {
	dbtest.Run(t, func(t testing.TB) dbtest.Backend {
		path := t.TempDir() + "/fred.conversations"
		if err := os.WriteFile(path, emptySkiplist(), 0o600); err != nil {
			t.Fatal(err)
		}
		return dbtest.Backend{Open: func(t testing.TB) kv.DB {
			db, err := Open(disk.OS(), lock.NewTable(disk.OS(), nil), "skiplist", path, 0)
			if err != nil {
				t.Fatal(err)
			}
			return db
		}}
	})
}

// TestUpgradeKeepsAll: the first change keeps what was there, in a file
// that is recognised as twoskip. If it is interrupted, nothing is lost.
func TestUpgradeKeepsAll(t *testing.T) {
	old, err := os.ReadFile("skiplist/testdata/alice.conversations")
	if err != nil {
		t.Fatal(err)
	}
	count := func(m disk.FS) int {
		db, err := Open(m, lock.NewTable(m, nil), "skiplist", "/x", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		n := 0
		if err := db.Scan(t.Context(), nil, func(k, v []byte) (bool, error) { n++; return true, nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var before int
	for i := 0; ; i++ {
		m := disk.NewMem()
		m.WriteFile("/x", old)
		before = count(m)
		var tx Tx
		tx.Put([]byte("added"), []byte("x"))
		fsys := disk.FailFrom(m, i)
		db, err := Open(fsys, lock.NewTable(fsys, nil), "skiplist", "/x", 0)
		if err == nil {
			err = db.Commit(t.Context(), tx)
		}
		for seed := range uint64(4) {
			if got := count(m.Crash(seed)); got != before+1 && (err == nil || got != before) {
				t.Errorf("fault %d, seed %d: %d records, want %d", i, seed, got, before)
			}
		}
		if err != nil {
			continue
		}
		if kind, err := Detect(m, "/x"); kind != "twoskip" || err != nil {
			t.Errorf("is %q, %v", kind, err)
		}
		return
	}
}

func TestOpen(t *testing.T) {
	m := disk.NewMem()
	locks := lock.NewTable(m, nil)
	for _, kind := range []string{"twoskip", "flat", "skiplist"} {
		if _, err := Open(m, locks, kind, "/none", 0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", kind, err)
		}
		db, err := Open(m, locks, kind, "/dir/"+kind, Create)
		if err != nil {
			t.Fatal(err)
		}
		var tx Tx
		tx.Put([]byte("a"), []byte("1"))
		if err := db.Commit(t.Context(), tx); err != nil {
			t.Error(err)
		}
		db.Close()
		for _, as := range []string{"twoskip", "flat"} {
			if kind == "flat" && as != "flat" {
				continue
			}
			db, err := Open(m, locks, as, "/dir/"+kind, 0)
			if err != nil {
				t.Fatal(err)
			}
			if v, err := db.Get(t.Context(), []byte("a")); string(v) != "1" {
				t.Errorf("%s as %s: %q, %v", kind, as, v, err)
			}
			db.Close()
		}
	}
	if _, err := Open(m, locks, "sql", "/x", 0); err == nil {
		t.Error("sql was opened")
	}
	if db, err := Open(m, locks, "quotalegacy", "/conf", 0); err != nil || db == nil {
		t.Error(err)
	}
}
