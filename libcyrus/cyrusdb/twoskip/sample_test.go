package twoskip

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
)

// TestSamples reads files that Cyrus 3.6.1 has written, changes and repacks
// them, and finds nothing lost.
func TestSamples(t *testing.T) {
	for name, key := range map[string]string{ // a key with a dlist, if there is one
		"mailboxes.db": "I06q83ax7eepopfqj5p455dsz", "annotations.db": "", "deliver.db": "", "bob.seen": "",
	} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		m := disk.NewMem()
		m.WriteFile(file, b)
		before := contents(t, m)
		db := open(t, m, file)
		if err := db.Consistent(t.Context()); err != nil {
			t.Error(err)
		}
		if uint64(len(before)) != db.h.header.records || len(before) == 0 {
			t.Errorf("%s: %d records of %d", name, len(before), db.h.header.records)
		}
		if key != "" && !strings.HasPrefix(before[key], "%(T e N ") {
			t.Errorf("%s: %s is %q", name, key, before[key])
		}
		if err := db.Repack(t.Context()); err != nil {
			t.Error(err)
		}
		if err := db.Commit(t.Context(), sets("added", "x")); err != nil {
			t.Error(err)
		}
		checked(t, db)
		after := contents(t, m)
		if len(after) != len(before)+1 {
			t.Errorf("%s: %d records after", name, len(after))
		}
		for k, v := range before {
			if after[k] != v {
				t.Errorf("%s: %q has become %q", name, k, after[k])
			}
		}
	}
}

// syncs counts what reaches the disk.
type syncs struct {
	disk.FS
	n int
}

type syncFile struct {
	disk.File
	s *syncs
}

func (s *syncs) OpenFile(name string, flag int, perm os.FileMode) (disk.File, error) {
	f, err := s.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return syncFile{f, s}, nil
}

func (f syncFile) Sync() error     { f.s.n++; return f.File.Sync() }
func (f syncFile) Datasync() error { f.s.n++; return f.File.Datasync() }

// TestSyncs: Cyrus needs 3 for any transaction.
func TestSyncs(t *testing.T) {
	s := &syncs{FS: disk.NewMem()}
	db := open(t, s, file)
	defer db.Close()
	if err := db.Commit(t.Context(), sets("m", "1")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tx   kv.Tx
		want int
	}{
		{sets("m", "2"), 2},
		{sets("m", "2"), 0},
		{sets("m", ""), 2},
		{sets("none", ""), 0},
		{sets("a", "1", "m", "1", "z", "1"), 2},
		{sets("a0", "2", "m0", "2"), 3},
	} {
		s.n = 0
		if err := db.Commit(t.Context(), c.tx); err != nil || s.n != c.want {
			t.Errorf("%q: %d syncs, want %d (%v)", c.tx.Set, s.n, c.want, err)
		}
	}
}

// TestManyHandles: what one has remembered is forgotten when another writes.
func TestManyHandles(t *testing.T) {
	m := disk.NewMem()
	dbs := []*DB{open(t, m, file), open(t, m, file), open(t, m, file)}
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 600 {
		key := fmt.Sprintf("k%02d", rnd.IntN(40))
		value := fmt.Sprintf("%d %0*d", i, rnd.IntN(400), 0)
		if err := dbs[rnd.IntN(3)].Commit(t.Context(), sets(key, value)); err != nil {
			t.Fatal(err)
		}
		if got, err := dbs[rnd.IntN(3)].Get(t.Context(), []byte(key)); err != nil || string(got) != value {
			t.Fatalf("round %d: %q, %v", i, got, err)
		}
	}
	for _, db := range dbs {
		checked(t, db)
	}
}

// TestRememberedPages: what is remembered of a file is what is in it, after
// each of many changes, also when only some of its pages are remembered.
func TestRememberedPages(t *testing.T) {
	m := disk.NewMem()
	db := open(t, m, file)
	defer db.Close()
	rnd := rand.New(rand.NewPCG(7, 8))
	for i := range 400 {
		var tx kv.Tx
		for range 1 + rnd.IntN(60) {
			tx.Put(fmt.Appendf(nil, "k%03d", rnd.IntN(400)), fmt.Appendf(nil, "%d%0*d", i, 8*rnd.IntN(40), 0))
		}
		if err := db.Commit(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		b, err := m.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for no, p := range db.h.pages {
			at := int(no * pageSize)
			if at+len(p) > len(b) || !bytes.Equal(p, b[at:at+len(p)]) {
				if db.h.ino == inode(t, m) {
					t.Fatalf("change %d: page %d differs", i, no)
				}
			}
			if rnd.IntN(3) == 0 {
				delete(db.h.pages, no)
			}
		}
	}
}

func inode(t *testing.T, m *disk.Mem) uint64 {
	t.Helper()
	fi, err := m.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return disk.Inode(fi)
}

func benchDB(b *testing.B, n int) *DB {
	db := open(b, disk.OS(), filepath.Join(b.TempDir(), "mailboxes.db"))
	fill(b, db, n)
	if err := db.Repack(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

func BenchmarkGet(b *testing.B) {
	db := benchDB(b, 100000)
	b.Run("hot", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Get(context.Background(), []byte("Nuser\x1fu050000\x1fFolder")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("random", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i += 7919
			if _, err := db.Get(context.Background(), fmt.Appendf(nil, "Nuser\x1fu%06d\x1fFolder", i%100000)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkScan100k(b *testing.B) {
	db := benchDB(b, 100000)
	for b.Loop() {
		n := 0
		db.Scan(context.Background(), nil, func(k, v []byte) (bool, error) { n++; return true, nil })
		if n != 100000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	db := benchDB(b, 1000)
	for i := 0; b.Loop(); i++ {
		if err := db.Commit(context.Background(), sets(fmt.Sprintf("Nuser\x1fu%06d", i%1000), fmt.Sprint(i))); err != nil {
			b.Fatal(err)
		}
	}
}
