package main

import (
	"errors"

	"gocyrus/libcyrus/errs"
)

// A refusal is an -ERR with a text of its own.
type refusal string

// Error is the text after -ERR.
func (e refusal) Error() string { return string(e) }

// The refusals that more than one command has.
const (
	errUnknown  refusal = "Unrecognized command"
	errSyntax   refusal = "Syntax error"
	errMissing  refusal = "Missing argument"
	errExtra    refusal = "Unexpected extra argument"
	errNotANum  refusal = "Not a number"
	errNoSuch   refusal = "No such message"
	errReadFile refusal = "[SYS/PERM] Could not read message file"
)

// reply words what went wrong, without -ERR.
func reply(err error) string {
	var r refusal
	if errors.As(err, &r) {
		return string(r)
	}
	return "[SYS/TEMP] " + errs.KindOf(err).String()
}

// ofServer reports whether an error is not the client's doing and belongs in
// the log.
func ofServer(err error) bool {
	var r refusal
	if err == nil || errors.As(err, &r) {
		return false
	}
	switch errs.KindOf(err) {
	case errs.Internal, errs.IO, errs.BadFormat, errs.DiskFull, errs.Locked, errs.Unavailable:
		return true
	}
	return false
}
