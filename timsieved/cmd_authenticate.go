package main

import (
	"encoding/base64"
	"errors"
	"strings"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/scripts"
)

// errAuth is what Cyrus says to every log-in that fails.
const errAuth = syntaxError("Authentication Error")

// authenticate is AUTHENTICATE (RFC 5804 section 2.1).
//
// Source: cmd_authenticate in Cyrus timsieved/parser.c.
func (s *session) authenticate() error {
	mech, response, err := s.authArgs()
	if err != nil {
		return err
	}
	if s.scripts != nil {
		return refusal{"", "Already authenticated"}
	}
	initial, fail := decode(response)
	if fail != nil {
		return s.authFailed(mech, fail)
	}
	x, fail := s.sasl.Start(s.ctx, &s.peer, mech)
	if fail != nil {
		return s.authFailed(mech, fail)
	}
	answer := initial
	for {
		challenge, done, err := x.Next(answer)
		if err != nil {
			if errors.As(err, &fail) {
				return s.authFailed(mech, fail)
			}
			return err
		}
		if done {
			return s.enter(x.User(), strings.ToUpper(mech), challenge)
		}
		s.w.Line(literal(base64.StdEncoding.EncodeToString(challenge)))
		if err := s.w.Flush(); err != nil {
			return err
		}
		s.r.ended = false
		text, err := s.r.text(string(errAuth))
		if err == nil {
			err = s.r.eol()
		}
		if err != nil {
			return err
		}
		if answer, fail = decode(&text); fail != nil {
			return s.authFailed(mech, fail)
		}
	}
}

// authArgs reads the mechanism and the initial response, nil if there is
// none.
func (s *session) authArgs() (mech string, initial *string, err error) {
	if err := s.r.space("SPACE must occur after AUTHENTICATE"); err != nil {
		return "", nil, err
	}
	if mech, err = s.r.text("Did not specify mechanism name"); err != nil {
		return "", nil, err
	}
	end, err := s.r.atEOL()
	if err != nil || end {
		return mech, nil, errors.Join(err, s.r.eol())
	}
	if err := s.r.space("Expected SPACE"); err != nil {
		return "", nil, err
	}
	text, err := s.r.text("Expected string")
	if err == nil {
		err = s.r.eol()
	}
	return mech, &text, err
}

// decode reads the base64 of a response.
func decode(text *string) ([]byte, *auth.Error) {
	if text == nil {
		return nil, nil
	}
	b, err := base64.StdEncoding.DecodeString(*text)
	if err != nil {
		return nil, &auth.Error{Code: auth.BadProt, Detail: "error base64 decoding string"}
	}
	return append([]byte{}, b...), nil
}

// authFailed logs a refused log-in and words it.
func (s *session) authFailed(mech string, fail *auth.Error) error {
	s.sasl.Failed(s.ctx, &s.peer, mech, fail)
	return errAuth
}

// enter opens the scripts of a user who has proved who he is. last is what
// the mechanism still has to say to the client.
func (s *session) enter(u auth.User, mech string, last []byte) error {
	own, err := s.storeOf(u)
	if err != nil {
		s.log.Error("scripts of "+u.ID+" cannot be opened", "error", err)
		return errAuth
	}
	s.userID, s.scripts = u.ID, own
	if s.peer.TLS {
		mech += "+TLS"
	}
	s.notice("login: %s %s %s User logged in", s.peer.Client, u.ID, mech)
	if u.AuthID != "" && u.AuthID != u.ID {
		s.log.Info(u.AuthID + " acts as " + u.ID + " SESSIONID=<" + s.conn.SessionID() + ">")
	}
	s.conn.SetProc(s.userID, "", "")
	s.conn.StartTelemetry(u.ID)
	if last != nil {
		s.w.Line(`OK (SASL "` + base64.StdEncoding.EncodeToString(last) + `")`)
		return nil
	}
	return s.ok()
}

// storeOf returns the scripts that a user may change: his own. An admin who
// acts as himself and has no INBOX changes the global ones, of his domain or
// of the site.
//
// Source: actions_setuser of Cyrus 3.4 timsieved/actions.c; 3.6 refuses him.
func (s *session) storeOf(u auth.User) (store, error) {
	own, err := scripts.Open(s.ctx, s.site, u.ID)
	if !u.Admin || !errs.Is(err, errs.NotFound) {
		return own, err
	}
	return scripts.OpenGlobal(s.site, mboxname.UserParts(u.ID).Domain)
}
