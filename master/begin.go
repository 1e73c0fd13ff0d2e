package main

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/syslog"
	"gocyrus/master/pool"
)

const (
	// databaseName is the program that owns the databases of a site in own
	// mode, and the name under which it runs.
	databaseName = "cyrusdbd"
	// databasePatience is how long the start waits for it to be ready.
	databasePatience = 30 * time.Second
	// outputPatience is how long to wait for the end of a START command's
	// output after its own end: what it left behind may hold the pipe open.
	outputPatience = time.Second
	// maxOutputLine is the longest line of output that is logged as one.
	maxOutputLine = 1024
)

// begin does all that comes before the first client, in Cyrus's order but
// for the database: START commands, sockets, wait daemons. It ends early
// when the start has failed or is to be stopped.
func (m *master) begin(p *plan) {
	if db := m.databaseLine(p); db != nil {
		m.startDatabase(db)
	}
	for _, c := range p.start {
		if !m.proceed() {
			return
		}
		m.runStart(c)
	}
	if !m.proceed() {
		return
	}
	m.lines = append(m.lines, p.lines...)
	for _, e := range p.events {
		m.schedule.Add(e, now())
	}
	for _, l := range p.lines {
		if m.proceed() {
			m.sayLine("add", l)
			m.establish(l)
		}
	}
	if config.MasterBindErrorsFatal.In(m.conf) {
		m.until(func() bool { return len(m.pending) == 0 }, time.Time{})
	}
	for _, u := range m.units {
		if m.proceed() && u.Class == pool.WaitDaemon {
			m.startWaitDaemon(u)
		}
	}
}

// establish makes the units of a new line.
func (m *master) establish(l *line) {
	if l.class == pool.Listener {
		m.open(l)
		return
	}
	m.sayInit(m.addDaemon(l))
}

// sayLine logs a line of cyrus.conf in Cyrus's form.
func (m *master) sayLine(verb string, l *line) {
	if m.opt.verbose <= 2 {
		return
	}
	cmd := bytes.NewBufferString(l.cmd[0])
	for _, w := range l.cmd[1:] {
		cmd.WriteString(" " + w)
	}
	switch l.class {
	case pool.Listener:
		maxChild := l.set.MaxChild
		if maxChild < 0 {
			maxChild = 1<<31 - 1
		}
		m.debugf("%s: service '%s' (%s, %s:%s, %d, %d, %d)", verb, l.name, cmd, l.proto, l.listen, l.set.Prefork, maxChild, l.maxFDs)
	case pool.Daemon:
		m.debugf("%s: daemon '%s' (%s, %d)", verb, l.name, cmd, l.maxFDs)
	default:
		m.debugf("%s: waitdaemon '%s' (%s, %d)", verb, l.name, cmd, l.maxFDs)
	}
}

// databaseLine returns the line that cyrus.conf does not need to have: the
// one of the database, if the site is in own mode and no DAEMON line runs it.
func (m *master) databaseLine(p *plan) *line {
	if config.MboxlistDb.In(m.conf) != "pebble" {
		return nil
	}
	for _, l := range p.lines {
		if filepath.Base(l.cmd[0]) == databaseName && l.class != pool.Listener {
			return nil
		}
	}
	l := &line{name: databaseName, class: pool.Database, cmd: []string{databaseName}}
	if m.opt.conf != "" {
		l.cmd = append(l.cmd, "-C", m.opt.conf)
	}
	path, ok := m.find(databaseName)
	if !ok {
		m.giveUp("cannot find executable for daemon '"+databaseName+"'", exConfig)
		return nil
	}
	l.path = path
	return l
}

// startDatabase starts the database and waits until it serves, or refuses
// to. If it needs longer, it is started again and again, and the START
// commands may find out.
func (m *master) startDatabase(l *line) {
	m.lines = append(m.lines, l)
	u := m.addDaemon(l)
	m.starting = u
	defer func() { m.starting = nil }()
	deadline := time.Now().Add(databasePatience)
	for m.proceed() && time.Now().Before(deadline) {
		if u.Active() == 0 && m.table.May(u.Service) {
			if m.startAndWait(u, deadline) {
				return
			}
			continue
		}
		m.round(time.Now().Add(100 * time.Millisecond))
	}
	if m.proceed() {
		m.errorf("%s is not ready after %d seconds", databaseName, int(databasePatience.Seconds()))
	}
}

// readyWord is what a wait daemon writes to descriptor 3 when it is ready.
const readyWord = "ok\r\n"

// startAndWait starts the process of u and reports whether it says in time
// that it is ready. The zero deadline means for ever.
func (m *master) startAndWait(u *unit, deadline time.Time) bool {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		m.errorf("ERROR: unable to spawn waitdaemon %s/%s: pipe failed: %s", u.Name, u.Family, text(err))
		return false
	}
	defer unix.Close(p[0])
	_ = unix.SetNonblock(p[1], false) // the daemon's end
	pid := m.spawnInGroup(u, p[1])
	unix.Close(p[1])
	if pid == 0 {
		return false
	}
	var said []byte
	closed := false
	done := m.watch(p[0], func() {
		buf := make([]byte, len(readyWord)-len(said))
		n, err := unix.Read(p[0], buf)
		closed = n == 0 || err != nil && !again(err)
		said = append(said, buf[:max(n, 0)]...)
	})
	defer done()
	m.until(func() bool { return closed || len(said) == len(readyWord) }, deadline)
	return string(said) == readyWord
}

// startWaitDaemon starts a wait daemon. If it does not get ready master ends.
//
// Source: spawn_waitdaemon in Cyrus master/master.c.
func (m *master) startWaitDaemon(u *unit) {
	if m.startAndWait(u, time.Time{}) || m.stopping {
		return
	}
	m.errorf(`ERROR: waitdaemon %s/%s did not write "%s" to fd %d`, u.Name, u.Family, `ok\r\n`, statusFD)
	if m.waitGroup > 0 {
		_ = unix.Kill(-m.waitGroup, unix.SIGTERM) // they may be gone
	}
	m.giveUp("unable to spawn waitdaemon "+u.Name+"/"+u.Family, exConfig)
}

// runStart runs a START command to its end. What it prints goes into the
// log, unless -D or -L keep it. Any failure but EX_TEMPFAIL ends master.
//
// Source: run_startup in Cyrus master/master.c.
func (m *master) runStart(c command) {
	path, _ := m.find(c.cmd[0])
	p := process{path: path, args: c.cmd, group: -1}
	out, err := m.capture(c.name)
	if err != nil {
		m.warnf("%s: its output is lost: %s", c.name, text(err))
	} else if out != nil {
		p.out = out.write
	}
	began := time.Now()
	pid, err := m.start(p)
	if out != nil {
		out.started()
		defer out.close()
	}
	if err != nil {
		m.critf("can't exec %s for startup: %s", path, text(err))
		m.giveUp("can't run startup", exFailure)
		return
	}
	var status *unix.WaitStatus
	m.awaited[pid] = func(w unix.WaitStatus) { status = &w }
	m.until(func() bool { return status != nil }, time.Time{})
	if status == nil {
		return // master is being stopped, and has told the command so
	}
	if out != nil {
		m.until(func() bool { return out.ended }, time.Now().Add(outputPatience))
		out.flush()
	}
	desc := pool.Description("START", c.name, path)
	if m.table.LogExit(desc, pid, began, waitStatus(*status)) {
		m.giveUp("can't run startup", exFailure)
	}
}

// output is what a START command prints.
type output struct {
	m           *master
	name        string
	read, write int
	buf         []byte
	ended       bool
	unwatch     func()
}

// capture makes the pipe for the output of a command; nil if its output is
// kept elsewhere.
func (m *master) capture(name string) (*output, error) {
	if m.opt.debug || m.opt.output != "" {
		return nil, nil
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	_ = unix.SetNonblock(p[0], true) // poll has told that there is something
	o := &output{m: m, name: name, read: p[0], write: p[1]}
	o.unwatch = m.watch(o.read, o.take)
	return o, nil
}

// started is called when the command has its end.
func (o *output) started() { unix.Close(o.write) }

func (o *output) close() {
	o.unwatch()
	unix.Close(o.read)
}

// take reads what there is and logs the whole lines of it.
func (o *output) take() {
	buf := make([]byte, 4096)
	n, err := unix.Read(o.read, buf)
	if n <= 0 {
		if !again(err) {
			o.ended = true
			o.unwatch()
		}
		return
	}
	o.buf = append(o.buf, buf[:n]...)
	for {
		i := bytes.IndexByte(o.buf, '\n')
		if i < 0 && len(o.buf) < maxOutputLine {
			return
		}
		if i < 0 || i > maxOutputLine {
			o.log(o.buf[:maxOutputLine])
			o.buf = o.buf[maxOutputLine:]
			continue
		}
		o.log(o.buf[:i])
		o.buf = o.buf[i+1:]
	}
}

// flush logs a last line that has no end.
func (o *output) flush() {
	o.log(o.buf)
	o.buf = nil
}

func (o *output) log(line []byte) {
	if line = bytes.TrimRight(line, " \t\r"); len(line) > 0 {
		o.m.logf(levelOutput, "%s: %s", o.name, line)
	}
}

// levelOutput is the level of what START commands print.
const levelOutput slog.Level = syslog.LevelNotice
