package twoskip

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"testing"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

const file = "/conf/mailboxes.db"

// contents is all records; the file must be consistent after recovery.
func contents(t *testing.T, fsys disk.FS) map[string]string {
	t.Helper()
	db, err := Open(fsys, lock.NewTable(fsys, quiet), file, 0)
	if err != nil {
		t.Fatal(err)
	}
	db.SetLog(quiet)
	defer db.Close()
	got := map[string]string{}
	err = db.Scan(context.Background(), nil, func(k, v []byte) (bool, error) {
		got[string(k)] = string(v)
		return true, nil
	})
	if err == nil {
		err = db.Consistent(context.Background())
	}
	if err != nil {
		t.Error(err)
	}
	return got
}

// transactions are what TestFaults interrupts, each on the database that
// start makes.
var transactions = map[string]func() kv.Tx{
	"one new":     func() kv.Tx { return sets("b5", "new value") },
	"one changed": func() kv.Tx { return sets("b4", "changed") },
	"one removed": func() kv.Tx { return sets("b4", "") },
	"neighbours":  func() kv.Tx { return sets("b41", "x", "b42", "y", "b43", "z") },
	"many": func() kv.Tx {
		tx := sets("a", "first", "b2", "", "b3", "other", "b7", "", "zz", "last")
		tx.Put([]byte("big"), make([]byte, 20000))
		return tx
	},
	"repacking": func() kv.Tx {
		tx := sets("b1", "", "b2", "", "a", "x")
		tx.Put([]byte("huge"), make([]byte, 60000))
		return tx
	},
}

// sets makes a transaction; an empty value removes.
func sets(kvs ...string) (tx kv.Tx) {
	for i := 0; i < len(kvs); i += 2 {
		if kvs[i+1] == "" {
			tx.Delete([]byte(kvs[i]))
		} else {
			tx.Put([]byte(kvs[i]), []byte(kvs[i+1]))
		}
	}
	return tx
}

// start is a file system with a database in it that has seen some changes.
func start(t *testing.T, fresh func() *disk.Mem) *disk.Mem {
	m := fresh()
	if err := m.WriteFile("/conf/keep", nil); err != nil {
		t.Fatal(err)
	}
	db := open(t, m, file)
	defer db.Close()
	for i := range 12 {
		for j := range 3 {
			tx := sets(fmt.Sprintf("b%d", i), fmt.Sprintf("value %d %d %0150d", i, j, 0))
			if err := db.Commit(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m
}

// TestFaults lets each operation of Commit fail, alone or with all after it
// (a kill), and looks at what is there then, and at what a power cut leaves.
func TestFaults(t *testing.T) {
	for name, tx := range transactions {
		for kind, failing := range map[string]func(disk.FS, int) disk.FS{"fail": disk.FailAt, "kill": disk.FailFrom} {
			for _, fresh := range []func() *disk.Mem{disk.NewMem, disk.NewStrictMem} {
				t.Run(name+" "+kind, func(t *testing.T) { faults(t, tx(), failing, fresh) })
			}
		}
	}
}

func faults(t *testing.T, tx kv.Tx, failing func(disk.FS, int) disk.FS, fresh func() *disk.Mem) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 3
	}
	for i := 0; ; i++ {
		m := start(t, fresh)
		before := contents(t, m)
		after := maps.Clone(before)
		for _, c := range tx.Set {
			if after[string(c.Key)] = string(c.Value); c.Value == nil {
				delete(after, string(c.Key))
			}
		}
		fsys := failing(m, i)
		err := commit(fsys, tx)
		states := []*disk.Mem{m.Crash(0)}
		for seed := range seeds {
			states = append(states, m.Crash(seed+1))
		}
		for n, d := range append(states, m) {
			got := contents(t, d)
			if !maps.Equal(got, after) && (err == nil || !maps.Equal(got, before)) {
				t.Fatalf("fault %d, state %d: Commit = %v; neither old nor new: %d records", i, n, err, len(got))
			}
			d2 := d.Crash(uint64(n)) // recovery was interrupted after its end
			if again := contents(t, d2); !maps.Equal(again, got) {
				t.Fatalf("fault %d, state %d: recovery did not last", i, n)
			}
		}
		if err == nil {
			return
		}
		if !errors.Is(err, disk.ErrInjected) {
			t.Fatalf("fault %d: %v", i, err)
		}
	}
}

// commit opens the database and does one transaction.
func commit(fsys disk.FS, tx kv.Tx) error {
	db, err := Open(fsys, lock.NewTable(fsys, quiet), file, 0)
	if err != nil {
		return err
	}
	db.SetLog(quiet)
	defer db.Close()
	return db.Commit(context.Background(), tx)
}

// TestFaultsOfRecovery interrupts the recovery of an interrupted transaction.
func TestFaultsOfRecovery(t *testing.T) {
	tx := transactions["many"]()
	for i := 0; i < 40; i += 3 {
		m := start(t, disk.NewMem)
		before := contents(t, m)
		if commit(disk.FailFrom(m, i), tx) == nil {
			break
		}
		broken := m.Crash(uint64(i))
		want := contents(t, broken.Crash(0))
		for j := 0; ; j++ {
			m := broken.Crash(0)
			err := commit(disk.FailFrom(m, j), kv.Tx{})
			for seed := range uint64(4) {
				if got := contents(t, m.Crash(seed)); !maps.Equal(got, want) {
					t.Fatalf("fault %d, %d, seed %d: %d records, want %d (of %d)", i, j, seed, len(got), len(want), len(before))
				}
			}
			if err == nil {
				break
			}
		}
	}
}

// TestFaultsOfCreation: a database whose making was interrupted is empty.
func TestFaultsOfCreation(t *testing.T) {
	for i := 0; ; i++ {
		m := disk.NewMem()
		fsys := disk.FailFrom(m, i)
		db, err := Open(fsys, lock.NewTable(fsys, quiet), file, kv.Create)
		if err == nil {
			err = db.Commit(context.Background(), sets("a", "1"))
		}
		for seed := range uint64(6) {
			d := m.Crash(seed)
			again := open(t, d, file)
			v, gerr := again.Get(t.Context(), []byte("a"))
			if err == nil && string(v) != "1" || gerr != nil && !errors.Is(gerr, kv.ErrNotFound) {
				t.Errorf("fault %d, seed %d: %v; then %q, %v", i, seed, err, v, gerr)
			}
			if err := again.Commit(t.Context(), sets("b", "2")); err != nil {
				t.Error(err)
			}
			checked(t, again)
		}
		if err == nil {
			return
		}
	}
}

// TestRescue damages a file in which only whole transactions can be read.
func TestRescue(t *testing.T) {
	m := start(t, disk.NewMem)
	want := contents(t, m)
	db := open(t, m, file)
	if err := db.Commit(t.Context(), sets("b3", "")); err != nil {
		t.Fatal(err)
	}
	db.Close()
	delete(want, "b3")
	f, err := m.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte("garbage!"), dummyStart+16) // in the head of the list
	b, _ := m.ReadFile(file)
	var h header
	if err := h.decode(b); err != nil {
		t.Fatal(err)
	}
	h.dirty = true
	f.WriteAt(h.encode(), 0)
	f.Close()
	if got := contents(t, m); !maps.Equal(got, want) {
		t.Errorf("rescued %d records of %d", len(got), len(want))
	}
}

// TestDamage changes every octet of a small file in turn: reading gives the
// right values or an error, and never panics.
func TestDamage(t *testing.T) {
	m := disk.NewMem()
	db := open(t, m, file)
	if err := db.Commit(t.Context(), sets("b1", "x", "b2", "y", "b3", "z")); err != nil {
		t.Fatal(err)
	}
	db.Close()
	good, _ := m.ReadFile(file)
	for i := range good {
		b := append([]byte(nil), good...)
		b[i] ^= 0x41
		m := disk.NewMem()
		m.WriteFile(file, b)
		db := open(t, m, file)
		for k, want := range map[string]string{"b1": "x", "b2": "y", "b3": "z"} {
			v, err := db.Get(t.Context(), []byte(k))
			if err == nil && string(v) != want {
				t.Errorf("octet %d changed: %s is %q", i, k, v)
			}
		}
		db.Scan(t.Context(), nil, func(k, v []byte) (bool, error) { return true, nil })
		db.Close()
	}
}

func FuzzFile(f *testing.F) {
	m := disk.NewMem()
	db, err := Open(m, lock.NewTable(m, quiet), file, kv.Create)
	if err != nil {
		f.Fatal(err)
	}
	db.Commit(context.Background(), sets("b1", "x", "b2", "y", "b3", "z"))
	db.Commit(context.Background(), sets("b2", ""))
	db.Close()
	b, _ := m.ReadFile(file)
	f.Add(b, uint16(100), []byte("x"))
	for _, name := range []string{"mailboxes.db", "annotations.db", "deliver.db", "bob.seen"} { // of a real Cyrus
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(len(b)/2), []byte{0x7f})
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint16, change []byte) {
		copy(b[min(int(at), len(b)):], change)
		m := disk.NewMem()
		m.WriteFile(file, b)
		db, err := Open(m, lock.NewTable(m, quiet), file, 0)
		if err != nil {
			return
		}
		defer db.Close()
		db.SetLog(quiet)
		records := 0
		db.Scan(t.Context(), nil, func(k, v []byte) (bool, error) {
			if records++; records > len(b) {
				t.Fatal("more records than octets")
			}
			return true, nil
		})
		for _, k := range []string{"", "b2", "c", "zzz"} {
			db.Get(t.Context(), []byte(k))
		}
		db.Consistent(t.Context())
		db.Commit(t.Context(), sets("b1", "new", "c", "d"))
		db.Repack(t.Context())
	})
}
