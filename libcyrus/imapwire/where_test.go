package imapwire

import (
	"fmt"
	"strings"
	"testing"
)

// TestWhere: an error is at the last token, or at what comes next.
func TestWhere(t *testing.T) {
	for _, c := range []struct {
		text string
		read func(*Reader)
		want string
	}{
		{"a1 FETCH x FLAGS\r\n", func(r *Reader) { words(r, 3) }, `10 "x" true`},
		{"a1 FETCH x FLAGS\r\n", func(r *Reader) { words(r, 3); r.Space() }, `12 "FLAGS" true`},
		{"a1 FETCH 1 (\r\n", func(r *Reader) { words(r, 3); r.Space() }, `12 "(" true`},
		{"a1 FETCH 1 ()\r\n", func(r *Reader) { words(r, 3); r.Space(); r.Accept('(') }, `13 ")" true`},
		{"a1 FETCH\r\n", func(r *Reader) { words(r, 2); r.Space() }, `4 "FETCH" true`},
		{"a1 NOOP x\r\n", func(r *Reader) { words(r, 2) }, `4 "NOOP" true`},
		{"a1 LOGIN \"u\" \"p\" more\r\n", func(r *Reader) {
			words(r, 2)
			r.Space()
			r.AString()
			r.Space()
			r.AString()
			r.EOL()
		}, `14 "\"p\"" true`},
		{"a1 X 99999999999 1\r\n", func(r *Reader) { words(r, 2); r.Space(); r.Number() }, `6 "99999999999" true`},
		{"a1 X y\r\n", func(r *Reader) { words(r, 2); r.Space(); r.Number() }, `6 "y" true`},
		{"a1 NOOP \r\n", func(r *Reader) { words(r, 2); r.Space() }, `9 "" true`},
		{"a1 X \"b\\\"c\" d\r\n", func(r *Reader) { words(r, 2); r.Space(); r.AString() }, `6 "\"b\\\"c\"" true`},
		{"a1 X \"b\r\n", func(r *Reader) { words(r, 2); r.Space(); r.AString() }, `6 "\"b" true`},
		{"a1 X {3+}\r\nabc d\r\n", func(r *Reader) { words(r, 2); r.Space(); r.AString(); r.Space() }, `16 "d" true`},
		{"a1 \x00\xff" + strings.Repeat("y", 50) + "\r\n", func(r *Reader) { words(r, 2) }, `4 "??` + strings.Repeat("y", 38) + `" true`},
		{"a1 X\r\n", func(r *Reader) { words(r, 2); r.EOL() }, `0 "" false`},
		{"a1 " + strings.Repeat("z", 20000) + " 1\r\n", func(r *Reader) { words(r, 2); r.Space() }, `20005 "1" true`},
		{"a1", func(r *Reader) { words(r, 2) }, `0 "" false`},
	} {
		r := NewReader(strings.NewReader(c.text), Limits{})
		r.Start("")
		c.read(r)
		octet, token, ok := r.Where()
		if got := fmt.Sprintf("%d %q %v", octet, token, ok); got != c.want {
			t.Errorf("%.40q: %s, want %s", c.text, got, c.want)
		}
	}
}

// words takes n words with blanks between them.
func words(r *Reader, n int) {
	for i := range n {
		if i > 0 {
			r.Space()
		}
		r.Word()
	}
}
