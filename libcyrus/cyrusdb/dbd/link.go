package dbd

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"gocyrus/libcyrus/cyrusdb/dbwire"
)

// link is one connection to the server, shared by all goroutines.
type link struct {
	conn  *net.UnixConn
	hello dbwire.HelloReply

	mu      sync.Mutex // guards what follows
	pending map[uint32]chan reply
	lastID  uint32
	err     error // why the connection has ended

	out     []byte // frames to be written
	spare   []byte // the buffer written last
	writing bool   // somebody writes
}

type reply struct {
	status  dbwire.Status
	payload []byte
	err     error // the connection has ended before the answer came
}

// handshakeWait is how long a server may take for its first answer.
const handshakeWait = 5 * time.Second

// errRefused is a server that does not serve us.
var errRefused = errors.New("cyrusdbd refuses")

// newLink greets the server.
func newLink(ctx context.Context, conn *net.UnixConn, client dbwire.ClientID) (*link, error) {
	l := &link{conn: conn, pending: map[uint32]chan reply{}}
	until := time.Now().Add(handshakeWait)
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	conn.SetDeadline(until)
	b := dbwire.AppendHead(nil, 0, uint8(dbwire.Hello))
	b = dbwire.HelloRequest{Min: dbwire.MinVersion, Max: dbwire.Version, Client: client}.Append(b)
	if _, err := conn.Write(dbwire.Finish(b, 0)); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(conn, 32<<10)
	_, status, payload, err := dbwire.ReadFrame(r, nil)
	if err != nil {
		return nil, err
	}
	switch dbwire.Status(status) {
	case dbwire.OK:
	case dbwire.Leaving:
		return nil, net.ErrClosed
	default:
		return nil, errors.Join(errRefused, errors.New(string(payload)))
	}
	if !l.hello.Decode(payload) {
		return nil, errors.New("no greeting of cyrusdbd")
	}
	conn.SetDeadline(time.Time{})
	go l.read(r)
	return l, nil
}

// read hands replies to those who wait for them.
func (l *link) read(r *bufio.Reader) {
	for {
		id, status, payload, err := dbwire.ReadFrame(r, nil)
		if err != nil {
			l.fail(err)
			return
		}
		l.mu.Lock()
		ch := l.pending[id]
		delete(l.pending, id)
		l.mu.Unlock()
		if ch != nil {
			ch <- reply{dbwire.Status(status), payload, nil}
		}
	}
}

// fail ends the connection.
func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	l.conn.Close()
	for _, ch := range l.pending {
		ch <- reply{err: err}
	}
	l.pending = nil
}

// alive reports whether the connection may still be used.
func (l *link) alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err == nil
}

// ask sends a request and waits for the reply.
func (l *link) ask(ctx context.Context, op dbwire.Op, build func([]byte) []byte) reply {
	ch := make(chan reply, 1)
	id, err := l.send(op, build, ch)
	if err != nil {
		return reply{err: err}
	}
	select {
	case r := <-ch:
		return r
	case <-ctx.Done():
		l.mu.Lock()
		delete(l.pending, id)
		l.mu.Unlock()
		return reply{err: context.Cause(ctx)}
	}
}

// send puts a request into the buffer. Whoever finds nobody writing writes
// all that is there, until nothing more has come.
func (l *link) send(op dbwire.Op, build func([]byte) []byte, ch chan reply) (uint32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	l.lastID++
	id := l.lastID
	l.pending[id] = ch
	start := len(l.out)
	l.out = dbwire.AppendHead(l.out, id, uint8(op))
	if build != nil {
		l.out = build(l.out)
	}
	l.out = dbwire.Finish(l.out, start)
	if l.writing {
		return id, nil
	}
	l.writing = true
	for len(l.out) > 0 && l.err == nil {
		buf := l.out
		l.out = l.spare[:0]
		l.mu.Unlock()
		_, err := l.conn.Write(buf)
		if err != nil {
			l.fail(err)
		}
		l.mu.Lock()
		const keep = 1 << 20 // a larger buffer is not kept
		if l.spare = buf; cap(buf) > keep {
			l.spare = nil
		}
	}
	l.writing = false
	return id, nil
}
