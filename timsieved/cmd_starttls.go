package main

import "gocyrus/libcyrus/worker"

// startTLS encrypts the connection (RFC 5804 section 2.2).
func (s *session) startTLS() error {
	if err := s.r.eol(); err != nil {
		return err
	}
	switch {
	case s.conn.HaveTLS():
		return refusal{"", "TLS already active"}
	case s.scripts != nil:
		return refusal{"", "Already authenticated"}
	}
	s.w.Line(`OK "Begin TLS negotiation now"`)
	if err := s.w.Flush(); err != nil {
		return err
	}
	// What the client sent before the handshake nobody has vouched for.
	s.r.in.Reset(worker.TimedReader{Conn: s.conn, Timeout: s.timeout})
	if err := s.conn.StartTLS(s.ctx); err != nil {
		s.notice("TLS negotiation failed: %s", s.peer.Client)
		s.done = true
		return nil
	}
	s.secured()
	s.capabilities()
	return nil
}
