package mboxname

import (
	"strings"
	"testing"
)

func TestUTF7(t *testing.T) {
	for _, c := range []struct{ text, coded string }{
		{"", ""},
		{"plain", "plain"},
		{"Entwürfe", "Entw&APw-rfe"},
		{"日本語", "&ZeVnLIqe-"},
		{"A&B", "A&-B"},
		{"ü&", "&APw-&-"},
		{"😀x", "&2D3eAA-x"},
		{"~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
	} {
		if got, err := EncodeUTF7(c.text); err != nil || got != c.coded {
			t.Errorf("EncodeUTF7(%q) = %q, %v", c.text, got, err)
		}
		if got, err := DecodeUTF7(c.coded); err != nil || got != c.text {
			t.Errorf("DecodeUTF7(%q) = %q, %v", c.coded, got, err)
		}
	}
	for _, s := range []string{
		"&", "&APw", "&A-", "&AP-", "&APx-", "&AGE-", "&APw-&APw-", "&AP/-", "&APw=-", "&2D0-", "&3gA-", "&2D0AYQ-", "ü", "a\x01", "a\x7f", "&APwA-",
	} {
		if got, err := DecodeUTF7(s); err == nil {
			t.Errorf("DecodeUTF7(%q) = %q", s, got)
		}
	}
	for _, s := range []string{"\xff", "a\nb", "\x7f"} {
		if got, err := EncodeUTF7(s); err == nil {
			t.Errorf("EncodeUTF7(%q) = %q", s, got)
		}
	}
}

func FuzzUTF7(f *testing.F) {
	f.Add("Entw&APw-rfe")
	f.Add("&ZeVnLIqe-&-")
	f.Fuzz(func(t *testing.T, s string) {
		if text, err := DecodeUTF7(s); err == nil {
			if back, err := EncodeUTF7(text); err != nil || back != s {
				t.Errorf("%q -> %q -> %q, %v", s, text, back, err)
			}
		}
		if coded, err := EncodeUTF7(s); err == nil {
			if back, err := DecodeUTF7(coded); err != nil || back != s {
				t.Errorf("%q -> %q -> %q, %v", s, coded, back, err)
			}
		}
	})
}

func TestValid(t *testing.T) {
	r := DefaultRules()
	virt := r
	virt.Virtual = VirtualUserID
	for _, c := range []struct {
		n          Name
		ok, okVirt bool
	}{
		{"user.alice", true, true},
		{"user.alice.Entw&APw-rfe", true, true},
		{"user.alice.a&-b", true, true},
		{"user.alice.&2D0-", true, true}, // half a surrogate pair, as in Cyrus
		{"user.alice.#'()*+,$?[]", true, true},
		{"dom!user.alice", false, true},
		{"dom!user.a!b", false, false},
		{"!user.alice", false, false},
		{"../x!user.alice", false, false},
		{"dom!", false, false},
		{"dom!user", false, false},
		{"", false, false},
		{"user", false, false},
		{"user.anyone", false, false},
		{"user.anonymous", false, false},
		{"user.%x", false, false},
		{"user.alice.", false, false},
		{".x", false, false},
		{"~x", false, false},
		{"$x", false, false},
		{"a..b", false, false},
		{"a.b/c", false, false},
		{"a.b\tc", false, false},
		{"a.b\rc", false, false},
		{"a.b%c", false, false},
		{"a.&AGE-", false, false},
		{"a.&APw-&APw-", false, false},
		{"a.&APw", false, false},
		{"a.ü", false, false},
		{Name("x." + strings.Repeat("y", 488)), true, true},
		{Name("x." + strings.Repeat("y", 489)), false, false},
		{Name("DELETED.x." + strings.Repeat("y", 489) + ".6B042C65"), true, true},
	} {
		if err := r.Valid(c.n); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.n, err)
		}
		if err := virt.Valid(c.n); (err == nil) != c.okVirt {
			t.Errorf("virtdomains: %q: %v", c.n, err)
		}
	}
}

func FuzzValid(f *testing.F) {
	f.Add("user.alice.Entw&APw-rfe")
	f.Add("dom!user.x")
	f.Fuzz(func(t *testing.T, s string) {
		r := DefaultRules()
		r.Virtual = VirtualOn
		n := Name(s)
		if r.Valid(n) != nil {
			return
		}
		if strings.ContainsAny(s, "/\x00\r\n\t\x1d\x1f") {
			t.Errorf("%q is valid", n)
		}
		if FromDB(n.DBKey()) != n || n.Parts("DELETED").Name("DELETED") != n {
			t.Errorf("%q changes", n)
		}
		l := Layout{HashSpool: true, DeletedPrefix: "DELETED"}
		for _, c := range strings.Split(l.byName("/s", n), "/") {
			if c == ".." || c == "." {
				t.Errorf("%q leaves its directory", n)
			}
		}
	})
}
