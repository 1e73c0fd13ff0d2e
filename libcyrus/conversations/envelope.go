package conversations

import (
	"bytes"
	"strconv"
	"strings"

	"gocyrus/libcyrus/message"
)

// nstring reads a string of a cache record (nil for NIL) and returns what
// follows it; ok is false if there is none.
func nstring(b []byte) (s *string, rest []byte, ok bool) {
	switch {
	case bytes.HasPrefix(b, []byte("NIL")):
		return nil, b[3:], true
	case len(b) > 0 && b[0] == '"':
		end := bytes.IndexByte(b[1:], '"')
		if end < 0 {
			return nil, nil, false
		}
		v := string(b[1 : 1+end])
		return &v, b[end+2:], true
	case len(b) > 0 && b[0] == '{':
		end := bytes.Index(b, []byte("}\r\n"))
		if end < 0 {
			return nil, nil, false
		}
		n, err := strconv.ParseUint(string(b[1:end]), 10, 31)
		b = b[end+3:]
		if err != nil || n > uint64(len(b)) {
			return nil, nil, false
		}
		v := string(b[:n])
		return &v, b[n:], true
	}
	return nil, nil, false
}

// list skips a list of strings and lists and returns what is in it.
func list(b []byte) (in, rest []byte, ok bool) {
	start, depth := b, 0
	for {
		switch {
		case len(b) == 0:
			return nil, nil, false
		case b[0] == '(':
			depth++
			b = b[1:]
		case b[0] == ')':
			depth--
			b = b[1:]
			if depth == 0 {
				return start[1 : len(start)-len(b)-1], b, true
			}
		case b[0] == ' ':
			b = b[1:]
		default:
			if _, b, ok = nstring(b); !ok {
				return nil, nil, false
			}
		}
	}
}

// envelope is what conversations need of a message's envelope.
type envelope struct {
	from             sender // the first address
	inReplyTo, msgid string
}

// parseEnvelope reads an ENVELOPE item; what cannot be read is empty.
//
// Source: parse_cached_envelope in Cyrus imap/index.c,
// message_parse_env_address in imap/message.c.
func parseEnvelope(b []byte) (e envelope) {
	const (
		from      = 2
		inReplyTo = 8
		messageID = 9
	)
	if len(b) == 0 || b[0] != '(' {
		return e
	}
	b = b[1:]
	for i := range messageID + 1 {
		var s *string
		var in []byte
		ok := false
		if len(b) > 0 && b[0] == '(' {
			in, b, ok = list(b)
		} else {
			s, b, ok = nstring(b)
		}
		if !ok {
			return e
		}
		b = bytes.TrimPrefix(b, []byte(" "))
		switch {
		case i == from:
			e.from = firstAddress(in)
		case s == nil:
		case i == inReplyTo:
			e.inReplyTo = *s
		case i == messageID:
			e.msgid = *s
		}
	}
	return e
}

// firstAddress reads the first of a list of addresses.
func firstAddress(b []byte) (s sender) {
	b, ok := bytes.CutPrefix(b, []byte("("))
	for _, to := range []**string{&s.name, &s.route, &s.mailbox, &s.domain} {
		if !ok {
			return sender{}
		}
		*to, b, ok = nstring(b)
		b = bytes.TrimPrefix(b, []byte(" "))
	}
	if !ok {
		return sender{}
	}
	return s
}

// maxReferences is how many Message-IDs of one header field count.
const maxReferences = 20

// msgids calls fn for the Message-IDs in the text of a header field, or in
// whole fields, which end each with a line end.
//
// Source: find_msgid in Cyrus imap/index.c.
func msgids(s string, fn func(id string)) {
	for n := 0; n < maxReferences; {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			return
		}
		s = s[i:]
		id, length := oneMsgid(s)
		if length == 0 {
			s = s[1:]
			continue
		}
		s = s[length:]
		n++
		fn(id)
	}
}

// oneMsgid reads the Message-ID at the start of s, which is a '<'. The local
// part may be quoted. The length is 0 if there is none.
func oneMsgid(s string) (id string, length int) {
	var b strings.Builder
	b.WriteByte('<')
	i := 1
	if i < len(s) && s[i] == '"' {
		for i++; i < len(s) && s[i] != '"'; i++ {
			if s[i] == '\\' && i+1 < len(s) {
				i++
			}
			b.WriteByte(s[i])
		}
		i++
	}
	for ; i < len(s) && s[i] != '>' && !isSpace(s[i]); i++ {
		b.WriteByte(s[i])
	}
	if i >= len(s) || s[i] != '>' {
		return "", 0
	}
	b.WriteByte('>')
	return b.String(), i + 1
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// validMsgid reports whether a Message-ID may be a key.
//
// Source: check_msgid in Cyrus imap/conversations.c.
func validMsgid(id string) bool {
	if len(id) < 3 || id[0] != '<' || id[len(id)-1] != '>' {
		return false
	}
	for i := 1; i < len(id)-1; i++ {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// validInReplyTo reports whether In-Reply-To has Message-IDs and not the
// address of a correspondent, which old programs put there.
func validInReplyTo(s string) bool {
	s = strings.TrimLeft(s, " \t\r\n\v\f,")
	return s == "" || s[0] == '<'
}

// lower is s in lower case, ASCII letters only.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// field returns the fields of a name of a HEADERS item.
func field(headers []byte, name string) string {
	return string(message.AppendFields(nil, headers, []string{name}, false, 0))
}

// subjectOf is the decoded subject in a SUBJECT item.
func subjectOf(item []byte) string {
	if s, _, ok := nstring(item); ok && s != nil {
		return *s
	}
	return ""
}

// eachPart calls fn for all parts of a message that have content of their own,
// with their numbers.
func eachPart(s *message.Section, prefix string, fn func(GUID, string)) {
	for i := 1; i < len(s.Parts); i++ {
		p := &s.Parts[i]
		id := prefix + strconv.Itoa(i)
		if p.Content != (message.GUID{}) {
			fn(GUID(p.Content), id)
		}
		eachPart(p, id+".", fn)
	}
}
