package pool

import (
	"log/slog"
	"strings"
	"syscall"
	"time"
)

// killed is the exit status of a worker that was told to leave
// (EX_TEMPFAIL of sysexits.h).
const killed = 75

// LogExit logs how the process pid ended, and reports whether it failed.
// kind is what Description returned, started when it was started.
func (t *Table) LogExit(desc string, pid int, started time.Time, w syscall.WaitStatus) (failed bool) {
	return t.logExit((&Child{desc: desc, started: started}).describe(pid, time.Now()), w)
}

// logExit logs how a process ended.
//
// Source: decode_wait_status in Cyrus master/master.c.
func (t *Table) logExit(who string, w syscall.WaitStatus) (failed bool) {
	if w.Signaled() {
		core := ""
		if w.CoreDump() {
			core = ", core dumped"
		}
		t.logf(slog.LevelError, "%s signaled to death by signal %d (%s%s)", who, int(w.Signal()), SignalText(w.Signal()), core)
		return true
	}
	switch code := w.ExitStatus(); code {
	case 0:
		t.logf(slog.LevelDebug, "%s exited normally", who)
	case killed:
		t.logf(slog.LevelDebug, "%s was killed", who)
	default:
		t.logf(slog.LevelError, "%s exited, status %d", who, code)
		return true
	}
	return false
}

// SignalText returns the C library's text for a signal.
func SignalText(s syscall.Signal) string {
	text := s.String()
	return strings.ToUpper(text[:1]) + text[1:]
}

// Exited records that the process pid has ended. All its messages must have
// been taken before. If that made the table give up a service, it is
// returned, and its socket should be closed.
//
// Source: reap_child in Cyrus master/master.c.
func (t *Table) Exited(pid int, w syscall.WaitStatus) (disabled *Service) {
	now := time.Now()
	c := t.children[pid]
	failed := t.logExit(c.describe(pid, now), w)
	if c == nil {
		t.logf(slog.LevelError, "received SIGCHLD from unknown child pid %d, ignoring", pid)
		return nil
	}
	if w.Signaled() && w.Signal() == syscall.SIGHUP && c.hungUp {
		failed = false // it did what it was told, the hard way
	}
	s := c.svc
	if s == nil {
		c.state, c.diedAt = Dead, now
		return nil
	}
	if t.leave(s, c, failed, now) {
		disabled = s
	}
	c.state, c.diedAt = Dead, now
	t.readyNow(s)
	return disabled
}

// leave takes c out of the counts of s and reports whether s was given up.
func (t *Table) leave(s *Service, c *Child, failed bool, now time.Time) (disabled bool) {
	if c.state == Dead {
		t.logf(slog.LevelWarn, "service %s/%s pid %d in DEAD state: receiving duplicate signals", s.Name, s.Family, c.PID)
		return false
	}
	s.active--
	if c.draining {
		s.draining--
	}
	s.freeSlot(c.slot)
	if c.state == Ready {
		s.ready--
	}
	failed = failed && !t.stopping
	short := !c.served && !c.hungUp && now.Sub(c.started) < shortLife
	if failed {
		t.died(s, c)
	}
	if s.Class == Database {
		s.again(now, now.Sub(c.started) < maxFailGap)
		return false
	}
	if failed && !c.served {
		return t.readyFail(s, now)
	}
	t.shortLived(s, short, now)
	return false
}

// died logs that c should not have ended. That a client was cut off is in
// the worker's own log.
func (t *Table) died(s *Service, c *Child) {
	kind, level := "service", slog.LevelWarn
	if s.Class >= WaitDaemon {
		kind = "daemon"
	}
	if c.state == Busy && c.served {
		level = slog.LevelDebug
	}
	t.logf(level, "%s %s/%s pid %d in %s state: terminated abnormally", kind, s.Name, s.Family, c.PID, c.state)
}

// readyFail counts the death of a process that has served nobody, and
// reports whether s is given up because of it. The state does not matter:
// a worker that can't begin says that it is unavailable before it ends, and
// Cyrus's master starts the next for ever.
func (t *Table) readyFail(s *Service, now time.Time) (disabled bool) {
	if now.Sub(s.lastFail) > maxFailGap {
		s.readyFails = 0
	}
	s.lastFail = now
	s.readyFails++
	if s.readyFails < maxReadyFails || !s.enabled {
		return false
	}
	if s.Class == WaitDaemon {
		t.logf(slog.LevelError, "daemon %s/%s is repeatedly failing", s.Name, s.Family)
		return false
	}
	t.logf(slog.LevelError, "too many failures for service %s/%s, disabling until next SIGHUP", s.Name, s.Family)
	s.enabled = false
	return true
}

// shortLived counts processes that leave as soon as they have come, and
// slows s down when there are many.
func (t *Table) shortLived(s *Service, short bool, now time.Time) {
	if !short {
		s.shortLives = 0
		return
	}
	s.shortLives++
	if s.shortLives == manyShort {
		t.logf(slog.LevelWarn, "service %s/%s: workers leave as soon as they are started; starting one a second", s.Name, s.Family)
	}
	if s.shortLives >= manyShort {
		s.hold(now, shortLife)
	}
}

// again sets when a Database is started again: at once after a long life,
// then later and later.
func (s *Service) again(now time.Time, short bool) {
	if !short {
		s.backoff = 0
	}
	if s.backoff > 0 {
		s.hold(now, s.backoff)
	}
	s.backoff = min(max(2*s.backoff, minBackoff), maxBackoff)
}
