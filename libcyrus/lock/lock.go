// Package lock locks files as Cyrus does (fcntl on the whole file), but with
// open-file-description locks, which belong to an open file instead of to a
// process, and with a fair queue for the goroutines of this process.
//
// Of all goroutines that want a lock only the head of its queue waits in the
// kernel, on a thread of its own; the others wait on a channel, with a
// deadline. A wait in the kernel is never interrupted: if its goroutine has
// given up, the lock goes to the next in line or is released. Readers of one
// open file share one kernel lock. A process that has kept a lock for
// maxHold or handed it on maxTurns times lets other processes have it.
package lock

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// Mode says who may hold a lock at the same time.
type Mode uint8

// Any number may hold a lock Shared, or one Exclusive.
const (
	Shared Mode = iota
	Exclusive
)

func (m Mode) String() string {
	if m == Exclusive {
		return "exclusive"
	}
	return "shared"
}

const (
	// DefaultWait is how long is waited if the context has no deadline.
	DefaultWait = 10 * time.Second
	// Measured against two processes that lock and unlock one file as
	// fast as they can: without these bounds one of them starves.
	maxHold  = 20 * time.Millisecond
	maxTurns = 64
	// letIn is how long a process that has had its share keeps away.
	letIn = time.Millisecond
	// slow is the wait from which the log has a line.
	slow = time.Second
	// maxIdle is how many locks are remembered, with their open name-lock
	// files, while nobody uses them.
	maxIdle = 1024
)

// Table is the locks of one process. Programs have one; two Tables behave
// to each other like two processes.
type Table struct {
	fs  disk.FS
	log *slog.Logger

	mu      sync.Mutex
	entries map[string]*entry
	idle    idleList // those that nobody uses
}

// NewTable returns a Table without locks. A nil log means slog.Default.
func NewTable(fsys disk.FS, log *slog.Logger) *Table {
	if log == nil {
		log = slog.Default()
	}
	t := &Table{fs: fsys, log: log, entries: map[string]*entry{}}
	t.idle.init()
	return t
}

// Held is a lock that is held.
type Held struct {
	e    *entry
	file disk.File
	mode Mode
}

// Mode is how it is held.
func (h *Held) Mode() Mode { return h.mode }

// Name locks the name-lock file at path, which is created if it does not
// exist, with its directories, and never removed. It stays open afterwards,
// so that the next lock costs one system call. The error is of kind
// errs.Locked if the context ended (or DefaultWait passed) first.
func (t *Table) Name(ctx context.Context, path string, mode Mode) (*Held, error) {
	e := t.entry(path)
	for {
		f, err := e.nameFile()
		if err != nil {
			t.leave(e)
			return nil, disk.Error("lock.Name", path, err)
		}
		h, err := e.acquire(ctx, f, mode)
		if err != nil {
			t.leave(e)
			return nil, err
		}
		if !removed(f) {
			return h, nil
		}
		// Somebody has removed the file: others would lock another one.
		e.forgetFile(f)
		h.unlock()
	}
}

// removed reports whether an open file has no name any more, or was closed.
func removed(f disk.File) bool {
	if fd := f.Fd(); fd != disk.NoFd {
		var st unix.Stat_t
		return unix.Fstat(int(fd), &st) != nil || st.Nlink == 0
	}
	fi, err := f.Stat()
	return err != nil || disk.Links(fi) == 0
}

// File locks an open file, which must stay open until Release. Key names
// the queue of this process, and is usually the path; what is locked is the
// file. Files of the same key exclude each other even if they differ.
func (t *Table) File(ctx context.Context, f disk.File, key string, mode Mode) (*Held, error) {
	e := t.entry(key)
	h, err := e.acquire(ctx, f, mode)
	if err != nil {
		t.leave(e)
	}
	return h, err
}

// OpenFile opens a file that others replace by renaming a new one over it,
// and locks it. When it returns, the locked file is the one that path names.
// The error is that of opening (fs.ErrNotExist) or of File.
func (t *Table) OpenFile(ctx context.Context, path string, flag int, mode Mode) (disk.File, *Held, error) {
	for {
		f, err := t.fs.OpenFile(path, flag, 0o666)
		if err != nil {
			return nil, nil, err
		}
		h, err := t.File(ctx, f, path, mode)
		if err != nil {
			f.Close()
			return nil, nil, err
		}
		same, err := t.Current(f, path)
		if same {
			return f, h, nil
		}
		h.Release()
		f.Close()
		if err != nil && !os.IsNotExist(err) { // if it has just been removed, opening decides
			return nil, nil, err
		}
	}
}

// Current reports whether path still names the open file f. An error of
// kind fs.ErrNotExist means that it names none.
func (t *Table) Current(f disk.File, path string) (bool, error) {
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := t.fs.Stat(path)
	if err != nil {
		return false, err
	}
	return disk.Inode(mine) == disk.Inode(there), nil
}

// Release gives the lock back. It must be called once.
func (h *Held) Release() {
	e := h.e
	h.unlock()
	e.t.leave(e)
}

// entry finds or makes the entry of key, and keeps it from being dropped
// until leave.
func (t *Table) entry(key string) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[key]
	if e == nil {
		e = &entry{t: t, key: key}
		t.entries[key] = e
	}
	if e.users == 0 {
		t.idle.remove(e)
	}
	e.users++
	return e
}

// use keeps e, which is in use already, from being dropped until leave.
func (t *Table) use(e *entry) {
	t.mu.Lock()
	e.users++
	t.mu.Unlock()
}

// leave ends a use of e. The last maxIdle unused entries are kept, with
// their open name-lock file.
func (t *Table) leave(e *entry) {
	t.mu.Lock()
	e.users--
	var drop *entry
	if e.users == 0 {
		if drop = t.idle.push(e); drop != nil {
			delete(t.entries, drop.key)
		}
	}
	t.mu.Unlock()
	if drop != nil && drop.file != nil {
		drop.file.Close()
	}
}

// Close closes the files kept open. No lock may be held.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := t.idle.pop(); e != nil; e = t.idle.pop() {
		delete(t.entries, e.key)
		if e.file != nil {
			e.file.Close()
		}
	}
}

// nameFile returns e's open name-lock file.
func (e *entry) nameFile() (disk.File, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file != nil {
		return e.file, nil
	}
	const flags = os.O_RDWR | os.O_CREATE | os.O_TRUNC
	f, err := e.t.fs.OpenFile(e.key, flags, 0o666)
	if os.IsNotExist(err) {
		if err = e.t.fs.MkdirAll(filepath.Dir(e.key), 0o755); err == nil {
			f, err = e.t.fs.OpenFile(e.key, flags, 0o666)
		}
	}
	if err == nil {
		e.file = f
	}
	return f, err
}

// forgetFile makes the next nameFile open the file again. f is closed when
// the last holder has let go of it.
func (e *entry) forgetFile(f disk.File) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.file == f {
		e.file = nil
		e.stale = append(e.stale, f)
	}
}

// timedOut is the error of a wait that took too long.
func (e *entry) timedOut(ctx context.Context, mode Mode) error {
	cause := context.Cause(ctx)
	if cause == nil {
		cause = context.DeadlineExceeded
	}
	return errs.New(errs.Locked, "lock."+mode.String(), e.key, cause)
}

// kernelLock is fcntl(F_OFD_SETLK or F_OFD_SETLKW).
func kernelLock(f disk.File, typ int16, wait bool) error {
	fd := f.Fd()
	if fd == disk.NoFd {
		return nil
	}
	cmd := unix.F_OFD_SETLK
	if wait {
		cmd = unix.F_OFD_SETLKW
	}
	for {
		err := unix.FcntlFlock(fd, cmd, &unix.Flock_t{Type: typ})
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EAGAIN, unix.EACCES: // POSIX allows either
			return unix.EAGAIN
		default:
			return &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}

func (m Mode) kernel() int16 {
	if m == Exclusive {
		return unix.F_WRLCK
	}
	return unix.F_RDLCK
}
