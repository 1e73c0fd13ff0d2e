package main

import (
	"crypto/tls"
	"errors"
	"strings"

	"gocyrus/libcyrus/imapwire"
)

// startTLS encrypts the connection (RFC 3501 section 6.2.1).
//
// Source: Starttls in cmdloop and cmd_starttls in Cyrus imap/imapd.c.
func (s *session) startTLS(r *imapwire.Reader) (string, error) {
	if !s.env.TLSAvailable() {
		return "", imapwire.SyntaxError("Unrecognized command")
	}
	if err := r.End(); err != nil {
		return "", err
	}
	switch {
	case s.user != nil:
		return s.answer("BAD Can't Starttls after authentication")
	case s.conn.HaveTLS():
		return s.answer("NO TLS already active")
	}
	s.w.Line(s.tag, " OK Begin TLS negotiation now")
	if err := s.w.Flush(); err != nil {
		return "", err
	}
	// What the client sent before the handshake nobody has vouched for.
	r.Reset(s.conn)
	if err := s.conn.StartTLS(s.ctx); err != nil {
		s.notice("STARTTLS negotiation failed: " + s.peer.Client)
		s.done = true
		return "", errAnswered
	}
	s.secured()
	return "", errAnswered
}

// errAnswered is returned by a command that has sent its tagged line itself.
var errAnswered = errors.New("answered")

// answer sends the tagged line.
func (s *session) answer(text string) (string, error) {
	s.w.Line(s.tag, " ", text)
	return "", errAnswered
}

// keyBits is the length of the session key in bits.
func keyBits(state tls.ConnectionState) int {
	if name := tls.CipherSuiteName(state.CipherSuite); strings.Contains(name, "256") || strings.Contains(name, "CHACHA20") {
		return 256
	}
	return 128
}
