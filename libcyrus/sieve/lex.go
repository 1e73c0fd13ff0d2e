package sieve

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// lexer cuts a script into tokens.
//
// Source: Cyrus sieve/sieve-lex.l.
type lexer struct {
	text   []byte
	at     int
	line   int    // of at, from 1
	expect string // what a quoted string means next: "" or a key of special

	lastEnd int // where the last "*/" is, -1 if none can end a comment; 0: not looked for

	encodedChar bool // ${hex:…} and ${unicode:…} are decoded
	report      func(text string)

	num int    // value of the last tNumber
	str string // value of the last tString
}

// special is how the lexer reads the string behind some tags.
var special = map[string]struct {
	words map[string]token
	fault string
}{
	"comparator": {comparators, "unknown comparator-name "},
	"relation":   {relations, "invalid relational-match "},
	"importance": {importances, "invalid importance "},
}

// next returns the next token, tEOF at the end for as often as it is called.
func (l *lexer) next() token {
	if l.expect != "" {
		return l.nextSpecial()
	}
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		c := rest[0]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			l.skip(1)
		case c == '#':
			l.skip(lineLength(rest))
		case c == '/' && l.comment():
		case c == '"':
			l.skip(1)
			return l.quoted()
		case c >= '0' && c <= '9':
			return l.number(rest)
		default:
			if n := textStart(rest); n > 0 {
				l.skip(n)
				return l.multiline()
			}
			return l.word(rest)
		}
	}
	return tEOF
}

// skip passes n octets.
func (l *lexer) skip(n int) {
	l.line += bytes.Count(l.text[l.at:l.at+n], []byte{'\n'})
	l.at += n
}

// lineLength is the length of the line at the start of b without its end.
func lineLength(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i
	}
	return len(b)
}

// comment passes a comment, if there is one.
func (l *lexer) comment() bool {
	if l.lastEnd == 0 {
		if l.lastEnd = bytes.LastIndex(l.text, []byte("*/")); l.lastEnd == 0 {
			l.lastEnd = -1
		}
	}
	if l.at > l.lastEnd {
		return false
	}
	n := commentLength(l.text[l.at:])
	l.skip(n)
	return n > 0
}

// commentLength is the length of the comment that b starts with; 0 if there
// is none. As in Cyrus "**/" does not end a comment if another end follows.
func commentLength(b []byte) int {
	if len(b) < 4 || b[1] != '*' {
		return 0
	}
	// The states of the pattern "/*" ([^*] | "*" [^/])* "*"? "*/".
	end := 0
	body, star := true, false // may be between two units; behind the "*" of one
	extra := false            // behind the optional "*"
	closing := false          // behind the "*" of the end
	for i := 2; i < len(b) && (body || star || extra || closing); i++ {
		c := b[i]
		var nb, ns, ne, nc bool
		if body {
			nb = c != '*'
			ns, ne, nc = c == '*', c == '*', c == '*'
		}
		if star && c != '/' {
			nb = true
		}
		if extra && c == '*' {
			nc = true
		}
		if closing && c == '/' {
			end = i + 1
		}
		body, star, extra, closing = nb, ns, ne, nc
	}
	return end
}

// textStart is the length of "text:" with its line end at the start of b; 0
// if there is none.
func textStart(b []byte) int {
	if !bytes.HasPrefix(b, []byte("text:")) {
		return 0
	}
	i := len("text:")
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	if i < len(b) && b[i] == '#' {
		i += lineLength(b[i:])
	}
	switch {
	case i < len(b) && b[i] == '\n':
		return i + 1
	case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
		return i + 2
	case i < len(b) && b[i] == '\r':
		return i + 1
	}
	return 0
}

// multiline reads the string behind text:.
func (l *lexer) multiline() token {
	var b []byte
	start := l.text[l.at-1] == '\n' // of a line
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		if start && rest[0] == '.' && len(rest) > 1 {
			switch {
			case rest[1] == '\n':
				l.skip(2)
				return l.gotString(b)
			case rest[1] == '\r' && len(rest) > 2 && rest[2] == '\n':
				l.skip(3)
				return l.gotString(b)
			case rest[1] == '\r':
				l.skip(2)
				return l.gotString(b)
			case rest[1] == '.':
				l.skip(1)
				rest = rest[1:]
			}
		}
		n := min(lineLength(rest)+1, len(rest))
		b = append(b, rest[:n]...)
		l.skip(n)
		start = rest[n-1] == '\n'
	}
	return l.unended()
}

// quoted reads a quoted string whose first quote is read. A backslash before
// a line end stays.
func (l *lexer) quoted() token {
	var b []byte
	for i := l.at; i < len(l.text); i++ {
		c := l.text[i]
		switch {
		case c == '"':
			l.skip(i + 1 - l.at)
			return l.gotString(b)
		case c == '\\' && i+1 < len(l.text) && l.text[i+1] != '\n':
			i++
			b = append(b, l.text[i])
		default:
			b = append(b, c)
		}
	}
	l.skip(len(l.text) - l.at)
	return l.unended()
}

func (l *lexer) unended() token {
	l.report("unexpected end of file in string")
	return tEOF
}

func (l *lexer) gotString(b []byte) token {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if l.encodedChar {
		b = l.decodeChars(b)
	}
	l.str = string(b)
	return tString
}

// number reads a number (RFC 5228 section 2.4.1).
func (l *lexer) number(rest []byte) token {
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(string(rest[:n]), 10, 64)
	if n < len(rest) {
		if i := strings.IndexByte("KMG", rest[n]&^0x20); i >= 0 {
			n++
			shift := 10 * (i + 1)
			if v > math.MaxUint64>>shift {
				err = strconv.ErrRange
			}
			v <<= shift
		}
	}
	if err != nil || v > math.MaxInt32 {
		l.report("number too large " + string(rest[:n]))
		v = math.MaxInt32
	}
	l.num = int(v)
	l.skip(n)
	return tNumber
}

// word reads a word or tag, or else one octet.
func (l *lexer) word(rest []byte) token {
	for n := min(longestKeyword, len(rest)); n > 0; n-- {
		t, ok := keywords[string(rest[:n])]
		if !ok {
			continue
		}
		l.skip(n)
		switch t {
		case tComparator:
			l.expect = "comparator"
		case tCount, tValue:
			l.expect = "relation"
		case tImportance:
			l.expect = "importance"
		}
		return t
	}
	l.skip(1)
	return l.octet(rest[0])
}

// octet is the token of an octet that starts nothing. To Cyrus, where it is
// a signed char, NUL and octets with the high bit are the end of the script.
func (l *lexer) octet(c byte) token {
	if c == 0 || c >= 0x80 {
		l.at = len(l.text)
		return tEOF
	}
	return token(c)
}

// nextSpecial reads the quoted string behind :comparator and the like.
func (l *lexer) nextSpecial() token {
	kind := special[l.expect]
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch c := rest[0]; c {
		case ' ', '\t', '\n', '\r':
			l.skip(1)
			continue
		case '"':
			end := bytes.IndexByte(rest[1:], '"')
			if end < 0 {
				break
			}
			l.skip(end + 2)
			l.expect = ""
			if t, ok := kind.words[string(rest[1:end+1])]; ok {
				return t
			}
			l.report(kind.fault + string(rest[:end+2]))
			return tInvalid
		}
		l.skip(1)
		return l.octet(rest[0])
	}
	return tEOF
}

// decodeChars replaces encoded characters (RFC 5228 section 2.4.2.4). What
// has not the right form stays; a number that is no character is a fault.
func (l *lexer) decodeChars(b []byte) []byte {
	var out []byte
	whole := string(b)
	for {
		i := bytes.Index(b, []byte("${"))
		if i < 0 {
			break
		}
		end := bytes.IndexByte(b[i:], '}')
		if end < 0 {
			break
		}
		end += i
		chars, ok := l.encoded(string(b[i:end+1]), whole)
		if !ok {
			out = append(out, b[:i+2]...)
			b = b[i+2:]
			continue
		}
		out = append(append(out, b[:i]...), chars...)
		b = b[end+1:]
	}
	out = append(out, b...)
	if i := bytes.IndexByte(out, 0); i >= 0 {
		out = out[:i]
	}
	return out
}

// encoded returns what "${hex:…}" or "${unicode:…}", part of the string
// whole, stands for.
func (l *lexer) encoded(s, whole string) (string, bool) {
	kind, list, ok := strings.Cut(s[2:len(s)-1], ":")
	if !ok {
		return "", false
	}
	unicode := strings.EqualFold(kind, "unicode")
	if !unicode && !strings.EqualFold(kind, "hex") {
		return "", false
	}
	var out []byte
	fields := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) })
	for _, f := range fields {
		if strings.Trim(f, "0123456789abcdefABCDEF") != "" || !unicode && len(f) > 2 {
			return "", false
		}
	}
	for _, f := range fields {
		v, err := strconv.ParseUint(f, 16, 64)
		switch {
		case !unicode:
			out = append(out, byte(v))
		case err != nil || v > 0x10ffff || v >= 0xd800 && v < 0xe000:
			l.report("invalid unicode encoding: " + whole)
			return "", false
		default:
			out = append(out, string(rune(v))...)
		}
	}
	return string(out), len(out) > 0
}
