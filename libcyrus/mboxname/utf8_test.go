package mboxname

import (
	"testing"
	"unicode/utf8"
)

// TestUTF8Names: a client that wants UTF-8 sees and writes names in it, and
// all else as before.
func TestUTF8Names(t *testing.T) {
	ns := NewNamespace(Rules{UnixHierarchySep: true}, "fred", false).InUTF8()
	for external, internal := range map[string]Name{
		"INBOX/Grüße":           "user.fred.Gr&APwA3w-e",
		"INBOX/A&B":             "user.fred.A&-B",
		"INBOX/&APw-":           "user.fred.&-APw-",
		"user/ann/台北/日本語":       "user.ann.&U,BTFw-.&ZeVnLIqe-",
		"INBOX/😀.x":             "user.fred.&2D3eAA-^x",
		"INBOX/&2D0-/x":         "user.fred.&2D0-.x", // half a pair: there is no UTF-8 of it
		"INBOX/&U,BTFw-&-&2D0-": "user.fred.&U,BTFw-&-&2D0-",
	} {
		n, err := ns.Internal(external)
		if err != nil || n != internal {
			t.Errorf("Internal(%q) = %q, %v", external, n, err)
		}
		if back, ok := ns.External(internal); !ok || back != external {
			t.Errorf("External(%q) = %q, %v", internal, back, ok)
		}
	}
	for _, bad := range []string{"INBOX/\xff", "INBOX/a\u0085b", "INBOX/\u2028", "INBOX/\x7f", "INBOX/a\u2029", "INBOX/\t"} {
		if n, err := ns.Internal(bad); err == nil {
			t.Errorf("Internal(%q) = %q", bad, n)
		}
	}
	for _, n := range []Name{"user.fred.a&b", "user.fred.&AAA-"} { // not well formed
		if s, ok := ns.External(n); !ok || s != "INBOX/"+string(n[len("user.fred."):]) {
			t.Errorf("External(%q) = %q, %v", n, s, ok)
		}
	}
	if s, _ := NewNamespace(Rules{UnixHierarchySep: true}, "fred", false).External("user.fred.&APw-"); s != "INBOX/&APw-" {
		t.Errorf("without UTF-8: %q", s)
	}
}

func FuzzUTF8Names(f *testing.F) {
	for _, s := range []string{"Grüße", "&APw-", "a&-b", "&2D0-", "\xff", "台北"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, ok := fromUTF8(s)
		if !ok {
			return
		}
		if !utf8.ValidString(s) {
			t.Fatalf("%q was taken", s)
		}
		if back := ToUTF8(name); back != s {
			t.Fatalf("%q is %q and then %q", s, name, back)
		}
	})
}

func TestFromMixed(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"INBOX/Grüße":      "INBOX/Gr&APwA3w-e",
		"a&-bü":            "a&-b&APw-",
		"x&APw-":           "x&APw-",
		"\xff\xfeü":        "\xff\xfeü",
		"ü\u2028":          "ü\u2028",
		"日本/語":             "&ZeVnLA-/&ip4-",
		"plain":            "plain",
		"\U0001F600 😀ab ü": "&2D3eAA- &2D3eAA-ab &APw-",
	} {
		if got := fromMixed(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
