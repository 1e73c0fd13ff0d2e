package sasl

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
)

// lines is a log that keeps its lines.
type lines struct{ strings.Builder }

// server makes a Server whose users all have the password "pass"; their
// file was made by saslpasswd2.
func server(t testing.TB, conf string, rules Rules) (*Server, *lines) {
	t.Helper()
	dir := t.TempDir()
	if !strings.Contains(conf, "sasl_sasldb_path") {
		conf += "sasl_sasldb_path: testdata/users.sasldb\n"
	}
	c, err := config.Parse("imapd.conf", "configdirectory: "+dir+"\nservername: example.org\ndefaultpartition: default\npartition-default: "+dir+
		"\nadmins: cyrus\nproxyservers: proxy\nunix_group_enable: no\n"+conf, "imap")
	if err != nil {
		t.Fatal(err)
	}
	var l lines
	log := slog.New(slog.NewTextHandler(&l, nil))
	return New(c, auth.New(c, log), rules, log), &l
}

var (
	local   = &Peer{Client: "localhost [127.0.0.1]"}
	overTLS = &Peer{Client: "localhost [127.0.0.1]", TLS: true, SSF: 256}
)

// Which mechanisms are offered when; the last rows were seen on a real
// Cyrus.
func TestMechanisms(t *testing.T) {
	const secret = "SCRAM-SHA-512 SCRAM-SHA-384 SCRAM-SHA-256 SCRAM-SHA-224 SCRAM-SHA-1 DIGEST-MD5 CRAM-MD5"
	for _, tt := range []struct {
		conf      string
		peer      *Peer
		want      string
		plaintext bool
	}{
		{"", local, secret, false},
		{"", overTLS, secret + " PLAIN LOGIN", true},
		{"", &Peer{SSF: 2}, secret + " PLAIN LOGIN", true},
		{"", &Peer{SSF: 1}, secret, false},
		{"allowplaintext: yes\n", local, secret + " PLAIN LOGIN", true},
		{"allowplaintext: yes\ntls_required: yes\n", local, "", false},
		{"allowplaintext: yes\ntls_required: yes\n", overTLS, secret + " PLAIN LOGIN", true},
		{"allowplaintext: yes\nsasl_minimum_layer: 56\n", local, "", true},
		{"allowplaintext: yes\nsasl_minimum_layer: 56\n", overTLS, secret + " PLAIN LOGIN", true},
		{"allowplaintext: yes\nsasl_mech_list: login plain\n", local, "LOGIN PLAIN", true},
		{"allowplaintext: yes\nsasl_mech_list: SCRAM-SHA-1 PLAIN PLAIN\n", local, "SCRAM-SHA-1 PLAIN", true},
	} {
		s, _ := server(t, tt.conf, Rules{})
		if got := s.Mechanisms(tt.peer); !slices.Equal(got, strings.Fields(tt.want)) {
			t.Errorf("%q %+v: %v", tt.conf, tt.peer, got)
		}
		if got := s.PlaintextAllowed(tt.peer); got != tt.plaintext {
			t.Errorf("%q %+v: plaintext %v", tt.conf, tt.peer, got)
		}
	}
}

// exchange runs a mechanism with the client's answers; the first is the
// initial response unless it is "-".
func exchange(s *Server, mech string, answers ...string) (auth.User, error) {
	x, e := s.Start(context.Background(), overTLS, mech)
	if e != nil {
		return auth.User{}, e
	}
	for _, a := range answers {
		response := []byte(a)
		if a == "-" {
			response = nil
		}
		_, done, err := x.Next(response)
		if err != nil {
			return auth.User{}, err
		}
		if done {
			return x.User(), nil
		}
	}
	return auth.User{}, errors.New("not done")
}

func TestExchange(t *testing.T) {
	const failed = "SASL(-13): authentication failure: Password verification failed"
	s, _ := server(t, "", Rules{ProxyServers: true})
	for _, tt := range []struct {
		mech    string
		answers []string
		user    string // or the error
	}{
		{"PLAIN", []string{"\x00alice\x00pass"}, "alice"},
		{"plain", []string{"-", "\x00Alice\x00pass"}, "alice"},
		{"PLAIN", []string{"alice\x00alice\x00pass"}, "alice"},
		{"PLAIN", []string{"bob\x00cyrus\x00pass"}, "bob"},
		{"PLAIN", []string{"bob\x00proxy\x00pass"}, "bob"},
		{"PLAIN", []string{"bob\x00alice\x00pass"}, "SASL(-13): authentication failure: user alice is not allowed to proxy"},
		{"PLAIN", []string{"bob\x00cyrus\x00wrong"}, failed},
		{"PLAIN", []string{"\x00alice\x00wrong"}, failed},
		{"PLAIN", []string{"\x00alice\x00"}, failed},
		{"PLAIN", []string{"\x00nobody\x00pass"}, "SASL(-13): user not found: Password verification failed"},
		{"PLAIN", []string{"\x00\x00pass"}, "SASL(-1): generic failure: All-whitespace username."},
		{"PLAIN", []string{"\x00al*ce\x00pass"}, "SASL(-13): authentication failure: bad userid authenticated"},
		{"PLAIN", []string{"al*ce\x00alice\x00pass"}, "SASL(-13): authentication failure: bad userid authenticated"},
		{"PLAIN", []string{"\x00alice@other.org\x00pass"}, "SASL(-13): authentication failure: cross-realm login alice@other.org denied"},
		{"PLAIN", []string{"alice\x00pass"}, "SASL(-5): bad protocol / cancel: Can only find author/en (no password)"},
		{"PLAIN", []string{""}, "SASL(-5): bad protocol / cancel: Can only find author/en (no password)"},
		{"PLAIN", []string{"\x00alice\x00pa\x00ss"}, "SASL(-5): bad protocol / cancel: Got more data than we were expecting in the PLAIN plugin"},
		{"PLAIN", []string{"\x00alice\x00" + strings.Repeat("x", 5000)}, "SASL(-5): bad protocol / cancel: answer is too long"},
		{"LOGIN", []string{"-", "alice", "pass"}, "alice"},
		{"LOGIN", []string{"alice", "pass"}, "alice"},
		{"LOGIN", []string{"alice", "wrong"}, failed},
		{"LOGIN", []string{"alice", ""}, failed},
		{"LOGIN", []string{"", "pass"}, "SASL(-1): generic failure: All-whitespace username."},
		{"LOGIN", []string{"alice", "pa\x00ss"}, "SASL(-5): bad protocol / cancel: answer is too long or has a NUL"},
		{"NTLM", nil, "SASL(-4): no mechanism available: Couldn't find mech NTLM"},
	} {
		u, err := exchange(s, tt.mech, tt.answers...)
		got := u.ID
		if err != nil {
			got = err.Error()
			if e := (*auth.Error)(nil); !errors.As(err, &e) {
				t.Errorf("%q: not an *auth.Error", tt.answers)
			}
		}
		if got != tt.user {
			t.Errorf("%s %q: %q, want %q", tt.mech, tt.answers, got, tt.user)
		}
	}
}

func TestChallenges(t *testing.T) {
	s, _ := server(t, "", Rules{})
	x, _ := s.Start(context.Background(), overTLS, "LOGIN")
	if c, done, err := x.Next(nil); string(c) != "Username:" || done || err != nil {
		t.Error(string(c), done, err)
	}
	if c, done, err := x.Next([]byte("alice")); string(c) != "Password:" || done || err != nil {
		t.Error(string(c), done, err)
	}
	x, _ = s.Start(context.Background(), overTLS, "PLAIN")
	if c, done, err := x.Next(nil); len(c) != 0 || c == nil || done || err != nil {
		t.Error(c, done, err)
	}
	if _, e := s.Start(context.Background(), local, "PLAIN"); e == nil || e.Reply() != "encryption needed to use mechanism" {
		t.Error(e)
	}
}

func TestWhoActsAsWhom(t *testing.T) {
	acl := func(_ context.Context, who auth.User, user string) bool { return who.ID == "alice" && user == "bob" }
	denied := func(_ context.Context, user string) bool { return user == "bob" }
	for _, tt := range []struct {
		conf       string
		rules      Rules
		id, target string
		want       string // or the error
		admin      bool
	}{
		{"", Rules{}, "cyrus", "cyrus", "cyrus", true},
		{"", Rules{}, "cyrus", "bob", "bob", false},
		{"", Rules{}, "proxy", "bob", "user proxy is not allowed to proxy", false},
		{"", Rules{ProxyServers: true}, "proxy", "bob", "bob", false},
		{"", Rules{UseACL: acl}, "alice", "bob", "user alice is not allowed to proxy", false},
		{"loginuseacl: yes\n", Rules{UseACL: acl}, "alice", "bob", "bob", false},
		{"loginuseacl: yes\n", Rules{UseACL: acl}, "alice", "cyrus", "user alice is not allowed to proxy", false},
		{"", Rules{AdminsOnly: true}, "alice", "alice", "only admins may authenticate", false},
		{"", Rules{AdminsOnly: true}, "cyrus", "cyrus", "cyrus", true},
		{"", Rules{Denied: denied}, "bob", "bob", "user 'bob' is denied access to service 'imap'", false},
		{"", Rules{Denied: denied}, "alice", "alice", "alice", false},
		{"", Rules{Denied: denied}, "cyrus", "bob", "bob", false},
	} {
		s, _ := server(t, tt.conf, tt.rules)
		u, e := s.authorize(context.Background(), tt.id, tt.target)
		got := u.ID
		if e != nil {
			got = e.Detail
		}
		if got != tt.want || u.Admin != tt.admin {
			t.Errorf("%+v: %q %+v", tt, got, u)
		}
		if e == nil && u.AuthID != tt.id {
			t.Errorf("%+v: AuthID %q", tt, u.AuthID)
		}
	}
	s, _ := server(t, "", Rules{ProxyServers: true})
	if u, e := s.authorize(context.Background(), "proxy", "cyrus"); e != nil || u.Admin || !u.ProxyAdmin {
		t.Errorf("%+v %v", u, e)
	}
}

// The lines that fail2ban reads.
func TestFailed(t *testing.T) {
	s, l := server(t, "failedloginpause: 0\n", Rules{})
	ctx := context.Background()
	for _, tt := range []struct{ user, want string }{
		{"alice", `badlogin: localhost [127.0.0.1] plaintext (alice) [SASL(-13): authentication failure: checkpass failed]`},
		{"nobody", `badlogin: localhost [127.0.0.1] plaintext (nobody) [SASL(-13): user not found: checkpass failed]`},
	} {
		_, e := s.CheckPass(ctx, local, tt.user, "wrong")
		l.Reset()
		s.Failed(ctx, local, Plaintext, e)
		if !strings.Contains(l.String(), tt.want) {
			t.Errorf("%s", l.String())
		}
	}
	for answer, want := range map[string]string{
		"\x00alice\x00x":       `PLAIN (alice) [SASL(-13): authentication failure: Password verification failed]`,
		"\x00nobody\x00x":      `PLAIN (-notset-) [SASL(-13): user not found: Password verification failed]`,
		"bob\x00alice\x00pass": `PLAIN (bob) [SASL(-13): authentication failure: user alice is not allowed to proxy]`,
	} {
		_, err := exchange(s, "PLAIN", answer)
		l.Reset()
		s.Failed(ctx, local, "PLAIN", err.(*auth.Error))
		if !strings.Contains(l.String(), want) {
			t.Errorf("%s", l.String())
		}
	}
	if u, e := s.CheckPass(ctx, local, "alice", "pass"); e != nil || u.ID != "alice" {
		t.Error(u, e)
	}
}

func TestPauses(t *testing.T) {
	s, _ := server(t, "failedloginpause: 1h\nplaintextloginpause: 1h\n", Rules{})
	long, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s.PausePlaintext(long, overTLS)
	if long.Err() != nil {
		t.Error("a pause with TLS")
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	s.PausePlaintext(ctx, local)
	s.Failed(ctx, local, "PLAIN", &auth.Error{Code: auth.BadAuth})
	if d := time.Since(start); d < 20*time.Millisecond || d > time.Minute {
		t.Error(d)
	}
}

func FuzzExchange(f *testing.F) {
	c, err := config.Parse("imapd.conf", "configdirectory: /nonexistent\nservername: x\nsasl_pwcheck_method: none\n", "imap")
	if err != nil {
		f.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s := New(c, auth.New(c, log), Rules{}, log)
	f.Add("PLAIN", []byte("\x00a\x00b"), []byte(""))
	f.Add("LOGIN", []byte("a"), []byte("b"))
	f.Fuzz(func(t *testing.T, mech string, first, second []byte) {
		if u, err := exchange(s, mech, string(first), string(second)); err == nil {
			t.Errorf("%+v logged in", u)
		}
	})
}
