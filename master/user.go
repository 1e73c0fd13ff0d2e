package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/osuser"
)

// becomeCyrus makes the process run as the Cyrus user. As root it does not
// return if it succeeds: master executes itself, as that user and with no
// right but to bind to the ports below 1024. Anybody else runs as himself,
// if the configuration names no user, or him. It returns 0, or the status
// to exit with.
//
// Source: become_cyrus in Cyrus lib/util.c.
func (m *master) becomeCyrus(st stage, args []string) int {
	if st.name == stageDropped && os.Geteuid() != 0 {
		if err := keepOnlyPermitted(); err != nil {
			m.errorf("cannot set caps: %s", text(err))
		}
		return 0
	}
	u, named, err := osuser.Cyrus(m.conf)
	if os.Geteuid() != 0 && !named || err == nil && u.UID == os.Geteuid() {
		return 0
	}
	if err == nil {
		err = m.drop(u, st, args)
	}
	m.errorf("%s", err)
	m.errorf("can't change to the cyrus user: %s", text(err))
	m.early.say("can't change to the cyrus user: " + err.Error())
	return exFailure
}

// drop changes the user and executes master again. It returns only to tell
// why it could not. The thread must be locked.
func (m *master) drop(u osuser.User, st stage, args []string) error {
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		m.errorf("cannot set keepcaps flag: %s", text(err))
	}
	if err := u.Become(); err != nil {
		return err
	}
	if err := carryBindRight(); err != nil {
		m.errorf("cannot set caps: %s", text(err)) // ports from 1024 up still work
	}
	st.name, st.pidFile = stageDropped, m.pidFile
	for _, fd := range []int{st.pidFile, st.complain} {
		if fd > 2 {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
				return err
			}
		}
	}
	if err := syscall.Exec(selfPath, args, st.environ()); err != nil {
		return &sysFault{"couldn't exec " + m.self + ": " + text(err), err}
	}
	return nil
}
