package worker

import (
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// serveStdio serves the one client on standard input and output (-X). They
// may be anything; what is not a socket is joined to one end of a pair.
func (p *process) serveStdio() {
	nc, finish, err := stdioConn()
	if err == nil {
		defer finish()
		var c *Conn
		if c, err = p.wrap(nc); err == nil {
			p.reserve()
			if p.admit(c) {
				p.session(c)
			}
			p.release(true)
			return
		}
	}
	p.env.Log.Error("standard input: " + sysText(err))
	p.mu.Lock()
	p.code = exitOS
	p.mu.Unlock()
}

// stdioConn makes a connection of standard input and output. finish waits
// until all that was written to it is out.
func stdioConn() (nc net.Conn, finish func(), err error) {
	if _, err := unix.Getpeername(0); err == nil {
		nc, err = net.FileConn(os.Stdin)
		return nc, func() {}, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, err := socket(pair[0])
	if err != nil {
		return nil, nil, err
	}
	theirs, err := socket(pair[1])
	if err != nil {
		return nil, nil, err
	}
	go func() {
		_, _ = io.Copy(theirs, os.Stdin)
		_ = theirs.(*net.UnixConn).CloseWrite()
	}()
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(os.Stdout, theirs)
		close(done)
	}()
	return ours, func() { <-done }, nil
}

// socket makes a net.Conn of a descriptor, which it takes over.
func socket(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	return net.FileConn(f)
}
