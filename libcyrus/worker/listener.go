package worker

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// listener is the socket that master opened and all workers of a service
// share. It is used with blocking system calls on a thread of its own: the
// kernel then wakes one of the waiting processes, while the runtime's
// poller would have it wake all.
//
// Its flags belong to all who share it. A receive time-out (Cyrus's own
// workers take EAGAIN) bounds accept; non-blocking mode is left as found.
type listener struct {
	fd   int
	unix bool // a unix socket

	mu     sync.Mutex // guards closed
	closed bool
}

// newListener takes over descriptor fd, which must be a socket.
func newListener(fd int) (*listener, error) {
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		return nil, fmt.Errorf("getsockopt: SOL_SOCKET: failed to get type: %s", sysText(err))
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("getsockname: failed: %s", sysText(err))
	}
	_, isUnix := name.(*unix.SockaddrUnix)
	tv := unix.NsecToTimeval(int64(tick))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return nil, fmt.Errorf("setsockopt: SO_RCVTIMEO: %s", sysText(err))
	}
	return &listener{fd: fd, unix: isUnix}, nil
}

// accept waits up to a second for a client. The new descriptor is
// non-blocking. To end the waiting earlier is not worth the trouble: it
// would take signals, or poll, which wakes every worker for each client.
//
// The time-out has no effect on an MPTCP socket (Linux 6.18), which is what
// net.Listen makes: master must not use that.
func (l *listener) accept() (fd int, from unix.Sockaddr, err error) {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return -1, nil, unix.EAGAIN
	}
	start := time.Now()
	fd, from, err = unix.Accept4(l.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if errors.Is(err, unix.EAGAIN) && time.Since(start) < tick/2 {
		// Somebody has made the socket non-blocking.
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}, int(tick.Milliseconds()))
	}
	return fd, from, err
}

// again reports whether accept may be called again after err: nobody came,
// or the client has gone already. Source: master/service.c, accept(2).
func (l *listener) again(err error) bool {
	switch err {
	case unix.EAGAIN, unix.EINTR, unix.ECONNABORTED, unix.ENETDOWN, unix.EPROTO, unix.ENOPROTOOPT,
		unix.EHOSTDOWN, unix.ENONET, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH, unix.EPERM:
		return true
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
		time.Sleep(tick) // clients wait in the kernel's queue, or another process takes them
		return true
	case unix.EBADF, unix.EINVAL:
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.closed
	}
	return false
}

// close gives the socket up, so that a new master can bind its address. It
// is shut first, which ends the waiting in accept of all who share it: no
// client is taken any more that would only be sent away.
func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		_ = unix.Shutdown(l.fd, unix.SHUT_RDWR) // another worker may have done that
		_ = unix.Close(l.fd)
	}
}
