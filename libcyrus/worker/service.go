// Package worker is what every process that serves clients does: it takes
// over the descriptors from master, reads the configuration, accepts
// clients, tells master of each, keeps their sessions apart, and ends
// when it is told to, has served enough, or has been replaced.
//
// A worker's main is worker.Main with a Service. What a session says is
// not this package's business.
package worker

import (
	"context"
	"log/slog"
	"net"

	"gocyrus/libcyrus/config"
)

// Service describes one program.
type Service struct {
	Name     string // "imapd"
	Flags    string // its own flags as getopt(3) wants them ("sp:N"), besides -C -U -T -D -X
	Datagram bool   // its socket gets datagrams: the handler must be a PacketHandler
	// Open is called once, after the configuration is read and before the
	// first client. If it fails the process ends with the error's text in
	// the log and status 1, or 78 if it is a *config.Error.
	Open func(*Env) (Handler, error)
}

// Handler serves the clients of one process.
type Handler interface {
	// Serve talks to one client until it leaves. It is called for each, in
	// a goroutine of its own; c is closed when it returns. ctx ends when
	// the session must end; its cause is an *Ending. An error is logged
	// unless it is nil, io.EOF, or follows from the client's leaving.
	Serve(ctx context.Context, c *Conn) error
	// Close is called once, when no session is left.
	Close() error
}

// PacketHandler is the Handler of a service with Datagram.
type PacketHandler interface {
	Handler
	// ServePackets reads datagrams until ctx ends or a read fails.
	ServePackets(ctx context.Context, c net.PacketConn) error
}

// Env is what Open is given. It does not change after Open.
type Env struct {
	Config     *config.Config
	Log        *slog.Logger // to syslog, with the service's name
	Service    string       // entry name in cyrus.conf (CYRUS_SERVICE)
	MaxClients int          // at most so many clients at a time; 1 is Cyrus's way
	Stdio      bool         // -X: one client on standard input and output, no master
	Args       []string     // what stands after the flags

	flags   map[byte]string
	process *process

	noShutdown noShutdown
}

// Flag returns the argument of one of the service's own flags ("" for a
// flag without one), and whether it was given.
func (e *Env) Flag(letter byte) (string, bool) {
	s, ok := e.flags[letter]
	return s, ok
}

// Ending is why a session must end: the cause of its context.
type Ending struct {
	// Text may be told to the client.
	Text string
	// Graceful is false if the client is to be cut without a word.
	Graceful bool
}

// Error returns the text.
func (e *Ending) Error() string { return e.Text }
