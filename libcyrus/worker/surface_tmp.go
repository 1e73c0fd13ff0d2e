package worker

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"
)

type runtimeState struct{}

// Main runs s; it never returns.
func Main(s Service) { panic("later") }

// ShutdownText: see below.
func (e *Env) ShutdownText() (text string, ok bool) { panic("later") }

// Motd returns the first line of msg/motd, if there is one.
func (e *Env) Motd() (text string, ok bool) { panic("later") }

// TLSAvailable reports whether there is a certificate.
func (e *Env) TLSAvailable() bool { panic("later") }

// Conn is one client.
type Conn struct{ net.Conn }

// Park waits until a Read would not block, the timeout (0: none) is over
// (os.ErrDeadlineExceeded), or the session must end (an *Ending). The
// caller should hold no buffers.
func (c *Conn) Park(ctx context.Context, timeout time.Duration) error { panic("later") }

// StartTLS does the server's side of a handshake. The caller must throw
// away what it has read and not yet used.
func (c *Conn) StartTLS(ctx context.Context) error { panic("later") }

// HaveTLS reports whether the connection is encrypted.
func (c *Conn) HaveTLS() bool { panic("later") }

// TLSState is the state of the encryption.
func (c *Conn) TLSState() (tls.ConnectionState, bool) { panic("later") }

// Client is "host [address]".
func (c *Conn) Client() string { panic("later") }

// SessionID names the session in the log and to the client.
func (c *Conn) SessionID() string { panic("later") }

// SetProc tells the list of sessions what the session does.
func (c *Conn) SetProc(user, mailbox, command string) { panic("later") }

// StartTelemetry writes what is said from now on to conf/log/<user>/ if
// that directory exists.
func (c *Conn) StartTelemetry(user string) { panic("later") }

// LocalUnix reports whether the client came over a unix socket.
func (c *Conn) LocalUnix() bool { panic("later") }

// ShuttingDown is why the session must end, "" while it need not.
func (c *Conn) ShuttingDown() string { panic("later") }

// OnCancel sets what ends the running command (nil: nothing runs).
func (c *Conn) OnCancel(cancel func()) { panic("later") }

// Layer stands between session and transport, as COMPRESS=DEFLATE does.
type Layer interface {
	io.ReadWriter
	Buffered() bool // Read would return something without reading from the transport
}

// SetLayer puts a layer over what is there.
func (c *Conn) SetLayer(wrap func(transport io.ReadWriter) Layer) { panic("later") }
