package worker

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/proc"
)

// Conn is one client. Reading and writing it may be done by two
// goroutines, but the methods that change it (StartTLS, SetLayer,
// StartTelemetry, Park) belong to the one that reads.
//
// When the session must end, a Read or Park that waits returns at once
// with an *Ending, as do all later ones; writing goes on to work, for the
// last words.
type Conn struct {
	process *process
	wire    *wire
	tls     *tls.Conn // nil without TLS
	layer   Layer     // nil without one
	ctx     context.Context
	cancel  context.CancelCauseFunc
	unread  []byte // what Park has read
	tele    *telemetry
	account account
	cancelling

	mu       sync.Mutex // guards what follows
	client   string
	id       string
	ending   *Ending
	deadline time.Time // of reading, as the session wants it
	readBy   time.Time // that of the wire
	writeBy  time.Time // the same of writing
	parks    uint64    // number of the last Park
	parked   bool      // it has not ended

	bytesIn, bytesOut atomic.Int64
}

// account is the session's place in the list of sessions.
type account struct {
	mu      sync.Mutex // guards what follows
	slot    *proc.Slot
	entry   proc.Entry
	late    *time.Timer // shows a command that takes long
	watched bool        // late has been set
	began   time.Time   // when the command did
	shown   string      // the command that is written
}

// Layer stands between a session and the transport: compression, or a
// SASL security layer.
type Layer interface {
	io.ReadWriter
	// Buffered reports whether Read would return something without
	// reading from the transport.
	Buffered() bool
}

var _ net.Conn = (*Conn)(nil)

// newConn makes a Conn of an accepted descriptor, which it takes over. A
// nil from means a unix socket.
func (p *process) newConn(fd int, from unix.Sockaddr) (*Conn, error) {
	f := os.NewFile(uintptr(fd), "client")
	nc, err := net.FileConn(f)
	_ = f.Close() // FileConn has its own
	if err != nil {
		return nil, err
	}
	return p.wrap(nc)
}

// wrap makes a Conn of a connection.
func (p *process) wrap(nc net.Conn) (*Conn, error) {
	w, err := newWire(nc)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	if t, ok := nc.(*net.TCPConn); ok {
		p.setTCP(t)
	}
	c := &Conn{process: p, wire: w, id: p.ids.next()}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c, nil
}

// setTCP sets the options of a new connection. Nagle's algorithm is off:
// replies are written whole, and it would hold them back for 40 ms.
func (p *process) setTCP(t *net.TCPConn) {
	c := p.env.Config
	_ = t.SetNoDelay(true) // is Go's default
	keep := net.KeepAliveConfig{Enable: config.TcpKeepalive.In(c), Idle: -1, Interval: -1, Count: -1}
	if d := config.TcpKeepaliveIdle.In(c); d > 0 {
		keep.Idle = d
	}
	if d := config.TcpKeepaliveIntvl.In(c); d > 0 {
		keep.Interval = d
	}
	if n := config.TcpKeepaliveCnt.In(c); n > 0 {
		keep.Count = n
	}
	_ = t.SetKeepAliveConfig(keep) // a connection that is gone already fails at its first use
}

// transport is the connection below a layer.
func (c *Conn) transport() net.Conn {
	if c.tls != nil {
		return c.tls
	}
	return c.wire
}

// readTransport reads below a layer. What Park took out comes first.
func (c *Conn) readTransport(b []byte) (n int, err error) {
	if len(c.unread) == 0 || len(b) == 0 {
		return c.transport().Read(b)
	}
	n = copy(b, c.unread)
	if c.unread = c.unread[n:]; len(c.unread) > 0 || c.tls == nil {
		return n, nil
	}
	c.unread = nil
	m, err := c.wire.tryRead(c.tls, b[n:])
	if err == nil {
		n += m
	} // else the next Read meets it again
	return n, nil
}

// transport is the connection as a layer sees it.
type transport struct{ *Conn }

func (t transport) Read(b []byte) (int, error)  { return t.readTransport(b) }
func (t transport) Write(b []byte) (int, error) { return t.transport().Write(b) }

// Read reads what the client sent.
func (c *Conn) Read(b []byte) (n int, err error) {
	if c.layer != nil {
		n, err = c.layer.Read(b)
	} else {
		n, err = c.readTransport(b)
	}
	if n > 0 {
		c.bytesIn.Add(int64(n))
		c.tele.read(b[:n])
	}
	if err != nil {
		if e := c.ended(); e != nil {
			err = e
		}
	}
	return n, err
}

// Write sends b to the client.
func (c *Conn) Write(b []byte) (int, error) {
	c.tele.written(b)
	c.bytesOut.Add(int64(len(b)))
	if c.layer != nil {
		return c.layer.Write(b)
	}
	return c.transport().Write(b)
}

// Traffic returns how many bytes the session has read and written, for
// the log line "auditlog: traffic".
func (c *Conn) Traffic() (in, out int64) { return c.bytesIn.Load(), c.bytesOut.Load() }

// Close ends the connection. It need not be called: the end of Serve does.
func (c *Conn) Close() error {
	return c.transport().Close()
}

// LocalAddr returns our end of the connection.
func (c *Conn) LocalAddr() net.Addr { return c.wire.LocalAddr() }

// RemoteAddr returns the client's end.
func (c *Conn) RemoteAddr() net.Addr { return c.wire.RemoteAddr() }

// SetDeadline sets the time for reading and writing.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// SetReadDeadline sets the time until which Read waits; the zero time is
// without end. It has no effect on a session that must end.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	if c.ending != nil {
		return nil
	}
	return c.setRead(t)
}

// SetWriteDeadline sets the time until which Write waits.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if soEnough(c.writeBy, t) {
		return nil
	}
	c.writeBy = t
	return c.wire.SetWriteDeadline(t)
}

// setRead sets the deadline of reading from the wire. The caller holds mu.
func (c *Conn) setRead(t time.Time) error {
	if soEnough(c.readBy, t) {
		return nil
	}
	c.readBy = t
	return c.wire.SetReadDeadline(t)
}

// soEnough reports whether a deadline is near enough to the one that is
// wanted: before it by not more than a 256th of the wait. With each command
// they were set four times, for the same half hour.
func soEnough(have, want time.Time) bool {
	if have.IsZero() || want.IsZero() {
		return false // a new wire, or an end of waiting for ever
	}
	early := want.Sub(have)
	return early >= 0 && early <= time.Until(want)/256
}

// lastWords is how long a client that must go may take to hear why.
const lastWords = 5 * time.Second

// past is a deadline that is over.
var past = time.Unix(1, 0)

// end tells the session that it must end: first its context knows, then
// what waits in Read or Park is woken.
func (c *Conn) end(e *Ending) {
	if !e.Graceful {
		c.abort()
	}
	c.mu.Lock()
	first := c.ending == nil
	if first {
		c.ending = e
	}
	c.mu.Unlock()
	if !first {
		return
	}
	c.cancel(e)
	c.mu.Lock()
	_ = c.setRead(past)
	c.mu.Unlock()
}

// ended returns why the session must end, or nil.
func (c *Conn) ended() *Ending {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

// ShuttingDown is what to tell the client who must go now, "" if it need
// not.
func (c *Conn) ShuttingDown() string {
	if e := c.ended(); e != nil {
		return e.Text
	}
	return ""
}

// abort cuts the connection without a word.
func (c *Conn) abort() {
	if s, ok := c.wire.Conn.(interface{ CloseWrite() error }); ok {
		_ = s.CloseWrite()
	}
	_ = c.wire.Close()
}

// finish releases all that belongs to the session.
func (c *Conn) finish() {
	c.account.close() // before the client sees the end: he may be back at once, and is counted (maxlogins_per_host)
	_ = c.SetWriteDeadline(time.Now().Add(lastWords))
	if c.tls != nil {
		_ = c.tls.CloseWrite()
	}
	c.wire.hangUp()
	c.cancel(context.Canceled)
	c.tele.close()
}

// Context ends when the session must end.
func (c *Conn) Context() context.Context { return c.ctx }

// Client is how the log names the client: "host [address]", "[address]"
// if the address has no name, or "[unix socket]".
func (c *Conn) Client() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.client
}

// SessionID names the session in the log and to the client.
func (c *Conn) SessionID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// NewSessionID gives the session another name, as IMAP's UNAUTHENTICATE
// and pop3d's log-in want, and returns it.
func (c *Conn) NewSessionID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.id = c.process.ids.next()
	return c.id
}

// LocalUnix reports whether the client came over a unix socket.
func (c *Conn) LocalUnix() bool {
	_, ok := c.wire.RemoteAddr().(*net.UnixAddr)
	return ok
}

// SetLayer puts a layer over the transport, which is given to wrap. The
// caller must have used all that it has read.
func (c *Conn) SetLayer(wrap func(transport io.ReadWriter) Layer) {
	c.layer = wrap(transport{c})
}

// sessionIDs makes names for sessions: BASE-TIME-PID-COUNT-RANDOM, where
// COUNT begins again with each second (session_new_id in Cyrus
// imap/global.c).
type sessionIDs struct {
	base string // syslog_prefix or servername

	mu    sync.Mutex // guards what follows
	last  int64
	count int
}

func (s *sessionIDs) next() string {
	now := time.Now().Unix()
	s.mu.Lock()
	if now != s.last {
		s.last, s.count = now, 0
	}
	s.count++
	count := s.count
	s.mu.Unlock()
	base := s.base
	if len(base) > 128 {
		base = base[:128]
	}
	b := append(make([]byte, 0, 96), base...)
	for _, n := range []int64{now, int64(os.Getpid()), int64(count)} {
		b = strconv.AppendInt(append(b, '-'), n, 10)
	}
	return string(strconv.AppendUint(append(b, '-'), randomUint64(), 10))
}
