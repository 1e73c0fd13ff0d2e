package main

import "time"

// noop lets the server tell what has changed (RFC 3501 section 6.1.2).
func (s *session) noop(nothing) (string, error) { return "", s.refresh(true, false) }

// check does the same; everything is on disk already (RFC 3501 section
// 6.4.1).
func (s *session) check(nothing) (string, error) { return "", s.refresh(true, false) }

// refresh looks at the selected mailbox and tells the client what has
// changed. It is told of expunged messages only if its command allows that
// numbers change (RFC 3501 section 7.4.1). uid adds UIDs to flags.
func (s *session) refresh(expunges, uid bool) error {
	if s.view == nil {
		return nil
	}
	s.told = time.Now() // in IDLE long may have passed
	if err := s.view.Refresh(s.ctx); err != nil {
		return err
	}
	s.view.Report(s.w, expunges, uid)
	return s.tellUpdates()
}
