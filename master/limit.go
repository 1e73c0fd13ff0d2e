package main

import (
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// limitName is the name under which master is started to limit the number
// of descriptors of the program that it then becomes. A Go program raises
// its own soft limit, and what it starts is given the one from before that:
// the limit of one child alone cannot be set otherwise.
const limitName = "cyrus-limit-fds"

// limited returns the command that runs path with args (args[0] is its
// name) and at most n descriptors.
func limited(n uint64, path string, args []string) (string, []string) {
	return selfPath, append([]string{limitName, strconv.FormatUint(n, 10), path}, args...)
}

// selfPath is this program, even if its file has been replaced.
const selfPath = "/proc/self/exe"

// runLimited is the other end of limited. It does not return.
func runLimited(args []string) {
	if len(args) < 3 {
		os.Exit(exFailure)
	}
	log := newLogger(options{}, nil)
	n, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		os.Exit(exFailure)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: hardLimit(log)}); err != nil {
		log.errorf("setrlimit: Unable to set file descriptors limit to %d: %s", n, text(err))
	}
	err = syscall.Exec(args[1], args[2:], os.Environ())
	log.errorf("couldn't exec %s: %s", args[1], text(err))
	os.Exit(exOSErr)
}

// hardLimit is how many descriptors a process may have at most.
func hardLimit(log *logger) uint64 {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		log.errorf("getrlimit: %s", text(err))
		return unix.RLIM_INFINITY
	}
	return r.Max
}

// capLimit returns the limit that can be had when n is wanted, and logs if
// it is less.
//
// Source: limit_fds in Cyrus master/master.c.
func (m *master) capLimit(n uint64) uint64 {
	hard := hardLimit(m.logger)
	if n > hard {
		m.warnf("limit_fds: requested %d, but capped to %d", n, hard)
		n = hard
	}
	if m.opt.verbose > 1 {
		m.debugf("set maximum file descriptors to %d/%d", n, hard)
	}
	return n
}
