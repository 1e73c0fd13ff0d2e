package imapwire

import (
	"io"
	"math"
	"strconv"
	"unicode/utf8"
)

// LiteralInfo is the head of a literal.
type LiteralInfo struct {
	Size   int64
	NoWait bool // the client sends it without asking (RFC 7888)
	Binary bool // "~{": it may hold NUL (RFC 3516)
}

// AString takes an atom, a quoted string or a literal that is kept in
// memory. Any error but a *LimitError says only that none stands there.
//
// As in Cyrus an atom is anything that ends with a blank, a parenthesis, a
// double quote or the line, so that unquoted names with odd characters work.
// Source: getxstring in Cyrus imap/imapparse.c.
func (r *Reader) AString() (string, error) {
	c, ok := r.Peek()
	switch {
	case !ok:
		return "", r.err
	case c == '"':
		return r.quoted()
	case c == '{':
		return r.literalString()
	case wordEnd[c]:
		return "", errNotString
	}
	return r.Word(), r.err
}

// String takes a quoted string or a literal that is kept in memory.
func (r *Reader) String() (string, error) {
	c, ok := r.Peek()
	switch {
	case !ok:
		return "", r.err
	case c == '"':
		return r.quoted()
	case c == '{':
		return r.literalString()
	}
	return "", errNotString
}

// NString is String, or nil for NIL.
func (r *Reader) NString() (*string, error) {
	c, ok := r.Peek()
	if ok && (c == 'N' || c == 'n') {
		if !equalFold(r.Word(), "NIL") {
			return nil, errNotString
		}
		return nil, r.err
	}
	s, err := r.String()
	return &s, err
}

// NAString is AString, or nil for the atom NIL.
func (r *Reader) NAString() (*string, error) {
	c, ok := r.Peek()
	atom := ok && c != '"' && c != '{'
	s, err := r.AString()
	if err == nil && atom && equalFold(s, "NIL") {
		return nil, nil
	}
	return &s, err
}

// quoted takes a quoted string. A backslash makes any byte count as itself.
func (r *Reader) quoted() (string, error) {
	r.tokenStart = r.taken
	defer func() { r.tokenEnd = r.taken }()
	r.skip()
	b := make([]byte, 0, maxWordQuick)
	for {
		c, ok := r.Peek()
		switch {
		case !ok:
			return "", r.err
		case c == '\r' || c == '\n':
			return "", errNotString
		case c == '"':
			r.skip()
			r.checkArgs()
			if r.UTF8 && r.err == nil && !utf8.Valid(b) {
				return "", errNotUTF8
			}
			return string(b), r.err
		case c == '\\':
			r.skip()
			if c, ok = r.Peek(); !ok || c == '\r' || c == '\n' {
				return "", errNotString
			}
		}
		r.skip()
		if b = append(b, c); r.limits.Quoted > 0 && len(b) > r.limits.Quoted {
			r.fail("[TOOBIG] Quoted value too long")
			return "", r.err
		}
	}
}

// literalString takes a literal into memory.
func (r *Reader) literalString() (string, error) {
	h, err := r.LiteralHead()
	if err != nil {
		return "", err
	}
	if r.limits.Literal > 0 && h.Size > r.limits.Literal {
		return "", r.RefuseLiteral(h)
	}
	if r.limits.Args > 0 && r.taken+h.Size > r.limits.Args {
		r.fail(argsTooLong)
		return "", r.err
	}
	lit, err := r.Literal(h)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(lit)
	r.taken += int64(len(b))
	if err == nil && int64(len(b)) < h.Size {
		err = io.ErrUnexpectedEOF
	}
	return string(b), err
}

// RefuseLiteral returns the error for a literal that is too large. If the
// client already sends it the connection cannot be used any more.
func (r *Reader) RefuseLiteral(h LiteralInfo) error {
	if h.NoWait {
		r.fail("[TOOBIG] Literal size exceeds fixed limit")
		return r.err
	}
	return &LimitError{Text: "[TOOBIG] Literal size exceeds fixed limit in " + r.Command}
}

// LiteralHead takes "{12}", "{12+}" or "~{12}" with the end of its line. It
// neither asks for the literal nor takes it: see Literal, RefuseLiteral.
func (r *Reader) LiteralHead() (h LiteralInfo, err error) {
	h.Binary = r.Accept('~')
	if !r.Accept('{') {
		return h, errNotString
	}
	b := make([]byte, 0, 20)
	for {
		c, ok := r.Peek()
		if !ok {
			return h, r.err
		}
		if c < '0' || c > '9' {
			break
		}
		r.skip()
		if len(b) < cap(b) {
			b = append(b, c)
		}
	}
	h.NoWait = r.Accept('+')
	if !r.Accept('}') || !r.EOL() {
		return h, errNotString
	}
	n, ok := parseSize(string(b))
	if !ok {
		return h, errNotString
	}
	r.ended = !h.NoWait // until the client is asked for more
	if h.NoWait {
		r.coming = n
	}
	h.Size = n
	return h, nil
}

// parseSize reads a decimal number; one that is too large for an int64 is
// as good as the largest.
func parseSize(s string) (int64, bool) {
	if s == "" || !allDigits(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n = math.MaxInt64
	}
	return n, true
}

// Literal returns the bytes of the literal with head h, after asking for
// them if the client waits. All of them have to be read before the Reader is
// used again. They do not count as arguments.
func (r *Reader) Literal(h LiteralInfo) (io.Reader, error) {
	if !h.NoWait {
		if r.GoAhead == nil {
			return nil, errNotString
		}
		if err := r.GoAhead(); err != nil {
			r.err = err
			return nil, err
		}
	}
	r.ended, r.coming = false, 0
	return io.LimitReader(r.stream(), h.Size), nil
}

// stream reads what follows as it is.
func (r *Reader) stream() io.Reader { return (*rawReader)(r) }

// rawReader is a Reader without syntax.
type rawReader Reader

// Read takes buffered bytes first; large reads then bypass the buffer.
func (s *rawReader) Read(p []byte) (int, error) {
	r := (*Reader)(s)
	if r.pos == r.end {
		if len(p) >= bufferSize {
			return r.readDirect(p)
		}
		if !r.fill() {
			return 0, r.err
		}
	}
	n := copy(p, (*r.buf)[r.pos:r.end])
	r.pos += n
	return n, nil
}

// readDirect reads from the connection into p.
func (r *Reader) readDirect(p []byte) (int, error) {
	if r.err == nil && r.BeforeRead != nil {
		r.err = r.BeforeRead()
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.src.Read(p)
	if n == 0 && err != nil {
		r.err = err
	}
	return n, r.err
}

// Number takes an unsigned 32-bit number. What is larger, or no number at
// all, is an error; in the first case all digits are taken.
func (r *Reader) Number() (uint32, error) {
	n, err := r.Number64()
	if err == nil && n > math.MaxUint32 {
		err = errNotNumber
	}
	return uint32(n), err
}

// digits takes the digits that come next, also none. Of very many it keeps
// 20, which no number that is taken has.
func (r *Reader) digits() (string, error) {
	r.tokenStart = r.taken
	defer func() { r.tokenEnd = r.taken }()
	b := make([]byte, 0, 20)
	for {
		c, ok := r.Peek()
		if !ok {
			return "", r.err
		}
		if c < '0' || c > '9' {
			return string(b), nil
		}
		r.skip()
		if len(b) < cap(b) {
			b = append(b, c)
		}
	}
}

// Modseq takes a modification sequence number (RFC 7162 section 7). One that
// is too large counts as the largest.
func (r *Reader) Modseq() (uint64, error) {
	b, err := r.digits()
	if err != nil {
		return 0, err
	}
	if n, ok := parseSize(b); ok {
		return uint64(n), nil
	}
	return 0, errNotNumber
}

// Number64 takes an unsigned 63-bit number.
func (r *Reader) Number64() (int64, error) {
	b, err := r.digits()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(b, 10, 64)
	if err != nil {
		return 0, errNotNumber
	}
	return n, nil
}

// IsAtom reports whether s may be sent and printed as an atom.
//
// Source: imparse_isatom in Cyrus imap/imparse.c.
func IsAtom(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if !atomByte[s[i]] {
			return false
		}
	}
	return true
}

// atomByte has the bytes that an atom may consist of.
var atomByte = func() *[256]bool {
	t := new([256]bool)
	no := byteSet("(){%*\"\\")
	for c := ' ' + 1; c < 0x7f; c++ {
		t[c] = !no[c]
	}
	return t
}()

// equalFold compares ASCII text without regard to case; upper has no
// lower-case letters.
func equalFold(s, upper string) bool {
	if len(s) != len(upper) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != upper[i] {
			return false
		}
	}
	return true
}
