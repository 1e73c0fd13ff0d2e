package main

import (
	"strings"

	"gocyrus/libcyrus/imapwire"
)

// parseEnable reads a list of capabilities (RFC 5161 section 3.1).
func parseEnable(r *imapwire.Reader) ([]string, error) {
	if r.AtEOL() {
		return nil, r.Missing()
	}
	var words []string
	for r.Space() {
		w := r.Word()
		if !imapwire.IsAtom(w) {
			return nil, imapwire.SyntaxError("Invalid argument to Enable")
		}
		words = append(words, strings.ToUpper(w))
	}
	return words, nil
}

// enable switches extensions on (RFC 5161, RFC 7162 section 3.2.3). Unknown
// ones are no error.
//
// Source: cmd_enable in Cyrus imap/imapd.c.
func (s *session) enable(words []string) (string, error) {
	before := s.client
	for _, w := range words {
		switch w {
		case "CONDSTORE":
			s.client.Condstore = true
		case "QRESYNC":
			s.client.Condstore, s.client.QResync = true, true
		}
	}
	if s.client == before {
		return "", nil
	}
	s.w.Text("* ENABLED")
	if !before.Condstore {
		s.w.Text(" CONDSTORE")
	}
	if s.client.QResync && !before.QResync {
		s.w.Text(" QRESYNC")
	}
	s.w.Line()
	return "", nil
}

// useCondstore switches CONDSTORE on for a client that has just used it (RFC
// 7162 section 3.1.2).
func (s *session) useCondstore(by string) {
	if s.client.Condstore {
		return
	}
	s.client.Condstore = true
	s.w.Line("* OK [HIGHESTMODSEQ ", uintText(s.view.HighestModseq()), "] CONDSTORE enabled by ", by)
}
