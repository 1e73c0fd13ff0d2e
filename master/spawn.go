package main

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"gocyrus/master/pool"
)

// childVars is what master alone sets in the environment of a process.
var childVars = []string{"CYRUS_SERVICE", "CYRUS_ID", "CYRUS_ISDAEMON", "CYRUS_MAXCLIENTS"}

// process is a program to start.
type process struct {
	path   string
	args   []string // args[0] is its name
	env    []string // beside master's own
	maxFDs uint64   // 0: leave the limit
	out    int      // standard output and error; 0: master's
	status int      // at descriptor 3; 0: nothing
	listen int      // at descriptor 4; 0: nothing
	group  int      // process group to join; 0: a new one; -1: master's
}

// start starts p, in the process group of master unless told otherwise,
// without any right and with nothing open but descriptors 0 to 4. The
// thread must be the locked one.
func (m *master) start(p process) (pid int, err error) {
	m.debugf("about to exec %s", p.path)
	path, args := p.path, p.args
	if p.maxFDs > 0 {
		path, args = limited(m.capLimit(p.maxFDs), p.path, p.args)
	}
	files := []uintptr{0, 1, 2, uintptr(m.null), uintptr(m.null)}
	if p.out > 0 {
		files[1], files[2] = uintptr(p.out), uintptr(p.out)
	}
	if p.status > 0 {
		files[statusFD] = uintptr(p.status)
	}
	if p.listen > 0 {
		files[listenFD] = uintptr(p.listen)
	}
	sys := &syscall.SysProcAttr{}
	if p.group >= 0 {
		sys.Setpgid, sys.Pgid = true, p.group
	}
	return syscall.ForkExec(path, args, &syscall.ProcAttr{
		Env:   append(without(os.Environ(), childVars...), p.env...),
		Files: files,
		Sys:   sys,
	})
}

// systemFault reports whether a process could not be started because the
// system has no room for it; otherwise the program is to blame.
func systemFault(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// spawn starts one process of u, if its fork rate and failures allow.
//
// Source: spawn_service in Cyrus master/master.c.
func (m *master) spawn(u *unit) {
	if !m.table.May(u.Service) {
		return
	}
	if u.Class == pool.WaitDaemon || u.Class == pool.Database {
		m.spawnInGroup(u, 0)
		return
	}
	slot, clients := m.table.Place(u.Service)
	p := m.processOf(u, clients)
	if u.Class == pool.Listener {
		p.status, p.listen = u.statW, u.sock
	}
	m.startIn(u, slot, p)
}

// processOf is what all processes of u have in common.
func (m *master) processOf(u *unit, clients int) process {
	if m.opt.verbose > 2 {
		m.debugf("forked process to run service %s/%s", u.Name, u.Family)
	}
	p := process{
		path: u.line.path, args: u.line.cmd, maxFDs: u.line.maxFDs, group: -1,
		env: []string{"CYRUS_SERVICE=" + u.Name, "CYRUS_ID=" + strconv.Itoa(u.id)},
	}
	if u.Class != pool.Listener {
		p.env = append(p.env, "CYRUS_ISDAEMON=1")
	} else if clients > 0 {
		p.env = append(p.env, "CYRUS_MAXCLIENTS="+strconv.Itoa(clients))
	}
	return p
}

// spawnInGroup starts the process of a wait daemon, in the process group of
// all wait daemons, so that it does not get what is sent to master's. The
// database has one of its own. status may be 0.
func (m *master) spawnInGroup(u *unit, status int) (pid int) {
	slot, _ := m.table.Place(u.Service)
	p := m.processOf(u, 0)
	p.status, p.group = status, 0
	if u.Class == pool.WaitDaemon {
		p.group = m.waitGroup
	}
	pid = m.startIn(u, slot, p)
	if pid > 0 && u.Class == pool.WaitDaemon && p.group == 0 {
		m.waitGroup = pid
	}
	return pid
}

// startIn starts p as the process of u in a slot, and returns its pid, or
// 0 if it did not start.
func (m *master) startIn(u *unit, slot int, p process) int {
	pid, err := m.start(p)
	if errors.Is(err, unix.EPERM) && p.group > 0 {
		p.group, m.waitGroup = 0, 0 // the last member of the group has died
		pid, err = m.start(p)
	}
	if err == nil {
		m.table.Started(u.Service, pid, slot, pool.Description(u.Class.String(), u.Name, u.line.path))
		return pid
	}
	if systemFault(err) {
		m.errorf("can't fork process to run service %s/%s: %s", u.Name, u.Family, text(err))
	} else {
		m.errorf("couldn't exec %s: %s", u.line.path, text(err))
	}
	if m.table.NotStarted(u.Service, slot, !systemFault(err)) {
		u.closeSocket(false)
	}
	return 0
}

// runEvents starts the commands whose time has come. They are not waited
// for.
//
// Source: spawn_schedule in Cyrus master/master.c.
func (m *master) runEvents() {
	for _, e := range m.schedule.Due(now(), m.Logger) {
		path, _ := m.find(e.Command[0])
		pid, err := m.start(process{path: path, args: e.Command, group: -1})
		switch {
		case err == nil:
			m.table.StartedEvent(pid, pool.Description("EVENT", e.Name, path))
		case systemFault(err):
			m.critf("can't fork process to run event %s: %s", e.Name, text(err))
		default:
			m.errorf("can't exec %s on schedule: %s", path, text(err))
		}
	}
}
