package worker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// wire is the socket of a client. Beyond net.Conn it can wait until there
// is something to read without a buffer to read it into, and read without
// waiting.
type wire struct {
	net.Conn
	raw    syscall.RawConn
	noWait bool // Read fails with errWouldBlock instead of waiting

	readFirst func(fd uintptr) bool // take
	first     []byte
}

func newWire(c net.Conn) (*wire, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil, errors.New("worker: not a socket")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: c, raw: raw}
	w.readFirst = w.take
	return w, nil
}

// wouldBlock is a net.Error of the kind after which crypto/tls can go on.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "nothing to read" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

var errWouldBlock net.Error = wouldBlock{}

// Read reads from the socket. It waits unless noWait is set.
func (w *wire) Read(b []byte) (int, error) {
	if !w.noWait {
		return w.Conn.Read(b)
	}
	n, err := 0, error(nil)
	cerr := w.raw.Control(func(fd uintptr) {
		for {
			n, _, err = unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT)
			if err != unix.EINTR {
				return
			}
		}
	})
	switch {
	case cerr != nil:
		return 0, cerr
	case err == unix.EAGAIN:
		return 0, errWouldBlock
	case err != nil:
		return 0, os.NewSyscallError("recvfrom", err)
	case n == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// hangUp closes the socket. What the client has sent and nobody has read
// is thrown away before: else the kernel would reset the connection and
// the client might lose our last words.
func (w *wire) hangUp() {
	if s, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		_ = s.CloseWrite()
	}
	w.noWait = true
	buf := make([]byte, 4096)
	for range 64 {
		if n, err := w.Read(buf); n == 0 || err != nil {
			break
		}
	}
	_ = w.Close()
}

// tryRead reads from t, which is over w, without waiting.
func (w *wire) tryRead(t *tls.Conn, b []byte) (int, error) {
	w.noWait = true
	defer func() { w.noWait = false }()
	return t.Read(b)
}

// waitReadable waits until a Read would not wait: there are bytes, the
// client has gone, or the read deadline is over, which is the only error
// besides that of a closed connection. It needs no memory but the stack
// of its goroutine.
func (w *wire) waitReadable() error {
	return w.raw.Read(peek)
}

// peek reports whether there is something to read, or an error to get.
func peek(fd uintptr) bool {
	var b [1]byte
	for {
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if err != unix.EINTR {
			return err != unix.EAGAIN
		}
	}
}

// firstOctets is how much is read of what wakes a session: most commands are
// shorter.
const firstOctets = 256

// waitRead is waitReadable, and returns the first of what there is, read. To
// look whether there is something and to read it afterwards were two calls.
func (w *wire) waitRead() (first []byte, err error) {
	err = w.raw.Read(w.readFirst)
	first, w.first = w.first, nil
	return first, err
}

// take reads into w.first if there is something, and reports whether a Read
// would not wait.
func (w *wire) take(fd uintptr) bool {
	var b [firstOctets]byte
	for {
		n, err := unix.Read(int(fd), b[:])
		switch {
		case err == unix.EINTR:
			continue
		case n > 0:
			w.first = append(make([]byte, 0, n), b[:n]...)
		}
		return err != unix.EAGAIN
	}
}

// Park waits until a Read would return something, without a buffer: for a
// client that does nothing, which is most of them. The caller should have
// given back its own buffers. timeout 0 is without end.
//
// It returns nil when there is something to read (the end of the
// connection is something), os.ErrDeadlineExceeded after timeout, an
// *Ending if the session must end, or the cause of ctx. A deadline set
// with SetReadDeadline does not count while it waits.
func (c *Conn) Park(ctx context.Context, timeout time.Duration) error {
	if len(c.unread) > 0 || c.layer != nil && c.layer.Buffered() {
		return nil
	}
	number, err := c.setPark(timeout)
	if err != nil {
		return err
	}
	defer c.unsetPark()
	if ctx != c.ctx && ctx.Done() != nil {
		defer context.AfterFunc(ctx, func() { c.wake(number) })()
	}
	for {
		if c.tls != nil {
			if c.peekTLS() {
				return nil
			}
			err = c.wire.waitReadable()
		} else {
			c.unread, err = c.wire.waitRead()
		}
		switch {
		case err == nil && c.tls == nil:
			return nil
		case err == nil:
			continue // perhaps not a whole record
		case c.ended() != nil:
			return c.ended()
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		return err
	}
}

// peekTLS takes one byte out of the TLS connection if it has one, or if
// there is an error to get.
func (c *Conn) peekTLS() bool {
	b := make([]byte, 1)
	n, err := c.wire.tryRead(c.tls, b)
	if n == 1 {
		c.unread = b
		return true
	}
	var wait wouldBlock
	return !errors.As(err, &wait)
}

// setPark sets the deadline of waiting and returns the number of the Park.
func (c *Conn) setPark(timeout time.Duration) (number uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending != nil {
		return 0, c.ending
	}
	var t time.Time
	if timeout > 0 {
		t = time.Now().Add(timeout)
	}
	c.parks++
	c.parked = true
	return c.parks, c.setRead(t)
}

// unsetPark sets the session's own deadline again.
func (c *Conn) unsetPark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked = false
	if c.ending == nil {
		_ = c.setRead(c.deadline)
	}
}

// wake ends a Park, if it has not ended yet.
func (c *Conn) wake(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parked && c.parks == number {
		_ = c.setRead(past)
	}
}

// randomUint64 is from the system's source.
func randomUint64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.NativeEndian.Uint64(b[:])
}
