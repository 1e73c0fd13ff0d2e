package main

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/syslog"
)

// errCancelled is returned when the client answers a challenge with "*".
var errCancelled = errors.New("client canceled authentication")

// auth is AUTH (RFC 4954).
func (s *session) auth(ctx context.Context, args string) {
	mech, initial, given := strings.Cut(args, " ")
	mech = strings.ToUpper(mech)
	switch {
	case s.trust == authenticated:
		s.w.Line("503 5.5.0 already authenticated")
	case len(s.mail.to) > 0:
		s.w.Line("503 5.5.0 AUTH not permitted now")
	case s.trust == preauth:
		s.external(ctx, mech, initial, given)
	default:
		s.exchange(ctx, mech, initial, given)
	}
}

// external lets a trusted client authenticate by what it is (RFC 4422
// appendix A), as MTAs do that were told to.
func (s *session) external(ctx context.Context, mech, initial string, given bool) {
	if mech != "EXTERNAL" {
		s.w.Line("504 Unrecognized authentication type.")
		return
	}
	_, err := s.answer(ctx, nil, initial, given)
	if err != nil {
		s.authFailed(err)
		return
	}
	s.trust = authenticated
	s.w.Line("235 Authenticated!")
}

// exchange runs a SASL exchange to its end.
func (s *session) exchange(ctx context.Context, mech, initial string, given bool) {
	peer := s.peer()
	x, failed := s.sasl.Start(ctx, peer, mech)
	if failed != nil {
		if failed.Code == auth.NoMech {
			s.w.Line("504 Unrecognized authentication type.")
		} else {
			s.w.Linef("501 5.5.4 %s", failed.Reply())
		}
		return
	}
	var response []byte
	if given {
		var err error
		if response, err = s.answer(ctx, nil, initial, true); err != nil {
			s.authFailed(err)
			return
		}
	}
	for {
		challenge, done, err := x.Next(response)
		var refused *auth.Error
		if errors.As(err, &refused) {
			s.sasl.Failed(ctx, peer, mech, refused)
			s.w.Linef("501 5.5.4 %s", refused.Reply())
			return
		}
		if done {
			s.loggedIn(ctx, x.User(), mech)
			return
		}
		if response, err = s.answer(ctx, challenge, "", false); err != nil {
			s.authFailed(err)
			return
		}
	}
}

func (s *session) loggedIn(ctx context.Context, u auth.User, mech string) {
	s.trust = authenticated
	s.conn.StartTelemetry(u.ID)
	if s.tls {
		mech += "+TLS"
	}
	s.log.Log(ctx, syslog.LevelNotice, "login: "+s.conn.Client()+" "+u.ID+" "+mech+" User logged in")
	s.w.Line("235 Authenticated!")
}

// answer sends a challenge, unless the answer came with the command, and
// returns what the client says to it.
func (s *session) answer(ctx context.Context, challenge []byte, initial string, given bool) ([]byte, error) {
	text := initial
	if !given {
		s.w.Line("334 " + base64.StdEncoding.EncodeToString(challenge))
		line, err := s.next(ctx)
		if err != nil {
			return nil, err
		}
		if text = string(line); text == "*" {
			return nil, errCancelled
		}
	} else if text == "=" {
		return []byte{}, nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("Error reading client response: error base64-decoding string")
	}
	return append([]byte{}, b...), nil
}

func (s *session) authFailed(err error) { s.w.Linef("501 5.5.4 %v", err) }
