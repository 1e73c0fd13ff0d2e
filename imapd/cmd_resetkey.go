package main

import (
	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/imapwire"
)

// resetKeyArgs is the arguments of RESETKEY.
type resetKeyArgs struct {
	mailbox string
	all     bool // no mailbox is named
}

// parseResetKey reads a mailbox and a mechanism, if there are any (RFC 4467
// section 6). As there is one mechanism only, its name says nothing.
func parseResetKey(r *imapwire.Reader) (a resetKeyArgs, err error) {
	if r.AtEOL() {
		return resetKeyArgs{all: true}, nil
	}
	if a.mailbox, err = argument(r); err != nil {
		return a, err
	}
	if r.Space() && r.Word() == "" {
		err = r.Extra()
	}
	return a, err
}

// resetKey forgets the user's secret for a mailbox, or all of his: URLs that
// were signed with it are good no more.
//
// Source: cmd_resetkey in Cyrus imap/imapd.c.
func (s *session) resetKey(a resetKeyArgs) (string, error) {
	if a.all {
		return "All keys removed", s.site.MboxKeys.RemoveAll(s.ctx, s.user.ID)
	}
	n, err := s.internal(a.mailbox)
	if err == nil {
		_, err = s.site.List.Need(s.ctx, s.who, n, acl.Lookup)
	}
	if err != nil {
		return "", refusal("Error removing key: " + plain(noSuchMailbox(err)))
	}
	return "[URLMECH INTERNAL] key removed", s.site.MboxKeys.Remove(s.ctx, s.user.ID, n)
}
