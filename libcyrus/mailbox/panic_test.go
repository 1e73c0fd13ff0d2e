package mailbox

import (
	"context"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gocyrus/libcyrus/disk"
)

// panicFS panics at the n'th read or write of an index from now on.
type panicFS struct {
	disk.FS
	reads, writes atomic.Int32 // 0: never
}

type panicFile struct {
	disk.File
	fs *panicFS
}

func (p *panicFS) OpenFile(name string, flag int, mode fs.FileMode) (disk.File, error) {
	f, err := p.FS.OpenFile(name, flag, mode)
	if err == nil && strings.HasSuffix(name, "/cyrus.index") {
		return panicFile{f, p}, nil
	}
	return f, err
}

func due(n *atomic.Int32) {
	if n.Load() > 0 && n.Add(-1) == 0 {
		panic("a fault of ours")
	}
}

func (f panicFile) ReadAt(b []byte, off int64) (int, error) {
	due(&f.fs.reads)
	return f.File.ReadAt(b, off)
}

func (f panicFile) WriteAt(b []byte, off int64) (int, error) {
	due(&f.fs.writes)
	return f.File.WriteAt(b, off)
}

// panics calls fn and reports whether it panicked.
func panics(fn func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	fn()
	return false
}

// TestPanic lets each read and write of an index panic in turn: locks are
// released, changes are void or whole, and the process is told when it had a
// mailbox locked exclusively.
func TestPanic(t *testing.T) {
	for _, op := range []string{"read", "write"} {
		for n := int32(1); ; n++ {
			if n > 200 {
				t.Fatal("no end")
			}
			p := &panicFS{FS: disk.NewMem()}
			e := newEnv(t, p, "/s")
			told := 0
			e.s.o.Panicked = func(Ref) { told++ }
			e.create(inbox)
			e.mustAppend(inbox, 1, 2, 3)
			armed := &p.reads
			if op == "write" {
				armed = &p.writes
			}
			armed.Store(n)
			opened := false
			yes := panics(func() {
				m, err := e.s.Open(context.Background(), inbox, Write)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				opened = true
				var all []Record
				if all, err = m.Records(all, 1, 10); err != nil {
					t.Error(err)
				}
				for i := range all {
					all[i].Flags |= Flagged
					if err := m.Rewrite(&all[i]); err != nil {
						t.Error(err)
					}
				}
				if err := m.Commit(context.Background()); err != nil {
					t.Error(err)
				}
			})
			armed.Store(0)
			if !yes {
				if n == 1 {
					t.Errorf("no %s", op)
				}
				break
			}
			if told != 1 {
				t.Errorf("%s %d (open %v): told %d times", op, n, opened, told)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			m, err := e.s.Open(ctx, inbox, Exclusive)
			if err != nil {
				t.Fatalf("%s %d: %v", op, n, err)
			}
			if h := m.Header(); h.dirty() || h.Exists != 3 || h.Flagged != 0 && h.Flagged != 3 {
				t.Errorf("%s %d: %+v", op, n, h)
			}
			m.Close()
			cancel()
			e.mustAppend(inbox, 4)
			e.check(inbox)
		}
	}
}
