package quotalegacy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/cyrusdb/dbtest"
	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

func TestContract(t *testing.T) {
	dbtest.Run(t, func(t testing.TB) dbtest.Backend {
		base := t.TempDir()
		return dbtest.Backend{Text: true, Open: func(t testing.TB) kv.DB {
			return Open(disk.OS(), lock.NewTable(disk.OS(), nil), Layout{Base: base})
		}}
	})
}

// TestPath has the paths of the sample spools.
func TestPath(t *testing.T) {
	plain, full := Layout{Base: "/c", Domains: true}, Layout{Base: "/c", Domains: true, FullHash: true}
	for _, c := range []struct {
		layout     Layout
		root, want string
	}{
		{plain, "user.alice", "/c/quota/a/user.alice"},
		{plain, "user.alice.Archive", "/c/quota/a/user.alice.Archive"},
		{plain, "shared", "/c/quota/s/shared"},
		{plain, "user.Zoe", "/c/quota/z/user.Zoe"},
		{plain, "user.1st", "/c/quota/q/user.1st"},
		{plain, "user.\xe9", "/c/quota/q/user.\xe9"},
		{plain, "other.test!user.erin", "/c/domain/o/other.test/quota/e/user.erin"},
		{plain, "other.test!", "/c/domain/o/other.test/quota/root"},
		{full, "user.carol", "/c/quota/B/user.carol"},
		{full, "user.bob", "/c/quota/E/user.bob"},
		{full, "user.alice.Archive", "/c/quota/L/user.alice.Archive"},
		{full, "shared", "/c/quota/T/shared"},
		{full, "other.test!user.erin", "/c/domain/M/other.test/quota/C/user.erin"},
		{Layout{Base: "/c"}, "other.test!user.erin", "/c/quota/t/other.test!user.erin"},
	} {
		if got := c.layout.Path(c.root); got != c.want {
			t.Errorf("Path(%q) = %s, want %s", c.root, got, c.want)
		}
	}
}

func TestDomainsAndOldForm(t *testing.T) {
	m := disk.NewMem()
	for path, text := range map[string]string{
		"/c/quota/a/user.alice":                       "%(S (100 10))\n",
		"/c/quota/b/user.bob":                         "1234\n1000\n",
		"/c/quota/b/user.alice":                       "in the wrong place\n",
		"/c/quota/c/user.carol":                       "", // being made
		"/c/domain/o/other.test/quota/e/user.erin":    "%(S (1))\n",
		"/c/domain/o/other.test/quota/root":           "%(S (2))\n",
		"/c/domain/o/other.test/user/e/erin.sub":      "x",
		"/c/quota/user.dave.NEW":                      "left over",
		"/c/domain/o/other.test/quota/x/.hidden":      "x\n",
		"/c/domain/o/other.test/quota/long/user.fred": "x\n",
	} {
		if err := m.WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	db := Open(m, lock.NewTable(m, nil), Layout{Base: "/c", Domains: true})
	var got []string
	err := db.Scan(t.Context(), nil, func(k, v []byte) (bool, error) {
		got = append(got, string(k)+"="+string(v))
		return true, nil
	})
	want := []string{"other.test!=%(S (2))", "other.test!user.erin=%(S (1))", "user.alice=%(S (100 10))", "user.bob=1234 1000"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("roots %q, %v", got, err)
	}
	var tx kv.Tx
	tx.Require([]byte("user.bob"), []byte("1234 1000"))
	tx.Put([]byte("user.bob"), []byte("5 1000"))
	tx.Put([]byte("other.test!"), []byte("%(S (3 4))"))
	tx.Delete([]byte("user.alice"))
	if err := db.Commit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/c/quota/b/user.bob": "5\n1000\n", "/c/domain/o/other.test/quota/root": "%(S (3 4))\n", "/c/quota/a/user.alice": "",
	} {
		if b, _ := m.ReadFile(path); string(b) != want {
			t.Errorf("%s has %q", path, b)
		}
	}
}

// TestNamesLikeTemporaryFiles: user.fred.NEW is a mailbox like any other.
func TestNamesLikeTemporaryFiles(t *testing.T) {
	m := disk.NewMem()
	db := Open(m, lock.NewTable(m, nil), Layout{Base: "/c"})
	for _, root := range []string{"user.fred.NEW", "user.fred", "user.fred"} {
		var tx kv.Tx
		tx.Put([]byte(root), []byte("%(S (1 "+root+"))"))
		if err := db.Commit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := db.Get(t.Context(), []byte("user.fred.NEW")); string(v) != "%(S (1 user.fred.NEW))" {
		t.Errorf("%q, %v", v, err)
	}
}

// TestScanWhileReplaced lists roots while one is being changed: the file of its
// next version is no root.
func TestScanWhileReplaced(t *testing.T) {
	base := t.TempDir()
	db := Open(disk.OS(), lock.NewTable(disk.OS(), nil), Layout{Base: base})
	writer := Open(disk.OS(), lock.NewTable(disk.OS(), nil), Layout{Base: base})
	put := func(root string, n int) error {
		var tx kv.Tx
		tx.Put([]byte(root), fmt.Appendf(nil, "%%(S (%d 1))", n))
		return writer.Commit(t.Context(), tx)
	}
	for _, root := range []string{"user.fred", "user.fred.NEW", "user.x"} {
		if err := put(root, -1); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() {
		var err error
		for n := 0; n < 50 && err == nil; n++ {
			err = put("user.x", n)
		}
		done <- err
	}()
	for {
		var got []string
		err := db.Scan(t.Context(), nil, func(k, _ []byte) (bool, error) {
			got = append(got, string(k))
			return true, nil
		})
		if err != nil || !slices.Equal(got, []string{"user.fred", "user.fred.NEW", "user.x"}) {
			t.Fatalf("%q, %v", got, err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

func TestBadNames(t *testing.T) {
	m := disk.NewMem()
	db := Open(m, lock.NewTable(m, nil), Layout{Base: "/c", Domains: true})
	for _, root := range []string{"", ".", "..", "a/b", "a\x00b", "../x!user.a", "..!user.a", "!x", "d!.x"} {
		if _, err := db.Get(t.Context(), []byte(root)); !errors.Is(err, kv.ErrNotFound) {
			t.Errorf("Get(%q): %v", root, err)
		}
		var tx kv.Tx
		tx.Put([]byte(root), []byte("x"))
		if err := db.Commit(t.Context(), tx); !errs.Is(err, errs.BadArgument) {
			t.Errorf("Commit of %q: %v", root, err)
		}
	}
}

func TestFaults(t *testing.T) {
	const path = "/c/quota/a/user.alice"
	for _, failing := range []func(disk.FS, int) disk.FS{disk.FailAt, disk.FailFrom} {
		for _, value := range []string{"%(S (2))", ""} {
			for i := 0; ; i++ {
				m := disk.NewStrictMem()
				m.WriteFile(path, []byte("%(S (1))\n"))
				fsys := failing(m, i)
				var tx kv.Tx
				want := ""
				if tx.Delete([]byte("user.alice")); value != "" {
					tx.Put([]byte("user.alice"), []byte(value))
					want = value + "\n"
				}
				err := Open(fsys, lock.NewTable(fsys, nil), Layout{Base: "/c"}).Commit(context.Background(), tx)
				for seed := range uint64(5) {
					b, rerr := m.Crash(seed).ReadFile(path)
					got := string(b)
					if rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
						t.Error(rerr)
					}
					if got != want && (err == nil || got != "%(S (1))\n") {
						t.Errorf("fault %d, seed %d: %v, then %q", i, seed, err, got)
					}
				}
				if err == nil {
					break
				}
			}
		}
	}
}

// TestNothingLeft: a condition that fails leaves no empty file behind.
func TestNothingLeft(t *testing.T) {
	m := disk.NewMem()
	db := Open(m, lock.NewTable(m, nil), Layout{Base: "/c"})
	var tx kv.Tx
	tx.Require([]byte("user.bob"), []byte("x"))
	tx.Put([]byte("user.alice"), []byte("y"))
	if err := db.Commit(t.Context(), tx); !errors.Is(err, kv.ErrConflict) {
		t.Fatal(err)
	}
	list, _ := m.ReadDir(filepath.Dir("/c/quota/a/user.alice"))
	for _, e := range list {
		t.Errorf("%s is left", e.Name())
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("1\n2\n"))
	f.Add([]byte("%(S (1))\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		value, err := parse("x", append([]byte(nil), b...))
		if err != nil {
			return
		}
		again, err := parse("x", format(value))
		if err != nil || string(again) != string(value) && !strings.Contains(string(value), "\n") {
			t.Fatalf("%q became %q, %v", value, again, err)
		}
	})
}
