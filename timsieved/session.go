package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/linewire"
	"gocyrus/libcyrus/sasl"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/syslog"
	"gocyrus/libcyrus/worker"
)

// store is the scripts that a client works on: *scripts.User or
// *scripts.Global.
type store interface {
	List(context.Context) ([]scripts.Script, error)
	Get(ctx context.Context, name string) (*scripts.Script, error)
	HaveSpace(ctx context.Context, name string) error
	Put(ctx context.Context, name string, text []byte) error
	Rename(ctx context.Context, from, to string) error
	Activate(ctx context.Context, name string) error
	Delete(ctx context.Context, name string) error
}

// session is one client from greeting to LOGOUT.
type session struct {
	*server
	ctx  context.Context // ends when the session must
	conn worker.Client
	r    reader
	w    *linewire.Writer
	peer sasl.Peer

	userID  string // canonical, "" before the log-in
	scripts store  // nil before the log-in
	done    bool   // no further command is read
}

func newSession(s *server, ctx context.Context, c worker.Client) *session {
	n := &session{server: s, ctx: ctx, conn: c}
	n.r = reader{in: bufio.NewReader(worker.TimedReader{Conn: c, Timeout: s.timeout}), maxString: s.maxScript}
	n.w = linewire.NewWriter(worker.TimedWriter{Conn: c, Timeout: s.timeout})
	return n
}

// serve greets the client and does its commands until it leaves.
func (s *session) serve() error {
	if config.Sieveusehomedir.In(s.conf) { // scripts of users are files in their home directories
		s.log.Error("timsieved cannot work with sieveusehomedir")
		s.w.Line("NO Fatal error: Error initializing actions")
		return s.w.Flush()
	}
	s.secured()
	s.capabilities()
	var err error
	for err == nil && !s.done && s.wait() {
		err = s.next()
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		s.log.Warn("Lost connection to client -- exiting")
		err = nil
	}
	var ending *worker.Ending
	if !s.done && errors.As(context.Cause(s.ctx), &ending) && ending.Graceful {
		s.bye(ending.Text)
		err = nil
	}
	if ferr := s.w.Flush(); err == nil {
		err = ferr
	}
	s.summary()
	return err
}

// summary logs what the session did.
func (s *session) summary() {
	if config.Auditlog.In(s.conf) {
		in, out := s.conn.Traffic()
		s.notice("auditlog: traffic sessionid=<%s> bytes_in=<%d> bytes_out=<%d>", s.conn.SessionID(), in, out)
	}
}

// secured notes what protects the connection.
func (s *session) secured() {
	s.peer = sasl.Peer{Client: s.conn.Client(), Local: s.conn.LocalAddr(), TLS: s.conn.HaveTLS(), SSF: s.conn.SSF()}
}

// wait sends what is answered and waits for the client; false if the session
// must end.
func (s *session) wait() bool {
	if s.r.in.Buffered() > 0 {
		return true
	}
	if s.w.Flush() != nil {
		return false
	}
	s.conn.SetProc(s.userID, "", "")
	if s.conn.Park(s.ctx, s.timeout) != nil {
		return false
	}
	if text := s.conn.ShuttingDown(); text != "" {
		s.bye(text)
		return false
	}
	return true
}

// bye ends the session with a reason.
func (s *session) bye(text string) {
	s.w.Line("BYE " + quote(text))
	s.done = true
}

// next reads and does one command. Of a line that cannot be read the rest is
// passed over.
func (s *session) next() error {
	name, err := s.r.command()
	if err != nil {
		return err
	}
	err = s.do(name)
	if err != nil && connectionLost(err) {
		return err
	}
	if err == nil {
		return nil
	}
	if ofServer(err) {
		s.log.Error("command failed", "user", s.userID, "command", name, "error", err)
	}
	if rerr := s.skipRest(); rerr != nil {
		return rerr
	}
	s.no(err)
	return nil
}

// skipRest passes over what is left of a line. What was answered before is
// sent first: the client may wait for it.
func (s *session) skipRest() error { return s.r.rest() }

// do runs a command if this is the time for it.
func (s *session) do(name string) error {
	c, ok := commands[name]
	switch {
	case name == `"` && s.scripts == nil: // a string, which Cyrus takes for a command of others
		return syntaxError("Authenticate first")
	case !ok, name == "starttls" && !s.tls():
		return syntaxError("Expected a command. Got something else.")
	case c.when == loggedIn && s.scripts == nil:
		return syntaxError("Authenticate first")
	}
	s.conn.SetProc(s.userID, "", name)
	return c.run(s)
}

// oneText reads a blank, a string and the line's end.
func (s *session) oneText(command, wrong string) (string, error) {
	if err := s.r.space("SPACE must occur after " + command); err != nil {
		return "", err
	}
	text, err := s.r.text(wrong)
	if err == nil {
		err = s.r.eol()
	}
	return text, err
}

// notice logs a line that other programs read.
func (s *session) notice(format string, args ...any) {
	s.log.Log(s.ctx, syslog.LevelNotice, fmt.Sprintf(format, args...))
}

// ok is the plain good answer.
func (s *session) ok() error {
	s.w.Line("OK")
	return nil
}
