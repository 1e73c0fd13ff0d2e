package main

import "gocyrus/libcyrus/errs"

// quit ends the session and removes what was deleted (RFC 1939 section 6). If
// that fails the client is told, as that RFC wants and Cyrus does not.
func (s *session) quit(string) error {
	s.done = true
	var err error
	if s.drop != nil {
		err = s.update(s.ctx)
	}
	s.unlockDrop() // before the answer: the next client may come at once
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	s.w.Line("+OK")
	return nil
}
