package worker

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// message is what a worker tells master on the status pipe
// (master/service.h).
type message uint32

const (
	available       message = 1 // has room again
	unavailable     message = 2 // takes no more, or is about to leave
	connection      message = 3 // took a client
	connectionMulti message = 4 // took a client and has room for more
)

// status is the pipe to master. A message is two 32-bit numbers in the
// machine's byte order: what, and our process id.
type status struct {
	fd  int // -1: there is no master
	log *slog.Logger
}

// tell sends one message. It may be called by many goroutines: writes of
// eight bytes to a pipe are not mixed.
func (s *status) tell(m message) {
	if s.fd < 0 {
		return
	}
	var b [8]byte
	binary.NativeEndian.PutUint32(b[:4], uint32(m))
	binary.NativeEndian.PutUint32(b[4:], uint32(os.Getpid()))
	for {
		_, err := unix.Write(s.fd, b[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil && !errors.Is(err, unix.EPIPE) { // that master is gone is seen elsewhere
			s.log.Error("unable to tell master", "message", int(m), "error", err)
		}
		return
	}
}

// broken reports whether nobody reads the pipe any more.
func (s *status) broken() bool { return s.wait(0) }

// wait is broken, but waits for that to happen, not longer than d.
func (s *status) wait(d time.Duration) (broken bool) {
	if s.fd < 0 {
		time.Sleep(d)
		return false
	}
	p := []unix.PollFd{{Fd: int32(s.fd)}} // errors are reported unasked
	n, err := unix.Poll(p, int(d.Milliseconds()))
	return err == nil && n == 1 && p[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0
}
