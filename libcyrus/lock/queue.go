package lock

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// entry is one lock: who holds it in this process and who waits.
//
// What the kernel holds for us follows from holders: each file in it is
// locked in mode, by one kernel lock.
type entry struct {
	t     *Table
	key   string
	users int // guarded by Table.mu, as are next and prev
	next  *entry
	prev  *entry

	mu      sync.Mutex
	file    disk.File   // name-lock file, nil for a lock of a caller's file
	stale   []disk.File // name-lock files that were removed under us
	mode    Mode        // of all holders
	holders []holder    // by file
	queue   []*waiter   // first in, first out
	asleep  bool        // the head waits in the kernel, or all wait for letIn
	since   time.Time   // when this process began to have the lock all the time
	turns   int         // how often it was taken or handed on since then
	left    time.Time   // when it was released last
}

type holder struct {
	f disk.File
	n int
}

type waiter struct {
	f      disk.File
	mode   Mode
	ready  chan error // capacity 1
	gaveUp bool
}

// acquire locks f.
func (e *entry) acquire(ctx context.Context, f disk.File, mode Mode) (*Held, error) {
	if ctx.Err() != nil {
		return nil, e.timedOut(ctx, mode)
	}
	e.mu.Lock()
	if len(e.queue) == 0 && !e.asleep && e.admits(mode) {
		err := e.take(f, mode)
		if err == nil {
			e.mu.Unlock()
			return &Held{e, f, mode}, nil
		}
		if err != unix.EAGAIN {
			e.mu.Unlock()
			return nil, disk.Error("lock.File", e.key, err)
		}
	}
	w := &waiter{f: f, mode: mode, ready: make(chan error, 1)}
	e.queue = append(e.queue, w)
	e.pump()
	e.mu.Unlock()
	return e.wait(ctx, w)
}

// wait waits until w has the lock or time is up.
func (e *entry) wait(ctx context.Context, w *waiter) (*Held, error) {
	select {
	case err := <-w.ready: // without any timer
		return e.held(w, err)
	default:
	}
	start := time.Now()
	limit, cancel := ctx, context.CancelFunc(func() {})
	if _, ok := ctx.Deadline(); !ok {
		limit, cancel = context.WithTimeout(ctx, DefaultWait)
	}
	defer cancel()
	late := time.NewTimer(slow)
	defer late.Stop()
	pid := 0
	var err error
	for done := false; !done; {
		select {
		case err = <-w.ready:
			done = true
		case <-late.C:
			pid = keeper(w.f, w.mode)
		case <-limit.Done():
			if err = e.giveUp(w); err != nil {
				err = e.timedOut(limit, w.mode)
			}
			done = true
		}
	}
	if d := time.Since(start); d > slow {
		e.t.log.LogAttrs(ctx, slog.LevelWarn, "lock wait", slog.String("lock", e.key),
			slog.String("mode", w.mode.String()), slog.Duration("waited", d.Round(time.Millisecond)),
			slog.Int("holder", pid), slog.Bool("got", err == nil))
	}
	return e.held(w, err)
}

// held is the lock that w has got, or why not.
func (e *entry) held(w *waiter, err error) (*Held, error) {
	if err != nil {
		var known *errs.Error
		if errors.As(err, &known) {
			return nil, err
		}
		return nil, disk.Error("lock.File", e.key, err)
	}
	return &Held{e, w.f, w.mode}, nil
}

// errGone is the error of a waiter that has given up.
var errGone = errors.New("gave up")

// giveUp takes w out of the queue. If it has just been answered, the answer counts.
func (e *entry) giveUp(w *waiter) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case err := <-w.ready:
		return err
	default:
	}
	w.gaveUp = true
	for i, o := range e.queue {
		if o == w {
			e.queue = append(e.queue[:i], e.queue[i+1:]...)
			break
		}
	}
	e.pump() // those behind w may be able to go
	return errGone
}

// admits reports whether a lock of this mode goes with those held here. More
// readers are not let in when this process has had its share and another
// one waits.
func (e *entry) admits(mode Mode) bool {
	if len(e.holders) == 0 {
		return true
	}
	if mode != Shared || e.mode != Shared {
		return false
	}
	if e.hadShare() {
		if wanted(e.holders[0].f) {
			return false
		}
		e.since, e.turns = time.Now(), 0
	}
	return true
}

// hadShare reports whether this process has kept the lock long enough.
func (e *entry) hadShare() bool {
	return e.turns >= maxTurns || e.turns > 0 && time.Since(e.since) > maxHold
}

// take adds a holder, locking f in the kernel if it is not locked yet. It
// does not wait: the error is EAGAIN if another process has the lock.
func (e *entry) take(f disk.File, mode Mode) error {
	for i := range e.holders {
		if e.holders[i].f == f {
			e.holders[i].n++
			e.turns++
			return nil
		}
	}
	if err := kernelLock(f, mode.kernel(), false); err != nil {
		return err
	}
	e.hold(f, mode)
	return nil
}

// hold notes a kernel lock that this process has got.
func (e *entry) hold(f disk.File, mode Mode) {
	e.turns++
	if len(e.holders) == 0 {
		if now := time.Now(); now.Sub(e.left) > letIn {
			e.since, e.turns = now, 0
		}
	}
	e.mode = mode
	e.holders = append(e.holders, holder{f, 1})
}

// unlock ends h's hold on the lock.
func (h *Held) unlock() {
	e := h.e
	e.mu.Lock()
	defer e.mu.Unlock()
	i := 0
	for e.holders[i].f != h.file {
		i++
	}
	if e.holders[i].n--; e.holders[i].n > 0 {
		return
	}
	if len(e.holders) == 1 && e.handOn(h.file) {
		return
	}
	e.holders = append(e.holders[:i], e.holders[i+1:]...)
	e.letGo(h.file)
	if len(e.holders) == 0 {
		e.left = time.Now()
		if e.hadShare() {
			e.since, e.turns = e.left, 0
			if !e.asleep && wanted(h.file) {
				e.keepAway()
			}
		}
	}
	e.pump()
}

// keepAway lets other processes have the lock for a moment.
func (e *entry) keepAway() {
	e.asleep = true
	time.AfterFunc(letIn, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.asleep = false
		e.pump()
	})
}

// letGo releases the kernel lock of a file.
func (e *entry) letGo(f disk.File) {
	if err := kernelLock(f, unix.F_UNLCK, false); err != nil {
		e.t.log.Error("unlock", "lock", e.key, "error", err)
	}
	for i, s := range e.stale {
		if s == f {
			e.stale = append(e.stale[:i], e.stale[i+1:]...)
			s.Close()
			return
		}
	}
}

// handOn gives the kernel lock, which the last holder has just left, to the
// head of the queue if it wants it on the same file.
func (e *entry) handOn(f disk.File) bool {
	if len(e.queue) == 0 || e.asleep || e.queue[0].f != f || e.hadShare() {
		return false
	}
	mode := e.queue[0].mode
	if mode != e.mode && kernelLock(f, mode.kernel(), false) != nil {
		return false
	}
	e.mode = mode
	e.holders[0].n = 1
	e.turns++
	e.grant()
	e.pump()
	return true
}

// grant tells the head of the queue that it has the lock.
func (e *entry) grant() {
	w := e.queue[0]
	e.queue = e.queue[1:]
	w.ready <- nil
}

// pump gives the lock to as many from the head of the queue as may have it,
// or sends the head to wait in the kernel.
func (e *entry) pump() {
	for !e.asleep && len(e.queue) > 0 && e.admits(e.queue[0].mode) {
		w := e.queue[0]
		switch err := e.take(w.f, w.mode); err {
		case nil:
			e.grant()
		case unix.EAGAIN:
			var fd int
			if fd, err = unix.FcntlInt(w.f.Fd(), unix.F_DUPFD_CLOEXEC, 0); err == nil {
				e.asleep = true
				e.t.use(e)
				go e.sleep(w, kernelFile{w.f, uintptr(fd)})
				return
			}
			fallthrough
		default:
			e.queue = e.queue[1:]
			w.ready <- err
		}
	}
}

// sleep waits in the kernel for w, the head of the queue. It has a
// duplicate, so that the caller may close its file when it has given up.
func (e *entry) sleep(w *waiter, dup kernelFile) {
	defer e.t.leave(e) // a lock that comes late must find this entry in use
	defer unix.Close(int(dup.fd))
	err := kernelLock(dup, w.mode.kernel(), true)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asleep = false
	switch {
	case err != nil && w.gaveUp:
	case err != nil:
		e.queue = e.queue[1:]
		w.ready <- err
	case !w.gaveUp:
		e.hold(w.f, w.mode)
		e.grant()
	case len(e.queue) > 0 && e.queue[0].f == w.f && len(e.holders) == 0 && e.queue[0].mode <= w.mode:
		kernelLock(dup, e.queue[0].mode.kernel(), false) // exclusive may become shared
		e.hold(w.f, e.queue[0].mode)
		e.grant()
	default:
		kernelLock(dup, unix.F_UNLCK, false)
	}
	e.pump()
}

// kernelFile is a file with another descriptor.
type kernelFile struct {
	disk.File
	fd uintptr
}

func (f kernelFile) Fd() uintptr { return f.fd }
