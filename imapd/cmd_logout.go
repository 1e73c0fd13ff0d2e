package main

// logout ends the session (RFC 3501 section 6.1.3).
func (s *session) logout(nothing) (string, error) {
	s.done = true
	s.w.Line("* BYE LOGOUT received")
	return "", nil
}
