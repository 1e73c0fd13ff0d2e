package transcript

import (
	"bytes"
	"regexp"
)

// variables is what the server told last of what differs from run to run
// and clients have to repeat.
type variables struct {
	uidValidity []byte // of the mailbox that was selected or appended to last
	url         []byte // the answer to GENURLAUTH
	deleted     []byte // the name of a deleted mailbox
}

var (
	toldValidity = regexp.MustCompile(`(?:UIDVALIDITY|APPENDUID) (\d+)`)
	toldURL      = regexp.MustCompile(`^\* GENURLAUTH "([^"]*)"`)
	toldDeleted  = regexp.MustCompile(`^\* LIST \S+ "." (\S+[./][0-9A-F]{8})\r`)
)

// note remembers what a line of the server says.
func (v *variables) note(line []byte) {
	if m := toldValidity.FindSubmatch(line); m != nil {
		v.uidValidity = bytes.Clone(m[1])
	}
	if m := toldURL.FindSubmatch(line); m != nil {
		v.url = bytes.Clone(m[1])
	}
	if m := toldDeleted.FindSubmatch(line); m != nil {
		v.deleted = bytes.Clone(m[1])
	}
}

// fill puts it into what the client sends.
func (v *variables) fill(data []byte) []byte {
	data = bytes.ReplaceAll(data, []byte("$UIDVALIDITY"), v.uidValidity)
	data = bytes.ReplaceAll(data, []byte("$DELETED"), v.deleted)
	return bytes.ReplaceAll(data, []byte("$URL"), v.url)
}
