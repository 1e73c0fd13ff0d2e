package main

import (
	"slices"

	"golang.org/x/sys/unix"

	"gocyrus/master/pool"
)

// Descriptors at which a process finds what it inherits. Source: Cyrus
// master/service.h.
const (
	statusFD = 3
	listenFD = 4
)

// unit is a service in one address family, or a daemon, with its
// descriptors; -1 is none.
type unit struct {
	*pool.Service
	line  *line
	addr  string // where it listens; "" of a daemon
	id    int    // CYRUS_ID
	sock  int    // listening
	statR int    // pipe of the workers' messages
	statW int
}

// openStatus makes the pipe through which workers tell how they are.
func (u *unit) openStatus() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	if err := unix.SetNonblock(p[0], true); err != nil {
		unix.Close(p[0])
		unix.Close(p[1])
		return err
	}
	u.statR, u.statW = p[0], p[1]
	return nil
}

// closeSocket stops listening. With shutdown the workers stop too.
func (u *unit) closeSocket(shutdown bool) {
	if u.sock < 0 {
		return
	}
	if shutdown {
		_ = unix.Shutdown(u.sock, unix.SHUT_RDWR) // a datagram socket has nothing to shut
	}
	unix.Close(u.sock)
	u.sock = -1
}

// close closes all descriptors.
func (u *unit) close() {
	u.closeSocket(false)
	for _, fd := range []*int{&u.statR, &u.statW} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// unitAt returns the unit of l that listens, or did, at a; nil if none.
func (m *master) unitAt(l *line, a address) *unit {
	for _, u := range m.units {
		if u.line == l && u.addr == a.String() {
			return u
		}
	}
	return nil
}

// unitOf returns the unit of a service.
func (m *master) unitOf(s *pool.Service) *unit {
	i := slices.IndexFunc(m.units, func(u *unit) bool { return u.Service == s })
	if i < 0 {
		return nil
	}
	return m.units[i]
}

// addDaemon makes the unit of a daemon.
func (m *master) addDaemon(l *line) *unit {
	u := &unit{
		Service: &pool.Service{Name: l.name, Family: "daemon", Class: l.class},
		line:    l, sock: -1, statR: -1, statW: -1,
	}
	m.table.Add(u.Service, l.set)
	m.units = append(m.units, u)
	return u
}

// lineLike returns the line in force of which l is a new version, or nil.
func (m *master) lineLike(l *line) *line {
	for _, old := range m.lines {
		if old.same(l) {
			return old
		}
	}
	return nil
}

// removeFinished forgets units that are disabled and have no process left.
func (m *master) removeFinished() {
	m.units = slices.DeleteFunc(m.units, func(u *unit) bool {
		if !m.table.Removable(u.Service) {
			return false
		}
		if m.opt.verbose > 2 {
			m.debugf("remove: service %s/%s pipe %d %d", u.Name, u.Family, u.statR, u.statW)
		}
		u.close()
		m.table.Remove(u.Service)
		return true
	})
}

func (m *master) sayInit(u *unit) {
	if m.opt.verbose > 2 {
		m.debugf("init: service %s/%s socket %d pipe %d %d", u.Name, u.Family, u.sock, u.statR, u.statW)
	}
}
