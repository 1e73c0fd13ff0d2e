package main

import (
	"encoding/hex"
	"strings"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
)

// parseGenURLAuth reads URLs with their mechanisms (RFC 4467 section 6).
func parseGenURLAuth(r *imapwire.Reader) (urls []string, err error) {
	for {
		text, err := argument(r)
		if err != nil {
			return nil, err
		}
		if !r.Space() {
			return nil, r.Missing()
		}
		if word := r.Word(); !strings.EqualFold(word, internalMechanism) {
			return nil, imapwire.SyntaxError("Unknown auth mechanism to Genurlauth " + word)
		}
		urls = append(urls, text)
		if c, ok := r.Peek(); !ok || c != ' ' {
			return urls, nil
		}
	}
}

// genURLAuth signs URLs of messages that the user may read.
//
// Source: cmd_genurlauth in Cyrus imap/imapd.c. All are looked at before
// anything is sent.
func (s *session) genURLAuth(urls []string) (string, error) {
	signed := make([]string, len(urls))
	for i, text := range urls {
		var err error
		if signed[i], err = s.sign(text); err != nil {
			return "", err
		}
	}
	b := append(s.w.Buffer(), "* GENURLAUTH"...)
	for _, text := range signed {
		b = imapwire.AppendString(append(b, ' '), text)
	}
	s.w.SetBuffer(b)
	s.w.Line()
	return "", nil
}

// sign signs one URL.
func (s *session) sign(text string) (string, error) {
	u, err := s.soundURL(text)
	if err != nil || u.User != s.user.ID || u.Mechanism != "" {
		return "", refusal("Error authorizing " + text + ": not a cyrusdb error")
	}
	e, err := s.urlMailbox(&u)
	switch {
	case errs.Is(err, errs.Denied):
		return "", refusal("Error authorizing " + text + ": not a cyrusdb error")
	case ofServer(err):
		return "", err
	case err != nil:
		return "", imapwire.SyntaxError("Poorly specified URL to Genurlauth " + text)
	}
	secret, err := s.site.MboxKeys.Make(s.ctx, s.user.ID, e.Name)
	if err != nil {
		return "", err
	}
	return text + ":internal:" + hex.EncodeToString(token(secret, u.Rump)), nil
}
