package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/sasl"
	"gocyrus/libcyrus/syslog"
	"gocyrus/libcyrus/view"
	"gocyrus/libcyrus/worker"
)

// session is one client from greeting to logout.
type session struct {
	*server
	ctx  context.Context // ends when the session must
	conn *worker.Conn
	r    *imapwire.Reader
	w    *imapwire.Writer
	peer sasl.Peer

	user   *auth.User // nil before log-in
	who    mboxlist.Actor
	ns     *mboxname.Namespace
	view   *view.View // the selected mailbox, or nil
	client view.Client

	notifier *notifier // what NOTIFY has asked for, nil before the first

	compressed bool      // COMPRESS is on
	tag        string    // of the running command
	command    string    // the running command as the list of sessions shows it
	saidID     bool      // the client has sent ID
	done       bool      // no further command is read
	bad        int       // commands in a row that made no sense
	told       time.Time // when the client was told last that its command goes on

	warnedOf mboxname.Name // the quota root that the client was warned of last
	warnedAt time.Time
}

// Serve talks to one client.
func (s *server) Serve(ctx context.Context, c *worker.Conn) error {
	ss := &session{server: s, ctx: ctx, conn: c}
	ss.w = imapwire.NewWriter(c)
	ss.r = imapwire.NewReader(c, s.preAuthLimits())
	ss.r.BeforeRead = ss.beforeRead
	ss.r.Offers = ss.offers
	ss.r.GoAhead = func() error { ss.w.Line("+ go ahead"); return ss.w.Flush() }
	defer ss.end()
	defer func() { ss.announce(event.Logout) }()
	return ss.serve()
}

// offers reports whether the client may use what belongs to a capability.
func (s *session) offers(capability string) bool {
	if capability == "QUOTA=RES-MESSAGE" && s.client.Rev2 {
		return true // STATUS DELETED is of RFC 9051, too
	}
	return !s.suppressed[capability]
}

// serve greets the client and does its commands until it leaves.
func (s *session) serve() error {
	if s.implicit {
		if err := s.conn.StartTLS(s.ctx); err != nil {
			return err
		}
	}
	s.secured()
	s.greet()
	for !s.done && s.mayGoOn() && s.wait() {
		s.next()
		if s.r.Err() != nil {
			break
		}
	}
	s.bye()
	return s.err()
}

// secured notes what protects the connection.
func (s *session) secured() {
	s.peer = sasl.Peer{Client: s.conn.Client(), Local: s.conn.LocalAddr(), TLS: s.conn.HaveTLS(), SSF: s.ssf}
	if state, ok := s.conn.TLSState(); ok {
		s.peer.SSF = max(s.peer.SSF, keyBits(state))
	}
}

// greet sends the first line. Also a server that is shut has one: users are
// sent away after they have logged in.
func (s *session) greet() {
	s.w.Text("* OK [CAPABILITY ", s.capabilities(preAuth), "] ")
	switch config.Serverinfo.In(s.conf) {
	case "on":
		s.w.Line(s.name, " Cyrus IMAP ", versionText(), " server ready")
	case "min":
		s.w.Line(s.name, " server ready")
	default:
		s.w.Line("server ready")
	}
	if text, ok := s.env.Motd(); ok {
		s.w.Line("* OK [ALERT] ", strings.TrimLeft(text, "["))
	}
}

// wait sends what is answered and waits for the client without holding
// buffers; false if the session must end.
func (s *session) wait() bool {
	if s.w.Err() != nil {
		return false
	}
	if s.r.Buffered() > 0 {
		return true
	}
	if s.w.Flush() != nil {
		return false
	}
	s.proc("")
	if s.notifier != nil {
		return s.waitNotified()
	}
	s.r.Release()
	s.w.Release()
	err := s.conn.Park(s.ctx, s.timeout)
	switch {
	case err == nil:
		return true
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.idleTooLong()
	}
	return false
}

// idleTooLong tells a client that it has said nothing for too long.
func (s *session) idleTooLong() {
	s.log.Warn("idle for too long, closing connection")
	s.w.Line("* BYE idle for too long")
	s.done = true
}

// beforeRead sends what is answered before the client is waited for in the
// middle of a command.
func (s *session) beforeRead() error {
	if err := s.w.Flush(); err != nil {
		return err
	}
	return s.conn.SetDeadline(time.Now().Add(s.timeout))
}

// mayGoOn looks whether the user may still be here, before each command.
//
// Source: cmdloop in Cyrus imap/imapd.c.
func (s *session) mayGoOn() bool {
	if s.user == nil || s.user.Admin {
		return true
	}
	text := s.conn.ShuttingDown()
	if text == "" {
		var shut bool
		if text, shut = s.env.ShutdownText(); !shut {
			return true
		}
	}
	s.w.Line("* BYE [ALERT] ", strings.TrimLeft(text, "["))
	s.done = true
	return false
}

// next reads and does one command.
func (s *session) next() {
	r := s.r
	r.Start("")
	tag := r.Word()
	if r.Err() != nil {
		return
	}
	if !imapwire.IsAtom(tag) || tag == "*" || !r.Space() {
		s.w.Line("* BAD Invalid tag")
		r.SkipLine()
		s.nonsense()
		return
	}
	name := strings.ToLower(r.Word())
	if name == "" {
		if r.Err() == nil {
			s.w.Line(tag, " BAD Null command")
			r.SkipLine()
			s.nonsense()
		}
		return
	}
	r.Command = display(name)
	text, err := s.do(tag, name)
	if !s.done {
		r.SkipLine()
	}
	if r.Err() != nil {
		return
	}
	var lost *net.OpError // the client's connection
	if ofServer(err) && !errors.As(s.w.Err(), &lost) {
		s.log.Error(r.Command+" failed", "user", s.who.User, "sessionid", s.conn.SessionID(), "error", err)
	}
	var ending *worker.Ending
	if err != errAnswered && !errors.As(err, &ending) { // then BYE follows
		s.w.Line(tag, " ", tagged(text, err))
	}
	var syntax imapwire.SyntaxError
	if errors.As(err, &syntax) {
		s.nonsense()
	} else {
		s.bad = 0
	}
}

// How many commands in a row may make no sense, before and after log-in: who
// sends more speaks another protocol, or looks for holes.
const (
	maxBadBefore = 100
	maxBad       = 1000
)

// nonsense counts a command that makes no sense, and ends the session if
// there were too many in a row.
func (s *session) nonsense() {
	limit := maxBadBefore
	if s.user != nil {
		limit = maxBad
	}
	if s.bad++; s.bad < limit || s.done {
		return
	}
	s.log.Warn("too many invalid commands, closing connection", "user", s.who.User, "sessionid", s.conn.SessionID())
	s.w.Line("* BYE Too many invalid commands")
	s.done = true
}

// do finds the command and runs it if this is the time for it.
func (s *session) do(tag, name string) (string, error) {
	if config.Chatty.In(s.conf) {
		s.log.Log(s.ctx, syslog.LevelNotice, "command: "+tag+" "+s.r.Command)
	}
	c, ok := commands[name]
	ok = ok && !s.suppressed[c.capability] && !(c.rev1 && s.client.Rev2)
	switch {
	case ok && c.numbers && s.client.UIDOnly:
		return "", errUIDRequired
	case ok && s.user != nil && c.changes && config.Readonly.In(s.conf):
		return "", errReadOnly
	case ok && c.states&s.state() != 0:
		s.tag = tag
		return s.run(c)
	case s.user == nil:
		return "", imapwire.SyntaxError("Please login first")
	case ok:
		return "", imapwire.SyntaxError("Please select a mailbox first")
	}
	return "", located(s.r, imapwire.SyntaxError("Unrecognized command"))
}

// located says where in a command a syntax error is, behind Cyrus's text.
func located(r *imapwire.Reader, err error) error {
	var syntax imapwire.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	octet, token, ok := r.Where()
	if !ok {
		return err
	}
	if token == "" {
		token = "end of line"
	} else {
		token = `"` + token + `"`
	}
	return imapwire.SyntaxError(fmt.Sprintf("%s (octet %d: %s)", syntax, octet, token))
}

// run runs a command.
func (s *session) run(c command) (string, error) {
	start := time.Now()
	s.told = start
	s.command = s.r.Command
	s.proc(s.command)
	if s.view != nil {
		s.stillThere()
	}
	if s.vanished() {
		return "", errAnswered
	}
	text, err := c.run(s, s.r)
	if x, ok := err.(charsetError); ok {
		err = s.badCharset(x.saves)
	}
	err = located(s.r, err)
	if c.check && err == nil {
		err = s.after(s.refresh(false, false))
	}
	if s.view != nil && err == nil {
		err = s.after(s.tellUpdates())
	}
	if s.vanished() {
		return "", errAnswered
	}
	if d := time.Since(start); d > slowCommand {
		s.log.Info("slow command", "command", s.command, "user", s.who.User, "sessionid", s.conn.SessionID(), "time", d)
	}
	return text, err
}

// after is what a failure to tell of changes means for the command before: if
// the store is to blame nothing, for what was done lasts. They are told of
// with the next one.
func (s *session) after(err error) error {
	if !ofServer(err) {
		return err
	}
	var lost *net.OpError
	if errors.As(err, &lost) || s.w.Err() != nil || s.ctx.Err() != nil {
		return err
	}
	s.log.Error("changes of the selected mailbox cannot be told", "user", s.who.User, "sessionid", s.conn.SessionID(), "error", err)
	return nil
}

// stillThere looks whether the selected mailbox is still where it was: one
// that somebody has deleted, renamed or made anew is empty for this session.
// What the user may do with it is what the mailbox list says now.
func (s *session) stillThere() {
	ref := s.view.Ref()
	e, err := s.site.List.Lookup(s.ctx, ref.Name)
	switch {
	case errs.Is(err, errs.NotFound), err == nil && e.UniqueID != ref.UniqueID:
		s.view.Gone()
	case err == nil:
		s.view.Allow(s.site.List.Rights(s.who, e))
	}
}

// vanished ends the session if the selected mailbox is gone and
// disconnect_on_vanished_mailbox is set.
//
// Source: index_check in Cyrus imap/index.c.
func (s *session) vanished() bool {
	if s.view == nil || s.done || !s.view.Deleted() || !config.DisconnectOnVanishedMailbox.In(s.conf) {
		return false
	}
	s.log.Warn("mailbox has been (re)moved out from under client", "mailbox", string(s.view.Ref().Name), "user", s.who.User)
	s.w.Line("* BYE Fatal error: Mailbox has been (re)moved")
	s.done = true
	return true
}

// slowCommand is how long a command takes before it is logged.
const slowCommand = 5 * time.Second

// state is where the session stands.
func (s *session) state() state {
	switch {
	case s.user == nil:
		return notAuthed
	case s.view == nil:
		return authed
	}
	return selected
}

// proc shows the session in the list of sessions.
func (s *session) proc(command string) {
	mailbox := ""
	if s.view != nil {
		mailbox = string(s.view.Ref().Name)
	}
	s.conn.SetProc(s.who.User, mailbox, command)
}

// bye says why the session ends, where that is not the client's wish.
func (s *session) bye() {
	var ending *worker.Ending
	var limit *imapwire.LimitError
	err := s.r.Err()
	switch {
	case s.done:
	case errors.As(context.Cause(s.ctx), &ending):
		if ending.Graceful {
			s.w.Line("* BYE ", ending.Text)
		}
	case errors.As(err, &limit):
		s.log.Warn("limit exceeded, closing connection", "what", limit.Text, "user", s.who.User, "sessionid", s.conn.SessionID())
		s.w.Line("* BYE ", limit.Text)
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.idleTooLong()
	}
	s.w.Flush() // the client may be gone
}

// err is what the worker logs of the end of the session.
func (s *session) err() error {
	err := s.r.Err()
	var limit *imapwire.LimitError
	if err == io.EOF || errors.As(err, &limit) {
		return nil
	}
	return err
}

// end gives everything back.
func (s *session) end() {
	s.forgetNotify()
	s.leave()
	s.r.Release()
	s.w.Release()
}

// loggedIn makes the session that of a user.
func (s *session) loggedIn(u auth.User) {
	s.user = &u
	s.who = mboxlist.Actor{SessionID: s.conn.SessionID()}
	s.who.User, s.who.Groups, s.who.Admin = u.ID, u.Groups, u.Admin
	s.ns = s.site.Namespace(u.ID, u.Admin)
	s.ns.Mixed = !s.suppressed["IMAP4REV2"]
	s.r.SetLimits(s.limits)
	s.proc("Login")
}

// appendName prints the name of a mailbox as this client reads names.
func (s *session) appendName(b []byte, external string) []byte {
	return imapwire.AppendMailbox(b, external, s.client.UTF8)
}

// internal turns a mailbox name of the client into an internal one. CREATE
// composes characters, so that a name that is not composed means, unless there is
// a mailbox of that very name, the composed one (RFC 9051 section 5.1).
func (s *session) internal(external string) (mboxname.Name, error) {
	n, err := s.ns.Internal(external)
	composed := s.newName(external)
	if composed == external {
		return n, err
	}
	if err == nil {
		if _, err := s.site.List.Lookup(s.ctx, n); err == nil {
			return n, nil
		}
	}
	return s.ns.Internal(composed)
}
