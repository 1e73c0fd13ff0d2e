package skiplist

import (
	"errors"
	"os"
	"strings"
	"testing"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

func sample(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/alice.conversations")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSample reads a file of Cyrus's. testdata/alice.keys has the keys that
// cyr_dbtool shows.
func TestSample(t *testing.T) {
	m := disk.NewMem()
	m.WriteFile("/x", sample(t))
	db, err := Open(m, lock.NewTable(m, nil), "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want, err := os.ReadFile("testdata/alice.keys")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	err = db.Scan(t.Context(), nil, func(k, v []byte) (bool, error) {
		got.Write(k)
		got.WriteByte('\n')
		return true, nil
	})
	if err != nil || got.String() != string(want) {
		t.Errorf("keys differ: %v\n%s", err, got.String())
	}
	if v, err := db.Get(t.Context(), []byte("$FOLDER_IDS")); err != nil || !strings.HasPrefix(string(v), "(k6cjsl4wr9m0611qz80nklk1 ") {
		t.Errorf("folder ids %q, %v", v, err)
	}
	if _, err := db.Get(t.Context(), []byte("none")); !errors.Is(err, kv.ErrNotFound) {
		t.Error(err)
	}
	n := 0
	db.ScanPrefix(t.Context(), []byte("B"), func(k, v []byte) (bool, error) { n++; return true, nil })
	if n != strings.Count("\n"+string(want), "\nB") {
		t.Errorf("%d keys with B", n)
	}
	if err := db.Commit(t.Context(), kv.Tx{}); !errs.Is(err, errs.NotSupported) {
		t.Error(err)
	}
}

// TestCutOff: whatever of the end of the log is missing, what was committed
// before is there.
func TestCutOff(t *testing.T) {
	b := sample(t)
	whole, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(b) - 200; n < len(b); n++ {
		some, err := Parse(b[:n])
		if err != nil || len(some) < len(whole)-5 {
			t.Fatalf("%d of %d octets: %d records, %v", n, len(b), len(some), err)
		}
	}
	padded, err := Parse(append(b, make([]byte, 100)...))
	if err != nil || len(padded) != len(whole) {
		t.Errorf("with zeros after it: %d records, %v", len(padded), err)
	}
}

func TestBad(t *testing.T) {
	b := sample(t)
	if _, err := Parse([]byte("text")); !errors.Is(err, ErrNotSkiplist) {
		t.Error(err)
	}
	b[23] = 9
	if _, err := Parse(b); err == nil {
		t.Error("version 9 was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample(f)[:2000])
	f.Fuzz(func(t *testing.T, b []byte) { Parse(b) })
}
