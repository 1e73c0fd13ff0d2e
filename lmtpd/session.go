package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/linewire"
	"gocyrus/libcyrus/version"
	"gocyrus/libcyrus/worker"
)

// maxLine is the longest command line in octets: Cyrus's buffer.
const maxLine = 4096

// idleTimeout ends a session in which the client says nothing
// (Cyrus imap/lmtpd.c: prot_settimeout 360).
const idleTimeout = 6 * time.Minute

// trust is why a client may deliver mail.
type trust uint8

const (
	untrusted     trust = iota // it has to authenticate first
	preauth                    // by its socket or -a: "postman"
	authenticated              // it gave a password
)

// session is one client.
type session struct {
	*server
	conn  *worker.Conn
	r     *linewire.Reader
	w     *linewire.Writer
	trust trust
	lhlo  string // what the client called itself
	tls   bool
	mail  envelope
	quit  bool
	// waited says that the next command was not there with the one before: then
	// the shutdown file is looked for. Of a pipelined transaction that is once
	// and not for each command, which was a third of its open calls.
	waited bool
}

// envelope is the transaction that is going on (RFC 5321 section 3.3).
type envelope struct {
	begun      bool   // MAIL was accepted, or refused after its path was read
	returnPath string // without angle brackets; "" for bounces
	authUser   string // AUTH= of MAIL: on whose behalf, for access control
	authGiven  bool   // … and it was not <>
	size       int64  // SIZE= of MAIL, octets; 0 if not said
	utf8       bool   // SMTPUTF8 of MAIL: addresses and header may be UTF-8
	to         []*recipient
	// transfer is the message itself, from DATA or the first BDAT on.
	transfer *transfer
}

func newSession(s *server, c *worker.Conn) *session {
	n := &session{server: s, conn: c, r: linewire.NewReader(c, maxLine), w: linewire.NewWriter(c)}
	if n.trusted() {
		n.trust = preauth
	}
	return n
}

// trusted reports whether the client may deliver mail for what it is.
func (s *session) trusted() bool { return s.trustAll || s.conn.LocalUnix() }

// serve runs the dialog. Errors of the connection end it.
func (s *session) serve(ctx context.Context) error {
	defer s.reset()
	if s.trust == preauth {
		s.conn.StartTelemetry("postman")
	}
	s.greet()
	for !s.quit {
		line, err := s.next(ctx)
		if errors.Is(err, linewire.ErrTooLong) {
			s.w.Line(syntaxError)
			continue
		}
		if err != nil {
			return s.gone(err)
		}
		s.do(ctx, line)
	}
	return s.w.Flush()
}

func (s *session) greet() {
	who := s.conf.ServerName()
	if config.Serverinfo.In(s.conf) == "on" {
		who += " Cyrus LMTP " + version.Cyrus()
	}
	s.w.Linef("220 %s server ready", who)
}

// next returns the next command line. Replies are sent before it waits.
func (s *session) next(ctx context.Context) ([]byte, error) {
	if !s.r.Buffered() {
		s.waited = true
		if err := s.w.Flush(); err != nil {
			return nil, err
		}
		s.r.Release()
		if err := s.conn.Park(ctx, idleTimeout); err != nil {
			return nil, err
		}
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
		return nil, err
	}
	return s.r.Line()
}

// gone tells the client why the session ends, if it can still hear it.
func (s *session) gone(err error) error {
	var ending *worker.Ending
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &ending):
		if !ending.Graceful {
			return nil
		}
		s.w.Linef("421 4.3.2 %s", ending.Text)
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.w.Line("421 4.4.1 bye idle for too long")
	default:
		return err
	}
	return s.w.Flush()
}

// do runs one command.
func (s *session) do(ctx context.Context, line []byte) {
	name, args, _ := bytes.Cut(line, []byte{' '})
	cmd, ok := commands[strings.ToUpper(string(name))]
	if s.trust == untrusted && len(line) >= 4 && strings.EqualFold(string(line[:4]), "MAIL") {
		s.w.Line(s.authNeeded()) // whatever follows
		return
	}
	if !ok || cmd.args != bytes.ContainsRune(line, ' ') || cmd.args && cmd.needsArg && len(args) == 0 {
		s.w.Line(syntaxError)
		return
	}
	if s.waited && !cmd.duringShutdown {
		s.waited = false
		if text, down := s.env.ShutdownText(); down {
			s.w.Linef("421 4.3.2 %s", text)
			s.quit = true
			return
		}
	}
	cmd.run(s, ctx, string(args))
}

// reset ends the transaction.
func (s *session) reset() {
	s.mail.transfer.remove()
	s.mail = envelope{}
}
