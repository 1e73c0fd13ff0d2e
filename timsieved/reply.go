package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/worker"
)

// A refusal is a NO with a text of its own; code is "" or what stands in
// parentheses (RFC 5804 section 1.3).
type refusal struct{ code, text string }

// Error is the text after NO.
func (e refusal) Error() string { return e.text }

// quote writes a short text as a string.
func quote(text string) string {
	if strings.ContainsAny(text, "\r\n\x00") || len(text) > 1024 {
		return literal(text)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func literal(text string) string { return fmt.Sprintf("{%d}\r\n%s", len(text), text) }

// no answers an error.
func (s *session) no(err error) {
	var faults sieve.Errors
	if errors.As(err, &faults) {
		s.w.Line("NO " + literal(faults.Error()))
		return
	}
	r := s.reply(err)
	if r.code != "" {
		s.w.Line("NO (" + r.code + ") " + quote(r.text))
		return
	}
	s.w.Line("NO " + quote(r.text))
}

// reply words what went wrong.
func (s *session) reply(err error) refusal {
	var r refusal
	var syntax syntaxError
	switch {
	case errors.As(err, &r):
		return r
	case errors.As(err, &syntax):
		return refusal{"", string(syntax)}
	case errors.Is(err, scripts.ErrName):
		return refusal{"", "Invalid script name"}
	case errors.Is(err, scripts.ErrNotFound):
		return refusal{"NONEXISTENT", "Script does not exist"}
	case errors.Is(err, scripts.ErrActive):
		return refusal{"ACTIVE", "Active script cannot be deleted"}
	case errors.Is(err, scripts.ErrTooMany):
		return refusal{"QUOTA/MAXSCRIPTS", fmt.Sprintf("You are only allowed %d scripts on this server", config.SieveMaxscripts.In(s.conf))}
	case errs.Is(err, errs.OverQuota), errs.Is(err, errs.DiskFull):
		return refusal{"QUOTA", errs.KindOf(err).String()}
	}
	return refusal{"TRYLATER", errs.KindOf(err).String()}
}

// ofServer reports whether an error is not the client's doing and belongs in
// the log.
func ofServer(err error) bool {
	var r refusal
	var syntax syntaxError
	var faults sieve.Errors
	for _, known := range []error{scripts.ErrName, scripts.ErrNotFound, scripts.ErrActive, scripts.ErrTooMany, scripts.ErrExists} {
		if errors.Is(err, known) {
			return false
		}
	}
	return !errors.As(err, &r) && !errors.As(err, &syntax) && !errors.As(err, &faults)
}

// connectionLost reports whether there is nobody left to answer.
func connectionLost(err error) bool {
	var ending *worker.Ending
	var network net.Error
	return err == io.EOF || err == io.ErrUnexpectedEOF || errors.As(err, &ending) || errors.As(err, &network) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)
}
