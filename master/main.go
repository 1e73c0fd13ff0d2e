// Master is the process that starts all others: it reads cyrus.conf, opens
// the listening sockets, keeps workers ready for clients, runs commands at
// their time, and stops everything in order.
//
// Usage: master [-C imapd.conf] [-M cyrus.conf] [-l backlog] [-p pidfile]
// [-j sweeps] [-d | -D] [-L logfile] [-v] [-V]
//
//	-d  go into the background; the exit status tells whether that worked
//	-D  keep standard input, output and error
//	-L  send standard output and error to a file
//	-v  log more; up to three times
//
// # Diagnostics
//
// SIGHUP makes it read cyrus.conf again; SIGTERM, SIGQUIT and SIGINT stop
// everything. The exit status is 0 after that, 78 if the configuration
// cannot be used, 69 if a socket cannot be opened and
// master_bind_errors_fatal is set, 71 if another master runs, 1 if a START
// command fails or the Cyrus user cannot be changed to.
package main

import (
	"fmt"
	"math"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/syslog"
	"gocyrus/libcyrus/version"
)

// Exit statuses (sysexits.h).
const (
	exFailure     = 1
	exUnavailable = 69
	exOSErr       = 71
	exTempFail    = 75
	exConfig      = 78
)

func main() {
	if os.Args[0] == limitName {
		runLimited(os.Args[1:])
	}
	// Capabilities belong to a thread. All processes are started by this one.
	runtime.LockOSThread()
	os.Exit(run(os.Args, takeStage()))
}

// run is main after the special ways to be started.
func run(args []string, st stage) int {
	// What whoever started us left open is not for our processes. Kernels
	// before 5.11 can't do it; then they get it as they do from Cyrus.
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	opt, err := parseOptions(args)
	for _, e := range opt.complaints {
		fmt.Fprintln(os.Stderr, e)
	}
	if opt.version {
		fmt.Println(version.Line())
		return 0
	}
	log, early := newLogger(opt, nil), &startError{stderr: st.stderr()}
	if err != nil {
		return early.fatal(log, err.Error(), exConfig)
	}
	conf, err := config.Load(opt.conf, "master")
	if err != nil {
		return early.fatal(log, text(err), exConfig)
	}
	log = newLogger(opt, conf)
	m := newMaster(opt, conf, log, early)
	if opt.daemon && st.name == "" {
		return m.daemonize(args)
	}
	defer m.closeDescriptors()
	if code := m.settle(st, args[0]); code != 0 {
		return code
	}
	return m.work()
}

// settle makes the process what it will be: its descriptors, its pid file,
// its user. It returns 0, or the status to exit with.
func (m *master) settle(st stage, name string) int {
	m.pidFile = st.pidFile
	if st.name != stageDropped {
		if code := m.arrive(st); code != 0 {
			return code
		}
	}
	return m.becomeCyrus(st, m.opt.args(name))
}

// arrive is settle before the user is changed.
func (m *master) arrive(st stage) int {
	tell := func(code int) int { st.tell(m.logger, code); return code }
	if st.name == stageDaemon {
		if err := m.changeDirectory(); err != nil {
			return tell(m.early.fatal(m.logger, err.Error(), 2))
		}
	}
	if err := m.redirect(); err != nil {
		return tell(m.early.fatal(m.logger, err.Error(), 2))
	}
	if m.opt.debug || m.opt.output != "" {
		os.Setenv(syslog.StderrEnv, "1")
	}
	if code := m.lockPidFile(); code != 0 {
		return tell(code)
	}
	tell(0)
	m.debugf("process started")
	return 0
}

// newLogger returns the log; conf is nil before it has been read.
func newLogger(opt options, conf *config.Config) *logger {
	o := syslog.Options{Facility: facility()}
	prefix := ""
	if conf != nil {
		prefix, o.Debug = config.SyslogPrefix.In(conf), config.Debug.In(conf)
	}
	o.Ident = syslog.MasterIdent(prefix, "master")
	if opt.debug {
		o.Copy = os.Stderr
	}
	return wrapLogger(syslog.New(o))
}
