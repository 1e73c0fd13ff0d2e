package auth

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/libcyrus/config"
)

func testConfig(t testing.TB, lines string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	c, err := config.Parse("imapd.conf", "configdirectory: "+dir+"\nservername: example.org\ndefaultpartition: default\npartition-default: "+dir+"\n"+lines, "imap")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// captured is a log whose lines a test reads.
func captured() (*slog.Logger, func() string) {
	var b lockedBuilder
	return slog.New(slog.NewTextHandler(&b, nil)), b.String
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestCanonical(t *testing.T) {
	ctx := context.Background()
	for _, tt := range []struct {
		config, name, want string
		ok                 bool
	}{
		{"", "Alice", "alice", true},
		{"username_tolower: no\n", "Alice", "Alice", true},
		{"", "alice@Example.ORG", "alice@example.org", true},
		{"", "a b", "a b", true},
		{"", "", "", true},
		{"", "al/ice", "", false},
		{"", "al*ice", "", false},
		{"", "al%ice", "", false},
		{"", "al:ice", "", false},
		{"", "al?ice", "", false},
		{"", "al&ice", "", false},
		{"", "al\x01ice", "", false},
		{"", "al\xc3\xa9ice", "", false},
		{"", "al\x7fice", "", false},
		{"", strings.Repeat("a", 80), strings.Repeat("a", 80), true},
		{"", strings.Repeat("a", 81), "", false},
		{"", "ANONYMOUS", "anonymous", true},
		{"", "anybody", "anyone", true},
		{"", "group:no such group", "group:no such group", false},
		{"virtdomains: userid\ndefaultdomain: example.org\n", "Alice@EXAMPLE.org", "alice", true},
		{"virtdomains: userid\ndefaultdomain: example.org\n", "Alice@other.org", "alice@other.org", true},
		{"virtdomains: userid\ndefaultdomain: example.org\n", "alice%other.org", "alice@other.org", true},
		{"virtdomains: userid\ndefaultdomain: example.org\n", "alice", "alice", true},
		{"virtdomains: userid\n", "anonymous@other.org", "anonymous", true},
		{"virtdomains: on\ndefaultdomain: example.org\n", "bob", "bob", true},
	} {
		s := New(testConfig(t, tt.config), quiet())
		got, ok := s.Canonical(ctx, tt.name, nil)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q %q: %q, %v", tt.config, tt.name, got, ok)
		}
	}
}

func TestRealmAllowed(t *testing.T) {
	for _, tt := range []struct {
		config, id string
		want       bool
	}{
		{"", "alice", true},
		{"", "alice@example.org", false},
		{"loginrealms: example.com example.org\n", "alice@example.org", true},
		{"loginrealms: example.com example.org\n", "alice@Example.COM", true},
		{"loginrealms: example.com\n", "alice@example", false},
		{"loginrealms: example.com\n", "alice@x.example.com", false},
		{"virtdomains: userid\n", "alice@example.org", true},
		{"virtdomains: userid\nloginrealms: example.com\n", "alice@example.org", false},
	} {
		if got := New(testConfig(t, tt.config), quiet()).RealmAllowed(tt.id); got != tt.want {
			t.Errorf("%q %s: %v", tt.config, tt.id, got)
		}
	}
}

func TestUser(t *testing.T) {
	s := New(testConfig(t, "admins: cyrus group:wheel\nproxyservers: proxy\n"), quiet())
	s.groups = fakeGroups(t, "passwd: files\ngroup: files\n")
	ctx := context.Background()
	for id, want := range map[string]User{
		"cyrus": {ID: "cyrus", AuthID: "cyrus", Admin: true},
		"alice": {ID: "alice", AuthID: "alice", Groups: []string{"alice", "staff"}},
		"bob":   {ID: "bob", AuthID: "bob", Groups: []string{"staff", "wheel"}, Admin: true},
		"other": {ID: "other", AuthID: "other"},
	} {
		u := s.User(ctx, id)
		if u.ID != want.ID || u.Admin != want.Admin || !slices.Equal(u.Groups, want.Groups) {
			t.Errorf("%s: %+v", id, u)
		}
	}
	proxy := s.User(ctx, "proxy")
	if !s.IsProxyServer(&proxy) || proxy.Admin {
		t.Error("proxy")
	}
	none := New(testConfig(t, "unix_group_enable: no\nadmins: anyone\n"), quiet())
	none.groups = s.groups
	if u := none.User(ctx, "bob"); len(u.Groups) != 0 || !u.Admin {
		t.Errorf("%+v", u)
	}
}

// fakeGroups is a system with few users.
func fakeGroups(t *testing.T, nsswitch string) *groups {
	t.Helper()
	g := newGroups()
	g.root = t.TempDir()
	etc := filepath.Join(g.root, "etc")
	if err := os.Mkdir(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"passwd":        "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:\nbob:x:1001:50::/:\nbroken\n",
		"group":         "root:x:0:\nalice:x:1000:\nstaff:x:50:alice\nwheel:x:51:bob,carol\nbroken\n",
		"nsswitch.conf": nsswitch,
	} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func TestGroupsByGetent(t *testing.T) {
	g := fakeGroups(t, "passwd: files ldap # comment\ngroup: files [NOTFOUND=return]\n")
	asked, fail := 0, false
	g.ask = func(_ context.Context, args ...string) (string, error) {
		asked++
		if fail {
			return "", errors.New("no answer")
		}
		switch strings.Join(args, " ") {
		case "initgroups dora":
			return "dora                  7 9\n", nil
		case "passwd dora":
			return "dora:x:5:8:::\n", nil
		case "group 7 9 8":
			return "seven:x:7:\neight:x:8:\n", errors.New("exit status 2") // 9 has no name
		case "group seven":
			return "seven:x:7:\n", nil
		}
		return "", errors.New("exit status 2")
	}
	ctx := context.Background()
	for range 3 {
		if got := g.of(ctx, "dora"); !slices.Equal(got, []string{"seven", "eight"}) {
			t.Fatal(got)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
	// An old answer stands in for none.
	g.cache["dora"] = groupAnswer{g.cache["dora"].names, time.Now().Add(-time.Second)}
	fail = true
	if got := g.of(ctx, "dora"); len(got) != 2 {
		t.Error(got)
	}
	fail = false
	if !g.exists(ctx, "seven") || g.exists(ctx, "eleven") || g.exists(ctx, "-s") {
		t.Error("exists")
	}
	if got := g.of(ctx, "-x"); got != nil {
		t.Error(got)
	}
}

// muxServer is a saslauthd that knows one password.
func muxServer(t *testing.T, answer func(user, password, service, realm string) string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mux")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var f [4]string
				for i := range f {
					var n [2]byte
					if _, err := io.ReadFull(c, n[:]); err != nil {
						return
					}
					b := make([]byte, binary.BigEndian.Uint16(n[:]))
					if _, err := io.ReadFull(c, b); err != nil {
						return
					}
					f[i] = string(b)
				}
				a := answer(f[0], f[1], f[2], f[3])
				c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...))
			}()
		}
	}()
	return path
}

func TestSaslauthd(t *testing.T) {
	const many = 10
	var together sync.WaitGroup
	together.Add(many)
	never := make(chan struct{})
	defer close(never)
	path := muxServer(t, func(user, password, service, realm string) string {
		switch user {
		case "slow": // until all are there
			together.Done()
			together.Wait()
		case "never":
			<-never
		}
		if password == "right" && service == "imap" && (realm == "" || realm == "example.org") && !strings.Contains(user, "@") {
			return "OK"
		}
		return "NO authentication failed"
	})
	s := New(testConfig(t, "sasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: "+path+"\n"), quiet())
	ctx := context.Background()
	for _, tt := range []struct {
		user, password, want string
	}{
		{"alice", "right", ""},
		{"alice@example.org", "right", ""},
		{"alice", "wrong", "SASL(-13): authentication failure: "},
		{"alice", "", "SASL(-13): authentication failure: "},
		{"alice@other.org", "right", "SASL(-13): authentication failure: "},
		{"alice", strings.Repeat("x", 70000), "SASL(-1): generic failure: "},
	} {
		e := s.Check(ctx, Attempt{tt.user, tt.password, "imap"})
		if got := text(e); got != tt.want {
			t.Errorf("%s %.10s: %q", tt.user, tt.password, got)
		}
	}
	// Many at a time do not wait for each other.
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			if e := s.Check(ctx, Attempt{"slow", "right", "imap"}); e != nil {
				t.Error(e)
			}
		})
	}
	wg.Wait()
	// One that does not answer in time.
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if e := s.Check(short, Attempt{"never", "right", "imap"}); e == nil || e.Code != Fail {
		t.Error(e)
	}
}

// text is an *Error's, "" for nil.
func text(e *Error) string {
	if e == nil {
		return ""
	}
	return e.Error()
}

func TestSaslauthdGone(t *testing.T) {
	log, lines := captured()
	s := New(testConfig(t, "sasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: /nonexistent/mux\n"), log)
	e := s.Check(context.Background(), Attempt{"alice", "x", "imap"})
	if text(e) != "SASL(-1): generic failure: " || e.User != "alice" || e.Reply() != "generic failure" {
		t.Errorf("%+v", e)
	}
	if !strings.Contains(lines(), "SASL cannot connect to saslauthd server: No such file or directory") {
		t.Error(lines())
	}
}

func TestUnknownMethod(t *testing.T) {
	log, lines := captured()
	s := New(testConfig(t, "sasl_pwcheck_method: bogus alwaystrue\n"), log)
	for range 3 {
		e := s.Check(context.Background(), Attempt{"alice", "x", "imap"})
		if text(e) != "SASL(-4): no mechanism available: " {
			t.Errorf("%v", e)
		}
	}
	if strings.Count(lines(), "SASL unknown password verifier(s) bogus alwaystrue") != 1 {
		t.Error(lines())
	}
}

func TestSasldb(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sasldb2")
	copyFile(t, "bdb/testdata/50.sasldb", path)
	s := New(testConfig(t, "sasl_sasldb_path: "+path+"\n"), quiet())
	check := func(user, password, want string) {
		t.Helper()
		if got := text(s.Check(context.Background(), Attempt{user, password, "imap"})); got != want {
			t.Errorf("%s %s: %q", user, password, got)
		}
	}
	const bad, unknown = "SASL(-13): authentication failure: ", "SASL(-13): user not found: "
	check("user7", "secret7", "")
	check("user7@example.org", "secret7", "")
	check("user7@other.org", "secret7", unknown)
	check("user7", "secret8", bad)
	check("user7", "", bad)
	check("user51", "secret51", unknown)
	if e := s.Check(context.Background(), Attempt{"user51", "x", "imap"}); e.LogUser() != "-notset-" || e.Reply() != "authentication failure" {
		t.Errorf("%+v", e)
	}
	copyFile(t, "bdb/testdata/deleted.sasldb", path)
	check("user7", "secret7", unknown)
	check("user5", "changed", "")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	check("user5", "changed", "")
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	check("user5", "changed", "SASL(-1): generic failure: ")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Several methods: the first that says yes.
func TestMethods(t *testing.T) {
	mux := muxServer(t, func(_, password, _, _ string) string {
		if password == "pam" {
			return "OK"
		}
		return "NO"
	})
	path := filepath.Join(t.TempDir(), "sasldb2")
	copyFile(t, "bdb/testdata/1.sasldb", path)
	s := New(testConfig(t, "sasl_pwcheck_method: saslauthd auxprop\nsasl_saslauthd_path: "+mux+"\nsasl_sasldb_path: "+path+"\n"), quiet())
	for _, tt := range []struct{ user, password, want string }{
		{"alice", "pam", ""}, {"alice", "pass", ""}, {"bob", "pam", ""},
		{"alice", "no", "SASL(-13): authentication failure: "},
		{"bob", "no", "SASL(-13): authentication failure: "}, // saslauthd may know him
	} {
		if got := text(s.Check(context.Background(), Attempt{tt.user, tt.password, "imap"})); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
