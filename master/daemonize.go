package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
)

// forkRetry is how long to wait before trying again to start the process
// that goes into the background. Source: Cyrus master/master.c.
const forkRetry = 5 * time.Second

// daemonize is what -d does in the process that the admin started: it
// starts another one in the background, waits until that has the pid file,
// and returns its word as the exit status. Of two that do this at the same
// time one is kept out by the lock on PIDFILE.lock.
func (m *master) daemonize(args []string) int {
	name := m.opt.pidFile + ".lock"
	lock, err := unix.Open(name, unix.O_CREAT|unix.O_TRUNC|unix.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		m.errorf("can't open pidfile lock: %s (%s)", name, text(err))
		m.early.say(fmt.Sprintf("can't open pidfile lock: %s (%s)", name, text(err)))
		return exOSErr
	}
	if err := lockFile(lock); err != nil {
		m.errorf("can't get exclusive lock on %s", name)
		m.early.say("can't get exclusive lock on " + name)
		return exTempFail
	}
	defer unix.Unlink(name)
	r, w, err := os.Pipe()
	if err != nil {
		m.errorf("can't create startup pipe (%s)", text(err))
		return exOSErr
	}
	defer r.Close()
	if err := m.background(args, w); err != nil {
		return m.early.fatal(m.logger, "fork error", exOSErr)
	}
	code := make([]byte, 4)
	if n, err := r.Read(code); n != len(code) {
		m.errorf("could not read from startup_pipe (%v)", err)
		return exOSErr
	}
	return int(code[0])
}

// background starts the process that goes on; report is closed here.
func (m *master) background(args []string, report *os.File) error {
	defer report.Close()
	st := stage{name: stageDaemon, report: 3, pidFile: -1, complain: -1}
	for {
		_, err := syscall.ForkExec(selfPath, args, &syscall.ProcAttr{
			Env:   st.environ(),
			Files: []uintptr{0, 1, 2, report.Fd()},
			Sys:   &syscall.SysProcAttr{Setsid: true},
		})
		if !errors.Is(err, unix.EAGAIN) {
			return err
		}
		m.warnf("master fork failed (sleeping): %s", text(err))
		time.Sleep(forkRetry)
	}
}

// changeDirectory goes to where cores can go to die.
func (m *master) changeDirectory() error {
	dir := config.Configdirectory.In(m.conf)
	if dir == "" {
		dir = os.TempDir()
	}
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("couldn't chdir to %s: %s", dir, text(err))
	}
	if err := os.Chdir("cores"); err != nil && !errors.Is(err, os.ErrNotExist) {
		m.debugf("couldn't chdir to %s/cores: %s", dir, text(err))
	}
	return nil
}

// redirect points standard input, output and error to nowhere, or to the
// file of -L, unless -D keeps them.
func (m *master) redirect() error {
	if m.opt.debug && m.opt.output == "" {
		return nil
	}
	for fd := range 3 {
		name, flags := "/dev/null", unix.O_RDWR
		if fd > 0 && m.opt.output != "" {
			name, flags = m.opt.output, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND
		}
		from, err := unix.Open(name, flags|unix.O_CLOEXEC, 0o666)
		if err != nil {
			return fmt.Errorf("couldn't open %s: %s", name, text(err))
		}
		if err := unix.Dup3(from, fd, 0); err != nil {
			return fmt.Errorf("couldn't open %s: %s", name, text(err))
		}
		unix.Close(from)
	}
	return nil
}
