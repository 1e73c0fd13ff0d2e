package imapwire

import (
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A MessageURL is an IMAP URL (RFC 5092) without its server: one that is
// relative to that of the session.
type MessageURL struct {
	Mailbox     string // decoded, UTF-8; "" is the selected one
	UIDValidity uint32 // 0 = not said
	UID         uint32 // 0 = not said
	Section     string // as BODY[…] has it
	NoSection   bool   // there is a SECTION without a value
	Offset      int64
	Length      int64 // 0 = to the end
}

// ParseMessageURL reads "/INBOX;UIDVALIDITY=1/;UID=2/;SECTION=1.2/;PARTIAL=0.5".
// It returns false for URLs that name a server.
//
// Source: imapurl_fromURL in Cyrus lib/imapurl.c.
func ParseMessageURL(text string) (u MessageURL, relative bool) {
	if len(text) >= len("imap:") && strings.EqualFold(text[:len("imap:")], "imap:") || strings.HasPrefix(text, "//") {
		return u, false
	}
	text = strings.TrimPrefix(text, "/")
	u.path(text, func(string, string, int) {})
	return u, true
}

// path reads what stands behind the server. other is called for parameters
// that do not choose a part of a message, with the number of octets of text
// up to the end of the parameter's name and "=".
func (u *MessageURL) path(text string, other func(name, value string, at int)) {
	path, rest, _ := strings.Cut(text, ";")
	u.Mailbox = unescape(strings.TrimSuffix(path, "/"))
	for rest != "" {
		var word string
		start := len(text) - len(rest)
		word, rest, _ = strings.Cut(rest, ";")
		name, value, _ := strings.Cut(strings.TrimSuffix(word, "/"), "=")
		switch strings.ToUpper(name) {
		case "UIDVALIDITY":
			u.UIDValidity = urlNumber(value)
		case "UID":
			u.UID = urlNumber(value)
		case "SECTION":
			u.Section = strings.ToUpper(unescape(value))
			u.NoSection = value == ""
		case "PARTIAL":
			from, length, _ := strings.Cut(value, ".")
			u.Offset, u.Length = int64(urlNumber(from)), int64(urlNumber(length))
		default:
			other(strings.ToUpper(name), value, start+len(name)+1)
		}
	}
}

// A SignedURL is a URL of a message on a server that says who may fetch it
// (RFC 4467 section 2).
type SignedURL struct {
	MessageURL
	User      string // whose mailboxes are meant
	Server    string
	Expire    time.Time // zero = never
	BadExpire bool      // there is something else than a date
	Access    string    // "anonymous", "authuser", "user+NAME" or "submit+NAME"; "" is not said
	Mechanism string    // "" if it is not signed
	Token     []byte    // the signature, nil if it is none in hexadecimal
	Rump      string    // what is signed: all up to Access
}

// ParseSignedURL reads "imap://USER@SERVER/MAILBOX/;UID=1;URLAUTH=anonymous"
// and what the mechanism adds, ":internal:00…". It returns false for other
// kinds of URL.
//
// Source: imapurl_fromURL in Cyrus lib/imapurl.c: the scheme is in lower case.
func ParseSignedURL(text string) (u SignedURL, ok bool) {
	const scheme = "imap://"
	if !strings.HasPrefix(text, scheme) {
		return u, false
	}
	host, path, ok := strings.Cut(text[len(scheme):], "/")
	user, server, named := strings.Cut(host, "@")
	if !ok || !named {
		return u, false
	}
	u.User, u.Server, u.Rump = unescape(user), server, text
	before := len(text) - len(path)
	u.path(path, func(name, value string, at int) {
		switch name {
		case "EXPIRE":
			var err error
			u.Expire, err = time.Parse(time.RFC3339, value)
			u.BadExpire = err != nil
		case "URLAUTH":
			var token string
			u.Access, token, _ = strings.Cut(value, ":")
			u.Rump = text[:before+at+len(u.Access)]
			u.Mechanism, token, _ = strings.Cut(token, ":")
			u.Token, _ = hex.DecodeString(token)
			u.Access = unescape(u.Access)
		}
	})
	return u, true
}

// unescape replaces "%20" and the like; what is no escape stays.
func unescape(s string) string {
	if t, err := url.PathUnescape(s); err == nil {
		return t
	}
	return s
}

// urlNumber reads a number; 0 if it is none.
func urlNumber(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// ParseSection reads what stands in the brackets of BODY[…], without header
// fields.
func ParseSection(text string) (Section, bool) {
	var s Section
	rest, ok := s.numbers(text + "]")
	if !ok {
		return s, false
	}
	tail, ok := s.piece(rest)
	return s, ok && tail == ""
}
