package cyrusdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// dump is what is in a file, and its kind.
func dump(t *testing.T, fsys disk.FS, path string) (kind string, records map[string]string) {
	t.Helper()
	db, kind, err := OpenAny(fsys, lock.NewTable(fsys, nil), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	records = map[string]string{}
	if err := db.Scan(context.Background(), nil, func(k, v []byte) (bool, error) { records[string(k)] = string(v); return true, nil }); err != nil {
		t.Fatal(err)
	}
	return kind, records
}

func three(fn ScanFunc) error {
	for _, k := range []string{"a", "b.c", "b\tx"} {
		if _, err := fn([]byte(k), []byte("value of\n"+k)); err != nil {
			return err
		}
	}
	return nil
}

// TestWriteFile writes files of both kinds over another, and makes each
// operation fail in turn, with and without a power cut.
func TestWriteFile(t *testing.T) {
	ctx := context.Background()
	for _, kind := range []string{"twoskip", "flat"} {
		for i := 0; ; i++ {
			m := disk.NewMem()
			if err := disk.ReplaceSync(m, "/db", []byte("old\tone\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			err := WriteFile(ctx, disk.FailAt(m, i), kind, "/db", three)
			for _, d := range []*disk.Mem{m, m.Crash(1), m.Crash(2)} {
				got, records := dump(t, d, "/db")
				done := got == kind && len(records) == 3 && records["b\tx"] == "value of\nb\tx"
				kept := got == "flat" && len(records) == 1 && records["old"] == "one"
				if !done && (err == nil || !kept) {
					t.Errorf("%s, fault %d (%v): %s %q", kind, i, err, got, records)
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

func TestOpenAny(t *testing.T) {
	m := disk.NewMem()
	for name, text := range map[string]string{
		"/skiplist": string(emptySkiplist()), "/empty": "", "/flat": "k\tv\n", "/none": "\x00\x00\x00\x00\x62\x31\x05\x00",
		"/marker": string(marker{"/db.pebble", "site", 1}.encode()),
	} {
		if err := disk.Replace(m, name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{"/skiplist": "skiplist", "/empty": "flat", "/flat": "flat"} {
		if kind, _ := dump(t, m, path); kind != want {
			t.Errorf("%s is %s", path, kind)
		}
	}
	locks := lock.NewTable(m, nil)
	for _, path := range []string{"/none", "/marker"} {
		if _, _, err := OpenAny(m, locks, path); !errs.Is(err, errs.BadFormat) {
			t.Errorf("%s: %v", path, err)
		}
		if is, err := IsMarker(m, path); err != nil || is != (path == "/marker") {
			t.Errorf("%s is a marker: %v, %v", path, is, err)
		}
	}
	if _, _, err := OpenAny(m, locks, "/nosuch"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestKeep: a file has its second name once, however often it is kept.
func TestKeep(t *testing.T) {
	m := disk.NewMem()
	for i := range 3 {
		if err := disk.Replace(m, "/db", fmt.Append(nil, i), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := Keep(m, "/db", ".OLD"); err != nil {
				t.Fatal(err)
			}
		}
	}
	d := m.Crash(1)
	for i, name := range []string{"/db.OLD", "/db.OLD.1", "/db.OLD.2"} {
		if b, err := disk.ReadFile(d, name); string(b) != fmt.Sprint(i) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if _, err := m.Stat("/db.OLD.3"); err == nil {
		t.Error("a name too many")
	}
}
