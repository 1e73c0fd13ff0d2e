package main

import (
	"strconv"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/version"
)

// capa lists what the server can do (RFC 2449 section 5).
//
// Source: cmd_capa in Cyrus imap/pop3d.c.
func (s *session) capa(string) error {
	before := s.state() == notAuthed
	s.w.Line("+OK List of capabilities follows")
	if !s.tlsMissing() && (before || s.peer.TLS) {
		if list := s.sasl.Mechanisms(&s.peer); len(list) > 0 {
			s.w.Line("SASL " + strings.Join(list, " "))
		}
	}
	if before && !s.peer.TLS && s.tls() {
		s.w.Line("STLS")
	}
	s.w.Line("EXPIRE " + expire(config.Popexpiretime.In(s.conf)))
	s.w.Line("LOGIN-DELAY " + strconv.Itoa(int(config.Popminpoll.In(s.conf)/time.Second)))
	for _, c := range []string{"TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE"} {
		s.w.Line(c)
	}
	if before && !s.tlsMissing() && s.sasl.PlaintextAllowed(&s.peer) {
		s.w.Line("USER")
	}
	if !before || config.Serverinfo.In(s.conf) == "on" {
		s.w.Line("IMPLEMENTATION Cyrus POP3 " + version.Cyrus())
	}
	s.w.Line(".")
	return nil
}

// expire is after how many days messages vanish, for the client to know.
func expire(d time.Duration) string {
	if d < 0 {
		return "NEVER"
	}
	return strconv.Itoa(int(d / (24 * time.Hour)))
}
