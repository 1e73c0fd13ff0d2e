package dlist

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// texts are values as Cyrus 3.6.1 writes them; parsed and printed they are
// the same bytes again.
var texts = []string{
	`%(T e I 4o2kzm8vbkjz5hxg0ldbcaxp P default V 1795448000 C 3 F 5 M 1795448001 A %(alice lrswipkxtecdan anyone p))`,
	"%(T e N user\x1falice\x1fWork I abc)",
	"%(T e N \"dom\x1duser\x1fx\")",
	`%(S (12345 1000) M (5) AS () NF (2 100) MODSEQ 17)`,
	`%(U (kw1 kw2 NIL kw4))`,
	`%()`,
	`()`,
	`NIL`,
	`""`,
	`"NIL"`,
	`nil`,
	`"a b"`,
	`(\Seen \Answered)`,
	"{5+}\r\na\"b\\c",
	"{3+}\r\n50%",
	"{4+}\r\n\xc3\xa9\r\n",
	`(("a*" b) %(c (d)))`,
	"%(\"a key\" v)",
	"a\x7fb",
}

func TestRoundTrip(t *testing.T) {
	for _, text := range texts {
		if text == "a\x7fb" {
			text = "\"a\x7fb\""
		}
		n, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
			continue
		}
		if got := string(n.Encode()); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestReadsMoreThanItWrites(t *testing.T) {
	for in, want := range map[string]string{
		"( a  b )\r\n":       "(a b)",
		`"plain"`:            "plain",
		`"a\"b"`:             "{3+}\r\na\"b",
		"{3}\r\nabc":         "abc",
		"%( k   v )":         "%(k v)",
		`"\a\b"`:             "ab",
		"{0+}\r\n":           `""`,
		"(a(b)c)":            "error",
		"%(k)":               "error",
		"(a":                 "error",
		`"a`:                 "error",
		`"a\`:                "error",
		"{3}abc":             "error",
		"{9}\r\nabc":         "error",
		"{-1}\r\nabc":        "error",
		"{++}\r\nabc":        "error",
		"{99999999999}\r\na": "error",
		"%x":                 "error",
		"":                   "error",
		"a b":                "error",
		")":                  "error",
		strings.Repeat("(", 200) + strings.Repeat(")", 200): "error",
	} {
		got := "error"
		n, err := Parse([]byte(in))
		if err == nil {
			got = string(n.Encode())
		}
		if got != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", in, got, err, want)
		}
		var syntax *SyntaxError
		if err != nil && !errors.As(err, &syntax) {
			t.Errorf("Parse(%q): error is %T", in, err)
		}
	}
}

func TestStringForms(t *testing.T) {
	for in, want := range map[string]string{
		"":                        `""`,
		"NIL":                     `"NIL"`,
		"a.b-c/d+e'~!":            "a.b-c/d+e'~!",
		"a\x1fb":                  "a\x1fb",
		"a\x1db":                  "\"a\x1db\"",
		"a}b]c[d":                 "a}b]c[d",
		"a*b":                     `"a*b"`,
		"a\x00b":                  "{3+}\r\na\x00b",
		strings.Repeat("x", 1023): strings.Repeat("x", 1023),
		strings.Repeat("x", 1024): "{1024+}\r\n" + strings.Repeat("x", 1024),
	} {
		if got := string(AppendString(nil, []byte(in))); got != want {
			t.Errorf("AppendString(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestBuildAndGet(t *testing.T) {
	n := NewKVList(Text("T", "e"), Uint("V", 17), Int("X", -1), Null("Z"),
		Sub("A", NewKVList(Text("alice", "lrs"))), Sub("H", NewList(*NewKVList(Text("N", "a b")))))
	const want = `%(T e V 17 X -1 Z NIL A %(alice lrs) H (%(N "a b")))`
	if got := string(n.Encode()); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if n.Text("T") != "e" || n.Num("V") != 17 || n.Num("none") != 0 || n.Text("none") != "" {
		t.Error("Text or Num is wrong")
	}
	if v, ok := n.Get("X").Int(); v != -1 || !ok {
		t.Error("Int is wrong")
	}
	if !n.Get("Z").IsNil() || !n.Get("none").IsNil() || n.Get("T").IsNil() {
		t.Error("IsNil is wrong")
	}
	if got := n.Get("A").Text("alice"); got != "lrs" {
		t.Errorf("A alice = %q", got)
	}
	if got := n.Get("H").Items[0].Text("N"); got != "a b" || n.Get("H").Len() != 1 {
		t.Errorf("H N = %q", got)
	}
	n.Set(Text("T", "ed"))
	n.Set(Text("new", "x"))
	if n.Text("T") != "ed" || n.Items[len(n.Items)-1].Key != "new" {
		t.Error("Set is wrong")
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Parse(b)
		if err != nil {
			return
		}
		once := n.Encode()
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("own output %q: %v", once, err)
		}
		if twice := again.Encode(); !bytes.Equal(once, twice) {
			t.Fatalf("%q became %q", once, twice)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(texts[0])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
