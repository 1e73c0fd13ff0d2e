package main

import (
	"context"
	"strings"
)

// rcptTo is RCPT (RFC 5321 section 4.1.1.3) with the parameter IGNOREQUOTA.
func (s *session) rcptTo(ctx context.Context, args string) {
	if !s.mail.begun {
		s.w.Line("503 5.5.1 Need MAIL command")
		return
	}
	if s.mail.transfer != nil {
		s.w.Line("503 5.5.1 RCPT after BDAT")
		return
	}
	path, params, ok := s.cutPath(args, "TO:", func(string) bool { return s.mail.utf8 })
	if !ok {
		s.w.Line(badParameters)
		return
	}
	ignoreQuota := false
	for _, p := range parameters(params) {
		if ignoreQuota || !strings.EqualFold(p, "IGNOREQUOTA") {
			s.w.Line(badParameter)
			return
		}
		ignoreQuota = true
	}
	r, err := s.findRecipient(ctx, path, ignoreQuota)
	if err != nil {
		s.failed(err, path)
		s.reply(err)
		return
	}
	s.mail.to = append(s.mail.to, r)
	s.w.Line("250 2.1.5 ok")
}
