package sasl

import (
	"bytes"
	"errors"
	"strings"

	gosasl "github.com/emersion/go-sasl"

	"gocyrus/libcyrus/auth"
)

// mechanism is one way to authenticate.
type mechanism struct {
	name      string
	plaintext bool // the password can be read on the wire
	start     func(*attempt) gosasl.Server
}

// mechanisms is all there are, in the order in which they are offered
// without sasl_mech_list. To add one: write its gosasl.Server, which ends
// in attempt.password or sets attempt.user, and a line here.
var mechanisms = []mechanism{
	{"PLAIN", true, func(a *attempt) gosasl.Server { return &plain{gosasl.NewPlainServer(a.password)} }},
	{"LOGIN", true, func(a *attempt) gosasl.Server { return &login{attempt: a} }},
}

// maxResponse bounds each of a client's answers, in bytes (the SASL
// library's login plugin has the same bound).
const maxResponse = 1024

// password ends the mechanisms that have been given a password. identity
// is whom the user wants to act as, "" for himself.
func (a *attempt) password(identity, user, password string) error {
	if strings.TrimSpace(user) == "" {
		return &auth.Error{Code: auth.Fail, Detail: "All-whitespace username."}
	}
	authID, ok := a.site.Canonical(a.ctx, user, a.peer.Local)
	if !ok {
		return &auth.Error{Code: auth.BadAuth, Detail: "bad userid authenticated"}
	}
	target := authID
	if identity != "" {
		if target, ok = a.site.Canonical(a.ctx, identity, a.peer.Local); !ok {
			return &auth.Error{Code: auth.BadAuth, Detail: "bad userid authenticated"}
		}
	}
	u, e := a.login(a.ctx, a.peer, authID, target, password, "Password verification failed")
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
