package dlist

import (
	"bytes"
	"fmt"
	"strconv"
)

// maxDepth is how deep lists may be nested. Cyrus writes at most 5 levels.
const maxDepth = 100

// SyntaxError says where bytes are no dlist.
type SyntaxError struct {
	Offset int    // of the first byte that does not fit
	Text   string // what was expected
}

// Error says offset and reason.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("dlist: byte %d: %s", e.Offset, e.Text)
}

// Parse reads one value that takes all of b, except that spaces and line
// ends may follow. The node refers to b and is valid as long as b is not
// changed. The error is a *SyntaxError.
func Parse(b []byte) (*Node, error) {
	n, size, err := ParsePrefix(b)
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimLeft(b[size:], " \t\r\n"); len(rest) > 0 {
		return nil, &SyntaxError{len(b) - len(rest), "end expected"}
	}
	return n, nil
}

// ParsePrefix reads the value at the start of b and returns how long it is.
func ParsePrefix(b []byte) (*Node, int, error) {
	p := parser{b: b}
	var n Node
	if err := p.value(&n, 0); err != nil {
		return nil, 0, err
	}
	return &n, p.i, nil
}

type parser struct {
	b []byte
	i int
}

func (p *parser) fail(text string) error { return &SyntaxError{p.i, text} }

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.b) {
		return p.b[p.i]
	}
	return 0
}

// spaces skips white space and reports whether there was any.
func (p *parser) spaces() bool {
	from := p.i
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\t' || p.b[p.i] == '\r' || p.b[p.i] == '\n') {
		p.i++
	}
	return p.i > from
}

func (p *parser) keyed(n *Node, depth int) error {
	key, _, err := p.scalar()
	if err != nil {
		return err
	}
	if !p.spaces() {
		return p.fail("space expected")
	}
	n.Key = string(key)
	return p.value(n, depth)
}

func (p *parser) value(n *Node, depth int) error {
	if depth > maxDepth {
		return p.fail("nested too deeply")
	}
	switch p.peek() {
	case '%':
		p.i++
		if p.peek() != '(' {
			return p.fail(`"(" expected`)
		}
		n.Kind = KVList
		return p.list(n, depth, p.keyed)
	case '(':
		n.Kind = List
		return p.list(n, depth, p.value)
	}
	v, kind, err := p.scalar()
	n.Value, n.Kind = v, kind
	return err
}

// list reads from the opening to the closing parenthesis.
func (p *parser) list(n *Node, depth int, item func(*Node, int) error) error {
	p.i++
	p.spaces()
	for p.peek() != ')' {
		n.Items = append(n.Items, Node{})
		if err := item(&n.Items[len(n.Items)-1], depth+1); err != nil {
			return err
		}
		if !p.spaces() && p.peek() != ')' {
			return p.fail(`space or ")" expected`)
		}
	}
	p.i++
	return nil
}

func (p *parser) scalar() ([]byte, Kind, error) {
	switch p.peek() {
	case '"':
		v, err := p.quoted()
		return v, Atom, err
	case '{':
		v, err := p.literal()
		return v, Atom, err
	}
	from := p.i
	for p.i < len(p.b) && !endsAtom(p.b[p.i]) {
		p.i++
	}
	v := p.b[from:p.i:p.i]
	switch {
	case len(v) == 0:
		return nil, Nil, p.fail("value expected")
	case string(v) == "NIL":
		return nil, Nil, nil
	case v[0] == '\\':
		return v, Flag, nil
	}
	return v, Atom, nil
}

func endsAtom(c byte) bool {
	switch c {
	case ' ', '(', ')', '"', '{', '\r', '\n', '\t', 0:
		return true
	}
	return false
}

// quoted reads a quoted string; a backslash quotes whatever follows.
func (p *parser) quoted() ([]byte, error) {
	p.i++
	from := p.i
	var copied []byte // only if there is a backslash
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == '"' && copied == nil:
			p.i++
			return p.b[from : p.i-1 : p.i-1], nil
		case c == '"':
			p.i++
			return copied, nil
		case c == '\\':
			if copied == nil {
				copied = append(make([]byte, 0, 2*(p.i-from)+16), p.b[from:p.i]...)
			}
			if p.i++; p.i == len(p.b) {
				return nil, p.fail("quote not closed")
			}
		}
		if copied != nil {
			copied = append(copied, p.b[p.i])
		}
		p.i++
	}
	return nil, p.fail("quote not closed")
}

func (p *parser) literal() ([]byte, error) {
	end := bytes.IndexByte(p.b[p.i:], '}')
	if end < 0 {
		return nil, p.fail("literal without }")
	}
	digits := bytes.TrimSuffix(p.b[p.i+1:p.i+end], []byte("+"))
	size, err := strconv.ParseUint(string(digits), 10, 31)
	if err != nil || len(digits) == 0 || digits[0] == '+' {
		return nil, p.fail("literal of no valid size")
	}
	start := p.i + end + 1
	if !bytes.HasPrefix(p.b[start:], []byte("\r\n")) {
		return nil, p.fail("literal without line end")
	}
	start += 2
	if uint64(len(p.b)-start) < size {
		return nil, p.fail("literal is cut off")
	}
	p.i = start + int(size)
	return p.b[start:p.i:p.i], nil
}
