package main

// startTLS encrypts the connection (RFC 2595 section 4).
func (s *session) startTLS(string) error {
	switch {
	case !s.tls():
		return errUnknown
	case s.conn.HaveTLS():
		return refusal("Already successfully executed STLS")
	}
	s.w.Line("+OK Begin TLS negotiation now")
	if err := s.w.Flush(); err != nil {
		return err
	}
	// What the client sent before the handshake nobody has vouched for.
	s.r.Reset(s.conn)
	if err := s.conn.StartTLS(s.ctx); err != nil {
		s.notice("TLS negotiation failed: %s", s.peer.Client)
		s.done = true
		return nil
	}
	s.userID, s.subfolder = "", ""
	s.secured()
	return nil
}
