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
			if c.both {
				must(t, pair[1], name, c.second).Release()
			} else if try(t, pair[1], name, c.second) != nil {
				t.Fatalf("pair %d: %v beside %v", i, c.second, c.first)
			}
			h.Release()
			must(t, pair[1], name, c.second).Release()
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
// single goroutine, both get their share: after at most 64 turns each sleeps a
// millisecond, in which the other has its own.
func TestNobodyStarves(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.lock")
	const enough, tooMany = 100, 200_000
	var counts [2]atomic.Int64
	var wg sync.WaitGroup
	for i, workers := range []int{1, 8} {
		tab := newTable(t)
		for range workers {
			wg.Go(func() {
				for counts[i].Load() < tooMany && min(counts[0].Load(), counts[1].Load()) < enough {
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
	if min(counts[0].Load(), counts[1].Load()) < enough {
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

// TestOtherProcess has another process hold a POSIX lock, as Cyrus does, for
// longer than a second. The log names it.
func TestOtherProcess(t *testing.T) {
	if path := os.Getenv("LOCK_TEST_FILE"); path != "" {
		keep(path, unix.F_SETLKW)
	}
	name := filepath.Join(t.TempDir(), "x.lock")
	// Twice as long each time: this process may stand still after it has told
	// the other when to let go, or when it would look who that is.
	for hold := 1200 * time.Millisecond; ; hold *= 2 {
		pid, release := otherProcess(t, "LOCK_TEST_FILE="+name)
		var log bytes.Buffer
		tab := NewTable(disk.OS(), slog.New(slog.NewTextHandler(&log, nil)))
		time.AfterFunc(hold, release)
		must(t, tab, name, Exclusive).Release()
		want := fmt.Sprintf("holder=%d got=true", pid)
		if strings.Contains(log.String(), want) && strings.Contains(log.String(), name) {
			return
		}
		if hold > 10*time.Second {
			t.Fatalf("log %q lacks %q", log.String(), want)
		}
	}
}

// keep locks the file at path with an fcntl command, says so, and ends this
// process when its input ends.
func keep(path string, cmd int) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.FcntlFlock(f.Fd(), cmd, &unix.Flock_t{Type: unix.F_WRLCK})
	}
	fmt.Println("locked", err)
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// otherProcess starts the running test in another process with env, and waits until
// that has its lock. It returns its id, and what makes it let go.
func otherProcess(t *testing.T, env string) (pid int, release func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), env, "GORACE=atexit_sleep_ms=0")
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
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	line := make([]byte, 13)
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "locked <nil>\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	return cmd.Process.Pid, func() { in.Close() }
}

// TestKeeper has another process hold a lock of our kind, which the kernel does
// not tell.
func TestKeeper(t *testing.T) {
	if path := os.Getenv("LOCK_TEST_KEEP"); path != "" {
		keep(path, unix.F_OFD_SETLKW)
	}
	name := filepath.Join(t.TempDir(), "x.lock")
	holding, _ := otherProcess(t, "LOCK_TEST_KEEP="+name)
	f, err := disk.OS().OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if pid := owner(f, Shared); pid != -1 {
		t.Errorf("the kernel tells %d", pid)
	}
	if pid := keeper(f, Shared); pid != holding {
		t.Errorf("keeper %d, want %d", pid, holding)
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
