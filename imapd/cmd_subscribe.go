package main

import (
	"strings"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxname"
)

// parseSubscribe reads a name, or, as in IMAP2bis, MAILBOX and a name.
func parseSubscribe(r *imapwire.Reader) (string, error) {
	name, err := argument(r)
	if err != nil || !r.Space() {
		return name, err
	}
	if !strings.EqualFold(name, "mailbox") {
		return "", imapwire.SyntaxError("Invalid " + r.Command + " subcommand")
	}
	name, err = r.AString()
	return name, missing(r, err)
}

// subscribe puts a mailbox on the user's list (RFC 3501 section 6.3.6).
func (s *session) subscribe(name string) (string, error) {
	n, err := s.internal(name)
	if err == nil {
		s.didMyself(n)
		err = s.site.List.Subscribe(s.ctx, s.who, n)
	}
	return "", prefixed("Subscribe: ", noSuchMailbox(err))
}

// unsubscribe takes a name from the list; it need not be on it (RFC 3501
// section 6.3.7).
func (s *session) unsubscribe(name string) (string, error) {
	var n mboxname.Name
	n, err := s.internal(name)
	if err == nil {
		s.didMyself(n)
		err = s.site.List.Unsubscribe(s.ctx, s.who, n)
	}
	return "", prefixed("Unsubscribe: ", noSuchMailbox(err))
}

// prefixed words an error with the name of the command, as Cyrus does for
// these two.
func prefixed(command string, err error) error {
	if err == nil || ofServer(err) {
		return err
	}
	return refusal(codes[errs.KindOf(err)] + command + plain(err))
}
