package main

// noop is NOOP (RFC 5804 section 2.13).
func (s *session) noop() error {
	end, err := s.r.atEOL()
	if err != nil {
		return err
	}
	if end {
		s.w.Line(`OK "Done"`)
		return s.r.eol()
	}
	tag, err := s.oneText("NOOP", "Expected string")
	if err != nil {
		return err
	}
	s.w.Line("OK (TAG " + literal(tag) + `) "Done"`)
	return nil
}

// logout is LOGOUT (RFC 5804 section 2.3).
func (s *session) logout() error {
	if err := s.r.eol(); err != nil {
		return syntaxError("Garbage after logout command")
	}
	s.done = true
	s.w.Line(`OK "Logout Complete"`)
	return nil
}

// unauthenticate is UNAUTHENTICATE (RFC 5804 section 2.14).
func (s *session) unauthenticate() error {
	if err := s.r.eol(); err != nil {
		return err
	}
	s.userID, s.scripts = "", nil
	return s.ok()
}
