package main

import (
	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/imapwire"
)

// closeMailbox deselects the mailbox and removes what is \Deleted, without
// telling (RFC 3501 section 6.4.2). Without the right to do so nothing is
// removed.
func (s *session) closeMailbox(nothing) (string, error) {
	defer s.leave()
	if s.view.Examined() || !s.view.Rights().Has(acl.Expunge) {
		return "", nil
	}
	_, _, err := s.view.Expunge(s.ctx, nil)
	return "", err
}

// unselect deselects the mailbox and removes nothing (RFC 3691).
func (s *session) unselect(nothing) (string, error) {
	s.leave()
	return "", nil
}

// expunge removes all messages that are \Deleted (RFC 3501 section 6.4.3).
func (s *session) expunge(nothing) (string, error) { return s.remove(nil, false) }

// uidExpunge removes those of them that are in a set (RFC 4315 section 2.1).
func (s *session) uidExpunge(set imapwire.SeqSet) (string, error) {
	return s.remove(s.view.ResolveUIDs(set), true)
}

// remove expunges messages and tells the client.
func (s *session) remove(uids imapwire.SeqSet, uid bool) (string, error) {
	n, modseq, err := s.view.Expunge(s.ctx, uids)
	if err != nil {
		return "", err
	}
	s.view.Report(s.w, true, uid)
	if n == 0 {
		return "", nil
	}
	return "[HIGHESTMODSEQ " + uintText(modseq) + "] Completed", nil
}
