package main

import (
	"net"
	"strings"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/proc"
	"gocyrus/libcyrus/sasl"
	"gocyrus/libcyrus/syslog"
)

// errNoLayer is the answer to a password that must not be sent in the clear.
const errNoLayer = refusal("Login only available under a layer")

// login logs in by name and password (RFC 3501 section 6.2.3). The password
// is read after it is clear that it is wanted.
//
// Source: cmd_login in Cyrus imap/imapd.c.
func (s *session) login(r *imapwire.Reader) (string, error) {
	name, err := argument(r)
	if err != nil {
		return "", err
	}
	if !r.Space() {
		return "", r.Missing()
	}
	if s.user != nil {
		return "", imapwire.SyntaxError("Already logged in")
	}
	name, plus := s.sasl.CutPlus(name)
	id, ok := s.auth.Canonical(s.ctx, name, s.peer.Local)
	if !ok {
		s.notice("badlogin: " + s.peer.Client + " plaintext (" + syslog.Printable(name) + ") invalid user")
		return "", refusal("Invalid user")
	}
	if !s.sasl.Allowed(&s.peer) || id != auth.Anonymous && !s.sasl.PlaintextAllowed(&s.peer) {
		s.notice("plaintext login refused from " + s.peer.Client + ": " + syslog.Printable(id))
		return "", errNoLayer
	}
	r.Command = "LOGIN" // so Cyrus calls it here
	password, err := r.AString()
	if err != nil {
		return "", missing(r, err)
	}
	if !r.EOL() {
		return "", r.Extra()
	}
	if id == auth.Anonymous && !s.anyPass {
		return s.anonymous(password)
	}
	return s.checkPassword(id, plus, password)
}

// anonymous logs in without a password, if that is allowed.
func (s *session) anonymous(password string) (string, error) {
	if !config.Allowanonymouslogin.In(s.conf) {
		s.notice("badlogin: " + s.peer.Client + " anonymous login refused")
		return "", refusal("Anonymous login is not permitted")
	}
	s.notice("login: " + s.peer.Client + " anonymous " + syslog.Printable(password[:min(len(password), 500)]))
	if err := s.enter(s.auth.User(s.ctx, auth.Anonymous), "anonymous"); err != nil {
		return "", err
	}
	return "[CAPABILITY " + s.capabilities(full) + "] Anonymous access granted", nil
}

// checkPassword logs id in if the password is his; plus is what his name had
// behind it (imapmagicplus).
func (s *session) checkPassword(id, plus, password string) (string, error) {
	var u auth.User
	if s.anyPass {
		u = s.auth.User(s.ctx, id)
	} else {
		var fail *auth.Error
		if u, fail = s.sasl.CheckPass(s.ctx, &s.peer, id, password); fail != nil {
			s.sasl.Failed(s.ctx, &s.peer, sasl.Plaintext, fail)
			return "", refusal("Login failed: " + fail.Reply())
		}
	}
	u.Plus = plus
	if !s.peer.TLS {
		s.sasl.PausePlaintext(s.ctx, &s.peer)
	}
	if err := s.enter(u, sasl.Plaintext); err != nil {
		return "", err
	}
	text := "[CAPABILITY " + s.capabilities(full) + "] User logged in SESSIONID=<" + s.conn.SessionID() + ">"
	if alert := config.Plaintextloginalert.In(s.conf); alert != "" && !s.peer.TLS {
		s.w.Line(s.tag, " OK ", text)
		s.w.Line("* OK [ALERT] ", strings.TrimLeft(alert, "["))
		return "", errAnswered
	}
	return text, nil
}

// enter makes u the user of the session, if there is room for another.
func (s *session) enter(u auth.User, mech string) error {
	if err := s.room(u.ID); err != nil {
		return err
	}
	s.loggedIn(u)
	if s.peer.TLS {
		mech += "+TLS"
	}
	s.notice("login: " + s.peer.Client + " " + u.ID + " " + mech + " User logged in SESSIONID=<" + s.conn.SessionID() + ">")
	if u.AuthID != "" && u.AuthID != u.ID {
		s.log.Info("login: " + u.AuthID + " acts as " + u.ID + " SESSIONID=<" + s.conn.SessionID() + ">")
	}
	s.conn.StartTelemetry(u.ID)
	s.announce(event.Login)
	s.autocreate()
	return nil
}

// announce makes the event of a log-in, or of the end of a session.
func (s *session) announce(t event.Type) {
	if s.user == nil || !s.site.Events.Wants(t) {
		return
	}
	e := &event.Event{Type: t, User: s.user.ID, Session: s.conn.SessionID()}
	e.Server, _ = s.conn.LocalAddr().(*net.TCPAddr)
	e.Client, _ = s.conn.RemoteAddr().(*net.TCPAddr)
	s.site.Events.Send(e)
}

// autocreate makes the user's INBOX if imapd.conf says so. Without one he
// may still read what is shared.
func (s *session) autocreate() {
	if s.user.Admin || s.user.ID == auth.Anonymous {
		return
	}
	if _, err := s.site.List.Inbox(s.ctx, s.who, false); ofServer(err) {
		s.log.Error("autocreate failed", "user", s.user.ID, "error", err)
	}
}

// room refuses a log-in where there are too many sessions.
func (s *session) room(user string) error {
	text, err := proc.Full(s.conf, s.env.Service, s.peer.Client, user)
	if err != nil || text == "" {
		return err
	}
	s.log.Error(text)
	return refusal(text)
}

// notice logs a line that other programs read.
func (s *session) notice(text string) { s.log.Log(s.ctx, syslog.LevelNotice, text) }
