package view

import (
	"bytes"
	"strings"
)

// nextMessageID returns the first message id in a field's value, as "<a@b>"
// without quotes, and what stands behind it; "" if there is none.
//
// Source: find_msgid in Cyrus imap/message.c.
func nextMessageID(s []byte) (id string, rest []byte) {
	for {
		i := bytes.IndexAny(s, "<\r")
		if i < 0 {
			return "", nil
		}
		if s[i] == '\r' {
			if endOfField(s[i:]) {
				return "", nil
			}
			s = s[i+1:]
			continue
		}
		s = s[i:]
		if id, n := messageID(s); n > 0 {
			return id, s[n:]
		}
		s = s[1:]
	}
}

// endOfField reports whether a line end is no fold.
func endOfField(s []byte) bool {
	return len(s) >= 2 && s[1] == '\n' && (len(s) == 2 || s[2] != ' ' && s[2] != '\t')
}

// messageID reads the id at the start of s, and its length; 0 if there is
// none.
func messageID(s []byte) (id string, n int) {
	out := []byte{'<'}
	i := 1
	if i < len(s) && s[i] == '"' {
		i++
		for i < len(s) && s[i] != '"' {
			if s[i] == '\\' {
				i++
			}
			if i < len(s) {
				out = append(out, s[i])
				i++
			}
		}
		i++
	} else {
		i += idAtom(s[i:])
		out = append(out, s[1:i]...)
	}
	if i >= len(s) || s[i] != '@' || len(out) == 1 {
		return "", 0
	}
	at := i + 1
	end := at + idAtom(s[at:])
	if end == at || end >= len(s) || s[end] != '>' {
		return "", 0
	}
	return string(append(out, s[i:end+1]...)), end + 1
}

// idAtom is the length of what has no character special in ids.
func idAtom(s []byte) int {
	n := bytes.IndexAny(s, "<> @\\\x00")
	if n < 0 {
		return len(s)
	}
	return n
}

// Fields of an ENVELOPE, by number.
const (
	envelopeInReplyTo = 8
	envelopeMessageID = 9
)

// envelopeField returns a string of a cached ENVELOPE, nil for NIL. Fields
// before it may be lists.
func envelopeField(item []byte, field int) []byte {
	s := bytes.TrimPrefix(item, []byte("("))
	for n := 0; len(s) > 0; n++ {
		end := tokenEnd(s)
		if n == field {
			text, _ := nstring(s[:end])
			return text
		}
		s = bytes.TrimPrefix(s[end:], []byte(" "))
	}
	return nil
}

// tokenEnd is the length of the string, list or atom at the start of s.
func tokenEnd(s []byte) int {
	depth := 0
	for i := 0; i < len(s); {
		switch s[i] {
		case '"':
			n := bytes.IndexByte(s[i+1:], '"') // the cache has literals for strings with quotes
			if n < 0 {
				return len(s)
			}
			i += n + 2
		case '{':
			i += literalEnd(s[i:])
		case '(':
			depth++
			i++
		case ')':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case ' ':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			i++
			if depth == 0 && i < len(s) && !strings.ContainsRune(" ()", rune(s[i])) {
				continue
			}
		}
		if depth == 0 {
			return i
		}
	}
	return len(s)
}

// literalEnd is the length of the literal at the start of s.
func literalEnd(s []byte) int {
	size, n := 0, 1
	for n < len(s) && '0' <= s[n] && s[n] <= '9' && size <= len(s) {
		size = size*10 + int(s[n]-'0')
		n++
	}
	return min(n+len("}\r\n")+size, len(s))
}
