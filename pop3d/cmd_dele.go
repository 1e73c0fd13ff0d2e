package main

import (
	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
)

// dele marks a message, which goes with QUIT (RFC 1939 section 5).
func (s *session) dele(arg string) error {
	if config.Popuseacl.In(s.conf) && s.drop.rights&acl.DeleteMessage == 0 {
		return refusal("[SYS/PERM] " + errs.Denied.String())
	}
	if config.Readonly.In(s.conf) {
		return refusal("[SYS/PERM] This connection is configured for read-only access")
	}
	n, err := number(arg)
	if err != nil {
		return err
	}
	m, err := s.drop.message(n)
	if err != nil {
		return err
	}
	m.deleted = true
	s.counts.dele++
	s.w.Line("+OK message deleted")
	return nil
}

// rset takes back all DELE (RFC 1939 section 5).
func (s *session) rset(string) error {
	for i := range s.drop.msgs {
		s.drop.msgs[i].deleted, s.drop.msgs[i].seen = false, false
	}
	s.w.Line("+OK")
	return nil
}

// noop does nothing (RFC 1939 section 5).
func (s *session) noop(string) error {
	s.w.Line("+OK")
	return nil
}
