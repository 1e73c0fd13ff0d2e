package lock

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

func newTable(t testing.TB) *Table {
	t.Helper()
	tab := NewTable(disk.OS(), slog.New(slog.DiscardHandler))
	t.Cleanup(tab.Close)
	return tab
}

// try locks name with a short deadline, and returns nil if it is taken.
func try(t testing.TB, tab *Table, name string, mode Mode) *Held {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	h, err := tab.Name(ctx, name, mode)
	if err != nil && !errs.Is(err, errs.Locked) {
		t.Fatal(err)
	}
	return h
}

func must(t testing.TB, tab *Table, name string, mode Mode) *Held {
	t.Helper()
	h, err := tab.Name(t.Context(), name, mode)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestWhoMayShare checks every pair of modes, inside one process and between two.
func TestWhoMayShare(t *testing.T) {
	a, b := newTable(t), newTable(t)
	mem := NewTable(disk.NewMem(), nil)
	name := filepath.Join(t.TempDir(), "lock/u/user.fred.lock")
	for _, c := range []struct {
		first, second Mode
		both          bool
	}{
		{Shared, Shared, true},
		{Shared, Exclusive, false},
		{Exclusive, Shared, false},
		{Exclusive, Exclusive, false},
	} {
		for i, pair := range [][2]*Table{{a, a}, {a, b}, {mem, mem}} {
			h := must(t, pair[0], name, c.first)
			h2 := try(t, pair[1], name, c.second)
			if (h2 != nil) != c.both {
				t.Errorf("pair %d: %v, then %v: %v", i, c.first, c.second, h2 != nil)
			}
			h.Release()
			if h2 == nil {
				h2 = try(t, pair[1], name, c.second)
			}
			if h2 == nil {
				t.Fatalf("pair %d: %v is not free after %v", i, c.second, c.first)
			}
			h2.Release()
		}
	}
}

func TestDeadlineAndCancel(t *testing.T) {
	tab := newTable(t)
	name := filepath.Join(t.TempDir(), "x.lock")
	h := must(t, tab, name, Exclusive)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tab.Name(ctx, name, Shared); !errs.Is(err, errs.Locked) {
		t.Errorf("cancelled: %v", err)
	}
	// A writer that gives up must not hold up the readers behind it.
	h.Release()
	h = must(t, tab, name, Shared)
	writer := make(chan *Held)
	go func() { writer <- try(t, tab, name, Exclusive) }()
	time.Sleep(10 * time.Millisecond)
	must(t, tab, name, Shared).Release()
	if <-writer != nil {
		t.Error("the writer got in")
	}
	h.Release()
}

// TestLateLock: the kernel wait of somebody who gave up ends with a lock,
// which goes to the next in line, or is released.
func TestLateLock(t *testing.T) {
	for _, next := range []bool{false, true} {
		a, b := newTable(t), newTable(t)
		name := filepath.Join(t.TempDir(), "x.lock")
		h := must(t, b, name, Exclusive)
		if try(t, a, name, Exclusive) != nil {
			t.Fatal("two have it")
		}
		got := make(chan *Held, 1)
		if next {
			go func() { h, _ := a.Name(context.Background(), name, Shared); got <- h }()
			time.Sleep(10 * time.Millisecond)
		}
		h.Release()
		if next {
			(<-got).Release()
		}
		must(t, b, name, Exclusive).Release()
		must(t, a, name, Exclusive).Release()
	}
}

// TestFileClosedAfterGivingUp: the thread in the kernel has its own descriptor.
func TestFileClosedAfterGivingUp(t *testing.T) {
	a, b := newTable(t), newTable(t)
	name := filepath.Join(t.TempDir(), "cyrus.index")
	f1, _ := disk.OS().OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	defer f1.Close()
	h, err := b.File(t.Context(), f1, name, Exclusive)
	if err != nil {
		t.Fatal(err)
	}
	f2, _ := disk.OS().OpenFile(name, os.O_RDWR, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := a.File(ctx, f2, name, Exclusive); !errs.Is(err, errs.Locked) {
		t.Fatal(err)
	}
	f2.Close()
	h.Release()
	f3, _ := disk.OS().OpenFile(name, os.O_RDWR, 0)
	defer f3.Close()
	h, err = a.File(t.Context(), f3, name, Exclusive)
	if err != nil {
		t.Fatal(err)
	}
	h.Release()
}

// TestReadersOfDifferentFiles: each reader has opened the file for itself;
// when one lets go the other's lock must stay.
func TestReadersOfDifferentFiles(t *testing.T) {
	a, b := newTable(t), newTable(t)
	name := filepath.Join(t.TempDir(), "cyrus.index")
	var held []*Held
	for range 3 {
		f, err := disk.OS().OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for range 2 {
			h, err := a.File(t.Context(), f, name, Shared)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, h)
		}
	}
	for _, h := range held {
		if try(t, b, name, Exclusive) != nil {
			t.Fatal("a reader has lost its lock")
		}
		h.Release()
	}
	must(t, b, name, Exclusive).Release()
}

// TestCounter lets many goroutines in two "processes" count without losing any.
func TestCounter(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.lock")
	var inside, readers atomic.Int32
	total := 0
	var wg sync.WaitGroup
	for i := range 2 {
		tab := newTable(t)
		for j := range 8 {
			wg.Go(func() {
				for k := range 100 {
					mode := Exclusive
					if (i+j+k)%3 == 0 {
						mode = Shared
					}
					h := must(t, tab, name, mode)
					if mode == Exclusive {
						if inside.Add(1) != 1 || readers.Load() != 0 {
							t.Error("a writer is not alone")
						}
						total++
						inside.Add(-1)
					} else {
						readers.Add(1)
						if inside.Load() != 0 {
							t.Error("a reader beside a writer")
						}
						readers.Add(-1)
					}
					h.Release()
				}
			})
		}
	}
	wg.Wait()
	if total < 1000 {
		t.Errorf("counted %d", total)
	}
}

// TestNobodyStarves: two processes that lock as fast as they can, one with a
// single goroutine, both get their share.
func TestNobodyStarves(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.lock")
	var counts [2]atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for i, workers := range []int{1, 8} {
		tab := newTable(t)
		for range workers {
			wg.Go(func() {
				for ctx.Err() == nil {
					h, err := tab.Name(t.Context(), name, Exclusive)
					if err != nil {
						t.Error(err)
						return
					}
					counts[i].Add(1)
					h.Release()
				}
			})
		}
	}
	wg.Wait()
	// One starved has 0 or 1; at 1 ms per 64 turns each should have 50 or more.
	if counts[0].Load() < 10 || counts[1].Load() < 10 {
		t.Errorf("turns: %d and %d", counts[0].Load(), counts[1].Load())
	}
}

// TestRemovedLockFile: somebody removes the file; all must lock the new one.
func TestRemovedLockFile(t *testing.T) {
	a, b := newTable(t), newTable(t)
	name := filepath.Join(t.TempDir(), "x.lock")
	must(t, a, name, Exclusive).Release()
	os.Remove(name)
	h := must(t, b, name, Exclusive)
	if try(t, a, name, Exclusive) != nil {
		t.Error("a locked the removed file")
	}
	h.Release()
	must(t, a, name, Exclusive).Release()
}

func TestIdleFilesAreBounded(t *testing.T) {
	tab := newTable(t)
	dir := t.TempDir()
	for i := range maxIdle + 100 {
		must(t, tab, fmt.Sprintf("%s/%d.lock", dir, i), Shared).Release()
	}
	if len(tab.entries) != maxIdle {
		t.Errorf("%d locks are remembered", len(tab.entries))
	}
	must(t, tab, dir+"/0.lock", Exclusive).Release()
}

func TestOpenFileFollowsReplacement(t *testing.T) {
	a, b := newTable(t), newTable(t)
	name := filepath.Join(t.TempDir(), "x.db")
	if _, _, err := a.OpenFile(t.Context(), name, os.O_RDWR, Shared); !os.IsNotExist(err) {
		t.Fatal(err)
	}
	disk.Replace(disk.OS(), name, []byte("old"), 0o600)
	f, h, err := a.OpenFile(t.Context(), name, os.O_RDWR, Exclusive)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	go func() {
		f, h, err := b.OpenFile(context.Background(), name, os.O_RDWR, Shared)
		if err != nil {
			done <- err.Error()
			return
		}
		defer f.Close()
		defer h.Release()
		buf := make([]byte, 10)
		n, _ := f.ReadAt(buf, 0)
		done <- string(buf[:n])
	}()
	time.Sleep(20 * time.Millisecond)
	disk.Replace(disk.OS(), name, []byte("new"), 0o600)
	h.Release()
	f.Close()
	if got := <-done; got != "new" {
		t.Errorf("locked a file with %q", got)
	}
}

// TestOtherProcess has another process hold a POSIX lock, as Cyrus does.
// The log names it.
func TestOtherProcess(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.lock")
	if path := os.Getenv("LOCK_TEST_FILE"); path != "" {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err == nil {
			err = unix.FcntlFlock(f.Fd(), unix.F_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK})
		}
		fmt.Println("locked", err)
		time.Sleep(1200 * time.Millisecond)
		os.Exit(0)
	}
	cmd := exec.Command(os.Args[0], "-test.run=TestOtherProcess")
	cmd.Env = append(os.Environ(), "LOCK_TEST_FILE="+name)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	line := make([]byte, 13)
	out.Read(line)
	if !strings.HasPrefix(string(line), "locked <nil>") {
		t.Fatalf("child says %q", line)
	}
	var log bytes.Buffer
	tab := NewTable(disk.OS(), slog.New(slog.NewTextHandler(&log, nil)))
	must(t, tab, name, Exclusive).Release()
	want := fmt.Sprintf("holder=%d got=true", cmd.Process.Pid)
	if !strings.Contains(log.String(), want) || !strings.Contains(log.String(), name) {
		t.Errorf("log %q lacks %q", log.String(), want)
	}
}

// TestKeeper has another process hold a lock of our kind, which the kernel does
// not tell.
func TestKeeper(t *testing.T) {
	if path := os.Getenv("LOCK_TEST_KEEP"); path != "" {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err == nil {
			err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK})
		}
		fmt.Println("locked", err)
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	name := filepath.Join(t.TempDir(), "x.lock")
	cmd := exec.Command(os.Args[0], "-test.run=TestKeeper$")
	cmd.Env = append(os.Environ(), "LOCK_TEST_KEEP="+name)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	line := make([]byte, 13)
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "locked <nil>\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	f, err := disk.OS().OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if pid := owner(f, Shared); pid != -1 {
		t.Errorf("the kernel tells %d", pid)
	}
	if pid := keeper(f, Shared); pid != cmd.Process.Pid {
		t.Errorf("keeper %d, want %d", pid, cmd.Process.Pid)
	}
}

func BenchmarkName(b *testing.B) {
	for _, mode := range []Mode{Shared, Exclusive} {
		b.Run(mode.String(), func(b *testing.B) {
			tab := newTable(b)
			name := filepath.Join(b.TempDir(), "x.lock")
			b.ReportAllocs()
			for b.Loop() {
				h, err := tab.Name(context.Background(), name, mode)
				if err != nil {
					b.Fatal(err)
				}
				h.Release()
			}
		})
	}
}

func BenchmarkContended(b *testing.B) {
	tab := newTable(b)
	name := filepath.Join(b.TempDir(), "x.lock")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h, err := tab.Name(context.Background(), name, Exclusive)
			if err != nil {
				b.Fatal(err)
			}
			h.Release()
		}
	})
}
