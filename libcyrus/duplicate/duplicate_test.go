package duplicate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/test/data"
)

var ctx = context.Background()

func open(fsys disk.FS, path string) (*Store, error) {
	log := slog.New(slog.DiscardHandler)
	db, err := cyrusdb.Open(fsys, lock.NewTable(fsys, log), "twoskip", path, cyrusdb.Create)
	if err != nil {
		return nil, err
	}
	return New(db, log), nil
}

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := open(disk.NewMem(), "/deliver.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestSample reads the marks of a real Cyrus.
func TestSample(t *testing.T) {
	root := data.Unpack(t, data.ByID)
	s, err := open(disk.OS(), root+"/conf/deliver.db")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, sieve := 0, 0
	err = s.Each(ctx, func(k Key, m Mark) error {
		n++
		if m.UID == 0 && k.To[0] == '.' {
			sieve++
		} else if m.UID == 0 || k.ID[0] != '<' {
			t.Errorf("%+v %+v", k, m)
		}
		if m.Time.Year() != 2026 {
			t.Errorf("%+v: %v", k, m.Time)
		}
		if got, ok, err := s.Check(ctx, k); !ok || err != nil || got != m {
			t.Errorf("%+v: %+v, %v", k, got, err)
		}
		v, err := s.db.Get(ctx, k.encode())
		if err != nil || string(m.encode()) != string(v) {
			t.Errorf("%+v: %q becomes %q, %v", k, v, m.encode(), err)
		}
		return nil
	})
	if err != nil || n != 10 || sieve != 4 {
		t.Errorf("%d marks, %d of Sieve, %v", n, sieve, err)
	}
}

func TestStore(t *testing.T) {
	s := newStore(t)
	k := Key{"<x@y>", "id1", "Mon, 1 Jan 2024"}
	if _, ok, err := s.Check(ctx, k); ok || err != nil {
		t.Errorf("no mark: %v", err)
	}
	m := Mark{time.Unix(1000, 0), 7}
	if err := s.Mark(ctx, k, m); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := s.Check(ctx, k); !ok || err != nil || got != m {
		t.Errorf("%+v, %v", got, err)
	}
	if _, ok, _ := s.Check(ctx, Key{k.ID, "id2", k.Date}); ok {
		t.Error("another mailbox counts")
	}
	if err := s.Remove(ctx, k); err != nil {
		t.Error(err)
	}
	if _, ok, _ := s.Check(ctx, k); ok {
		t.Error("removed")
	}
	for _, bad := range []Key{{}, {"id", "a\x00b", ""}, {"id", "a", "\x00"}} {
		if err := s.Mark(ctx, bad, m); !errs.Is(err, errs.BadArgument) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	binary := Key{"\x01\x00\x02", "user", ""}
	if err := s.Mark(ctx, binary, m); err != nil {
		t.Fatal(err)
	}
	if err := s.Each(ctx, func(k Key, _ Mark) error {
		if k != binary {
			t.Errorf("%+v", k)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if SieveTo("a@b") != ".a@b.sieve." {
		t.Error(SieveTo("a@b"))
	}
}

func TestPrune(t *testing.T) {
	s := newStore(t)
	const n = 2*pruneBatch + 10
	for i := range n {
		if err := s.Mark(ctx, Key{fmt.Sprintf("<%d>", i), "id", ""}, Mark{time.Unix(int64(i%2)*1000, 0), 1}); err != nil {
			t.Fatal(err)
		}
	}
	count, removed, err := s.Prune(ctx, time.Unix(500, 0))
	if err != nil || count != n || removed != n/2 {
		t.Errorf("%d of %d, %v", removed, count, err)
	}
	if count, removed, err = s.Prune(ctx, time.Unix(500, 0)); err != nil || count != n/2 || removed != 0 {
		t.Errorf("again: %d of %d, %v", removed, count, err)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte("<x@y>\x00id\x00date\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, ok := ParseKey(b); ok && string(k.encode()) != string(b) {
			t.Errorf("%q -> %+v", b, k)
		}
		if m, err := decode(b); err == nil {
			m.encode()
		}
	})
}

// TestFaults fails each operation of a mark in turn.
func TestFaults(t *testing.T) {
	k := Key{"<x@y>", "id1", ""}
	for i := 0; ; i++ {
		m := disk.NewMem()
		if s, err := open(m, "/deliver.db"); err != nil {
			t.Fatal(err)
		} else if err := s.Mark(ctx, Key{"<old>", "id1", ""}, Mark{}); err != nil {
			t.Fatal(err)
		}
		s, err := open(disk.FailAt(m, i), "/deliver.db")
		if err == nil {
			err = s.Mark(ctx, k, Mark{UID: 9})
		}
		for _, d := range []*disk.Mem{m, m.Crash(uint64(i))} {
			after, oerr := open(d, "/deliver.db")
			if oerr != nil {
				t.Fatal(oerr)
			}
			got, ok, gerr := after.Check(ctx, k)
			_, old, _ := after.Check(ctx, Key{"<old>", "id1", ""})
			if gerr != nil || !old || ok && got.UID != 9 || !ok && err == nil {
				t.Errorf("fault %d: Mark = %v; then %+v, %v", i, err, got, gerr)
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
