package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// lockPidFile opens the pid file, locks it for as long as the process
// lives, and writes the pid. It returns 0, or the status to exit with.
//
// The lock is one of fcntl, which Cyrus's master takes too, so the two
// keep each other out. It lasts when the process executes itself, and
// would be lost by closing any descriptor of that file.
func (m *master) lockPidFile() int {
	fd, err := unix.Open(m.opt.pidFile, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		m.errorf("can't open pidfile: %s", text(err))
		m.early.say("can't open pidfile: " + text(err))
		return exOSErr
	}
	if err := lockFile(fd); err != nil {
		return m.early.fatal(m.logger, "cannot get exclusive lock on pidfile (is another master still running?)", exOSErr)
	}
	if err := writePid(fd); err != nil {
		m.errorf("unable to write to pidfile: %s", text(err))
		return m.early.fatal(m.logger, "unable to write to pidfile (see syslog for details)", exOSErr)
	}
	m.pidFile = fd
	return 0
}

// lockFile takes an exclusive lock of the process on a file, without waiting.
func lockFile(fd int) error {
	return unix.FcntlFlock(uintptr(fd), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
}

func writePid(fd int) error {
	if err := unix.Ftruncate(fd, 0); err != nil {
		return err
	}
	if _, err := unix.Pwrite(fd, []byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return err
	}
	return unix.Fsync(fd)
}
