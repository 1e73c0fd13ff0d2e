package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// maxAtom bounds the name of a command, in octets.
const maxAtom = 64

// A syntaxError is a line that cannot be read; the text is the reply's.
type syntaxError string

// Error is the text of the reply.
func (e syntaxError) Error() string { return string(e) }

// reader reads commands (RFC 5804 section 4), with at most maxString octets
// in a string and none kept beyond it.
//
// Source: timlex in Cyrus timsieved/lex.c.
type reader struct {
	in        *bufio.Reader
	maxString int
	ended     bool // the line's end has been read
}

// command reads the name of the next command, in lower case. Empty lines are
// passed over. A form that is none is "", of a string its quote.
func (r *reader) command() (string, error) {
	r.ended = false
	var name []byte
	for {
		c, err := r.in.ReadByte()
		if err != nil {
			return "", err
		}
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			if len(name) >= maxAtom {
				return "", nil
			}
			name = append(name, c|0x20)
			continue
		case len(name) == 0 && (c == '\r' || c == '\n'):
			continue
		case len(name) == 0 && c == '"':
			return `"`, r.in.UnreadByte()
		}
		return string(name), r.in.UnreadByte()
	}
}

// rest reads what is left of a line that is of no use.
func (r *reader) rest() error {
	for !r.ended {
		c, err := r.in.ReadByte()
		if err != nil {
			return err
		}
		r.ended = c == '\n'
	}
	return nil
}

// next takes an octet if it is c.
func (r *reader) next(c byte) (bool, error) {
	b, err := r.in.ReadByte()
	if err != nil {
		return false, err
	}
	if b == c {
		return true, nil
	}
	return false, r.in.UnreadByte()
}

// space reads one blank; wrong is what is answered if there is none.
func (r *reader) space(wrong string) error {
	ok, err := r.next(' ')
	if err == nil && !ok {
		err = syntaxError(wrong)
	}
	return err
}

// eol reads the end of the line.
func (r *reader) eol() error {
	if _, err := r.next('\r'); err != nil {
		return err
	}
	ok, err := r.next('\n')
	if err == nil && !ok {
		err = syntaxError("Expected EOL")
	}
	r.ended = ok
	return err
}

// atEOL reports whether the line ends here.
func (r *reader) atEOL() (bool, error) {
	c, err := r.in.ReadByte()
	if err != nil {
		return false, err
	}
	return c == '\r' || c == '\n', r.in.UnreadByte()
}

// text reads a string, quoted or as a literal; wrong is what is answered if
// there is none, or it is too long.
func (r *reader) text(wrong string) (string, error) {
	c, err := r.in.ReadByte()
	if err != nil {
		return "", err
	}
	switch c {
	case '"':
		return r.quoted(wrong)
	case '{':
		return r.literal(wrong)
	}
	if err := r.in.UnreadByte(); err != nil {
		return "", err
	}
	return "", syntaxError(wrong)
}

func (r *reader) quoted(wrong string) (string, error) {
	var b strings.Builder
	for b.Len() <= r.maxString {
		c, err := r.in.ReadByte()
		if err != nil {
			return "", err
		}
		switch c {
		case '"':
			return b.String(), nil
		case '\\':
			if c, err = r.in.ReadByte(); err != nil {
				return "", err
			}
			if c != '"' && c != '\\' {
				return "", errors.Join(syntaxError(wrong), r.in.UnreadByte())
			}
		case 0, '\r', '\n':
			return "", errors.Join(syntaxError(wrong), r.in.UnreadByte())
		}
		b.WriteByte(c)
	}
	return "", syntaxError(wrong)
}

// literal reads a literal behind its "{". One that is too long is read over,
// so that the dialog can go on.
func (r *reader) literal(wrong string) (string, error) {
	n, digits := int64(0), 0
	for {
		c, err := r.in.ReadByte()
		if err != nil {
			return "", err
		}
		if c < '0' || c > '9' {
			if err := r.in.UnreadByte(); err != nil {
				return "", err
			}
			break
		}
		n, digits = n*10+int64(c-'0'), digits+1
		if n > 1<<32-1 { // RFC 5804 section 1.2
			return "", syntaxError(wrong)
		}
	}
	for _, want := range []byte("+}\r\n") {
		ok, err := r.next(want)
		if err != nil {
			return "", err
		}
		if !ok || digits == 0 {
			return "", syntaxError(wrong)
		}
	}
	if n > int64(r.maxString) {
		if _, err := io.CopyN(io.Discard, r.in, n); err != nil {
			return "", err
		}
		return "", syntaxError(wrong)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r.in, b)
	return string(b), err
}

// number reads a number of up to 32 bits.
func (r *reader) number(wrong string) (uint32, error) {
	n, digits := uint64(0), 0
	for {
		c, err := r.in.ReadByte()
		if err != nil {
			return 0, err
		}
		if c < '0' || c > '9' {
			err = r.in.UnreadByte()
			if err == nil && digits == 0 {
				err = syntaxError(wrong)
			}
			return uint32(n), err
		}
		n, digits = n*10+uint64(c-'0'), digits+1
		if n > 1<<32-1 {
			return 0, syntaxError(wrong)
		}
	}
}
