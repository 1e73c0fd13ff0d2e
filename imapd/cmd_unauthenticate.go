package main

import (
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/view"
)

// unauthenticate logs an admin out, who may log in as somebody else then (RFC
// 8437). TLS and compression stay.
//
// Source: cmd_unauthenticate in Cyrus imap/imapd.c.
func (s *session) unauthenticate(r *imapwire.Reader) (string, error) {
	if !s.user.Admin {
		return "", imapwire.SyntaxError("Unrecognized command")
	}
	if err := r.End(); err != nil {
		return "", err
	}
	s.leave()
	s.forgetNotify()
	s.user, s.who, s.ns, s.client = nil, mboxlist.Actor{}, nil, view.Client{}
	s.r.UTF8 = false
	s.r.SetLimits(s.preAuthLimits())
	s.proc("")
	return "[CAPABILITY " + s.capabilities(preAuth) + "] Completed", nil
}
