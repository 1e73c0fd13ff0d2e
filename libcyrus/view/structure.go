package view

import (
	"bytes"
	"strconv"

	"gocyrus/libcyrus/imapwire"
)

// partStructure returns the BODYSTRUCTURE of the part that a section names
// (RFC 5524 section 4), cut from that of the message; nil if there is none.
// The message itself is printed as a part that holds it. Of a part whose
// content is sent decoded the encoding, the size and the lines are those of
// what is sent, where Cyrus counts no lines.
//
// Source: index_urlfetch in Cyrus imap/index.c.
func partStructure(body, envelope []byte, s *imapwire.Section, decoded bool, c *content) []byte {
	whole := kinds[s.Part] == kinds[imapwire.PartAll]
	if whole && len(s.Numbers) == 0 {
		out := append([]byte(`("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 0 `), envelope...)
		out = append(append(out, ' '), body...)
		return append(out, " 0 NIL NIL NIL NIL)"...)
	}
	part := body
	holder := true // part is the body of a message, not one of its parts
	for _, n := range s.Numbers {
		if part = childOf(part, n, holder); part == nil {
			return nil
		}
		holder = false
	}
	if !whole && s.Part != imapwire.PartMIME && len(s.Numbers) > 0 {
		part = messageBody(part)
	}
	if !decoded || part == nil {
		return bytes.Clone(part)
	}
	return redescribed(part, c)
}

// childOf returns the n'th part of a multipart, of the message in a part, or
// of a message (holder), whose body is its only part if it is no multipart.
func childOf(part []byte, n uint32, holder bool) []byte {
	if !holder {
		if inner := messageBody(part); inner != nil {
			return childOf(inner, n, true)
		}
	}
	if !bytes.HasPrefix(part, []byte("((")) {
		if holder && n == 1 {
			return part
		}
		return nil
	}
	for _, item := range items(part) {
		if item[0] != '(' {
			return nil
		}
		if n--; n == 0 {
			return item
		}
	}
	return nil
}

// The places of items in the BODYSTRUCTURE of a part (RFC 3501 section
// 7.4.2).
const (
	itemType     = 0
	itemEncoding = 5
	itemSize     = 6
	itemLines    = 7 // of TEXT
	itemBody     = 8 // of MESSAGE RFC822
)

// messageBody returns the BODYSTRUCTURE of the message in a part, nil if the
// part is no message.
func messageBody(part []byte) []byte {
	all := items(part)
	if len(all) > itemBody && bytes.EqualFold(all[itemType], []byte(`"MESSAGE"`)) && all[itemBody][0] == '(' {
		return all[itemBody]
	}
	return nil
}

// redescribed is the BODYSTRUCTURE of a part with the encoding and size of
// decoded content.
func redescribed(part []byte, c *content) []byte {
	all := items(part)
	if len(all) <= itemSize || all[itemType][0] == '(' {
		return bytes.Clone(part)
	}
	all[itemEncoding] = strconv.AppendQuote(nil, c.domain())
	all[itemSize] = strconv.AppendInt(nil, c.size, 10)
	if bytes.EqualFold(all[itemType], []byte(`"TEXT"`)) && len(all) > itemLines {
		all[itemLines] = []byte("0")
	}
	return append(append([]byte{'('}, bytes.Join(all, []byte(" "))...), ')')
}

// partTypes calls fn with the type of each part, as "TEXT/PLAIN", until it
// returns false; it returns false then.
func partTypes(part []byte, fn func(name []byte) bool) bool {
	all := items(part)
	name := []byte("MULTIPART")
	for len(all) > 0 && all[0][0] == '(' {
		if !partTypes(all[0], fn) {
			return false
		}
		all = all[1:]
		if len(all) > 0 && all[0][0] != '(' {
			return fn(typeName(name, all[0]))
		}
	}
	if len(all) < 2 {
		return true
	}
	if !fn(typeName(all[itemType], all[itemType+1])) {
		return false
	}
	inner := messageBody(part)
	return inner == nil || partTypes(inner, fn)
}

// typeName joins a type and a subtype, in upper case.
func typeName(major, minor []byte) []byte {
	name := append(bytes.Clone(bytes.Trim(major, `"`)), '/')
	return bytes.ToUpper(append(name, bytes.Trim(minor, `"`)...))
}

// items cuts a list in parentheses into what it holds; of a broken one as far
// as it can be read. No item is empty.
func items(list []byte) (all [][]byte) {
	if len(list) < 2 || list[0] != '(' {
		return nil
	}
	for rest := list[1:]; len(rest) > 0 && rest[0] != ')'; {
		if rest[0] == ' ' {
			rest = rest[1:]
			continue
		}
		n := itemLen(rest)
		if n == 0 {
			return all
		}
		all = append(all, rest[:n])
		rest = rest[n:]
	}
	return all
}

// itemLen returns how long the item is that b begins with; 0 if it does not
// end.
func itemLen(b []byte) int {
	depth := 0
	for i := 0; i < len(b); {
		n := 1
		switch b[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ' ':
		default:
			if n = tokenLen(b[i:]); n == 0 {
				return 0
			}
		}
		if i += n; depth <= 0 {
			return i
		}
	}
	return 0
}

// tokenLen returns the length of a string or atom, 0 if it does not end.
func tokenLen(b []byte) int {
	switch b[0] {
	case '"':
		if n := bytes.IndexByte(b[1:], '"'); n >= 0 {
			return n + len(`""`)
		}
		return 0
	case '{':
		size, _, ok := bytes.Cut(b[1:], []byte("}\r\n"))
		n, err := strconv.Atoi(string(size))
		if end := len(size) + len("{}\r\n") + n; ok && err == nil && n >= 0 && end <= len(b) {
			return end
		}
		return 0
	}
	if n := bytes.IndexAny(b, " ()"); n >= 0 {
		return n
	}
	return len(b)
}
