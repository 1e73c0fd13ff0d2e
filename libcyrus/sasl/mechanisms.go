package sasl

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"strings"

	gosasl "github.com/emersion/go-sasl"

	"gocyrus/libcyrus/auth"
)

// mechanism is one way to authenticate.
type mechanism struct {
	name  string
	kind  kind
	start func(*attempt) gosasl.Server
}

// kind is what a mechanism needs.
type kind uint8

const (
	plaintext kind = iota // a connection that others cannot read
	challenge             // passwords that the server can read
)

// mechanisms is all there are, in the order in which they are offered
// without sasl_mech_list, which is the SASL library's. To add one: write its
// gosasl.Server, which ends in attempt.password or attempt.proved, and a
// line here.
var mechanisms = []mechanism{
	{"SCRAM-SHA-512", challenge, newScram("SCRAM-SHA-512", sha512.New)},
	{"SCRAM-SHA-384", challenge, newScram("SCRAM-SHA-384", sha512.New384)},
	{"SCRAM-SHA-256", challenge, newScram("SCRAM-SHA-256", sha256.New)},
	{"SCRAM-SHA-224", challenge, newScram("SCRAM-SHA-224", sha256.New224)},
	{"SCRAM-SHA-1", challenge, newScram("SCRAM-SHA-1", sha1.New)},
	{"DIGEST-MD5", challenge, newDigest},
	{"CRAM-MD5", challenge, newCram},
	{"PLAIN", plaintext, func(a *attempt) gosasl.Server { return &plain{gosasl.NewPlainServer(a.password)} }},
	{"LOGIN", plaintext, func(a *attempt) gosasl.Server { return &login{attempt: a} }},
}

// maxResponse bounds each of a client's answers, in bytes (the SASL
// library's login plugin has the same bound).
const maxResponse = 1024

// password ends the mechanisms that have been given a password. identity
// is whom the user wants to act as, "" for himself.
func (a *attempt) password(identity, user, password string) error {
	authID, target, e := a.canonical(user, identity)
	if e != nil {
		return e
	}
	u, e := a.login(a.ctx, a.peer, authID, target, password, "Password verification failed")
	if e != nil {
		return e
	}
	a.user = u
	return nil
}

// canonical brings the name of who proves himself and of whom he wants to
// act as ("" for himself) into their form.
func (a *attempt) canonical(user, identity string) (authID, target string, e *auth.Error) {
	if strings.TrimSpace(user) == "" {
		return "", "", &auth.Error{Code: auth.Fail, Detail: "All-whitespace username."}
	}
	user, a.plus = a.CutPlus(user)
	authID, ok := a.site.Canonical(a.ctx, user, a.peer.Local)
	target = authID
	if ok && identity != "" {
		identity, a.plus = a.CutPlus(identity)
		target, ok = a.site.Canonical(a.ctx, identity, a.peer.Local)
	}
	if !ok {
		return "", "", &auth.Error{Code: auth.BadAuth, Detail: "bad userid authenticated"}
	}
	return authID, target, nil
}

// proved ends the mechanisms in which somebody has proved to know the
// password of authID; target is whom he wants to act as.
func (a *attempt) proved(authID, target string) error {
	u, e := a.authorize(a.ctx, authID, target)
	if e != nil {
		return e
	}
	a.user = u
	return nil
}

// plain is PLAIN (RFC 4616) with a bound on the answer and the SASL
// library's words for a malformed one.
type plain struct{ gosasl.Server }

func (p *plain) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
	case len(response) > 3*maxResponse:
		return nil, true, errors.New("answer is too long")
	case bytes.Count(response, []byte{0}) < 2:
		return nil, true, errors.New("Can only find author/en (no password)")
	case bytes.Count(response, []byte{0}) > 2:
		return nil, true, errors.New("Got more data than we were expecting in the PLAIN plugin")
	}
	return p.Server.Next(response)
}

// login is LOGIN (draft-murchison-sasl-login): two questions, two answers.
// The first answer may come with the start of the exchange.
type login struct {
	*attempt
	asked bool
	user  *string
}

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	if len(response) > maxResponse || bytes.IndexByte(response, 0) >= 0 {
		return nil, true, errors.New("answer is too long or has a NUL")
	}
	switch {
	case response == nil && !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	case response == nil:
		return nil, true, gosasl.ErrUnexpectedClientResponse
	case l.user == nil:
		s := string(response)
		l.user, l.asked = &s, true
		return []byte("Password:"), false, nil
	}
	return nil, true, l.attempt.password("", *l.user, string(response))
}
