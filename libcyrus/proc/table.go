package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

// Table is this process's share of the list. Its methods may be called by
// many goroutines.
type Table struct {
	dir    string
	single bool // one session per process: its number is the process id

	mu   sync.Mutex // guards what follows
	free []int      // numbers that may be given
}

// NewTable returns the table of this process in dir, which is created if
// need be, and removes what processes that are no more have left there, also
// one that had the same number. With single, there is at most one session at a time, and it is
// named by the process id as in Cyrus.
func NewTable(dir string, single bool) (*Table, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	pid := os.Getpid()
	sweep(dir, pid)
	t := &Table{dir: dir, single: single}
	if single {
		t.free = []int{pid}
	} else {
		t.free = block(pid)
	}
	return t, nil
}

// Dir is the directory of the list.
func (t *Table) Dir() string { return t.dir }

// block returns the numbers that belong to process or thread id, the
// lowest last, so that they are given first.
func block(id int) []int {
	numbers := make([]int, 0, lastBlock-firstBlock+1)
	for i := lastBlock; i >= firstBlock; i-- {
		numbers = append(numbers, i*stride+id)
	}
	return numbers
}

// take returns a number for a session. When those of the process id are
// all in use, it takes the id of a thread that then lives as long as the
// process: thread and process ids are one space.
func (t *Table) take() (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.free) == 0 {
		if t.single {
			return 0, errors.New("proc: one session at a time")
		}
		t.free = block(newThread())
	}
	n := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	return n, nil
}

// newThread starts a thread that does nothing and returns its id.
func newThread() int {
	id := make(chan int)
	go func() {
		runtime.LockOSThread()
		if syscall.Gettid() == os.Getpid() {
			// The first thread has the number of the process: while it is
			// held here, the next try gets another.
			id <- newThread()
			runtime.UnlockOSThread()
			return
		}
		id <- syscall.Gettid()
		select {}
	}()
	return <-id
}

// Slot is one session's place in the list. The zero value is not usable.
type Slot struct {
	table  *Table
	number int

	mu      sync.Mutex // guards written
	written string
}

// Open takes a place for a session. Nothing is written before Set.
func (t *Table) Open() (*Slot, error) {
	n, err := t.take()
	if err != nil {
		return nil, err
	}
	return &Slot{table: t, number: n}, nil
}

// Number is the name of the session's file.
func (s *Slot) Number() int { return s.number }

// Set writes e (its Number is not looked at), so that a reader sees the
// old line or the new one. It does nothing if e is what was written last.
func (s *Slot) Set(e Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := e.line()
	if line == s.written {
		return nil
	}
	name := s.name()
	err := os.WriteFile(name+".new", []byte(line), 0o644)
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		_ = os.Remove(name + ".new") // it may not be there
		return fmt.Errorf("proc: %w", err)
	}
	s.written = line
	return nil
}

// Close removes the session's file and gives its number back. The slot
// must not be used after it.
func (s *Slot) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written != "" {
		_ = os.Remove(s.name()) // somebody may have cleaned up
	}
	s.table.mu.Lock()
	s.table.free = append(s.table.free, s.number)
	s.table.mu.Unlock()
}

func (s *Slot) name() string {
	return filepath.Join(s.table.dir, strconv.Itoa(s.number))
}
