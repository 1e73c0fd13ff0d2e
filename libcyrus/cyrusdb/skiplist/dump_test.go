package skiplist

import (
	"os"
	"strings"
	"testing"
)

// TestDump compares with the dump of Cyrus's cyr_dbtool, and looks at files
// that are cut off.
func TestDump(t *testing.T) {
	file, err := os.ReadFile("testdata/dump.db")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/dump.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := Dump(&got, file); err != nil || got.String() != string(want) {
		t.Errorf("%v\n%s", err, got.String())
	}
	for n := range file {
		got.Reset()
		if err := Dump(&got, file[:n]); err == nil && n < headerSize {
			t.Errorf("%d octets of a file: no error", n)
		}
	}
}

func FuzzDump(f *testing.F) {
	file, err := os.ReadFile("testdata/dump.db")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Fuzz(func(_ *testing.T, b []byte) {
		var w strings.Builder
		_ = Dump(&w, b) // must not panic
	})
}
