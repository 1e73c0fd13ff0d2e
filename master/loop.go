package main

import (
	"errors"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/master/pool"
)

const (
	// idleRound is the longest time between two rounds. Source: the
	// janitor's wake-up call in Cyrus master/master.c.
	idleRound = 10 * time.Second
	// messagesPerRound is how many messages of one service are taken before
	// others get their turn: a mad worker shall not stop the rest.
	messagesPerRound = 512
	// pipeMessages is how many messages a pipe can hold, about.
	pipeMessages = 64 << 10 / pool.MessageSize
	// In panicSpan there may be maxPanics rounds that end in a panic, which
	// is a fault of ours; then master ends, to be started afresh.
	maxPanics = 5
	panicSpan = time.Minute
)

// round is one turn of the main loop: it waits for something to happen, but
// not longer than until the deadline (zero: there is none), and does all
// there is to do.
func (m *master) round(deadline time.Time) {
	defer m.survive()
	m.wait(deadline)
	m.takeSignals()
	if m.ready && !m.stopping {
		m.runEvents()
	}
	m.reap()
	m.staff()
	m.retryBinds()
	m.removeFinished()
	m.sweep()
	m.report()
}

// survive logs a panic with its stack and goes on: clients that are being
// served need not suffer from our mistake. It stops if there are many.
func (m *master) survive() {
	r := recover()
	if r == nil {
		return
	}
	m.critf("panic: %v\n%s", r, debug.Stack())
	t := time.Now()
	m.panics = slices.DeleteFunc(append(m.panics, t), func(p time.Time) bool { return t.Sub(p) > panicSpan })
	if len(m.panics) >= maxPanics {
		panic(r)
	}
}

// until goes round until done reports true, the deadline (if not zero) has
// passed, or the start is over for another reason.
func (m *master) until(done func() bool, deadline time.Time) {
	for !done() && m.proceed() && (deadline.IsZero() || time.Now().Before(deadline)) {
		m.round(deadline)
	}
}

// takeSignals does what signals have asked for since the last round.
func (m *master) takeSignals() {
	if m.signals.quit.Swap(false) {
		m.beginStop()
	}
	if m.ready && !m.stopping && m.signals.hup.Swap(false) {
		m.noticef("got SIGHUP")
		m.reload()
	}
}

// reap takes note of processes that have ended, after their messages.
func (m *master) reap() {
	if !m.signals.child.Swap(false) {
		return
	}
	type end struct {
		pid    int
		status unix.WaitStatus
	}
	var ends []end
	for {
		var w unix.WaitStatus
		pid, err := unix.Wait4(-1, &w, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			break
		}
		ends = append(ends, end{pid, w})
	}
	if len(ends) > 0 {
		for _, u := range m.units {
			m.readMessages(u, pipeMessages)
		}
	}
	for _, e := range ends {
		m.ended(e.pid, e.status)
	}
}

// ended takes note of one process that has ended.
func (m *master) ended(pid int, w unix.WaitStatus) {
	if f, ok := m.awaited[pid]; ok {
		delete(m.awaited, pid)
		f(w)
		return
	}
	if s := m.table.Owner(pid); s != nil && s.Class == pool.Database && !m.ready && w.ExitStatus() == exConfig {
		m.giveUp(databaseName+" cannot work with this configuration and these databases", exConfig)
	}
	if s := m.table.Exited(pid, waitStatus(w)); s != nil {
		if u := m.unitOf(s); u != nil {
			u.closeSocket(false)
		}
	}
}

func waitStatus(w unix.WaitStatus) syscall.WaitStatus { return syscall.WaitStatus(w) }

// staff starts the processes that services lack. Before the start is over
// that is the database's alone.
func (m *master) staff() {
	if m.stopping || m.broken {
		return
	}
	for _, u := range slices.Clone(m.units) {
		if !m.ready && (u.Class != pool.Database || m.starting == u) {
			continue
		}
		if u.Class == pool.Listener && u.sock < 0 {
			continue
		}
		for range m.table.Wanted(u.Service) {
			if !m.table.May(u.Service) || m.signals.quit.Load() {
				break
			}
			m.spawn(u)
		}
	}
}

// wait waits until something happens, and takes messages and clients.
func (m *master) wait(deadline time.Time) {
	var fds []unix.PollFd
	var do []func()
	add := func(fd int, f func()) {
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		do = append(do, f)
	}
	add(m.signals.wakeR, m.signals.drain)
	for _, w := range m.watches {
		add(w.fd, w.read)
	}
	for _, u := range m.units {
		if u.statR >= 0 {
			add(u.statR, func() { m.readMessages(u, messagesPerRound) })
		}
		if m.ready && u.sock >= 0 && m.table.Listening(u.Service) {
			add(u.sock, func() { m.knock(u) })
		}
	}
	n, err := unix.Poll(fds, m.patience(deadline))
	if err != nil && !again(err) {
		m.critf("select failed: %s", text(err))
		time.Sleep(time.Second)
	}
	for i := range fds {
		if n > 0 && fds[i].Revents != 0 {
			do[i]()
		}
	}
}

// knock starts a process for a client who waits for one.
func (m *master) knock(u *unit) {
	if u.sock >= 0 && m.table.Listening(u.Service) {
		m.spawn(u)
	}
}

// again reports whether a system call may simply be tried again later.
func again(err error) bool { return errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) }

// patience returns how long to wait at most, in milliseconds.
func (m *master) patience(deadline time.Time) int {
	d := idleRound
	if m.signals.any() {
		d = 0
	}
	earlier := func(t time.Time) {
		if !t.IsZero() {
			d = min(d, time.Until(t))
		}
	}
	earlier(deadline)
	if !m.stopping {
		earlier(m.table.NextWake())
		if m.ready {
			earlier(m.schedule.Next())
			earlier(m.reports.next)
		}
		for _, p := range m.pending {
			earlier(p.next)
		}
	}
	return int((max(d, 0) + time.Millisecond - 1) / time.Millisecond)
}

// readMessages takes up to limit messages of the workers of u.
func (m *master) readMessages(u *unit, limit int) {
	buf := make([]byte, messagesPerRound*pool.MessageSize)
	for limit > 0 && u.statR >= 0 {
		n, err := unix.Read(u.statR, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil && !again(err) {
			m.errorf("error while receiving message from child %x: %s", slices.Index(m.units, u), text(err))
		}
		if n <= 0 {
			return
		}
		all, rest := pool.DecodeMessages(buf[:n])
		for _, msg := range all {
			m.table.Message(u.Service, msg)
		}
		if rest > 0 {
			m.errorf("got incorrectly sized response from child: %x", slices.Index(m.units, u))
		}
		if n < len(buf) {
			return
		}
		limit -= len(all)
	}
}

// sweep runs the janitor as often as -j says, at most.
func (m *master) sweep() {
	if t := time.Now(); t.Sub(m.swept) >= time.Second/time.Duration(max(m.opt.sweeps, 1)) {
		m.swept = t
		m.table.Sweep()
	}
}

// watch makes the loop wait for a descriptor too, until the function that
// it returns is called.
func (m *master) watch(fd int, read func()) (unwatch func()) {
	m.watches = append(m.watches, watch{fd, read})
	return func() {
		m.watches = slices.DeleteFunc(slices.Clone(m.watches), func(w watch) bool { return w.fd == fd })
	}
}
