package main

import (
	"context"
	"math"
	"strings"

	"gocyrus/libcyrus/sasl"
)

// hello is LHLO (RFC 2033 section 4.1): what this server can do.
func (s *session) hello(_ context.Context, args string) {
	s.lhlo = args
	s.w.Linef("250-%s", s.conf.ServerName())
	s.w.Line("250-8BITMIME")
	s.w.Line("250-ENHANCEDSTATUSCODES")
	s.w.Line("250-PIPELINING")
	if s.maxSize < math.MaxInt32 {
		s.w.Linef("250-SIZE %d", s.maxSize)
	} else {
		s.w.Line("250-SIZE")
	}
	if s.mayStartTLS() {
		s.w.Line("250-STARTTLS")
	}
	if mechs := s.mechanisms(); len(mechs) > 0 {
		s.w.Linef("250-AUTH %s", strings.Join(mechs, " "))
	}
	s.w.Line("250-IGNOREQUOTA")
	for _, ours := range beyondCyrus {
		s.w.Line("250-" + ours)
	}
	s.w.Linef("250 Ok SESSIONID=<%s>", s.conn.SessionID())
}

// beyondCyrus is what Cyrus 3.6 does not offer.
var beyondCyrus = []string{
	"CHUNKING", // RFC 3030
	"SMTPUTF8", // RFC 6531
}

// mayStartTLS reports whether STARTTLS makes sense now: a trusted client
// needs none.
func (s *session) mayStartTLS() bool {
	return s.trust == untrusted && !s.tls && s.env.TLSAvailable()
}

// mechanisms are those that the client may authenticate with now. One that
// is trusted anyway may say so in so many words.
func (s *session) mechanisms() []string {
	switch s.trust {
	case preauth:
		return []string{"EXTERNAL"}
	case untrusted:
		return s.sasl.Mechanisms(s.peer())
	}
	return nil
}

// peer is what authentication needs to know of the connection.
func (s *session) peer() *sasl.Peer {
	return &sasl.Peer{Client: s.conn.Client(), Local: s.conn.LocalAddr(), TLS: s.conn.HaveTLS()}
}
