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

// enable switches extensions on. None of ours needs it yet; unknown ones are
// no error.
func (s *session) enable([]string) (string, error) { return "", nil }
