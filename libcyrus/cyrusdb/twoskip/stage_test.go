package twoskip

import (
	"context"
	"maps"
	"testing"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

// staged does the first steps of a Stage.
func staged(fsys disk.FS, tx kv.Tx, steps int) error {
	db, err := Open(fsys, lock.NewTable(fsys, quiet), file, 0)
	if err != nil {
		return err
	}
	db.SetLog(quiet)
	defer db.Close()
	st, err := db.Stage(context.Background(), tx)
	if err != nil {
		return err
	}
	defer st.Close()
	for _, step := range []func() error{st.Append, st.Store, st.Commit}[:steps] {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// TestStageFaults stops a Stage after each step, and lets each operation of it
// fail: before Commit the old state comes back, after it the new one is there,
// but a power cut may leave the old one.
func TestStageFaults(t *testing.T) {
	t.Parallel()
	for name, tx := range transactions {
		for kind, failing := range map[string]func(disk.FS, int) disk.FS{"fail": disk.FailAt, "kill": disk.FailFrom} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				for steps := range 4 {
					stageFaults(t, tx(), steps, failing)
				}
			})
		}
	}
}

func stageFaults(t *testing.T, tx kv.Tx, steps int, failing func(disk.FS, int) disk.FS) {
	from := start(t, disk.NewStrictMem)
	before := contents(t, from)
	after := maps.Clone(before)
	for _, c := range tx.Set {
		if after[string(c.Key)] = string(c.Value); c.Value == nil {
			delete(after, string(c.Key))
		}
	}
	for i := 0; ; i++ {
		m := from.Crash(0) // all of it lasts
		err := staged(failing(m, i), tx, steps)
		for n, d := range []*disk.Mem{m.Crash(1), m.Crash(2), m.Crash(3), m} {
			got := contents(t, d)
			old, is := maps.Equal(got, before), maps.Equal(got, after)
			mayBeNew, mustBeNew := steps == 3, steps == 3 && err == nil && n == 3
			if !old && !is || is && !old && !mayBeNew || old && mustBeNew {
				t.Fatalf("%d steps, fault %d, state %d: %v; old %v, new %v", steps, i, n, err, old, is)
			}
		}
		if err == nil {
			return
		}
	}
}

// TestReader reads what is there, also after a writer that was killed.
func TestReader(t *testing.T) {
	t.Parallel()
	m := start(t, disk.NewMem)
	db := open(t, m, file)
	if err := staged(m, sets("new", "x"), 2); err != nil {
		t.Fatal(err)
	}
	r, err := db.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v, err := r.Get([]byte("b4")); err != nil || len(v) < 150 {
		t.Errorf("%q, %v", v, err)
	}
	if _, err := r.Get([]byte("new")); err != kv.ErrNotFound {
		t.Errorf("what was not committed: %v", err)
	}
	n := 0
	err = r.ScanPrefix(t.Context(), []byte("b1"), func(k, _ []byte) (bool, error) { n++; return true, nil })
	r.Close()
	if err != nil || n != 3 { // b1, b10, b11
		t.Errorf("%d records, %v", n, err)
	}
	if err := staged(m, sets("new", "x"), 3); err != nil {
		t.Fatal(err)
	}
	if r, err = db.Reader(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if v, err := r.Get([]byte("new")); err != nil || string(v) != "x" {
		t.Errorf("%q, %v", v, err)
	}
}
