package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/master/pool"
)

const (
	// bindPatience is how long a bind is tried again whose address is in
	// use: the workers of a master that was killed may need that long to
	// notice. Of Cyrus's they go on for ever, and the service stays dead.
	bindPatience = 15 * time.Second
	bindRetry    = 250 * time.Millisecond
)

// pendingBind is a place to listen at that somebody else still holds.
type pendingBind struct {
	line     *line
	addr     address
	deadline time.Time
	next     time.Time
}

// open opens the sockets of l that are not open yet. What goes wrong is
// logged, and retried if it may be over soon.
func (m *master) open(l *line) {
	all, err := l.addresses()
	if bad, ok := errors.AsType[*badListen](err); ok {
		if bad.info {
			m.infof("%s", bad.msg)
		} else {
			m.errorf("%s", bad.msg)
		}
		return
	}
	done := 0
	for _, a := range all {
		if u := m.unitAt(l, a); u != nil && u.sock >= 0 {
			done++
			continue
		}
		if m.opt.verbose > 2 {
			m.debugf("activating service %s/%s", l.name, a.family)
		}
		err = m.openOne(l, a)
		switch {
		case err == nil:
			done++
		case errors.Is(err, unix.EADDRINUSE) && a.family != "unix":
			m.warnf("%s; trying again for %d seconds", err, int(bindPatience.Seconds()))
			now := time.Now()
			m.pending = append(m.pending, pendingBind{l, a, now.Add(bindPatience), now.Add(bindRetry)})
			done++
		default:
			m.bindFailed(err)
		}
	}
	if done == 0 {
		m.errorf("unable to create %s listener socket: %s", l.name, text(err))
	}
}

// bindFailed logs that a service does not listen somewhere, or makes master
// end for it.
func (m *master) bindFailed(err error) {
	if !m.ready && config.MasterBindErrorsFatal.In(m.conf) {
		m.giveUp(err.Error(), exUnavailable)
		return
	}
	m.errorf("%s", err)
}

// retryBinds tries what was in use again.
func (m *master) retryBinds() {
	if m.stopping || m.broken {
		return
	}
	now := time.Now()
	kept := m.pending[:0:0]
	for _, p := range m.pending {
		if now.Before(p.next) {
			kept = append(kept, p)
			continue
		}
		err := m.openOne(p.line, p.addr)
		switch {
		case err == nil:
			m.noticef("service %s/%s: its address is free now", p.line.name, p.addr.family)
		case errors.Is(err, unix.EADDRINUSE) && now.Before(p.deadline):
			p.next = now.Add(bindRetry)
			kept = append(kept, p)
		default:
			m.bindFailed(err)
			if !slices.ContainsFunc(m.units, func(u *unit) bool { return u.line == p.line && u.sock >= 0 }) {
				m.errorf("unable to create %s listener socket: %s", p.line.name, text(err))
			}
		}
	}
	m.pending = kept
}

// openOne opens one socket, and makes a unit for it or gives it to the one
// that has lost its own.
func (m *master) openOne(l *line, a address) error {
	fd, err := m.listen(l, a)
	if err != nil {
		return err
	}
	if u := m.unitAt(l, a); u != nil {
		u.sock = fd
		return nil
	}
	u := &unit{
		Service: &pool.Service{Name: l.name, Family: a.family, Class: l.class},
		line:    l, addr: a.String(), sock: fd, id: m.freeID(l), statR: -1, statW: -1,
	}
	if err := u.openStatus(); err != nil {
		unix.Close(fd)
		return &sysFault{"couldn't create status socket: " + text(err), err}
	}
	m.table.Add(u.Service, l.set)
	m.units = append(m.units, u)
	m.sayInit(u)
	return nil
}

// freeID returns the lowest CYRUS_ID that no unit of l has: it names the
// lock file of the workers.
func (m *master) freeID(l *line) int {
	for id := 0; ; id++ {
		if !slices.ContainsFunc(m.units, func(u *unit) bool { return u.line.name == l.name && u.id == id }) {
			return id
		}
	}
}

// listen makes a listening socket. The error is in Cyrus's words.
func (m *master) listen(l *line, a address) (int, error) {
	failed := func(what string, err error) (int, error) {
		return -1, &sysFault{fmt.Sprintf("unable to %s %s/%s socket: %s", what, l.name, a.family, text(err)), err}
	}
	fd, err := unix.Socket(a.domain, a.kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return failed("open", err)
	}
	m.setSocketOptions(fd, l, a)
	if a.family == "unix" {
		if err := unix.Unlink(a.path); err != nil && !errors.Is(err, unix.ENOENT) {
			m.warnf("unable to remove %s: %s", a.path, text(err))
		}
	}
	old := unix.Umask(0)
	err = withBindRight(func() error { return unix.Bind(fd, a.sockaddr()) })
	unix.Umask(old)
	if err != nil {
		unix.Close(fd)
		return failed("bind to", err)
	}
	if a.family == "unix" {
		if err := unix.Chmod(a.path, 0o777); err != nil {
			m.warnf("unable to chmod %s: %s", a.path, text(err))
		}
	}
	if strings.HasPrefix(l.proto, "tcp") {
		if err := unix.Listen(fd, m.opt.backlog); err != nil {
			unix.Close(fd)
			return failed("listen to", err)
		}
	}
	return fd, nil
}

// setSocketOptions sets what is not essential.
func (m *master) setSocketOptions(fd int, l *line, a address) {
	set := func(level, option, value int, name string) {
		if err := unix.SetsockoptInt(fd, level, option, value); err != nil {
			m.errorf("unable to setsocketopt(%s) service %s/%s: %s", name, l.name, a.family, text(err))
		}
	}
	set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1, "SO_REUSEADDR")
	tos := trafficClass(config.Qosmarking.In(m.conf))
	switch a.family {
	case "ipv4":
		set(unix.IPPROTO_IP, unix.IP_TOS, tos, "IP_TOS")
	case "ipv6":
		set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1, "IPV6_V6ONLY")
		set(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tos, "IPV6_TCLASS")
	}
}

// trafficClass returns the byte of the IP header for a value of qosmarking:
// a code point of RFC 2474, RFC 2597 or RFC 3246.
func trafficClass(marking string) int {
	if n, ok := strings.CutPrefix(marking, "cs"); ok {
		return atoi(n) << 5
	}
	if n, ok := strings.CutPrefix(marking, "af"); ok {
		class, drop := atoi(n)/10, atoi(n)%10
		return class<<5 | drop<<3
	}
	if marking == "ef" {
		return 46 << 2
	}
	return 0
}
