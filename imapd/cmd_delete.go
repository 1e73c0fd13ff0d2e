package main

import (
	"errors"

	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// delete deletes a mailbox (RFC 3501 section 6.3.4). An admin who deletes an
// INBOX deletes the user.
//
// Source: cmd_delete in Cyrus imap/imapd.c.
func (s *session) delete(name string) (string, error) {
	n, err := s.internal(name)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	if err := s.deleteMailbox(n, mboxlist.DeleteOptions{}); err != nil {
		return "", err
	}
	s.tellComposed(n, name)
	return "", nil
}

// deleteMailbox deletes a mailbox, and leaves it if it is selected.
func (s *session) deleteMailbox(n mboxname.Name, o mboxlist.DeleteOptions) error {
	s.didMyself(n)
	err := s.site.List.Delete(s.ctx, s.who, n, o)
	if errors.Is(err, mboxlist.ErrUseTaken) {
		err = refusal("[CANNOT] " + mboxlist.ErrUseTaken.Error())
	}
	if err == nil && s.view != nil && s.view.Ref().Name == n {
		s.leave()
	}
	return err
}
