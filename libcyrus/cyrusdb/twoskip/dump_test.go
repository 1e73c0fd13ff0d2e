package twoskip

import (
	"strings"
	"testing"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// TestDumpDamaged checks that a damaged file is printed as far as it goes.
func TestDumpDamaged(t *testing.T) {
	file := dumpSample(t)
	var w strings.Builder
	if err := Dump(&w, file, true); err != nil || !strings.Contains(w.String(), "v=(1)") || !strings.Contains(w.String(), "DELETE ptr=") {
		t.Errorf("%v:\n%s", err, w.String())
	}
	for at := range file {
		bad := append([]byte{}, file...)
		bad[at] ^= 0xff
		w.Reset()
		_ = Dump(&w, bad, true) // must not panic
	}
	w.Reset()
	file[emptySize] ^= 1
	if err := Dump(&w, file, false); err == nil || !strings.HasSuffix(w.String(), " ERROR\n") {
		t.Errorf("%v:\n%s", err, w.String())
	}
}

// dumpSample is a file with records of all kinds.
func dumpSample(t testing.TB) []byte {
	m := disk.NewMem()
	db, err := Open(m, lock.NewTable(m, quiet), "x.db", kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, c := range []kv.KV{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b"), Value: []byte("2")}, {Key: []byte("a")}} {
		if err := db.Commit(t.Context(), kv.Tx{Set: []kv.KV{c}}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := disk.ReadFile(m, "x.db")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzDump(f *testing.F) {
	f.Add(dumpSample(f))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var w strings.Builder
		_ = Dump(&w, b, true) // must not panic
	})
}
