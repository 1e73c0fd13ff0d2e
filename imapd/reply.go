package main

import (
	"errors"

	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/worker"
)

// codes is the response code of each kind of error that has one (RFC 5530;
// RFC 3501 and RFC 4469 for the rest). Cyrus sends only [TOOBIG] of them.
var codes = map[errs.Kind]string{
	errs.NotFound:        "[NONEXISTENT] ",
	errs.QuotaNotFound:   "[NONEXISTENT] ",
	errs.Exists:          "[ALREADYEXISTS] ",
	errs.Denied:          "[NOPERM] ",
	errs.OverQuota:       "[OVERQUOTA] ",
	errs.TooBig:          "[TOOBIG] ",
	errs.FlagsFull:       "[LIMIT] ",
	errs.TooManyMessages: "[LIMIT] ",
	errs.BadName:         "[CANNOT] ",
	errs.HasChildren:     "[HASCHILDREN] ",
	errs.NotSupported:    "[CANNOT] ",
	errs.Locked:          "[INUSE] ",
	errs.PopLocked:       "[INUSE] ",
	errs.BadFormat:       "[CORRUPTION] ",
	errs.Unavailable:     "[UNAVAILABLE] ",
	errs.DiskFull:        "[UNAVAILABLE] ",
	errs.IO:              "[SERVERBUG] ",
	errs.Internal:        "[SERVERBUG] ",
}

// A refusal is a NO with a text of its own.
type refusal string

// Error is the text after NO.
func (e refusal) Error() string { return string(e) }

// errUIDRequired is the answer to sequence numbers after ENABLE UIDONLY (RFC
// 9586).
const errUIDRequired = imapwire.SyntaxError("[UIDREQUIRED] Message numbers are not allowed")

// errNoMessages is the answer to sequence numbers that do not exist.
const errNoMessages = refusal("No matching messages")

// tagged words the end of a command: text is what follows OK, "" is
// "Completed".
func tagged(text string, err error) string {
	var syntax imapwire.SyntaxError
	var limit *imapwire.LimitError
	var no refusal
	switch {
	case err == nil && text == "":
		return "OK Completed"
	case err == nil:
		return "OK " + text
	case errors.As(err, &syntax):
		return "BAD " + withoutControls(string(syntax))
	case errors.As(err, &limit):
		return "NO " + limit.Text
	case errors.As(err, &no):
		return "NO " + withoutControls(string(no))
	}
	return "NO " + failure(err)
}

// withoutControls is a text that may have something of the client's in it, as it
// may be sent: control characters are question marks. Other octets are as the
// client has sent them, as with Cyrus.
func withoutControls(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

// failure words an error of the store.
func failure(err error) string { return codes[errs.KindOf(err)] + plain(err) }

// plain words an error of the store without a response code.
func plain(err error) string {
	k := errs.KindOf(err)
	text := k.String()
	if k == errs.BadArgument {
		var e *errs.Error
		if errors.As(err, &e) && e.Err != nil {
			text = e.Err.Error()
		}
	}
	if errors.Is(err, conversations.ErrLimit) {
		text = conversations.ErrLimit.Error()
	}
	if k == errs.HasChildren {
		text = "Mailbox has inferior hierarchical names"
	}
	return text
}

// ofServer reports whether an error is ours rather than the client's, so
// that it has to be logged.
func ofServer(err error) bool {
	var syntax imapwire.SyntaxError
	var limit *imapwire.LimitError
	var no refusal
	var ending *worker.Ending
	if err == nil || err == errAnswered || errors.As(err, &ending) || errors.As(err, &syntax) || errors.As(err, &limit) || errors.As(err, &no) {
		return false
	}
	switch errs.KindOf(err) {
	case errs.Internal, errs.IO, errs.BadFormat, errs.DiskFull, errs.Locked, errs.Unavailable:
		return true
	}
	return false
}
