package main

import "context"

// startTLS is STARTTLS (RFC 3207). What the client had sent behind it in
// plain is thrown away. As in Cyrus one who has given a password already may
// do it, though it is not offered to him, and remains logged in; LHLO before it
// counts.
func (s *session) startTLS(ctx context.Context, _ string) {
	switch {
	case s.tls:
		s.w.Line("454 4.3.3 Already successfully executed STARTTLS")
		return
	case s.trusted() || !s.env.TLSAvailable():
		s.w.Line(syntaxError)
		return
	case len(s.mail.to) > 0:
		s.w.Line("503 5.5.0 STARTTLS not permitted now")
		return
	}
	s.w.Line("220 Begin TLS negotiation now")
	if s.w.Flush() != nil {
		s.quit = true
		return
	}
	s.r.Reset(s.conn)
	if err := s.conn.StartTLS(ctx); err != nil {
		s.log.Info("STARTTLS failed: "+s.conn.Client(), "error", err)
		s.quit = true
		return
	}
	s.tls = true
	s.reset()
}
