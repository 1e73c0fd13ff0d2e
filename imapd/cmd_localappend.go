package main

import "gocyrus/libcyrus/imapwire"

// localAppend is APPEND with one more name behind that of the mailbox: what it
// is called by the server of a murder that passes the message on. There is no
// murder, so the name says nothing.
//
// Source: cmdloop and cmd_append in Cyrus imap/imapd.c.
func (s *session) localAppend(r *imapwire.Reader) (string, error) {
	name, err := argument(r)
	if err != nil {
		return "", err
	}
	if _, err := argument(r); err != nil {
		return "", err
	}
	return s.appendTo(r, name)
}
