package main

import (
	"errors"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
)

const syntaxError = "500 5.5.2 Syntax error"

// replies is what the MTA is told of a kind of error; of all others it is
// told that of Internal. After 4xx it tries again later.
//
// Source: send_lmtp_error in Cyrus imap/lmtpengine.c, and RFC 3463.
var replies = map[errs.Kind]string{
	errs.Internal:        "451 4.3.0 System I/O error",
	errs.IO:              "451 4.3.0 System I/O error",
	errs.DiskFull:        "451 4.3.1 cannot create temporary file: No space left on device",
	errs.Locked:          "451 4.2.1 Mailbox is locked",
	errs.BadFormat:       "451 4.2.0 Mailbox has an invalid format",
	errs.NotSupported:    "451 4.2.0 Operation is not supported on mailbox",
	errs.TooManyMessages: "452 4.2.2 Over quota",
	errs.OverQuota:       "452 4.2.2 Over quota",
	errs.Unavailable:     "451 4.4.3 Remote server unavailable",
	errs.BadPartition:    "451 4.2.0 Unknown/invalid partition",
	errs.Denied: "550-You do not have permission to post a message to this mailbox.\r\n" +
		"550-Please contact the owner of this mailbox in order to submit\r\n" +
		"550-your message, or postmaster if you believe you\r\n" +
		"550-received this message in error.\r\n" +
		"550 5.7.1 Permission denied",
	errs.NotFound: "550-Mailbox unknown.  Either there is no mailbox associated with this\r\n" +
		"550-name or you do not have authorization to see it.\r\n" +
		"550 5.1.1 User unknown",
	errs.BadName: "550-Mailbox unknown.  Either there is no mailbox associated with this\r\n" +
		"550-name or you do not have authorization to see it.\r\n" +
		"550 5.1.1 User unknown",
	errs.TooBig:       "552 5.2.3 Message size exceeds fixed limit",
	errs.ContainsNUL:  "554 5.6.0 Message contains NUL characters",
	errs.ContainsNL:   "554 5.6.0 Message contains bare newlines",
	errs.Contains8Bit: "554 5.6.0 Message contains non-ASCII characters in headers",
	errs.BadHeader:    "554 5.6.0 Message contains invalid header",
	errs.NoBlankLine:  "554 5.6.0 Message has no header/body separator",
	errs.BadArgument:  "501 5.5.4 Syntax error in parameters",
}

// reply words what became of one recipient. What the client is not told is
// logged.
func (s *session) reply(err error) {
	if err == nil {
		s.w.Linef("250 2.1.5 Success SESSIONID=<%s>", s.conn.SessionID())
		return
	}
	if r := (*rejection)(nil); errors.As(err, &r) {
		s.w.Line(r.reply())
		return
	}
	if t := (*tooBig)(nil); errors.As(err, &t) {
		s.w.Line("552 5.2.3 " + t.Error())
		return
	}
	kind := errs.KindOf(err)
	if errors.Is(err, errDisabled) {
		s.w.Line("451 4.2.1 Delivery to mailbox is disabled")
		return
	}
	text, ok := replies[kind]
	if !ok {
		text = replies[errs.Internal]
	}
	if kind == errs.OverQuota || kind == errs.TooManyMessages {
		if config.LmtpOverQuotaPermFailure.In(s.conf) {
			text = "552 5.2.2 Over quota"
		}
		text += " SESSIONID=<" + s.conn.SessionID() + ">"
	}
	s.w.Line(text)
}
