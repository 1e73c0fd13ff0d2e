package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

func reading(text string, limit int) *reader {
	return &reader{in: bufio.NewReaderSize(strings.NewReader(text), 16), maxString: limit}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string
		good     bool
	}{
		{`"a b"`, "a b", true},
		{`"a\"\\"`, `a"\`, true},
		{`""`, "", true},
		{"\"ä\"", "ä", true},
		{`"a\n"`, "", false},
		{"\"a\r\n\"", "", false},
		{"{3+}\r\na\r\nb", "a\r\n", true},
		{"{0+}\r\n", "", true},
		{"{3}\r\nabc", "", false},
		{"{+}\r\n", "", false},
		{"{99999999999999999999+}\r\n", "", false},
		{"{9+}\r\n123456789", "", false}, // over the limit
		{`"123456789"`, "", false},
		{"{8+}\r\n12345678", "12345678", true},
		{"abc", "", false},
	} {
		got, err := reading(c.in+"\r\n", 8).text("wrong")
		if got != c.want || (err == nil) != c.good {
			t.Errorf("%q: %q, %v", c.in, got, err)
		}
		var syntax syntaxError
		if !c.good && !errors.As(err, &syntax) {
			t.Errorf("%q: %v is no fault of syntax", c.in, err)
		}
	}
}

// FuzzReader looks that every input comes to its end, one line after the
// other, and that no string is longer than allowed.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"NOOP\r\n", "PUTSCRIPT \"a\" {5+}\r\nkeep;\r\n", "HAVESPACE \"a\" 99\r\n", "X {99+}\r\n", "\"\\", "{1+}\r\n\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r := reading(in, 100)
		for range len(in) + 2 {
			_, err := r.command()
			for err == nil && !r.ended {
				var text string
				if err = r.space("blank"); err == nil {
					text, err = r.text("string")
				}
				if len(text) > 101 {
					t.Fatalf("a string of %d octets", len(text))
				}
				if end, eerr := r.atEOL(); err == nil && eerr == nil && end {
					err = r.eol()
				}
			}
			var syntax syntaxError
			if errors.As(err, &syntax) {
				err = r.rest()
			}
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Fatal("it does not end")
	})
}
