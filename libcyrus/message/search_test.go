package message

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// searchTexts are subjects that a real Cyrus 3.6.1 was asked for, each by each.
var searchTexts = []string{"straße", "strasse", "STRASSE", "café", "CAFE", "ωμεγα", "ΩΜΕΓΑ", "ﬁsh", "fish", "a…b", "a...b",
	"a\u00a0b", "a b", "a   b", "a\tb", "soft\u00adhyphen", "softhyphen", "ıstanbul", "istanbul", "İstanbul", "ǆ", "ĳ",
	"æon", "aeon", "½", "１２３", "Ａ", "①", "한", "ệ", "ー", "ｶﾞ", "ガ", "a\u200bb", "ab", "Å", "Å", "ſ", "s", "x\u0301", "x"}

// TestSearchAsCyrus: what Cyrus's SEARCH SUBJECT found for some of them.
func TestSearchAsCyrus(t *testing.T) {
	all := []string{"straße", "strasse", "STRASSE", "café", "CAFE", "a…b", "a...b", "a\u00a0b", "a b", "a   b", "a\tb",
		"ıstanbul", "istanbul", "İstanbul", "aeon", "Ａ", "a\u200bb", "ab", "Å", "Å"}
	blank := []string{"a\u00a0b", "a b", "a   b", "a\tb"}
	for pattern, want := range map[string][]string{
		"straße":     {"straße"},
		"strasse":    {"strasse", "STRASSE"},
		"café":       {"café", "CAFE"},
		"CAFE":       {"café", "CAFE"},
		"ωμεγα":      {"ωμεγα", "ΩΜΕΓΑ"},
		"ﬁsh":        {"ﬁsh"},
		"fish":       {"fish"},
		"a…b":        {"a…b", "a...b"},
		"a\u00a0b":   blank,
		"a b":        blank,
		"a\tb":       blank,
		"softhyphen": {"softhyphen"},
		"ıstanbul":   {"ıstanbul", "istanbul", "İstanbul"},
		"İstanbul":   {"ıstanbul", "istanbul", "İstanbul"},
		"ǆ":          {"ǆ"},
		"ĳ":          {"ĳ"},
		"æon":        {"æon"},
		"aeon":       {"aeon"},
		"½":          {"½"},
		"１２３":        {"１２３"},
		"Ａ":          all,
		"Å":          all,
		"①":          {"½", "１２３", "①"},
		"한":          {"한"},
		"ệ": {"straße", "strasse", "STRASSE", "café", "CAFE", "soft\u00adhyphen", "softhyphen", "aeon",
			"ệ"},
		"ガ":  {"ｶﾞ", "ガ"},
		"ab": {"ab"},
		"ſ": {"straße", "strasse", "STRASSE", "ﬁsh", "fish", "soft\u00adhyphen", "softhyphen", "ıstanbul", "istanbul",
			"İstanbul", "ſ", "s"},
		"x\u0301": {"x\u0301", "x"},
	} {
		p, ok := Folding{}.Pattern("utf-8", []byte(pattern))
		if !ok {
			t.Fatal("utf-8 is unknown")
		}
		var got []string
		for _, s := range searchTexts {
			if p.InUTF8([]byte(s)) {
				got = append(got, s)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q found %q, want %q", pattern, got, want)
		}
	}
}

func TestFolding(t *testing.T) {
	for _, c := range []struct {
		f        Folding
		in, want string
	}{
		{Folding{}, "Déjà \r\n  vu", "DEJA VU"},
		{Folding{Whitespace: SkipWhitespace}, "a \t b", "AB"},
		{Folding{Whitespace: KeepWhitespace}, "a \t b", "A   B"},
		{Folding{KeepDiacritics: true}, "é", "E\u0301"},
		{Folding{}, "ά", "Α"},
		{Folding{}, "", ""},
		{Folding{}, "\uFFFD", "\uFFFD"},
		{Folding{}, "a\x00b", "AB"},
	} {
		if got := string(c.f.Append(nil, c.in)); got != c.want {
			t.Errorf("%+v of %q = %q, want %q", c.f, c.in, got, c.want)
		}
	}
}

func TestInPart(t *testing.T) {
	html := "<p>foo<b>bar</b></p>"
	for _, c := range []struct {
		pattern, content string
		e                Encoding
		charset          string
		f                Folding
		want             bool
	}{
		{"straße second", "Y2Fmw6kgc3RyYcOfZQ0Kc2Vjb25kIGxpbmU=", Base64, "utf-8", Folding{}, true},
		{"cafe", "caf=C3=\r\n=A9", QuotedPrintable, "utf-8", Folding{}, true},
		{"café", "caf\xe9", None, "iso-8859-1", Folding{}, true},
		{"café", "caf\xe9", None, "us-ascii", Folding{}, false},
		{"caf", "caf\xe9", None, "us-ascii", Folding{}, true},
		{"x", "x", Unknown, "us-ascii", Folding{}, false},
		{"x", "x", None, "", Folding{}, false},
		{"x", "x", None, "nosuch", Folding{}, false},
		{"", "x", None, "utf-8", Folding{}, true},
		{"<b>", html, None, "utf-8", Folding{}, true},
		{"foobar", html, None, "utf-8", Folding{}, false},
		{"foo", html, None, "utf-8", Folding{SkipHTML: true}, false},
		{"日本", "\x1b$BF|K\\\x1b(B", None, "iso-2022-jp", Folding{}, true},
		{"needle", strings.Repeat("x", 16<<10-3) + "needle", None, "utf-8", Folding{}, true},
		{"a b", strings.Repeat("x", 16<<10-1) + "a\r\n\t  b", None, "utf-8", Folding{}, true},
	} {
		p, _ := c.f.Pattern("utf-8", []byte(c.pattern))
		isHTML := c.content == html
		got, err := p.InPart(strings.NewReader(c.content), c.e, c.charset, isHTML)
		one, err1 := p.InPart(iotest.OneByteReader(strings.NewReader(c.content)), c.e, c.charset, isHTML)
		if got != c.want || one != c.want || err != nil || err1 != nil {
			t.Errorf("%q in %.40q (%s): %v, %v; want %v; %v, %v", c.pattern, c.content, c.charset, got, one, c.want, err, err1)
		}
	}
	p, _ := Folding{}.Pattern("utf-8", []byte("x"))
	if _, err := p.InPart(iotest.ErrReader(errTest), None, "utf-8", false); err != errTest {
		t.Errorf("error of the reader: %v", err)
	}
}

func TestInHeader(t *testing.T) {
	p, _ := Folding{}.Pattern("iso-8859-1", []byte("caf\xe9 x"))
	for text, want := range map[string]bool{
		"Subject: =?utf-8?q?caf=C3=A9?=\r\n x\r\n": true,
		"CAFE\r\n\tX": true,
		"cafex":       false,
	} {
		if got := p.InHeader([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if _, ok := (Folding{}).Pattern("nosuch", nil); ok || KnownCharset("nosuch") || !KnownCharset("KOI8-R") {
		t.Error("unknown charsets are known")
	}
}

// FuzzInPart: content cut into octets is found as content in one piece.
func FuzzInPart(f *testing.F) {
	f.Add("utf-8", []byte("caf=C3=A9"), "e", uint8(1))
	f.Add("iso-2022-jp", []byte("\x1b$BF|K\\\x1b(B"), "x", uint8(0))
	f.Add("gb18030", []byte("1tDOxIEwgTA="), "中", uint8(2))
	f.Add("utf-7", []byte("+AOk-"), "é", uint8(0))
	f.Add("utf-16", []byte("\xfe\xff\x00a"), "a", uint8(0))
	f.Fuzz(func(t *testing.T, charset string, content []byte, pattern string, e uint8) {
		p, ok := Folding{}.Pattern("utf-8", []byte(pattern))
		if !ok {
			t.Fatal("utf-8")
		}
		whole, err := p.InPart(strings.NewReader(string(content)), Encoding(e%3), charset, false)
		one, err1 := p.InPart(iotest.OneByteReader(strings.NewReader(string(content))), Encoding(e%3), charset, false)
		if whole != one || err != nil || err1 != nil {
			t.Errorf("%v, %v; octets: %v, %v", whole, err, one, err1)
		}
	})
}

var errTest = errors.New("test")
