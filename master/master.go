package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/master/pool"
	"gocyrus/master/schedule"
)

// master is the whole of the process. All of it belongs to the goroutine of
// main, but what signals does.
type master struct {
	*logger
	opt   options
	conf  *config.Config
	early *startError
	self  string // path of this program, as it was at the start

	null    int // descriptor of /dev/null
	pidFile int // locked; -1 before

	table     *pool.Table
	lines     []*line // of SERVICES and DAEMON, in force
	units     []*unit
	pending   []pendingBind
	schedule  schedule.Schedule
	reports   reporter
	waitGroup int // process group of the wait daemons; 0: none yet

	signals *signals
	watches []watch                              // more descriptors to wait for
	awaited map[int]func(status unix.WaitStatus) // processes that are in no table, by pid

	starting *unit // the database, while its first start is waited for
	ready    bool  // the start is over
	stopping bool
	broken   bool // the start has failed, with status
	status   int  // to exit with
	swept    time.Time
	panics   []time.Time // of the last rounds
}

// watch is a descriptor and what to do when it can be read.
type watch struct {
	fd   int
	read func()
}

func newMaster(opt options, conf *config.Config, log *logger, early *startError) *master {
	if opt.debug {
		early.done() // the log goes there
	}
	self, err := os.Executable()
	if err != nil {
		self = config.BinDir() + "/master"
	}
	return &master{
		logger: log, opt: opt, conf: conf, early: early, self: self,
		null: -1, pidFile: -1,
		table:   pool.New(log.Logger, opt.verbose),
		awaited: map[int]func(unix.WaitStatus){},
	}
}

// now is the time by which events run: they follow the clock on the wall.
func now() time.Time { return time.Now() }

// closeDescriptors closes what is open. The pid file stays, as Cyrus's does.
func (m *master) closeDescriptors() {
	for _, u := range m.units {
		u.close()
	}
	for _, fd := range []int{m.null, m.pidFile} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// work is master's life after it has become what it is. It returns the
// status to exit with.
func (m *master) work() int {
	fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return m.early.fatal(m.logger, "couldn't open /dev/null: "+text(err), 2)
	}
	m.null = fd
	if m.signals, err = catchSignals(); err != nil {
		return m.early.fatal(m.logger, "unable to install signal handlers: "+text(err), exFailure)
	}
	p, err := m.readPlan(false)
	if err != nil {
		return m.early.fatal(m.logger, text(err), exConfig)
	}
	m.begin(p)
	if m.proceed() {
		m.ready = true
		m.debugf("ready for work")
		m.early.done()
		m.startReports()
		m.signals.child.Store(true) // there is something to do at once
		for !m.stopping {
			m.round(time.Time{})
		}
	}
	m.stop()
	return m.status
}

// proceed reports whether the start, or the work, is to go on.
func (m *master) proceed() bool { return !m.stopping && !m.broken }

// giveUp makes a start fail: what has been started is stopped again.
func (m *master) giveUp(msg string, status int) {
	if m.broken {
		return
	}
	m.early.fatal(m.logger, msg, status)
	m.broken, m.status = true, status
}
