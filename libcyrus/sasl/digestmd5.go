package sasl

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	gosasl "github.com/emersion/go-sasl"

	"gocyrus/libcyrus/auth"
)

// digest is DIGEST-MD5 (RFC 2831) for authentication only: TLS protects
// connections better than its layers do.
type digest struct {
	*attempt
	nonce string
	sent  bool
	proof bool // the client has proved itself; only its last answer is missing
}

func newDigest(a *attempt) gosasl.Server { return &digest{attempt: a} }

func (d *digest) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case !d.sent && response != nil:
		return nil, true, errors.New("Remote sent first but mech does not allow it.")
	case !d.sent:
		d.sent = true
		b := make([]byte, 32)
		_, _ = rand.Read(b) // never fails
		d.nonce = base64.StdEncoding.EncodeToString(b)
		return fmt.Appendf(nil, `nonce="%s",realm="%s",qop="auth",charset=utf-8,algorithm=md5-sess`, d.nonce, d.conf.ServerName()), false, nil
	case d.proof:
		return nil, true, nil
	case len(response) > 4096: // RFC 2831 section 2.1.2
		return nil, true, errors.New("answer is too long")
	case len(response) == 0:
		return nil, true, errors.New("input expected in DIGEST-MD5, step 2")
	}
	f, err := parseDigest(string(response))
	if err != nil {
		return nil, true, err
	}
	if e := d.check(f); e != nil {
		return nil, true, e
	}
	authID, target, e := d.canonical(f["username"], f["authzid"])
	if e != nil {
		return nil, true, e
	}
	password, e := d.site.Secret(authID, f["realm"])
	if e != nil {
		e.Detail = "unable to canonify user and get auxprops"
		return nil, true, e
	}
	if !d.proves(f, string(password)) {
		return nil, true, &auth.Error{Code: auth.BadAuth, Detail: "client response doesn't match what we generated (tried bogus)", User: authID}
	}
	if err := d.proved(authID, target); err != nil {
		return nil, true, err
	}
	d.proof = true
	return []byte("rspauth=" + digestValue(f, string(password), "")), false, nil
}

// check refuses answers that do not fit the challenge.
func (d *digest) check(f map[string]string) error {
	for _, need := range []string{"username", "nonce", "cnonce", "nc", "digest-uri", "response"} {
		if f[need] == "" {
			return errors.New("required parameters missing: " + need)
		}
	}
	service, _, _ := strings.Cut(f["digest-uri"], "/")
	switch {
	case subtle.ConstantTimeCompare([]byte(f["nonce"]), []byte(d.nonce)) != 1:
		return errors.New("nonce changed: authentication aborted")
	case !strings.EqualFold(service, d.rules.Service):
		return errors.New("bad digest-uri: doesn't match service")
	case f["nc"] != "00000001":
		return &auth.Error{Code: auth.BadAuth, Detail: "client response doesn't match what we generated (tried bogus)"}
	case f["qop"] != "" && f["qop"] != "auth":
		return &auth.Error{Code: auth.Fail, Detail: "protocol violation: client requested invalid qop"}
	}
	return nil
}

// proves reports whether the client's answer is that of who knows the
// password.
func (d *digest) proves(f map[string]string, password string) bool {
	return subtle.ConstantTimeCompare([]byte(digestValue(f, password, "AUTHENTICATE")), []byte(strings.ToLower(f["response"]))) == 1
}

// digestValue is the response-value of RFC 2831 section 2.1.2.1; with method
// "" it is that of section 2.1.3, which proves the server.
func digestValue(f map[string]string, password, method string) string {
	user, realm := f["username"], f["realm"]
	if f["charset"] != "" {
		user, realm = latin1(user), latin1(realm)
	}
	secret := md5.Sum([]byte(user + ":" + realm + ":" + latin1(password)))
	a1 := string(secret[:]) + ":" + f["nonce"] + ":" + f["cnonce"]
	if f["authzid"] != "" {
		a1 += ":" + f["authzid"]
	}
	a2 := method + ":" + f["digest-uri"]
	return md5Hex(md5Hex(a1) + ":" + f["nonce"] + ":" + f["nc"] + ":" + f["cnonce"] + ":auth:" + md5Hex(a2))
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// latin1 is what is hashed of a UTF-8 text: ISO 8859-1 if it can be written
// so (RFC 2831 section 2.1.2.1), else its bytes.
func latin1(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return s
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// parseDigest reads a list of name=value or name="value", separated by
// commas; of a name that comes twice the last counts.
func parseDigest(s string) (map[string]string, error) {
	bad := errors.New("Parse error")
	f := map[string]string{}
	for s = skipBlanks(s); s != ""; s = skipBlanks(s) {
		name, rest, ok := strings.Cut(s, "=")
		name = strings.ToLower(strings.TrimRight(name, " \t\r\n"))
		if !ok || name == "" || strings.ContainsAny(name, "\",") {
			return nil, bad
		}
		rest = strings.TrimLeft(rest, " \t\r\n")
		var value string
		if strings.HasPrefix(rest, `"`) {
			if value, rest, ok = quotedDigest(rest[1:]); !ok {
				return nil, bad
			}
		} else if end := strings.IndexAny(rest, ", \t\r\n"); end >= 0 {
			value, rest = rest[:end], rest[end:]
		} else {
			value, rest = rest, ""
		}
		f[name] = value
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest != "" && rest[0] != ',' {
			return nil, bad
		}
		s = rest
	}
	return f, nil
}

// skipBlanks drops blanks and empty members of the list.
func skipBlanks(s string) string { return strings.TrimLeft(s, " \t\r\n,") }

// quotedDigest reads what follows an opening quote.
func quotedDigest(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
