package imapwire

import (
	"net/url"
	"strconv"
	"strings"
)

// A MessageURL is an IMAP URL (RFC 5092) without its server: one that is
// relative to that of the session.
type MessageURL struct {
	Mailbox     string // decoded, UTF-8; "" is the selected one
	UIDValidity uint32 // 0 = not said
	UID         uint32 // 0 = not said
	Section     string // as BODY[…] has it
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
	path, rest, _ := strings.Cut(text, ";")
	u.Mailbox = unescape(strings.TrimSuffix(path, "/"))
	for rest != "" {
		var word string
		word, rest, _ = strings.Cut(rest, ";")
		name, value, _ := strings.Cut(strings.TrimSuffix(word, "/"), "=")
		switch strings.ToUpper(name) {
		case "UIDVALIDITY":
			u.UIDValidity = urlNumber(value)
		case "UID":
			u.UID = urlNumber(value)
		case "SECTION":
			u.Section = strings.ToUpper(unescape(value))
		case "PARTIAL":
			from, length, _ := strings.Cut(value, ".")
			u.Offset, u.Length = int64(urlNumber(from)), int64(urlNumber(length))
		}
	}
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
