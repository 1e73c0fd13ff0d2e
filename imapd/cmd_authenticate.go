package main

import (
	"encoding/base64"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/sasl"
)

// maxSASL is the longest line of a SASL exchange, in base64; RFC 4422 has no
// limit, this is more than any mechanism of ours needs.
const maxSASL = 16 << 10

// authenticate logs in by SASL (RFC 3501 section 6.2.2, RFC 4959).
//
// Source: cmd_authenticate in Cyrus imap/imapd.c.
func (s *session) authenticate(r *imapwire.Reader) (string, error) {
	if !r.Space() {
		return "", r.Missing()
	}
	mech := r.Word()
	if !imapwire.IsAtom(mech) {
		return "", imapwire.SyntaxError("Invalid authenticate mechanism")
	}
	var initial *string
	if r.Space() {
		w := r.Word()
		initial = &w
	}
	if err := r.End(); err != nil {
		return "", err
	}
	if s.user != nil {
		s.w.Line(s.tag, " BAD Already authenticated")
		return "", errAnswered
	}
	if !s.sasl.Allowed(&s.peer) {
		return "", refusal("Authenticate only available under a layer")
	}
	x, fail := s.sasl.Start(s.ctx, &s.peer, mech)
	if fail != nil {
		s.sasl.Failed(s.ctx, &s.peer, mech, fail)
		return "", refusal(fail.Reply())
	}
	return s.exchange(x, mech, initial)
}

// exchange does the steps of a mechanism.
func (s *session) exchange(x *sasl.Exchange, mech string, initial *string) (string, error) {
	var response []byte
	if initial != nil {
		var err error
		if response, err = decodeSASL(*initial); err != nil {
			return "", imapwire.SyntaxError("Invalid initial response in " + s.r.Command)
		}
	}
	for {
		challenge, done, err := x.Next(response)
		if err != nil {
			return "", s.authFailed(mech, err)
		}
		if done && challenge == nil {
			return s.authenticated(x.User(), mech)
		}
		line, err := s.ask(challenge)
		if err != nil || done {
			if err == nil {
				return s.authenticated(x.User(), mech)
			}
			return "", err
		}
		if response, err = decodeSASL(line); err != nil {
			return "", refusal(notDone)
		}
	}
}

// notDone is what Cyrus answers to a response that is not base64.
const notDone = "another step is needed in authentication"

// ask sends a challenge and reads the client's line.
func (s *session) ask(challenge []byte) (string, error) {
	s.w.Line("+ ", base64.StdEncoding.EncodeToString(challenge))
	line := s.r.Line(maxSASL)
	if s.r.Err() != nil {
		return "", s.r.Err()
	}
	if line == "*" {
		s.w.Line(s.tag, " BAD Client canceled authentication")
		return "", errAnswered
	}
	return line, nil
}

// decodeSASL decodes a client's response; "=" is an empty one.
func decodeSASL(line string) ([]byte, error) {
	if line == "=" {
		return []byte{}, nil
	}
	return base64.StdEncoding.DecodeString(line)
}

// authFailed logs a failure and words it.
func (s *session) authFailed(mech string, err error) error {
	fail, ok := err.(*auth.Error)
	if !ok {
		return err
	}
	s.sasl.Failed(s.ctx, &s.peer, mech, fail)
	return refusal(fail.Reply())
}

// authenticated logs in the user that a mechanism has found.
func (s *session) authenticated(u auth.User, mech string) (string, error) {
	if err := s.enter(u, mech); err != nil {
		return "", err
	}
	protection := "no protection"
	if s.peer.TLS {
		protection = "tls protection"
	}
	return "[CAPABILITY " + s.capabilities(full) + "] Success (" + protection + ") SESSIONID=<" + s.conn.SessionID() + ">", nil
}
