package main

import (
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/imapwire"
)

// uid runs a command with UIDs in place of sequence numbers (RFC 3501
// section 6.4.8).
func (s *session) uid(r *imapwire.Reader) (string, error) {
	if !r.Space() {
		return "", r.Missing()
	}
	name := strings.ToLower(r.Word())
	if c, _ := r.Peek(); c != ' ' {
		return "", orWrong(r, nil, imapwire.SyntaxError("Missing required argument to Uid"))
	}
	c, ok := uidCommands[name]
	ok = ok && !s.suppressed[c.capability]
	if !ok {
		return "", orWrong(r, nil, "Unrecognized UID subcommand")
	}
	if c.changes && config.Readonly.In(s.conf) {
		return "", errReadOnly
	}
	s.command = "Uid " + display(name)
	return c.run(s, r)
}
