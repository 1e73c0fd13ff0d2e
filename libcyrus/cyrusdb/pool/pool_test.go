package pool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
)

var ctx = context.Background()

func newPool(m *disk.Mem, max int) *Pool {
	return New(m, lock.NewTable(m, slog.New(slog.DiscardHandler)), "twoskip", max)
}

// add counts up the number under a key.
func add(p *Pool, path string) error {
	return p.Change(ctx, path, []byte("n"), func(old []byte) ([]byte, error) {
		return append(old[:len(old):len(old)], 'x'), nil
	})
}

func length(t *testing.T, p *Pool, path string) (n int) {
	t.Helper()
	err := p.Read(path, func(db cyrusdb.DB) error {
		v, err := db.Get(ctx, []byte("n"))
		n = len(v)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestPool(t *testing.T) {
	m := disk.NewMem()
	p := newPool(m, 3)
	if err := p.Use("/a/none", 0, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing database: %v", err)
	}
	if err := p.Read("/a/none", func(cyrusdb.DB) error { return errors.New("called") }); err != nil {
		t.Error(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 8 {
				if err := add(p, fmt.Sprintf("/a/%d", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		if n := length(t, p, fmt.Sprintf("/a/%d", i)); n != 4 {
			t.Errorf("%d: %d changes of 4", i, n)
		}
	}
	if len(p.open) > 4 {
		t.Errorf("%d databases are open", len(p.open))
	}
	// a file that is removed while it is kept open is gone
	if err := m.Remove("/a/7"); err != nil {
		t.Fatal(err)
	}
	if n := length(t, p, "/a/7"); n != 0 {
		t.Errorf("%d from a removed file", n)
	}
	if err := p.Close(); err != nil || len(p.open) != 0 {
		t.Errorf("%v, %d open", err, len(p.open))
	}
}

func TestEdit(t *testing.T) {
	p := newPool(disk.NewMem(), 1)
	defer p.Close()
	failed := errors.New("no")
	for _, c := range []struct {
		give []byte
		err  error
		want int
	}{{[]byte("ab"), nil, 2}, {[]byte("abc"), failed, 2}, {[]byte{}, nil, 0}} {
		err := p.Change(ctx, "/a", []byte("n"), func([]byte) ([]byte, error) { return c.give, c.err })
		if !errors.Is(err, c.err) || length(t, p, "/a") != c.want {
			t.Errorf("%q: %v, %d", c.give, err, length(t, p, "/a"))
		}
	}
	if err := p.Change(ctx, "/a", []byte("n"), func([]byte) ([]byte, error) { return nil, nil }); err != nil {
		t.Error(err)
	}
	err := p.Use("/a", 0, func(db cyrusdb.DB) error { _, err := db.Get(ctx, []byte("n")); return err })
	if !errors.Is(err, cyrusdb.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}
