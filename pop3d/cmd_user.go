package main

import (
	"strings"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/sasl"
	"gocyrus/libcyrus/syslog"
)

// user takes the name of a log-in (RFC 1939 section 7). Whether there is such
// a user the client learns with PASS.
func (s *session) user(name string) error {
	if s.tlsMissing() || !s.sasl.PlaintextAllowed(&s.peer) {
		return refusal("[AUTH] USER command only available under a layer")
	}
	if s.userID != "" {
		return refusal("[AUTH] Must give PASS command")
	}
	user, subfolder := s.splitUser(name)
	id, ok := s.auth.Canonical(s.ctx, user, s.peer.Local)
	if !ok || !s.validUser(id) {
		s.notice("badlogin: %s plaintext (%s) invalid user", s.peer.Client, syslog.Printable(name))
		return refusal("[AUTH] Invalid user")
	}
	s.userID, s.subfolder = id, subfolder
	s.w.Line("+OK Name is a valid mailbox")
	return nil
}

// validUser refuses names with a "." where that parts mailbox names, but in
// a domain.
func (s *session) validUser(id string) bool {
	if s.site.Namespace("", true).Separator() != '.' {
		return true
	}
	dot := strings.IndexByte(id, '.')
	at := strings.IndexByte(id, '@')
	return dot < 0 || config.Virtdomains.In(s.conf) != "off" && at >= 0 && dot > at
}

// pass takes the password of a log-in (RFC 1939 section 7).
func (s *session) pass(password string) error {
	if s.userID == "" {
		return refusal("[AUTH] Must give USER command")
	}
	if s.userID == auth.Anonymous {
		return s.anonymous(password)
	}
	u, fail := s.sasl.CheckPass(s.ctx, &s.peer, s.userID, password)
	if fail != nil {
		s.sasl.Failed(s.ctx, &s.peer, sasl.Plaintext, fail)
		s.userID, s.subfolder = "", ""
		return errBadLogin
	}
	if !s.peer.TLS {
		s.sasl.PausePlaintext(s.ctx, &s.peer)
	}
	return s.enter(u, sasl.Plaintext)
}

const errBadLogin refusal = "[AUTH] Invalid login"

// anonymous logs in without a password, if that is allowed.
func (s *session) anonymous(password string) error {
	if !config.Allowanonymouslogin.In(s.conf) {
		s.notice("badlogin: %s anonymous login refused", s.peer.Client)
		return errBadLogin
	}
	s.log.Info("anonymous login", "client", s.peer.Client, "password", syslog.Printable(password[:min(len(password), 500)]))
	return s.enter(s.auth.User(s.ctx, auth.Anonymous), sasl.Plaintext)
}
