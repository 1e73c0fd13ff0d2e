package worker

import (
	"context"
	"io"
	"net"
	"time"
)

// Client is what a session of a line protocol needs of its connection; *Conn
// is one, tests have others.
type Client interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Park(context.Context, time.Duration) error
	StartTLS(context.Context) error
	HaveTLS() bool
	SSF() int
	Client() string
	LocalAddr() net.Addr
	SessionID() string
	SetProc(user, mailbox, command string)
	StartTelemetry(user string)
	ShuttingDown() string
	Traffic() (in, out int64)
}

var _ Client = (*Conn)(nil)

// TimedReader gives a client the inactivity timer for each piece of what it
// sends: Read fails with os.ErrDeadlineExceeded after Timeout.
type TimedReader struct {
	Conn    Client
	Timeout time.Duration
}

// Read is that of the connection, with the timer started anew.
func (r TimedReader) Read(p []byte) (int, error) {
	if err := r.Conn.SetReadDeadline(time.Now().Add(r.Timeout)); err != nil {
		return 0, err
	}
	return r.Conn.Read(p)
}

// TimedWriter gives a client that reads slowly the inactivity timer for each
// write.
type TimedWriter struct {
	Conn    Client
	Timeout time.Duration
}

// Write is that of the connection, with the timer started anew.
func (w TimedWriter) Write(p []byte) (int, error) {
	if err := w.Conn.SetWriteDeadline(time.Now().Add(w.Timeout)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}
