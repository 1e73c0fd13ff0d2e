package sieve

import (
	"bytes"
	"strings"
	"testing"
)

// TestTextRoundTrip: the text of a script compiles to the same code.
func TestTextRoundTrip(t *testing.T) {
	n := 0
	for _, s := range testScripts(t) {
		first, err := Parse(s.text, Options{})
		if err != nil {
			continue
		}
		text := first.Text()
		second, err := Parse([]byte(text), Options{AddressBooks: true})
		if err != nil {
			t.Errorf("%s: %v\n%s", s.name, err, text)
			continue
		}
		// An extension that only changes how the text is read is not in the code.
		if bytes.Equal(first.Code(), second.Code()) {
			n++
			continue
		}
		t.Errorf("%s: other code\n%s\n%s\n% x\n% x", s.name, s.text, text, first.Code(), second.Code())
	}
	if n < 100 {
		t.Errorf("only %d scripts", n)
	}
}

func TestText(t *testing.T) {
	in := `require ["fileinto", "copy"];
if anyof(header :contains ["a","b"] "c\"d", not exists "x") { fileinto :copy "A"; } elsif true { keep; } else { redirect "a@b"; if size :over 1K {stop;} }`
	want := strings.TrimPrefix(`
require ["fileinto", "copy"];

if anyof (header :contains ["a", "b"] "c\"d",
          not exists "x") {
    fileinto :copy "A";
}
elsif true {
    keep;
}
else {
    redirect "a@b";
    if size :over 1024 {
        stop;
    }
}
`, "\n")
	s, err := Parse([]byte(in), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Text(); got != want {
		t.Errorf("got\n%s", got)
	}
}
