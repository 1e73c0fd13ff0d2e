package main

import (
	"slices"
	"strings"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/view"
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

// switches is what ENABLE knows, in the order in which it is told.
var switches = []struct {
	name string
	on   func(*view.Client) *bool
	set  func(*view.Client)
	// early: not while a mailbox is selected, of which the client knows much
	// already (RFC 6855 section 3, RFC 9051 section 6.3.1).
	early bool
}{
	{"CONDSTORE", func(c *view.Client) *bool { return &c.Condstore }, nil, false},
	{"QRESYNC", func(c *view.Client) *bool { return &c.QResync }, func(c *view.Client) { c.Condstore = true }, false},
	{"UTF8=ACCEPT", func(c *view.Client) *bool { return &c.Accept }, func(c *view.Client) { c.UTF8 = true }, true},
	{"UIDONLY", func(c *view.Client) *bool { return &c.UIDOnly }, nil, true},
	{"IMAP4rev2", func(c *view.Client) *bool { return &c.Rev2 }, func(c *view.Client) { c.UTF8 = true }, true},
}

// enable switches extensions on (RFC 5161, RFC 7162 section 3.2.3, RFC 6855,
// RFC 9051 section 6.3.1). Unknown ones, and those that this site has turned
// off, are no error.
//
// Source: cmd_enable in Cyrus imap/imapd.c.
func (s *session) enable(words []string) (string, error) {
	before, after := s.client, s.client
	for i := range switches {
		w := &switches[i]
		name := strings.ToUpper(w.name)
		if !slices.Contains(words, name) || s.suppressed[name] && w.early {
			continue
		}
		if w.early && s.view != nil {
			return "", imapwire.SyntaxError("Enable " + w.name + " before a mailbox is selected")
		}
		if *w.on(&after) = true; w.set != nil {
			w.set(&after)
		}
	}
	if after == before && !after.Rev2 { // Cyrus says nothing then; RFC 9051 section 6.3.1 wants the empty list
		return "", nil
	}
	s.client = after
	if after.UTF8 && !before.UTF8 {
		s.ns = s.ns.InUTF8()
		s.r.UTF8 = true
	}
	s.w.Text("* ENABLED")
	for i := range switches {
		if w := &switches[i]; *w.on(&after) && !*w.on(&before) {
			s.w.Text(" ", w.name)
		}
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
