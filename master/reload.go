package main

import (
	"slices"

	"golang.org/x/sys/unix"

	"gocyrus/master/pool"
	"gocyrus/master/schedule"
)

// slotsAtOnce is how many service structures Cyrus makes room for at a
// time; the line about a reload has the sum.
const (
	slotsAtOnce = 5
	maxSlots    = 1<<31 - 1 - 10
)

// reload reads cyrus.conf again. If it cannot be read, all stays as it is:
// Cyrus ends then.
//
// Source: reread_conf in Cyrus master/master.c.
func (m *master) reload() {
	p, err := m.readPlan(true)
	if err != nil {
		m.critf("%s -- nothing is changed", text(err))
		return
	}
	m.hangUp()
	m.replaceLines(p.lines)
	m.schedule = schedule.Schedule{}
	for _, e := range p.events {
		m.schedule.Add(e, now())
	}
	m.startReports()
	services, waits := 0, 0
	for _, u := range m.units {
		if u.Class == pool.Listener || u.Class == pool.Daemon {
			services++
		} else if u.Class == pool.WaitDaemon {
			waits++
		}
	}
	m.noticef("Services reconfigured. %d out of %d (max %d) services structures and %d out of %d (max %d) waitdaemon structures are now in use",
		services, slots(services), maxSlots, waits, slots(waits), maxSlots)
}

func slots(n int) int { return (n + slotsAtOnce - 1) / slotsAtOnce * slotsAtOnce }

// hangUp tells all workers and daemons to leave when they are idle. Events
// are left alone, to which Cyrus does the same, and the database, which
// has nothing to reread.
func (m *master) hangUp() {
	for _, u := range m.units {
		if u.Class == pool.Database {
			continue
		}
		for _, c := range m.table.Children(u.Service) {
			if err := unix.Kill(c.PID, unix.SIGHUP); err == nil {
				m.table.HungUp(c)
			}
		}
	}
}

// replaceLines brings the units in line with the lines of a new cyrus.conf.
func (m *master) replaceLines(fresh []*line) {
	old := m.lines
	m.lines = nil
	for _, l := range old {
		if l.class == pool.Database {
			m.lines = append(m.lines, l)
		}
	}
	for _, l := range fresh {
		if i := slices.IndexFunc(old, l.same); i >= 0 {
			if l != old[i] {
				*old[i] = *l
			}
			l = old[i]
		}
		m.lines = append(m.lines, l)
	}
	m.disableGone()
	for _, l := range m.lines {
		switch {
		case l.class == pool.Database:
		case slices.Contains(old, l):
			m.sayLine("reconfig", l)
			m.reconfigure(l)
		default:
			m.sayLine("add", l)
			m.establish(l)
		}
	}
}

// disableGone ends the services whose line is no longer there.
func (m *master) disableGone() {
	m.pending = slices.DeleteFunc(m.pending, func(p pendingBind) bool { return !slices.Contains(m.lines, p.line) })
	for _, u := range m.units {
		if slices.Contains(m.lines, u.line) {
			continue
		}
		if m.opt.verbose > 2 {
			m.debugf("disable: service %s/%s socket %d pipe %d %d", u.Name, u.Family, u.sock, u.statR, u.statW)
		}
		m.table.Disable(u.Service)
		u.closeSocket(true)
	}
}

// reconfigure brings a line's units up to date, and those back that were
// given up.
func (m *master) reconfigure(l *line) {
	missing := true
	for _, u := range m.units {
		if u.line == l {
			missing = false
			m.table.Configure(u.Service, l.set)
		}
	}
	switch {
	case l.class == pool.Listener:
		m.pending = slices.DeleteFunc(m.pending, func(p pendingBind) bool { return p.line == l })
		m.open(l)
	case missing:
		m.addDaemon(l)
	}
}
