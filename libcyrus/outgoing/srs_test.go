package outgoing

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/config"
)

func srsConfig(t testing.TB, lines ...string) *config.Config {
	t.Helper()
	name := filepath.Join(t.TempDir(), "imapd.conf")
	if err := os.WriteFile(name, []byte("configdirectory: /x\npartition-default: /y\n"+strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(name, "lmtp")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRewriter: the addresses are those that postsrsd 1.10, which has the code
// of libsrs2, makes on that day with that secret.
func TestRewriter(t *testing.T) {
	day := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const base = "srs_domain: relay.example\nsrs_secrets: topsecret, other"
	for _, c := range []struct{ config, in, want string }{
		{base, "fred@example.org", "SRS0=PwFM=JM=example.org=fred@relay.example"},
		{base, "Fred.X+y@Example.ORG", "SRS0=ly2s=JM=Example.ORG=Fred.X+y@relay.example"},
		{base, "a=b@c.d", "SRS0=0gua=JM=c.d=a=b@relay.example"},
		{base, "SRS0=abcd=XY=one.example=fred@two.example", "SRS1=e7hu=two.example==abcd=XY=one.example=fred@relay.example"},
		{base, "srs0+abcd=XY=one.example=fred@two.example", "SRS1=uZii=two.example=+abcd=XY=one.example=fred@relay.example"},
		{base, "SRS1=abcd=one.example==xx=YY=zero.example=joe@two.example", "SRS1=vg63=one.example==xx=YY=zero.example=joe@relay.example"},
		{base, "SRS0=@x", "SRS1=Ag2w=x==@relay.example"},
		{base, "SRS1=@x", "error"},
		{base, "local", "error"},
		{base, "", ""},
		{base, "x@Relay.Example", "x@Relay.Example"},
		{base + "\nsrs_alwaysrewrite: yes", "x@relay.example", "SRS0=ayly=JM=relay.example=x@relay.example"},
		{base + "\nsrs_hashlength: 12\nsrs_separator: +", "fred@example.org", "SRS0+PwFMqxTmloRl=JM=example.org=fred@relay.example"},
		{base + "\nsrs_hashlength: 12\nsrs_separator: +", "SRS0=abcd=XY=one.example=fred@two.example", "SRS1+e7huxx7zyGI5=two.example==abcd=XY=one.example=fred@relay.example"},
	} {
		r, err := newRewriter(srsConfig(t, c.config))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.forward(c.in, day)
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%q: %q became %q, want %q", c.config, c.in, got, c.want)
		}
	}
}

// TestRewriterConfig: without a domain, or with options that cannot be
// used, the sender's address stays.
func TestRewriterConfig(t *testing.T) {
	for _, lines := range []string{"", "srs_secrets: x", "srs_domain: a.example", "srs_domain: a.example\nsrs_secrets: x\nsrs_separator: /",
		"srs_domain: a.example\nsrs_secrets: x\nsrs_hashlength: 28"} {
		s := NewSender(srsConfig(t, lines), slog.New(slog.DiscardHandler))
		if got := s.Forwarded("fred@example.org"); got != "fred@example.org" {
			t.Errorf("%q: %q", lines, got)
		}
	}
}

// FuzzForward: whoever the sender is, the result is one address of ours that
// holds nothing but what was there, or he stays.
func FuzzForward(f *testing.F) {
	f.Add("fred@example.org")
	f.Add("SRS0=abcd=XY=one.example=fred@two.example")
	f.Add("SRS1=abcd=one.example==xx=YY=zero.example=joe@two.example")
	r := &rewriter{domain: "relay.example", sep: "=", secret: "x", length: 4}
	f.Fuzz(func(t *testing.T, sender string) {
		got, err := r.forward(sender, time.Unix(1e9, 0))
		if err != nil || got == sender {
			return
		}
		if !strings.HasSuffix(got, "@relay.example") || strings.ContainsAny(got, "\r\n\x00") && !strings.ContainsAny(sender, "\r\n\x00") {
			t.Errorf("%q became %q", sender, got)
		}
	})
}
