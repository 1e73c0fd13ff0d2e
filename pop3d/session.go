package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/linewire"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/sasl"
	"gocyrus/libcyrus/syslog"
	"gocyrus/libcyrus/version"
	"gocyrus/libcyrus/worker"
)

// maxLine is the longest command line in octets: Cyrus's buffer.
const maxLine = 8192

// session is one client from greeting to QUIT.
type session struct {
	*server
	ctx  context.Context // ends when the session must
	conn worker.Client
	r    *linewire.Reader
	w    *linewire.Writer
	peer sasl.Peer

	userID    string // canonical, from USER on
	subfolder string // "+folder" behind the name, or ""
	drop      *maildrop
	held      *lock.Held // exclusive access to the maildrop
	counts    struct{ retr, top, dele int }
	done      bool // no further command is read
}

func newSession(s *server, ctx context.Context, c worker.Client) *session {
	n := &session{server: s, ctx: ctx, conn: c, r: linewire.NewReader(c, maxLine)}
	n.w = linewire.NewWriter(worker.TimedWriter{Conn: c, Timeout: s.timeout})
	return n
}

// serve greets the client and does its commands until it leaves.
func (s *session) serve() error {
	defer s.r.Release()
	defer s.unlockDrop()
	defer func() { s.announce(event.Logout) }()
	if s.implicit {
		if err := s.conn.StartTLS(s.ctx); err != nil {
			return err
		}
	}
	s.secured()
	s.greet()
	if text, ok := s.shutdown(); ok {
		s.sendAway(text)
	}
	var err error
	for err == nil && !s.done && s.wait() && s.mayGoOn() {
		err = s.next()
	}
	s.bye()
	if ferr := s.w.Flush(); err == nil {
		err = ferr
	}
	s.summary()
	return err
}

// summary logs what the session did.
func (s *session) summary() {
	s.notice("counts: retr=<%d> top=<%d> dele=<%d>", s.counts.retr, s.counts.top, s.counts.dele)
	if config.Auditlog.In(s.conf) {
		in, out := s.conn.Traffic()
		s.notice("auditlog: traffic sessionid=<%s> bytes_in=<%d> bytes_out=<%d>", s.conn.SessionID(), in, out)
	}
}

// secured notes what protects the connection.
func (s *session) secured() {
	s.peer = sasl.Peer{Client: s.conn.Client(), Local: s.conn.LocalAddr(), TLS: s.conn.HaveTLS(), SSF: max(s.ssf, s.conn.SSF())}
}

// greet sends the first line. It ends in a blank where the APOP challenge
// would stand.
func (s *session) greet() {
	name := " " + config.Servername.In(s.conf)
	switch config.Serverinfo.In(s.conf) {
	case "off":
		name = ""
	case "on":
		name += " Cyrus POP3 " + version.Cyrus()
	}
	s.w.Line("+OK" + name + " server ready ")
}

// wait sends what is answered and waits for the client without holding
// buffers; false if the session must end.
func (s *session) wait() bool {
	if s.r.Buffered() {
		return true
	}
	if s.w.Flush() != nil {
		return false
	}
	s.proc("")
	s.r.Release()
	return s.conn.Park(s.ctx, s.timeout) == nil
}

// mayGoOn looks whether the user may still be here, before each command.
func (s *session) mayGoOn() bool {
	text := s.conn.ShuttingDown()
	if text != "" {
		s.sendAway(text)
	}
	return text == ""
}

// sendAway ends the session with a reason. What begins with "[" would be taken
// for a response code.
func (s *session) sendAway(text string) {
	s.w.Line("-ERR [SYS/TEMP] " + strings.TrimLeft(text, "["))
	s.done = true
}

// next reads and does one command.
func (s *session) next() error {
	line, err := s.line()
	if errors.Is(err, linewire.ErrTooLong) {
		s.w.Line("-ERR " + string(errSyntax))
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.do(line); err != nil {
		if ofServer(err) {
			s.log.Error("command failed", "user", s.userID, "sessionid", s.conn.SessionID(), "error", err)
		}
		s.w.Line("-ERR " + reply(err))
	}
	return nil
}

// line reads a line of the client, which has the inactivity timer to finish
// it. What follows a NUL does not count.
func (s *session) line() (string, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(s.timeout)); err != nil {
		return "", err
	}
	line, err := s.r.Line()
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF // the client is gone
	}
	text, _, _ := strings.Cut(string(line), "\x00")
	return text, err
}

// do finds the command of a line and runs it if this is the time for it.
func (s *session) do(line string) error {
	name, arg := line, ""
	i := strings.IndexAny(line, blanks)
	if i >= 0 {
		name, arg = line[:i], line[i+1:]
	}
	name = strings.ToLower(name)
	c, ok := commands[name]
	if !c.raw {
		arg = strings.TrimLeft(arg, blanks)
	}
	if i >= 0 && arg == "" && name != "auth" { // Outlook sends "AUTH "
		return errSyntax
	}
	if config.Chatty.In(s.conf) {
		s.notice("command: %s", name)
	}
	switch {
	case !ok || c.states&s.state() == 0:
		return errUnknown
	case c.arity == none && arg != "":
		return errExtra
	case c.arity == required && arg == "":
		return errMissing
	}
	s.proc(name)
	return c.run(s, arg)
}

// blanks is what C's isspace takes for white space.
const blanks = " \t\n\v\f\r"

// state is where the session stands.
func (s *session) state() state {
	if s.drop == nil {
		return notAuthed
	}
	return authed
}

// proc shows the session in the list of sessions.
func (s *session) proc(command string) {
	mailbox, user := "", ""
	if s.drop != nil {
		mailbox, user = string(s.drop.ref.Name), s.userID
	}
	s.conn.SetProc(user, mailbox, command)
}

// bye says why the session ends, where that is not the client's wish.
func (s *session) bye() {
	var ending *worker.Ending
	if !s.done && errors.As(context.Cause(s.ctx), &ending) && ending.Graceful {
		s.sendAway(ending.Text)
	}
}

// notice logs a line that other programs read.
func (s *session) notice(format string, args ...any) {
	s.log.Log(s.ctx, syslog.LevelNotice, fmt.Sprintf(format, args...))
}

// pause waits, unless the session must end.
func (s *session) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}
