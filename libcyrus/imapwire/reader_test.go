package imapwire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// limited is a small set of limits.
var limited = Limits{Word: 20, Quoted: 20, Literal: 20, Args: 100, Nesting: 10}

// reader returns a Reader of text that answers literals in out.
func reader(text string, l Limits) (*Reader, *bytes.Buffer) {
	out := new(bytes.Buffer)
	r := NewReader(strings.NewReader(text), l)
	r.GoAhead = func() error { out.WriteString("+ go ahead\r\n"); return nil }
	r.Start("Test")
	return r, out
}

func TestAString(t *testing.T) {
	for _, c := range []struct {
		in, want string
		next     byte // what must stand behind it; 0 = an error is expected
	}{
		{"abc def", "abc", ' '},
		{"abc(def", "abc", '('},
		{"abc\"def", "abc", '"'},
		{"abc\r\n", "abc", '\r'},
		{"a{b\n", "a{b", '\n'},
		{"\"a b\" x", "a b", ' '},
		{`"a\"b\\c\d"x`, `a"b\cd`, 'x'},
		{"\"\"x", "", 'x'},
		{"{3}\r\na\nbx", "a\nb", 'x'},
		{"{3+}\na\nbx", "a\nb", 'x'},
		{"{003+}\r\nabcx", "abc", 'x'},
		{"{0}\r\nx", "", 'x'},
		{" abc", "", 0},
		{"(abc", "", 0},
		{"\r\n", "", 0},
		{"\"a\r\n", "", 0},
		{"\"a\\\r\n", "", 0},
		{"{}\r\n", "", 0},
		{"{-1}\r\n", "", 0},
		{"{+}\r\n", "", 0},
		{"{1 }\r\n", "", 0},
		{"{1}x\r\n", "", 0},
		{"{3}\r\nab", "", 0},
	} {
		r, _ := reader(c.in, limited)
		got, err := r.AString()
		if c.next == 0 {
			if err == nil {
				t.Errorf("AString(%q) = %q, want an error", c.in, got)
			}
			continue
		}
		next, _ := r.Peek()
		if err != nil || got != c.want || next != c.next {
			t.Errorf("AString(%q) = %q, %v, then %q; want %q, then %q", c.in, got, err, next, c.want, c.next)
		}
	}
}

func TestLimits(t *testing.T) {
	long := strings.Repeat("x", 21)
	for _, c := range []struct {
		in, text string
		fatal    bool
	}{
		{long + " ", "[TOOBIG] Word too long", true},
		{`"` + long + `" `, "[TOOBIG] Quoted value too long", true},
		{"{21}\r\n", "[TOOBIG] Literal size exceeds fixed limit in Test", false},
		{"{99999999999999999999}\r\n", "[TOOBIG] Literal size exceeds fixed limit in Test", false},
		{"{21+}\r\n" + long, "[TOOBIG] Literal size exceeds fixed limit", true},
	} {
		r, out := reader(c.in, limited)
		_, err := r.AString()
		var limit *LimitError
		if !errors.As(err, &limit) || limit.Text != c.text || limit.Fatal != c.fatal || (r.Err() != nil) != c.fatal {
			t.Errorf("AString(%.30q) = %v, Err() = %v", c.in, err, r.Err())
		}
		if out.Len() > 0 {
			t.Errorf("AString(%.30q) sent %q", c.in, out)
		}
	}
	for _, in := range []string{
		strings.Repeat("abc ", 50),
		strings.Repeat(`"abc" `, 50),
		strings.Repeat("{3+}\r\nabc ", 50),
	} {
		r, _ := reader(in, limited)
		n := 0
		for ; r.Err() == nil && n < 50; n++ {
			if _, err := r.AString(); err != nil {
				break
			}
			r.Space()
		}
		if r.Err() == nil || n > 34 {
			t.Errorf("%d arguments of %q were taken: %v", n, in[:10], r.Err())
		}
	}
}

func TestArgsCountPerCommand(t *testing.T) {
	r, _ := reader(strings.Repeat("0123456789 ", 100), limited)
	for range 100 {
		r.Start("Test")
		if r.Word(); !r.Space() {
			t.Fatal(r.Err())
		}
	}
}

func TestSkipLine(t *testing.T) {
	for _, c := range []struct{ in, rest string }{
		{"a b\r\nnext", "next"},
		{"\nnext", "next"},
		{"{4+}\r\na\r\n\n rest\r\nnext", "next"},
		{"x {4+}\na\r\n\n {3+}\r\nabc\r\nnext", "next"},
		{"x {4}\r\nnext", "next"}, // not asked for, so it will not come
		{"x ~{4+}\r\nabcd\r\nnext", "next"},
		{"x {x+}\r\nnext", "next"},
		{"x {}\r\nnext", "next"},
		{strings.Repeat("long", 20000) + "{3+}\r\nabc\r\nnext", "next"},
		{"x {99999999+}\r\nabc", ""},
		{"no end", ""},
	} {
		r, _ := reader(c.in, Limits{})
		r.SkipLine()
		if rest, _ := io.ReadAll(r.stream()); string(rest) != c.rest {
			t.Errorf("after SkipLine of %.40q: %q, want %q", c.in, rest, c.rest)
		}
	}
}

// TestSkipLineKnowsTheEnd skips after what may be the end of a command.
func TestSkipLineKnowsTheEnd(t *testing.T) {
	for _, c := range []struct {
		in   string
		read func(*Reader)
	}{
		{"a\r\nnext", func(r *Reader) { r.Word(); r.EOL() }},
		{"a\r\nnext", func(r *Reader) { r.Word() }},
		{"{99}\r\nnext", func(r *Reader) { r.AString() }},
		{"{2}\r\nab c\r\nnext", func(r *Reader) { r.AString() }},
		{"{2+}\r\nab c\r\nnext", func(r *Reader) { r.AString() }},
		{"{4+}\r\na\r\nb c\r\nnext", func(r *Reader) { r.LiteralHead() }},
		{"{4+}\r\na\r\nb {3+}\r\na\r\n\r\nnext", func(r *Reader) { r.LiteralHead() }},
	} {
		r, _ := reader(c.in, limited)
		c.read(r)
		r.SkipLine()
		r.SkipLine()
		if rest, _ := io.ReadAll(r.stream()); string(rest) != "next" {
			t.Errorf("after %q: %q", c.in, rest)
		}
	}
}

func TestLiteralStream(t *testing.T) {
	big := strings.Repeat("0123456789", 10000)
	r, out := reader("{100000}\r\n"+big+" x", limited)
	h, err := r.LiteralHead()
	if err != nil || h.Size != 100000 || h.NoWait {
		t.Fatal(h, err)
	}
	lit, err := r.Literal(h)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(lit)
	if err != nil || string(got) != big || out.String() != "+ go ahead\r\n" {
		t.Fatal(len(got), err, out)
	}
	if !r.Space() || r.Word() != "x" {
		t.Error("what follows the literal is lost")
	}
}

func TestBeforeRead(t *testing.T) {
	in, client := io.Pipe()
	r := NewReader(in, Limits{})
	flushed := 0
	r.BeforeRead = func() error { flushed++; return nil }
	go func() {
		client.Write([]byte("a NOOP\r\nb NOOP\r\n"))
		client.Close()
	}()
	for range 2 {
		r.Word()
		r.Space()
		r.Word()
		if !r.EOL() {
			t.Fatal(r.Err())
		}
	}
	if flushed != 1 {
		t.Errorf("replies were sent %d times for two pipelined commands", flushed)
	}
	r.Release()
	if r.buf != nil {
		t.Error("the buffer is kept while idle")
	}
	if _, ok := r.Peek(); ok || r.Err() != io.EOF {
		t.Error("no end of input:", r.Err())
	}
}

func TestNString(t *testing.T) {
	r, _ := reader(`NIL "x" nil "NIL" NILL`, limited)
	want := []string{"<nil>", "x", "<nil>", "NIL"}
	for _, w := range want {
		s, err := r.NString()
		got := "<nil>"
		if s != nil {
			got = *s
		}
		if err != nil || got != w || !r.Space() {
			t.Errorf("NString = %q, %v; want %q", got, err, w)
		}
	}
	if _, err := r.NString(); err == nil {
		t.Error("an atom is no nstring")
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{"a b\r\n", `"a\"b" {3+}` + "\r\nabc {2}\r\nxy\r\n", "~{3+}\r\n\x00\x01\x02 12 NIL\r\n", "{99999999999999999999+}\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r, _ := reader(in, limited)
		for range 100 {
			before := r.Buffered()
			s, err := r.AString()
			var limit *LimitError
			if errors.As(err, &limit) {
				return
			}
			if err == nil && len(s) > 21 {
				t.Fatalf("a string of %d octets", len(s))
			}
			r.Space()
			r.EOL()
			if err != nil {
				r.SkipLine()
			}
			if r.Err() != nil {
				return
			}
			_ = before
		}
	})
}

func BenchmarkWord(b *testing.B) {
	line := strings.Repeat("a1 FETCH 1:* FLAGS\r\n", 400)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(strings.NewReader(line), Limits{Word: 1000})
		for range 400 {
			r.Start("Fetch")
			r.Word()
			r.Space()
			r.Word()
			r.Space()
			r.Word()
			r.Space()
			r.Word()
			r.EOL()
		}
		r.Release()
	}
}

// TestTooMany: commands within the limit of their arguments that would need
// many times as much memory.
func TestTooMany(t *testing.T) {
	parse := func(text string, fn func(*Reader) error) string {
		r := NewReader(strings.NewReader(text+"\r\n"), Limits{})
		r.Start("Fetch")
		if err := fn(r); err != nil {
			return err.Error()
		}
		return ""
	}
	fetch := func(r *Reader) error { _, err := r.Fetch(); return err }
	search := func(r *Reader) error { _, err := r.Search(time.UTC); return err }
	for _, c := range []struct {
		text string
		fn   func(*Reader) error
		want string
	}{
		{"(" + strings.Repeat("BODY[] ", 20000) + "UID)", fetch, "[LIMIT] Too many items in Fetch"},
		{"BODY[HEADER.FIELDS (" + strings.Repeat("a ", 20000) + "b)]", fetch, "[LIMIT] Too many field-names in Fetch"},
		{strings.Repeat("SEEN ", 100000) + "SEEN", search, "[LIMIT] Too many keys in Search command"},
		{strings.Repeat("NOT ", 100000) + "SEEN", search, "Invalid Search criteria"},
		{strings.Repeat("SEEN ", 1000) + "SEEN", search, ""},
	} {
		if got := parse(c.text, c.fn); got != c.want {
			t.Errorf("%.20s…: %q, want %q", c.text, got, c.want)
		}
	}
}
