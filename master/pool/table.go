package pool

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Table is every service and every process. Make one with New.
type Table struct {
	log      *slog.Logger
	verbose  int // as many as -v were given
	services []*Service
	children map[int]*Child // by pid, until deadFor after their death
	stopping bool
}

// New returns an empty table. From verbose 1 on each change of a worker is
// logged at debug level.
func New(log *slog.Logger, verbose int) *Table {
	return &Table{log: log, verbose: verbose, children: map[int]*Child{}}
}

func (t *Table) logf(level slog.Level, format string, args ...any) {
	t.log.Log(context.Background(), level, fmt.Sprintf(format, args...))
}

// Services returns all services, in the order of Add.
func (t *Table) Services() []*Service { return t.services }

// Add makes s, whose exported fields are filled, known and enabled.
func (t *Table) Add(s *Service, set Settings) {
	s.intervalStart = time.Now()
	t.services = append(t.services, s)
	t.Configure(s, set)
}

// Configure gives s new settings, enables it, and forgets its failures.
func (t *Table) Configure(s *Service, set Settings) {
	if s.daemon() {
		set.Prefork, set.MaxChild, set.MaxClients, set.DefaultClients = 1, 1, 0, 0
		set.Babysit = true
	}
	if set != s.set {
		s.single = false // what runs now may be another program
	}
	s.set, s.enabled = set, true
	s.readyFails, s.shortLives, s.backoff = 0, 0, 0
	s.notBefore = time.Time{}
}

// Disable keeps s from having new processes; those that live go on.
func (t *Table) Disable(s *Service) { s.enabled = false }

// Removable reports whether s is disabled and its last process is gone.
func (t *Table) Removable(s *Service) bool { return !s.enabled && s.active == 0 }

// Remove forgets s, which must be Removable.
func (t *Table) Remove(s *Service) {
	t.services = slices.DeleteFunc(t.services, func(x *Service) bool { return x == s })
}

// Stop makes the table expect all processes to die.
func (t *Table) Stop() { t.stopping = true }

// Living returns the number of live processes of services that are to be
// waited for before wait daemons are stopped.
func (t *Table) Living() (n int) {
	for _, s := range t.services {
		if s.Class == Listener || s.Class == Daemon {
			n += s.active
		}
	}
	return n
}

// Children returns the live processes of s, or those that belong to no
// service if s is nil, by age.
func (t *Table) Children(s *Service) (all []*Child) {
	for _, c := range t.children {
		if c.svc == s && c.state != Dead {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *Child) int {
		if d := a.started.Compare(b.started); d != 0 {
			return d
		}
		return a.PID - b.PID
	})
	return all
}

// Wanted returns how many processes s should be given now to have enough
// ready ones. Each still needs May.
//
// Source: check_undermanned in Cyrus master/master.c; that one starts as
// many as are missing even if fewer are allowed.
func (t *Table) Wanted(s *Service) int {
	if !s.enabled || t.stopping {
		return 0
	}
	if room := s.maxProcesses() - s.counted(); room > 0 && s.ready < s.set.Prefork {
		n := s.set.Prefork - s.ready
		if t.verbose > 0 {
			t.logf(slog.LevelDebug, "service %s/%s needs %d more ready workers", s.Name, s.Family, n)
		}
		return min(n, room)
	}
	if s.set.Babysit && s.active == 0 && s.maxProcesses() > 0 {
		t.logf(slog.LevelError, "lost all children for service: %s/%s.  Applying babysitter.", s.Name, s.Family)
		return 1
	}
	return 0
}

// Listening reports whether master itself should wait for a client of s,
// to start a process for him.
func (t *Table) Listening(s *Service) bool {
	return !t.stopping && s.enabled && s.Class == Listener && s.ready <= 0 &&
		s.counted() < s.maxProcesses() && !s.limited(time.Now())
}

// May reports whether s may be given a process now, as to its fork rate
// and its failures; it counts nothing.
func (t *Table) May(s *Service) bool { return !t.stopping && !s.limited(time.Now()) }

// Owner returns the service of a process, nil if it has none.
func (t *Table) Owner(pid int) *Service {
	if c := t.children[pid]; c != nil {
		return c.svc
	}
	return nil
}

// Place reserves the place of a new process of s, and returns its number
// and how many clients the process is to be told it may take (0: nothing).
// Started or NotStarted must follow.
func (t *Table) Place(s *Service) (slot, clients int) {
	slot = s.takeSlot()
	return slot, s.share(slot)
}

// Started records a new process of s at the place slot.
func (t *Table) Started(s *Service, pid, slot int, desc string) {
	s.ready++
	s.active++
	s.forks++
	s.intervalForks++
	t.children[pid] = &Child{PID: pid, desc: desc, svc: s, slot: slot, state: Ready, started: time.Now(), share: s.share(slot)}
}

// StartedEvent records a process that belongs to no service.
func (t *Table) StartedEvent(pid int, desc string) {
	t.children[pid] = &Child{PID: pid, desc: desc, slot: -1, state: Ready, started: time.Now()}
}

// NotStarted gives back the place slot. If the program itself is to blame
// it counts as a process that died at once, otherwise s is left alone for a
// second. It reports whether s was disabled by it.
func (t *Table) NotStarted(s *Service, slot int, program bool) (disabled bool) {
	s.freeSlot(slot)
	now := time.Now()
	if !program {
		s.hold(now, failedStart)
		return false
	}
	s.forks++
	s.intervalForks++
	if s.Class == Database {
		s.again(now, true)
		return false
	}
	return t.readyFail(s, now)
}

// HungUp records that c was sent SIGHUP, so that it is to leave.
func (t *Table) HungUp(c *Child) {
	c.hungUp, c.hungUpAt = true, time.Now()
	if c.state == Busy {
		t.drain(c)
	}
}

// drain records that c takes no more clients.
func (t *Table) drain(c *Child) {
	if c.draining || c.svc == nil || c.svc.daemon() {
		return
	}
	c.draining = true
	c.svc.draining++
	c.svc.freeSlot(c.slot)
	c.slot = -1
}

// undrain takes back what drain did.
func (t *Table) undrain(c *Child) {
	if !c.draining {
		return
	}
	c.draining = false
	c.svc.draining--
	c.slot = c.svc.takeSlot()
}

// NextWake returns when a service that was held back may go on; the zero
// time means that none was. What it returns is forgotten.
func (t *Table) NextWake() (next time.Time) {
	for _, s := range t.services {
		if w := s.wakeAt; !w.IsZero() && (next.IsZero() || w.Before(next)) {
			next = w
		}
		s.wakeAt = time.Time{}
	}
	return next
}

// Sweep forgets processes that died some time ago, and logs those that do
// not leave though they were told to.
func (t *Table) Sweep() {
	now := time.Now()
	for pid, c := range t.children {
		switch {
		case c.state == Dead && now.Sub(c.diedAt) > deadFor:
			delete(t.children, pid)
		case c.state != Dead && !c.hungUpAt.IsZero() && now.Sub(c.hungUpAt) >= slowToLeave:
			kind, name, family := "service", "unknown", "unknown"
			if c.svc != nil {
				name, family = c.svc.Name, c.svc.Family
				if c.svc.Class >= WaitDaemon {
					kind = "waitdaemon"
				}
			}
			t.logf(slog.LevelInfo, "%s %s/%s pid %d in state %d has not yet been recycled since SIGHUP was sent (%ds ago)",
				kind, name, family, pid, c.state, int(now.Sub(c.hungUpAt).Seconds()))
			c.hungUpAt = time.Time{}
		}
	}
}
