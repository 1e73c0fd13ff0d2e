package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"gocyrus/libcyrus/config"
	"strings"
	"testing"
)

func TestScanPath(t *testing.T) {
	for in, want := range map[string]string{
		"<>":                      "<>",
		"<fred>":                  "<fred>",
		"<fred@x.org> SIZE=1":     "<fred@x.org>",
		"<@a,@b:fred@x.org>":      "<@a,@b:fred@x.org>",
		"<a@[1.2.3.4]>":           "<a@[1.2.3.4]>",
		`<"a b"@c>`:               `<"a b"@c>`,
		`<"a\"b"@c>`:              `<"a\"b"@c>`,
		`<a\ b@c>`:                `<a\ b@c>`,
		"<fred+Work>":             "<fred+Work>",
		"":                        "",
		"fred":                    "",
		"<fred":                   "",
		"<a b>":                   "",
		"<fred@@x>":               "",
		"<fred>x":                 "",
		`<"fred>`:                 "",
		`<fred\`:                  "",
		"<\xe4@x>":                "",
		"<@a fred@x>":             "",
		"<a@[1.2.3.4>":            "",
		"<a(b)@c>":                "",
		"<user@under_score.org>":  "",
		" <fred>":                 "",
		"<fred@x.org>\tSIZE=1":    "",
		"<fred@" + "x.org> X> ok": "<fred@x.org>",
	} {
		if got := in[:scanPath(in, ascii)]; got != want {
			t.Errorf("scanPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSplitAddress(t *testing.T) {
	for in, want := range map[string]address{
		"<>":                        {},
		"<Fred@X.org>":              {user: "fred", domain: "x.org"},
		"<Fred+Work.A>":             {user: "fred", plus: true, detail: "Work.A"},
		"<fred+a+b@x>":              {user: "fred", plus: true, detail: "a+b", domain: "x"},
		"<+shared.Box>":             {plus: true, detail: "shared.Box"},
		"<@r:fred+x@y>":             {user: "fred", plus: true, detail: "x", domain: "y"},
		`<"fred+Sent Items"@x.org>`: {user: "fred+sent items", domain: "x.org"},
		`<"a@b"@x.org>`:             {user: "a@b", domain: "x.org"},
		`<fr\ed>`:                   {user: "fred"},
		`<fred+"Sent Items"@x.org>`: {user: "fred", plus: true, detail: "Sent Items", domain: "x.org"},
		`<fred+Sent\ Items@x.org>`:  {user: "fred", plus: true, detail: "Sent Items", domain: "x.org"},
		`<first.last@example.com>`:  {user: "first.last", domain: "example.com"},
		`<fred+Folder@EXAMPLE.com>`: {user: "fred", plus: true, detail: "Folder", domain: "example.com"},
		`<fred+>`:                   {user: "fred", plus: true},
	} {
		if got := splitAddress(in, true); got != want {
			t.Errorf("splitAddress(%q) = %+v, want %+v", in, got, want)
		}
	}
	if got := splitAddress("<Fred@X>", false); got != (address{user: "Fred", domain: "X"}) {
		t.Errorf("without folding: %+v", got)
	}
}

func TestDecodeXtext(t *testing.T) {
	for in, want := range map[string]string{
		"<>": "", "fred": "fred", "<fred>": "fred", "a+2Bb+3Dc": "a+b=c", "a+2": "", "a+xx": "", "a b": "", "": "",
	} {
		if got, _ := decodeXtext(in); got != want {
			t.Errorf("decodeXtext(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseChunk(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0 false <nil>", "12": "12 false <nil>", "12 LAST": "12 true <nil>", "007 lAsT": "7 true <nil>",
		"9223372036854775807": "9223372036854775807 false <nil>",
		"":                    "0 false invalid syntax", " 1": "0 false invalid syntax", "+1": "0 false invalid syntax", "-1": "0 false invalid syntax",
		"1 ": "0 false invalid syntax", "1  LAST": "0 false invalid syntax", "LAST": "0 false invalid syntax", "1 LAST 2": "0 false invalid syntax",
		"9223372036854775808": `9223372036854775807 false strconv.ParseInt: parsing "9223372036854775808": value out of range`,
		"1x LAST":             `0 true strconv.ParseInt: parsing "1x": invalid syntax`,
	} {
		size, last, err := parseChunk(in)
		if got := fmt.Sprint(size, last, err); got != want {
			t.Errorf("parseChunk(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzPath(f *testing.F) {
	f.Add(`<@a,@b:"x\y"+z@[1.2]> SIZE=4`)
	f.Add("<fred+Work@x.org>")
	f.Fuzz(func(t *testing.T, in string) {
		n := scanPath(in, ascii)
		if n == 0 {
			return
		}
		path := in[:n]
		if !strings.HasPrefix(path, "<") || !strings.HasSuffix(path, ">") {
			t.Fatalf("path %q", path)
		}
		a := splitAddress(path, true)
		if len(a.user)+len(a.detail)+len(a.domain) > len(path) {
			t.Fatalf("%q became more: %+v", path, a)
		}
	})
}

// FuzzCommands: whatever follows a verb is read or refused, and what an address
// is split into was in it.
func FuzzCommands(f *testing.F) {
	name := filepath.Join(f.TempDir(), "imapd.conf")
	if err := os.WriteFile(name, []byte("configdirectory: /x\npartition-default: /y\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	c, err := config.Load(name, "lmtp")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("FROM:<a@b> SIZE=3 BODY=8BITMIME AUTH=<>")
	f.Add(`TO:<@r:"a\b"+x@[1.2]> IGNOREQUOTA`)
	f.Add("FROM:<> AUTH=a+2Bb")
	f.Fuzz(func(t *testing.T, args string) {
		s := &session{server: &server{conf: c, maxSize: math.MaxInt32}}
		for _, keyword := range []string{"FROM:", "TO:"} {
			if size, _, err := parseChunk(args); err == nil && size < 0 {
				t.Fatalf("%q is a chunk of %d octets", args, size)
			}
			path, params, ok := s.cutPath(args, keyword, asksUTF8)
			if !ok {
				continue
			}
			if path[0] != '<' || path[len(path)-1] != '>' || !strings.HasSuffix(args, path+params) {
				t.Fatalf("%q is %q and %q", args, path, params)
			}
			if s.mailParams(params) == "" && (s.mail.size < 0 || strings.ContainsAny(s.mail.authUser, "\r\n") && !strings.ContainsAny(params, "+")) {
				t.Fatalf("%q gives %+v", params, s.mail)
			}
			a := splitAddress(path, true)
			if len(a.user)+len(a.detail)+len(a.domain) > len(path) {
				t.Fatalf("%q gives %+v", path, a)
			}
		}
	})
}

// TestASCIIDomain: the names are those of RFC 3492 section 7.1 and RFC 5890.
func TestASCIIDomain(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"Example.ORG":                     "Example.ORG",
		"b\u00fccher.example":             "xn--bcher-kva.example",
		"B\u00dccher.Example":             "xn--bcher-kva.example",
		"bu\u0308cher.example":            "xn--bcher-kva.example",
		"m\u00fcnchen\u3002de":            "xn--mnchen-3ya.de",
		"\u4f8b\u3048.\u30c6\u30b9\u30c8": "xn--r8jz45g.xn--zckzah",
		"\u4ed6\u4eec\u4e3a\u4ec0\u4e48\u4e0d\u8bf4\u4e2d\u6587":                                                 "xn--ihqwcrb4cv8a8dqg056pqjye",
		"\u0644\u064a\u0647\u0645\u0627\u0628\u062a\u0643\u0644\u0645\u0648\u0634\u0639\u0631\u0628\u064a\u061f": "xn--egbpdaj6bu4bxfgehfvwxn",
		"3\u5e74b\u7d44\u91d1\u516b\u5148\u751f":                                                                 "xn--3b-ww4c5e180e575a65lsy2b",
	} {
		if got := asciiDomain(in); got != want {
			t.Errorf("asciiDomain(%q) = %q, want %q", in, got, want)
		}
	}
}
