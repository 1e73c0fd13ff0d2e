package main

import (
	"bytes"
	"encoding/base64"
	"strings"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/sasl"
)

// authenticate logs in by SASL (RFC 5034). Without an argument it lists the
// mechanisms, as some old clients expect.
//
// Source: cmd_auth in Cyrus imap/pop3d.c, saslserver in imap/saslserver.c.
func (s *session) authenticate(arg string) error {
	if s.tlsMissing() {
		return refusal("[AUTH] AUTH command only available under a layer")
	}
	if arg == "" {
		s.w.Line("+OK List of supported mechanisms follows")
		for _, m := range s.sasl.Mechanisms(&s.peer) {
			s.w.Line(m)
		}
		s.w.Line(".")
		return nil
	}
	mech, initial := arg, ""
	if i := strings.IndexAny(arg, blanks); i >= 0 {
		mech, initial = arg[:i], arg[i+1:]
	}
	x, fail := s.sasl.Start(s.ctx, &s.peer, mech)
	if fail != nil {
		return s.authFailed(mech, fail)
	}
	response, fail := initialResponse(initial)
	if fail != nil {
		return s.authFailed(mech, fail)
	}
	return s.exchange(x, mech, response)
}

// initialResponse decodes what stands behind the mechanism: nil for nothing,
// and for what is cut off, which Cyrus overlooks.
func initialResponse(text string) ([]byte, *auth.Error) {
	switch text {
	case "":
		return nil, nil
	case "=":
		return []byte{}, nil
	}
	response, fail := decodeSASL(text)
	if fail != nil && fail.Code == auth.NotDone {
		return nil, nil
	}
	return response, fail
}

// decodeSASL decodes base64: auth.NotDone if it is cut off, auth.BadProt if it
// has bad characters.
//
// Source: sasl_decode64 of Cyrus SASL.
func decodeSASL(text string) ([]byte, *auth.Error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		return append([]byte{}, b...), nil
	}
	whole := text[:len(text)/4*4]
	if _, err := base64.StdEncoding.DecodeString(whole); err == nil && !strings.HasSuffix(whole, "=") {
		return nil, &auth.Error{Code: auth.NotDone}
	}
	return nil, &auth.Error{Code: auth.BadProt}
}

// exchange does the steps of a mechanism.
func (s *session) exchange(x *sasl.Exchange, mech string, response []byte) error {
	for step := 0; ; step++ {
		challenge, done, err := x.Next(s.withoutSubfolder(mech, step, response))
		if err != nil {
			if fail, ok := asFailure(err); ok {
				return s.authFailed(mech, fail)
			}
			return err
		}
		if done && challenge == nil {
			return s.enter(x.User(), strings.ToUpper(mech))
		}
		s.w.Line("+ " + base64.StdEncoding.EncodeToString(challenge))
		if err := s.w.Flush(); err != nil {
			return err
		}
		line, err := s.line()
		if err != nil {
			return err
		}
		if line == "*" {
			s.subfolder = ""
			return refusal("[AUTH] Client canceled authentication")
		}
		if done {
			return s.enter(x.User(), strings.ToUpper(mech))
		}
		var fail *auth.Error
		if response, fail = decodeSASL(line); fail != nil {
			return s.authFailed(mech, fail)
		}
	}
}

// withoutSubfolder takes "+folder" out of the name in a response of PLAIN or
// LOGIN (popsubfolders) and keeps it.
func (s *session) withoutSubfolder(mech string, step int, response []byte) []byte {
	if response == nil || bytes.IndexByte(response, '+') < 0 {
		return response
	}
	switch strings.ToUpper(mech) {
	case "LOGIN":
		if s.subfolder != "" || step > 1 {
			return response
		}
		var user string
		user, s.subfolder = s.splitUser(string(response))
		return []byte(user)
	case "PLAIN":
		f := bytes.SplitN(response, []byte{0}, 3) // authzid, authcid, password
		for i := range min(2, len(f)) {
			user, subfolder := s.splitUser(string(f[i]))
			if subfolder != "" {
				f[i], s.subfolder = []byte(user), subfolder
			}
		}
		return bytes.Join(f, []byte{0})
	}
	return response
}

// authFailed logs a refused log-in and words it.
func (s *session) authFailed(mech string, fail *auth.Error) error {
	s.sasl.Failed(s.ctx, &s.peer, mech, fail)
	s.subfolder = ""
	text := fail.Reply()
	if fail.Code == auth.NotDone {
		text = "another step is needed in authentication" // SASL_CONTINUE
	}
	return refusal("[AUTH] authenticating: " + text)
}
