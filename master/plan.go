package main

import (
	"fmt"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/syslog"

	"gocyrus/master/pool"
	"gocyrus/master/schedule"
)

// line is a line of SERVICES or DAEMON, checked.
type line struct {
	name          string
	class         pool.Class
	listen, proto string // of a Listener
	cmd           []string
	path          string // of the program
	maxFDs        uint64 // 0: leave the limit
	set           pool.Settings
}

// same reports whether b is another version of the same line, so that its
// sockets and processes can be kept.
func (l *line) same(b *line) bool {
	return l.name == b.name && l.class == b.class && l.listen == b.listen && l.proto == b.proto
}

func (l *line) datagram() bool { return !strings.HasPrefix(l.proto, "tcp") }

// command is a line of START.
type command struct {
	name string
	cmd  []string
}

// plan is a cyrus.conf, checked.
type plan struct {
	start  []command
	lines  []*line // services, then daemons
	events []*schedule.Event
}

// planner makes a plan. At the start any fault ends master; later a line
// with a fault is left out.
type planner struct {
	*master
	reload bool
	plan   plan
}

// fault is an error in the words of Cyrus, or of the C library.
type fault string

func (f fault) Error() string { return string(f) }

// fault handles a fault of one line.
//
// Source: add_service and its like in Cyrus master/master.c. Cyrus dies of a
// missing program on reload as well.
func (p *planner) fault(format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	if !p.reload {
		return fault(msg)
	}
	p.warnf("WARNING: %s -- ignored", msg)
	return nil
}

// readPlan reads cyrus.conf. In a reload only a file that can't be read or
// understood at all is an error.
func (m *master) readPlan(reload bool) (*plan, error) {
	file, warnings, err := config.LoadCyrusConf(m.opt.cyrusConf)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		m.warnf("%s", w)
	}
	p := &planner{master: m, reload: reload}
	for _, section := range []struct {
		entries []config.Entry
		add     func(*config.Entry) error
	}{{file.Start, p.addStart}, {file.Services, p.addService}, {file.Events, p.addEvent}, {file.Daemon, p.addDaemon}} {
		for i := range section.entries {
			if err := section.add(&section.entries[i]); err != nil {
				return nil, err
			}
		}
	}
	return &p.plan, nil
}

func (p *planner) addStart(e *config.Entry) error {
	if p.reload {
		return nil
	}
	cmd := words(e)
	if len(cmd) == 0 {
		return p.fault("unable to find command for %s", e.Name)
	}
	if !p.skip(e, cmd) {
		p.plan.start = append(p.plan.start, command{e.Name, cmd})
	}
	return nil
}

func (p *planner) addService(e *config.Entry) error {
	l := &line{
		name: e.Name, class: pool.Listener, cmd: words(e),
		listen: e.String("listen", ""), proto: e.String("proto", "tcp"),
		maxFDs: uint64(max(p.number(e, "maxfds", 0), 0)),
	}
	if len(l.cmd) == 0 || l.listen == "" {
		return p.fault("unable to find command or port for service '%s'", e.Name)
	}
	l.set = p.settings(e, l)
	return p.addLine(e, l, "service")
}

// settings reads how many processes a service has.
func (p *planner) settings(e *config.Entry, l *line) pool.Settings {
	set := pool.Settings{
		Prefork:        max(p.number(e, "prefork", 0), 0),
		MaxChild:       p.number(e, "maxchild", -1),
		MaxClients:     max(p.number(e, "maxclients", 0), 0),
		MaxForkRate:    max(p.number(e, "maxforkrate", 0), 0),
		Babysit:        p.boolean(e, "babysit", false),
		DefaultClients: defaultClients(l.cmd[0]),
	}
	if set.Babysit {
		set.Prefork = max(set.Prefork, 1)
		if set.MaxForkRate == 0 {
			set.MaxForkRate = safeForkRate
		}
	}
	if l.datagram() { // a datagram has no connection to hand out
		set.Prefork, set.MaxChild = min(set.Prefork, 1), 1
		set.MaxClients, set.DefaultClients, set.Babysit = 0, 0, false
	}
	return set
}

// safeForkRate is the limit for what is started again and again, per
// second. Source: Cyrus master/master.c.
const safeForkRate = 10

func (p *planner) addDaemon(e *config.Entry) error {
	l := &line{name: e.Name, class: pool.Daemon, cmd: words(e), maxFDs: uint64(max(p.number(e, "maxfds", 0), 0))}
	kind := "daemon"
	if p.boolean(e, "wait", false) {
		l.class, kind = pool.WaitDaemon, "waitdaemon"
	}
	if len(l.cmd) == 0 {
		return p.fault("unable to find command or port for service '%s'", e.Name)
	}
	l.set.MaxForkRate = p.number(e, "maxforkrate", 0)
	if l.set.MaxForkRate <= 0 {
		l.set.MaxForkRate = safeForkRate
	}
	return p.addLine(e, l, kind)
}

// addLine adds l unless its name is taken or its program is missing. In a
// reload the old line stays if only the program is missing.
func (p *planner) addLine(e *config.Entry, l *line, kind string) error {
	for _, other := range p.plan.lines {
		if other.name == l.name {
			if kind == "daemon" {
				kind = "service"
			}
			return p.fault("multiple entries for %s '%s'", kind, l.name)
		}
	}
	if p.skip(e, l.cmd) {
		return nil
	}
	path, ok := p.find(l.cmd[0])
	if !ok {
		if err := p.fault("cannot find executable for %s '%s'", kind, l.name); err != nil {
			return err
		}
		if old := p.lineLike(l); old != nil {
			p.plan.lines = append(p.plan.lines, old)
		}
		return nil
	}
	l.path = path
	p.plan.lines = append(p.plan.lines, l)
	return nil
}

// maxPeriod is the longest period of an event, in minutes: 100 years. A
// time.Duration holds 292.
const maxPeriod = 100 * 365 * 24 * 60

func (p *planner) addEvent(e *config.Entry) error {
	ev := &schedule.Event{
		Name:    e.Name,
		Period:  time.Duration(min(p.number(e, "period", 0), maxPeriod)) * time.Minute,
		Command: words(e),
	}
	if len(ev.Command) == 0 {
		return p.fault("unable to find command or port for event '%s'", e.Name)
	}
	if at := p.number(e, "at", -1); at >= 0 && at/100 <= 23 && at%100 <= 59 {
		ev.Daily, ev.Hour, ev.Min = true, at/100, at%100
	}
	if !p.skip(e, ev.Command) {
		p.plan.events = append(p.plan.events, ev)
	}
	return nil
}

// skip reports whether the line is to be left out because its program is
// not part of this suite and not there, and logs it.
func (p *planner) skip(e *config.Entry, cmd []string) bool {
	if !missingByDesign(cmd) {
		return false
	}
	if _, ok := p.find(cmd[0]); ok {
		return false
	}
	p.warnf("%s:%d: '%s' is left out: %s is not part of gocyrus and not installed", e.File, e.Line, e.Name, strings.Join(cmd, " "))
	return true
}

func words(e *config.Entry) []string { return strings.Fields(e.String("cmd", "")) }

// number returns the number at key as C's atoi has it, or def if there is
// none. Unlike imapd.conf's, "0400" is four hundred.
//
// Source: masterconf_getint in Cyrus master/masterconf.c.
func (p *planner) number(e *config.Entry, key string, def int) int {
	v, ok := e.Get(key)
	if !ok {
		return def
	}
	if digits := strings.TrimPrefix(v, "-"); digits == "" || digits[0] < '0' || digits[0] > '9' {
		p.logf(syslog.LevelNotice, "value '%s' for '%s' does not look like a number.", v, key)
		return def
	}
	return atoi(v)
}

func (p *planner) boolean(e *config.Entry, key string, def bool) bool {
	yes, no := e.Switch(key, true), e.Switch(key, false)
	if yes != no {
		if v, ok := e.Get(key); ok {
			p.logf(syslog.LevelNotice, "cannot interpret value '%s' for key '%s'. use y/n.", v, key)
		}
		return def
	}
	return yes
}
