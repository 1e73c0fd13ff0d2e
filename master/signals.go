package main

import (
	"os"
	"os/signal"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// signals is what signals have asked for, and a pipe that wakes the main
// loop. The flags are set by a goroutine of their own.
type signals struct {
	quit, hup, child atomic.Bool
	wakeR, wakeW     int
}

// catchSignals begins to take signals. SIGALRM and SIGPIPE do nothing; they
// are caught, not ignored, because processes would inherit that.
func catchSignals() (*signals, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	s := &signals{wakeR: p[0], wakeW: p[1]}
	c := make(chan os.Signal, 64)
	signal.Notify(c, unix.SIGHUP, unix.SIGTERM, unix.SIGQUIT, unix.SIGINT, unix.SIGCHLD, unix.SIGALRM, unix.SIGPIPE)
	go func() {
		for sig := range c {
			s.note(sig)
		}
	}()
	s.child.Store(true) // one may have come before
	return s, nil
}

// note records a signal. A full pipe wakes the loop as well.
func (s *signals) note(sig os.Signal) {
	switch sig {
	case unix.SIGHUP:
		s.hup.Store(true)
	case unix.SIGTERM, unix.SIGQUIT, unix.SIGINT:
		s.quit.Store(true)
	case unix.SIGCHLD:
		s.child.Store(true)
	default:
		return
	}
	_, _ = unix.Write(s.wakeW, []byte{0})
}

// any reports whether something waits to be done that can be done now.
func (s *signals) any() bool { return s.quit.Load() || s.child.Load() }

// drain empties the pipe.
func (s *signals) drain() {
	var buf [256]byte
	for {
		if n, err := unix.Read(s.wakeR, buf[:]); n <= 0 || err != nil {
			return
		}
	}
}
