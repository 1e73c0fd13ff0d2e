package main

import (
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/version"
)

// capability is CAPABILITY (RFC 5804 section 2.4).
func (s *session) capability() error {
	if err := s.r.eol(); err != nil {
		return err
	}
	s.capabilities()
	return nil
}

// capabilities sends what the server can do; it is the greeting as well.
//
// Source: capabilities in Cyrus timsieved/actions.c.
func (s *session) capabilities() {
	implementation := "ManageSieve"
	switch config.Serverinfo.In(s.conf) {
	case "on":
		implementation = "Cyrus timsieved " + version.Cyrus()
	case "min":
		implementation = "Cyrus timsieved"
	}
	s.w.Line(`"IMPLEMENTATION" ` + quote(implementation))
	s.w.Line(`"VERSION" "1.0"`)
	if s.scripts == nil && (s.peer.TLS || !config.TlsRequired.In(s.conf)) {
		s.w.Line(`"SASL" ` + quote(strings.Join(s.sasl.Mechanisms(&s.peer), " ")))
	}
	extensions := s.rules.Capabilities()
	s.w.Line(`"SIEVE" ` + quote(extensions))
	words := strings.Fields(extensions)
	for _, x := range words {
		if x == "enotify" {
			s.w.Line(`"NOTIFY" "mailto"`)
		}
	}
	for _, x := range words {
		if x == "extlists" {
			s.w.Line(`"EXTLISTS" "urn:ietf:params:sieve:addrbook"`)
		}
	}
	if s.tls() && !s.peer.TLS && s.scripts == nil {
		s.w.Line(`"STARTTLS"`)
	}
	if s.scripts != nil {
		s.w.Line(`"OWNER" ` + quote(s.userID))
	}
	s.w.Line(`"UNAUTHENTICATE"`)
	s.w.Line("OK")
}
