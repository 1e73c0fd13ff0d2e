package main

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/syslog"
	"gocyrus/master/pool"
)

// abandonPatience is how long a start that has failed waits for each process
// that it had started.
const abandonPatience = 10 * time.Second

// eventPatience is how long events that have been told to end may use the
// database still.
const eventPatience = 10 * time.Second

// beginStop tells every process of our group to end. Master gets that
// signal too, and takes no notice.
//
// Source: begin_shutdown in Cyrus master/master.c.
func (m *master) beginStop() {
	if m.stopping {
		return
	}
	m.stopping = true
	m.table.Stop()
	m.infof("attempting clean shutdown on signal")
	if err := unix.Kill(0, unix.SIGTERM); err != nil {
		m.errorf("begin_shutdown: kill(0, SIGTERM): %s", text(err))
	}
}

// stop waits for what has been told to end: services and daemons, then one
// wait daemon after the other from the last to the first, then the
// database. A START command that was running is waited for, too.
func (m *master) stop() {
	m.table.Stop()
	if m.broken {
		m.abandon()
		return
	}
	for m.table.Living() > 0 || len(m.awaited) > 0 {
		m.round(time.Time{})
	}
	m.awaitEvents()
	m.stopWaitDaemons()
	m.noticef("All children have exited, closing down")
}

// awaitEvents gives events time to end as long as there is a database.
// Cyrus does not wait for them.
func (m *master) awaitEvents() {
	if !slices.ContainsFunc(m.units, func(u *unit) bool { return u.Class == pool.Database }) {
		return
	}
	for end := time.Now().Add(eventPatience); len(m.table.Children(nil)) > 0 && time.Now().Before(end); {
		m.round(end)
	}
}

func (m *master) stopWaitDaemons() {
	for _, class := range []pool.Class{pool.WaitDaemon, pool.Database} {
		for i := len(m.units) - 1; i >= 0; i-- {
			if u := m.units[i]; u.Class == class {
				m.stopUnit(u)
			}
		}
	}
}

// stopUnit ends the process of a wait daemon and waits for it.
func (m *master) stopUnit(u *unit) {
	for _, c := range m.table.Children(u.Service) {
		if err := unix.Kill(c.PID, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
			m.errorf("kill child %d of %s/%s: %s", c.PID, u.Name, u.Family, text(err))
			continue
		}
		m.noticef("waiting for child %d of %s/%s to exit...", c.PID, u.Name, u.Family)
		ended := false
		m.awaited[c.PID] = func(w unix.WaitStatus) {
			ended = true
			m.sayEnd(c.PID, u, w)
		}
		for !ended {
			m.round(time.Time{})
		}
	}
}

// sayEnd logs how a wait daemon ended.
func (m *master) sayEnd(pid int, u *unit, w unix.WaitStatus) {
	how, detail, core := "is in unknown state", int(w), ""
	switch {
	case w.Exited():
		how, detail = "exited with status", w.ExitStatus()
	case w.Signaled():
		how, detail = "killed with signal", int(w.Signal())
		if w.CoreDump() {
			core = " (core dumped)"
		}
	}
	m.logf(syslog.LevelNotice, "child %d of %s/%s %s %d%s", pid, u.Name, u.Family, how, detail, core)
}

// abandon ends what a failed start has started: daemons, and the database.
func (m *master) abandon() {
	for i := len(m.units) - 1; i >= 0; i-- {
		u := m.units[i]
		for _, c := range m.table.Children(u.Service) {
			_ = unix.Kill(c.PID, unix.SIGTERM) // it may be gone
			deadline := time.Now().Add(abandonPatience)
			for len(m.table.Children(u.Service)) > 0 && time.Now().Before(deadline) {
				m.round(deadline)
			}
		}
	}
}
