package flat

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gocyrus/libcyrus/cyrusdb/dbtest"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

func open(t testing.TB, fsys disk.FS, path string) *DB {
	t.Helper()
	db, err := Open(fsys, lock.NewTable(fsys, nil), path, kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestContract(t *testing.T) {
	dbtest.Run(t, func(t testing.TB) dbtest.Backend {
		path := filepath.Join(t.TempDir(), "user/f/fred.sub")
		return dbtest.Backend{
			Open:    func(t testing.TB) kv.DB { return open(t, disk.OS(), path) },
			Compare: compareKeys,
		}
	})
}

// TestSample: a file of Cyrus's, parsed and written, is the same octets.
func TestSample(t *testing.T) {
	b, err := os.ReadFile("testdata/alice.sub")
	if err != nil {
		t.Fatal(err)
	}
	records, err := parse(b)
	if err != nil || len(records) == 0 {
		t.Fatal(records, err)
	}
	if got := format(records); !bytes.Equal(got, b) {
		t.Errorf("%q became %q", b, got)
	}
}

// compareKeys is the order of keys.
func compareKeys(a, b []byte) int {
	return compareEncoded(appendEncoded(nil, a), appendEncoded(nil, b))
}

func TestOrder(t *testing.T) {
	sorted := []string{"a", "a.b", "a\x01", "a b", "a-b", "aB", "ab", "a\xc3", "a\n", "b"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := compareKeys([]byte(a), []byte(b)); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%q and %q compare as %d", a, b, got)
			}
		}
	}
}

func TestBadFiles(t *testing.T) {
	for text, want := range map[string]bool{
		"":                 true,
		"a\t1\n":           true,
		"b\t1\na\t2\n":     true, // not sorted
		"a\t1":             false,
		"no tab\n":         false,
		"a\t1\n\n":         false,
		"%(a b)\t\xff\n":   true,
		"k\tv\tw\n":        true,
		"gocyrus marker\n": false,
	} {
		m := disk.NewMem()
		m.WriteFile("/x", []byte(text))
		_, err := Open(m, lock.NewTable(m, nil), "/x", 0)
		if (err == nil) != want || err != nil && !errs.Is(err, errs.BadFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestUnsorted: what others would not find is found, and written in order.
func TestUnsorted(t *testing.T) {
	m := disk.NewMem()
	m.WriteFile("/x", []byte("b\t1\na\t2\nb\t3\n"))
	db := open(t, m, "/x")
	if v, err := db.Get(t.Context(), []byte("b")); string(v) != "3" {
		t.Errorf("b is %q, %v", v, err)
	}
	var tx kv.Tx
	tx.Put([]byte("c"), []byte("4"))
	if err := db.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	if b, _ := m.ReadFile("/x"); string(b) != "a\t2\nb\t3\nc\t4\n" {
		t.Errorf("file is %q", b)
	}
}

func TestFaults(t *testing.T) {
	for _, failing := range []func(disk.FS, int) disk.FS{disk.FailAt, disk.FailFrom} {
		for i := 0; ; i++ {
			m := disk.NewStrictMem()
			m.WriteFile("/u/x", []byte("a\t1\nb\t2\n"))
			var tx kv.Tx
			tx.Put([]byte("c"), []byte("3"))
			tx.Delete([]byte("a"))
			fsys := failing(m, i)
			db, err := Open(fsys, lock.NewTable(fsys, nil), "/u/x", 0)
			if err == nil {
				err = db.Commit(context.Background(), tx)
			}
			for seed := range uint64(6) {
				b, _ := m.Crash(seed).ReadFile("/u/x")
				if got := string(b); got != "b\t2\nc\t3\n" && (err == nil || got != "a\t1\nb\t2\n") {
					t.Errorf("fault %d, seed %d: %v, then %q", i, seed, err, got)
				}
			}
			if err == nil {
				break
			}
			if !errors.Is(err, disk.ErrInjected) {
				t.Fatal(err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a\t1\nb\t\xff\x89\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := parse(b)
		if err != nil {
			return
		}
		once := format(records)
		again, err := parse(once)
		if err != nil || len(again) != len(records) || !bytes.Equal(format(again), once) {
			t.Fatalf("%q became %q: %v", b, once, err)
		}
	})
}
