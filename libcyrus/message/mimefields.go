package message

import "bytes"

// cursor reads the value of a structured field. Its text runs on behind the
// field's end; space finds that end.
type cursor struct {
	b []byte
	i int
}

// cur is the octet at the cursor, 0 at the end.
func (c *cursor) cur() byte { return c.at(0) }

// at is the octet n places on, 0 behind the end.
func (c *cursor) at(n int) byte {
	if c.i+n < len(c.b) {
		return c.b[c.i+n]
	}
	return 0
}

// space skips white space and comments, and reports whether there is more
// of the field.
//
// Source: message_parse_rfc822space in Cyrus imap/message.c; comments there
// can be read beyond the end of the text (CVE-2026-47088), here not.
func (c *cursor) space() bool {
	for {
		switch ch := c.cur(); {
		case ch == '\n':
			c.i++
			if n := c.cur(); n != ' ' && n != '\t' {
				return false
			}
		case ch == '(':
			c.i++
			if !c.comment() {
				return false
			}
		case isSpace(ch):
			c.i++
		default:
			return ch != 0
		}
	}
}

// comment skips the rest of a comment whose '(' has been read.
func (c *cursor) comment() bool {
	for level := 1; level > 0; c.i++ {
		switch c.cur() {
		case 0:
			return false
		case '\n':
			c.i++
			if n := c.cur(); n != ' ' && n != '\t' {
				return false
			}
		case '\\':
			c.i++
			if c.cur() == 0 {
				return false
			}
		case '(':
			level++
		case ')':
			level--
		}
	}
	return true
}

// tspecials are the characters that end a MIME token (RFC 2045 section 5.1).
const tspecials = `()<>@,;:\"/[]?=`

var isTspecial = func() (t [256]bool) {
	for _, c := range []byte(tspecials) {
		t[c] = true
	}
	return t
}()

// badToken reports whether c may not stand in a token: control and 8-bit
// characters, tspecials.
func badToken(c byte) bool { return c < ' ' || c >= 0x80 || isTspecial[c] }

// token reads up to white space, '(' or stop; ok is false at a character that
// may not stand in a token.
func (c *cursor) token(stop byte) (tok []byte, ok bool) {
	start := c.i
	for ch := c.cur(); ch != 0 && !isSpace(ch) && ch != '(' && ch != stop; ch = c.cur() {
		if badToken(ch) {
			return nil, false
		}
		c.i++
	}
	return c.b[start:c.i:c.i], true
}

func upperBytes(b []byte) []byte {
	u := make([]byte, len(b))
	for i, c := range b {
		u[i] = upperByte(c)
	}
	return u
}

// parseType parses the value of Content-Type; ok is false if it is unusable.
func parseType(v []byte) (typ, subtype string, params []param, ok bool) {
	c := cursor{b: v}
	if !c.space() {
		return "", "", nil, false
	}
	wordsDecoded := bytes.HasPrefix(c.b[c.i:], wordStart)
	if wordsDecoded { // by old versions of Apple Mail
		text := c.b[c.i:]
		text = decodeWords(text[:fieldEnd(text, 0)], false)
		c = cursor{b: append(bytes.Clone(text), '\r', '\n')}
		wordsDecoded = !bytes.HasPrefix(c.b, wordStart)
	}
	t, ok := c.token('/')
	if !ok || !c.space() || c.cur() != '/' {
		return "", "", nil, false
	}
	c.i++
	if !c.space() {
		return "", "", nil, false
	}
	s, ok := c.token(';')
	if !ok {
		return "", "", nil, false
	}
	more := c.space()
	if more && c.cur() != ';' {
		return "", "", nil, false
	}
	if more {
		c.i++
		params = foldParams(parseParams(&c))
		if wordsDecoded {
			encodeValues(params)
		}
	}
	return upperToken(t), upperToken(s), params, true
}

// encodeValues writes 8-bit parameter values as encoded words, where a whole
// field had been one.
func encodeValues(params []param) {
	for i, a := range params {
		if bytes.HasSuffix(a.name, []byte("*")) {
			continue
		}
		if bytes.ContainsFunc(a.value, func(r rune) bool { return r >= 0x80 }) {
			params[i].value = encodeWord(a.value)
		}
	}
}

// parseEncoding parses Content-Transfer-Encoding; nil if it is unusable.
func parseEncoding(v []byte) []byte {
	c := cursor{b: v}
	if !c.space() {
		return nil
	}
	t, ok := c.token(0)
	if !ok || c.space() {
		return nil
	}
	return upperBytes(t)
}

// parseDisposition parses Content-Disposition; nil if it is unusable.
func parseDisposition(v []byte) ([]byte, []param) {
	c := cursor{b: v}
	if !c.space() {
		return nil, nil
	}
	t, ok := c.token(';')
	if !ok {
		return nil, nil
	}
	more := c.space()
	if more && c.cur() != ';' {
		return nil, nil
	}
	var params []param
	if more {
		c.i++
		params = foldParams(parseParams(&c))
	}
	return upperBytes(t), params
}

// parseLanguage parses Content-Language, as far as it is usable.
func parseLanguage(v []byte) (out [][]byte) {
	c := cursor{b: v}
	for {
		if len(out) >= maxParams || !c.space() {
			return out
		}
		start := c.i
		for ch := c.cur(); ch != 0 && !isSpace(ch) && ch != ',' && ch != '('; ch = c.cur() {
			if up := upperByte(ch); ch != '-' && (up < 'A' || up > 'Z') {
				return out
			}
			c.i++
		}
		tag := upperBytes(c.b[start:c.i])
		if c.space() {
			if c.cur() != ',' {
				return out
			}
			c.i++
			out = append(out, tag)
			continue
		}
		return append(out, tag)
	}
}

// parseParams parses parameters up to the end of the field. One that is
// malformed is skipped up to the next ';'.
func parseParams(c *cursor) (out []param) {
	for len(out) < maxParams && c.space() {
		a, more, ok := parseParam(c)
		if ok {
			out = append(out, a)
		}
		if !more {
			return out
		}
		if !ok {
			for ch := c.cur(); ch != 0 && ch != ';' && ch != '\r' && ch != '\n'; ch = c.cur() {
				c.i++
			}
			if c.cur() == ';' {
				c.i++
			}
		}
	}
	return out
}

// parseParam parses one parameter and the ';' behind it. ok: it is well
// formed. more: the field may go on.
func parseParam(c *cursor) (a param, more, ok bool) {
	name, ok := c.token('=')
	if !ok {
		return a, true, false
	}
	if !c.space() {
		return a, false, false
	}
	if c.cur() != '=' {
		c.i++
		return a, true, false
	}
	c.i++
	if !c.space() {
		return a, false, false
	}
	if c.cur() == '"' {
		a.value, more = c.quoted()
		if !more {
			return a, false, false
		}
	} else if a.value, ok = c.paramToken(); !ok {
		return a, true, false
	}
	a.name = upperBytes(name)
	if !c.space() {
		return a, false, true
	}
	c.i++
	return a, true, c.b[c.i-1] == ';'
}

// quoted reads a quoted string, whose opening quote is at the cursor. ok is
// false if the field ends within.
func (c *cursor) quoted() (v []byte, ok bool) {
	c.i++
	start, plain := c.i, true
	for ch := c.cur(); ch != '"'; ch = c.cur() {
		if ch == '\\' {
			plain = false
			c.i++
			ch = c.cur()
		}
		if ch == '\r' {
			if n := c.at(2); c.at(1) != '\n' || n != ' ' && n != '\t' {
				return nil, false
			}
			plain = false
			c.i += 2
			ch = c.cur()
		}
		if ch == 0 {
			return nil, false
		}
		c.i++
	}
	v = c.b[start:c.i:c.i]
	c.i++
	if plain {
		return v, true
	}
	return unquoted(v), true
}

// unquoted takes the backslashes and line ends out of a quoted string.
func unquoted(v []byte) []byte {
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '\r':
			i += 2
		}
		if i < len(v) {
			out = append(out, v[i])
		}
	}
	return out
}

// paramToken reads an unquoted parameter value. Blanks, folds and tspecials
// may stand in it, but control characters may not; what trails it is cut off.
func (c *cursor) paramToken() (v []byte, ok bool) {
	start, last := c.i, c.i
	for ch := c.cur(); ch != 0 && ch != ';' && ch != '('; ch = c.cur() {
		if ch == '\r' {
			if n := c.at(2); c.at(1) != '\n' || n != ' ' && n != '\t' {
				break
			}
			c.i += 2
			continue
		}
		if ch < ' ' && ch != '\t' {
			return nil, false
		}
		if ch != ' ' && ch != '\t' {
			last = c.i
		}
		c.i++
	}
	c.i = min(last+1, len(c.b))
	return c.b[start:c.i:c.i], true
}

// foldParams joins the pieces of RFC 2231 continuations.
//
// Source: message_fold_params in Cyrus imap/message.c.
func foldParams(in []param) []param {
	for i := 0; i < len(in); i++ {
		star := bytes.IndexByte(in[i].name, '*')
		if star < 0 {
			continue
		}
		var extended bool
		switch string(in[i].name[star:]) {
		case "*0":
		case "*0*":
			extended = true
		default:
			continue
		}
		base := in[i].name[:star]
		value := bytes.Clone(in[i].value)
		for n := 1; n < 100; n++ {
			k, ext := findPiece(in, base, n)
			if k < 0 {
				break
			}
			switch {
			case ext && !extended:
				value = append([]byte("''"), percentEncoded(nil, value)...)
				extended = true
				fallthrough
			case ext || !extended:
				value = append(value, in[k].value...)
			default:
				value = percentEncoded(value, in[k].value)
			}
			in = append(in[:k], in[k+1:]...)
			if k < i {
				i--
			}
		}
		in[i].name = base
		if extended {
			in[i].name = append(bytes.Clone(base), '*')
		}
		in[i].value = value
	}
	return in
}

// findPiece looks for piece n of a parameter; -1 if there is none.
func findPiece(in []param, base []byte, n int) (index int, extended bool) {
	want := make([]byte, 0, 3)
	if n > 9 {
		want = append(want, byte('0'+n/10))
	}
	want = append(want, byte('0'+n%10))
	for i, a := range in {
		if len(a.name) <= len(base) || !bytes.HasPrefix(a.name, base) || a.name[len(base)] != '*' {
			continue
		}
		switch rest := a.name[len(base)+1:]; {
		case bytes.Equal(rest, want):
			return i, false
		case len(rest) == len(want)+1 && rest[len(want)] == '*' && bytes.HasPrefix(rest, want):
			return i, true
		}
	}
	return -1, false
}

// percentEncoded appends v to dst as RFC 2231 extended text.
func percentEncoded(dst, v []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range v {
		if c <= ' ' || c >= 0x7f || c == '*' || c == '\'' || c == '%' || isTspecial[c] {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
