package pool

import (
	"log/slog"
	"time"

	"gocyrus/libcyrus/syslog"
)

// Message takes what came through the status pipe of s. A message that
// does not fit the state of its process is logged, and understood so that
// clients are rather served by too many processes than by none.
//
// Source: process_msg in Cyrus master/master.c.
func (t *Table) Message(s *Service, m Message) {
	c := t.children[int(m.PID)]
	switch {
	case c == nil:
		if t.mayComplain(s) {
			t.logf(slog.LevelWarn, "service %s/%s pid %d: receiving messages from long dead children", s.Name, s.Family, m.PID)
		}
		c = &Child{PID: int(m.PID), svc: s, state: Dead, slot: -1}
	case c.svc != s:
		// Cyrus counts the process with s from now on, which lets one
		// mad worker upset every service.
		if t.mayComplain(s) {
			t.logf(slog.LevelError, "service %s/%s pid %d: ignoring message 0x%x about a process of another service", s.Name, s.Family, m.PID, uint32(m.Kind))
		}
		return
	}
	switch m.Kind {
	case Available:
		t.available(s, c)
	case Unavailable:
		t.unavailable(s, c)
	case Connection:
		t.connection(s, c)
	case ConnectionMulti:
		t.connectionMulti(s, c)
	default:
		if t.mayComplain(s) {
			t.logf(syslog.LevelCritical, "service %s/%s pid %d: Software bug: unrecognized message 0x%x", s.Name, s.Family, m.PID, uint32(m.Kind))
		}
	}
	t.readyNow(s)
}

// mayComplain reports whether a senseless message to s is worth a line, so
// that a mad worker does not fill the log.
func (t *Table) mayComplain(s *Service) bool {
	if now := time.Now(); now.Sub(s.complainedAt) > complainSpan {
		if s.unsaid > 0 {
			t.logf(slog.LevelWarn, "service %s/%s: %d more senseless messages", s.Name, s.Family, s.unsaid)
		}
		s.complainedAt, s.complaints, s.unsaid = now, 0, 0
	}
	if s.complaints >= maxComplaints {
		s.unsaid++
		return false
	}
	s.complaints++
	return true
}

// say logs a line about a process of s and its state.
func (t *Table) say(level slog.Level, s *Service, c *Child, what string) {
	t.logf(level, "service %s/%s pid %d in %s state: %s", s.Name, s.Family, c.PID, c.state, what)
}

// trace is say for what is as it should be.
func (t *Table) trace(s *Service, c *Child, what string) {
	if t.verbose > 0 {
		t.say(slog.LevelDebug, s, c, what)
	}
}

func (t *Table) readyNow(s *Service) {
	if t.verbose > 0 {
		kind := "service"
		if s.Class >= WaitDaemon {
			kind = "waitdaemon"
		}
		t.logf(slog.LevelDebug, "%s %s/%s now has %d ready workers", kind, s.Name, s.Family, s.ready)
	}
}

func (t *Table) available(s *Service, c *Child) {
	c.taking = false
	switch c.state {
	case Ready:
		t.say(slog.LevelWarn, s, c, "sent available message but it is already ready")
	case Busy:
		t.trace(s, c, "now available and in READY state")
		t.undrain(c)
		c.state = Ready
		s.ready++
	}
}

func (t *Table) unavailable(s *Service, c *Child) {
	switch c.state {
	case Busy:
		if c.multi { // it was full, and now does not want more
			t.drain(c)
			break
		}
		t.say(slog.LevelWarn, s, c, "sent unavailable message but it is already busy")
	case Ready:
		t.trace(s, c, "now unavailable and in BUSY state")
		c.state = Busy
		s.ready--
		c.taking = true
		if c.hungUp || c.multi {
			t.drain(c) // unless it says next that it took a client
		}
	}
}

func (t *Table) connection(s *Service, c *Child) {
	s.connections++
	c.served = true
	switch c.state {
	case Busy:
		t.trace(s, c, "now serving connection")
		if c.taking && !c.hungUp {
			t.undrain(c)
		}
		if c.share > 1 && !c.multi {
			s.single = true // it could have taken more
		}
	case Ready:
		t.say(slog.LevelError, s, c, "reported new connection, forced to BUSY state")
		c.state = Busy
		s.ready--
	}
	c.taking = false
}

func (t *Table) connectionMulti(s *Service, c *Child) {
	s.connections++
	c.served, c.multi, c.taking = true, true, false
	switch c.state {
	case Ready:
		t.trace(s, c, "serving one more multi-threaded connection")
	case Busy:
		t.say(slog.LevelError, s, c, "serving one more multi-threaded connection, forced to READY state")
		t.undrain(c)
		c.state = Ready
		s.ready++
	}
}
