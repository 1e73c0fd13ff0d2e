package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"gocyrus/libcyrus/config"
)

const (
	badParameters = "501 5.5.4 Syntax error in parameters"
	badParameter  = "501 5.5.4 Unrecognized parameters"
)

// mailFrom is MAIL (RFC 5321 section 4.1.1.2) with the parameters AUTH,
// BODY, SIZE and SMTPUTF8. As in Cyrus a MAIL whose path was good begins the
// transaction even if a parameter is then refused.
func (s *session) mailFrom(_ context.Context, args string) {
	if s.trust == untrusted {
		s.w.Line(s.authNeeded())
		return
	}
	if s.mail.begun {
		s.w.Line("503 5.5.1 Nested MAIL command")
		return
	}
	path, params, ok := s.cutPath(args, "FROM:", asksUTF8)
	if !ok {
		s.w.Line(badParameters)
		return
	}
	s.mail.begun = true
	s.mail.returnPath = strings.TrimSuffix(strings.TrimPrefix(path, "<"), ">")
	if refusal := s.mailParams(params); refusal != "" {
		s.w.Line(refusal)
		return
	}
	s.w.Line("250 2.1.0 ok")
}

// authNeeded is what somebody is told who is not trusted yet.
func (s *session) authNeeded() string {
	if config.SoftNoauth.In(s.conf) {
		return "430 Authentication required"
	}
	return "530 Authentication required"
}

// asksUTF8 reports whether SMTPUTF8 is among parameters.
func asksUTF8(params string) bool {
	return slices.ContainsFunc(parameters(params), func(p string) bool { return strings.EqualFold(p, "SMTPUTF8") })
}

// parameters is what follows a path, divided at each blank.
func parameters(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s[1:], " ")
}

// mailParams reads the parameters behind the path; the result is what the
// client is told if one is wrong.
func (s *session) mailParams(params string) (refusal string) {
	for _, p := range parameters(params) {
		key, value, given := strings.Cut(p, "=")
		switch strings.ToUpper(key) {
		case "AUTH":
			if !given {
				return badParameter
			}
			user, ok := decodeXtext(value)
			if !ok {
				return badParameters
			}
			s.mail.authUser, s.mail.authGiven = user, value != "<>"
		case "BODY":
			if !strings.EqualFold(value, "7BIT") && !strings.EqualFold(value, "8BITMIME") {
				return "501 5.5.4 Unrecognized BODY type"
			}
		case "SIZE":
			if !given {
				return badParameter
			}
			if value == "" || value[0] < '0' || value[0] > '9' {
				return "501 5.5.2 SIZE requires a value"
			}
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n > s.maxSize {
				return "552 5.2.3 Message SIZE exceeds fixed maximum message size (" + strconv.FormatInt(s.maxSize, 10) + ")"
			}
			s.mail.size = n
		case "SMTPUTF8":
			if given {
				return badParameter
			}
			s.mail.utf8 = true
		default:
			return badParameter
		}
	}
	return ""
}
