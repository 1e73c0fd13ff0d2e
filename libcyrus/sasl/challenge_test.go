package sasl

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"gocyrus/libcyrus/auth"
)

// talk runs a mechanism; each function answers the challenge before it. The
// first gets "" and makes the initial response, or nil for none.
func talk(s *Server, mech string, initial []byte, answers ...func(challenge string) string) (auth.User, error) {
	x, e := s.Start(context.Background(), local, mech)
	if e != nil {
		return auth.User{}, e
	}
	response := initial
	for i := 0; ; i++ {
		challenge, done, err := x.Next(response)
		switch {
		case err != nil:
			return auth.User{}, err
		case done:
			return x.User(), nil
		case i == len(answers):
			return auth.User{}, errors.New("not done")
		}
		response = []byte(answers[i](string(challenge)))
	}
}

// outcome is the user or the error, as text.
func outcome(u auth.User, err error) string {
	if err != nil {
		return err.Error()
	}
	return u.ID
}

// TestSecrets: the mechanisms that send challenges are there only with a
// store of passwords that can be read.
func TestSecrets(t *testing.T) {
	s, _ := server(t, "sasl_sasldb_path: /nonexistent\n", Rules{})
	if got := s.Mechanisms(overTLS); strings.Join(got, " ") != "PLAIN LOGIN" {
		t.Error(got)
	}
	if _, e := s.Start(context.Background(), overTLS, "CRAM-MD5"); e == nil || e.Code != auth.NoMech {
		t.Error(e)
	}
	s, _ = server(t, "sasl_auxprop_plugin: accounts\n", Rules{})
	if got := s.Mechanisms(overTLS); strings.Join(got, " ") != "PLAIN LOGIN" {
		t.Error(got)
	}
}

// cramAnswer is what a client of CRAM-MD5 says (RFC 2195 section 2).
func cramAnswer(user, password string) func(string) string {
	return func(challenge string) string {
		mac := hmac.New(md5.New, []byte(password))
		mac.Write([]byte(challenge))
		return user + " " + hex.EncodeToString(mac.Sum(nil))
	}
}

func TestCramVector(t *testing.T) { // RFC 2195 section 2
	if got := cramAnswer("tim", "tanstaaftanstaaf")("<1896.697170952@postoffice.reston.mci.net>"); got != "tim b913a602c7eda7a495b4e6e7334d3890" {
		t.Error(got)
	}
}

// Texts are those of a real Cyrus.
func TestCramMD5(t *testing.T) {
	s, _ := server(t, "", Rules{})
	for _, tt := range []struct {
		answer func(string) string
		want   string
	}{
		{cramAnswer("alice", "pass"), "alice"},
		{cramAnswer("ALICE", "pass"), "alice"},
		{cramAnswer("alice", "wrong"), "SASL(-13): authentication failure: incorrect digest response"},
		{cramAnswer("nobody", "pass"), "SASL(-13): user not found: user: nobody property: cmusaslsecretCRAM-MD5 not found in sasldb"},
		{cramAnswer("", "pass"), "SASL(-5): bad protocol / cancel: need authentication name"},
		{func(string) string { return "alice" }, "SASL(-5): bad protocol / cancel: need authentication name"},
		{func(string) string { return "alice zz" }, "SASL(-13): authentication failure: incorrect digest response"},
		{func(string) string { return strings.Repeat("x", 5000) }, "SASL(-5): bad protocol / cancel: answer is too long"},
	} {
		if got := outcome(talk(s, "CRAM-MD5", nil, tt.answer)); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	if got := outcome(talk(s, "CRAM-MD5", []byte("alice"))); !strings.Contains(got, "Remote sent first") {
		t.Error(got)
	}
}

func TestScram(t *testing.T) {
	s, _ := server(t, "", Rules{ProxyServers: true})
	for mech, h := range map[string]scram.HashGeneratorFcn{"SCRAM-SHA-1": scram.SHA1, "SCRAM-SHA-256": scram.SHA256, "SCRAM-SHA-512": scram.SHA512} {
		for _, tt := range []struct{ user, password, as, want string }{
			{"alice", "pass", "", "alice"},
			{"Alice", "pass", "", "alice"},
			{"cyrus", "pass", "bob", "bob"},
			{"alice", "pass", "bob", "SASL(-13): authentication failure: user alice is not allowed to proxy"},
			{"alice", "wrong", "", "SASL(-13): authentication failure: StoredKey mismatch"},
			{"nobody", "pass", "", "SASL(-13): user not found: unable to canonify user and get auxprops"},
			{"al*ce", "pass", "", "SASL(-13): authentication failure: bad userid authenticated"},
		} {
			c, err := h.NewClient(tt.user, tt.password, tt.as)
			if err != nil {
				t.Fatal(err)
			}
			conv := c.NewConversation()
			first, _ := conv.Step("")
			step := func(challenge string) string {
				answer, err := conv.Step(challenge)
				if err != nil {
					t.Errorf("%s: the server does not prove itself: %v", mech, err)
				}
				return answer
			}
			if got := outcome(talk(s, mech, []byte(first), step, step)); got != tt.want {
				t.Errorf("%s %+v: %s", mech, tt, got)
			}
		}
	}
	for first, want := range map[string]string{
		"garbage":                        "SASL(-5): bad protocol / cancel: Invalid SCRAM-SHA-1 input",
		"":                               "SASL(-5): bad protocol / cancel: Invalid SCRAM-SHA-1 input",
		"n,,n=,r=abcdef":                 "SASL(-1): generic failure: All-whitespace username.",
		"n,,n=us=2er,r=abc":              "SASL(-5): bad protocol / cancel: Invalid username encoding in SCRAM-SHA-1 input",
		"p=tls-unique,,n=alice,r=abcdef": "SASL(-5): bad protocol / cancel: Channel bindings data expected in SCRAM-SHA-1",
	} {
		if got := outcome(talk(s, "SCRAM-SHA-1", []byte(first))); got != want {
			t.Errorf("%q: %s", first, got)
		}
	}
	bad := func(string) string { return "c=biws,r=zzz,p=AAAA" }
	if got := outcome(talk(s, "SCRAM-SHA-1", []byte("n,,n=alice,r=abcdef"), bad)); got != "SASL(-5): bad protocol / cancel: Nonce mismatch SCRAM-SHA-1 input" {
		t.Error(got)
	}
}

// TestDigestVector is the example of RFC 2831 section 4.
func TestDigestVector(t *testing.T) {
	f, err := parseDigest(`charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,cnonce="OA6MHXh6VqTrRk",` +
		`digest-uri="imap/elwood.innosoft.com",response=d388dad90d4bbd760a152321f2143af7,qop=auth`)
	if err != nil {
		t.Fatal(err)
	}
	if got := digestValue(f, "secret", "AUTHENTICATE"); got != f["response"] {
		t.Error(got)
	}
	if got := digestValue(f, "secret", ""); got != "ea40f60335c427b5527b84dbabcdfffd" {
		t.Error(got)
	}
}

// digestAnswer answers as a client would; change alters its fields.
func digestAnswer(user, password, as string, change ...string) func(string) string {
	return func(challenge string) string {
		c, err := parseDigest(challenge)
		if err != nil {
			return err.Error()
		}
		f := map[string]string{
			"charset": "utf-8", "username": user, "realm": c["realm"], "nonce": c["nonce"], "nc": "00000001",
			"cnonce": "abc", "digest-uri": "imap/example.org", "qop": "auth",
		}
		if as != "" {
			f["authzid"] = as
		}
		f["response"] = digestValue(f, password, "AUTHENTICATE")
		for i := 0; i+1 < len(change); i += 2 {
			f[change[i]] = change[i+1]
		}
		var b strings.Builder
		for k, v := range f {
			b.WriteString(k + `="` + strings.ReplaceAll(v, `"`, `\"`) + `",`)
		}
		return b.String()
	}
}

// Texts are those of a real Cyrus.
func TestDigestMD5(t *testing.T) {
	s, _ := server(t, "", Rules{Service: "imap", ProxyServers: true})
	const bogus = "SASL(-13): authentication failure: client response doesn't match what we generated (tried bogus)"
	done := func(rspauth string) string {
		if !strings.HasPrefix(rspauth, "rspauth=") {
			t.Error(rspauth)
		}
		return ""
	}
	for _, tt := range []struct {
		answer func(string) string
		want   string
	}{
		{digestAnswer("alice", "pass", ""), "alice"},
		{digestAnswer("cyrus", "pass", "bob"), "bob"},
		{digestAnswer("alice", "pass", "bob"), "SASL(-13): authentication failure: user alice is not allowed to proxy"},
		{digestAnswer("alice", "wrong", ""), bogus},
		{digestAnswer("nobody", "pass", ""), "SASL(-13): user not found: unable to canonify user and get auxprops"},
		{digestAnswer("alice", "pass", "", "nc", "00000002"), bogus},
		{digestAnswer("alice", "pass", "", "realm", "other"), "SASL(-13): user not found: unable to canonify user and get auxprops"},
		{digestAnswer("alice", "pass", "", "nonce", "x"), "SASL(-5): bad protocol / cancel: nonce changed: authentication aborted"},
		{digestAnswer("alice", "pass", "", "digest-uri", "smtp/x"), "SASL(-5): bad protocol / cancel: bad digest-uri: doesn't match service"},
		{digestAnswer("alice", "pass", "", "qop", "auth-conf"), "SASL(-1): generic failure: protocol violation: client requested invalid qop"},
		{digestAnswer("", "pass", ""), "SASL(-5): bad protocol / cancel: required parameters missing: username"},
		{func(string) string { return "foo" }, "SASL(-5): bad protocol / cancel: Parse error"},
		{func(string) string { return "" }, "SASL(-5): bad protocol / cancel: input expected in DIGEST-MD5, step 2"},
	} {
		if got := outcome(talk(s, "DIGEST-MD5", nil, tt.answer, done)); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

// TestLoggedEarly: what fails before the user is known is logged as Cyrus
// does it, the reason in a line of its own.
func TestLoggedEarly(t *testing.T) {
	s, log := server(t, "failedloginpause: 0\n", Rules{Service: "imap"})
	_, err := talk(s, "CRAM-MD5", nil, func(string) string { return "" })
	var e *auth.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	s.Failed(context.Background(), local, "CRAM-MD5", e)
	for _, want := range []string{"SASL need authentication name", "badlogin: localhost [127.0.0.1] CRAM-MD5 (-notset-) [SASL(-6): can't request information until later"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
}

func FuzzDigest(f *testing.F) {
	f.Add(`charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001`)
	f.Add(`a="\"", b = c ,,d`)
	f.Fuzz(func(t *testing.T, s string) {
		fields, err := parseDigest(s)
		if err == nil {
			for name := range fields {
				if name == "" || strings.ContainsAny(name, `",`) {
					t.Errorf("%q", name)
				}
			}
			digestValue(fields, "x", "")
		}
	})
}

// FuzzChallenge gives a client's two answers to each mechanism that sends
// challenges; nobody gets in without the password.
func FuzzChallenge(f *testing.F) {
	if _, err := os.Stat("testdata/users.sasldb"); err != nil {
		f.Fatal(err)
	}
	f.Add("n,,n=alice,r=abc", "c=biws,r=abc,p=AAAA")
	f.Add("alice 00", "")
	f.Add(`username="alice",nc=00000001`, "")
	s, _ := server(f, "", Rules{Service: "imap"})
	f.Fuzz(func(t *testing.T, one, two string) {
		answer := func(a string) func(string) string { return func(string) string { return a } }
		for _, m := range mechanisms {
			if m.kind != challenge {
				continue
			}
			for _, initial := range [][]byte{nil, []byte(one)} {
				if u, err := talk(s, m.name, initial, answer(one), answer(two), answer("")); err == nil {
					t.Errorf("%s lets in %q", m.name, u.ID)
				}
			}
		}
	})
}
