package sasl

import (
	"crypto/rand"
	"errors"
	"hash"
	"strings"

	gosasl "github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"

	"gocyrus/libcyrus/auth"
)

// scramRounds is the cost that clients are asked to pay. The password is
// stored as it is, so that it protects nothing; RFC 7677 wants this many.
const scramRounds = 4096

// scramServer is one of the SCRAM mechanisms (RFC 5802, RFC 7677), without
// channel binding.
type scramServer struct {
	*attempt
	name   string
	talk   *scram.ServerConversation
	steps  int    // Next was called
	proof  bool   // the client has proved itself; only its last answer is missing
	authID string // canonical, once known
	fail   *auth.Error
	nobody bool // there is no such user; he is not told until his proof fails
}

func newScram(name string, h func() hash.Hash) func(*attempt) gosasl.Server {
	return func(a *attempt) gosasl.Server {
		s := &scramServer{attempt: a, name: name}
		server, err := scram.HashGeneratorFcn(h).NewServer(func(user string) (scram.StoredCredentials, error) {
			return s.credentials(user, h)
		})
		if err == nil {
			s.talk = server.NewConversation()
		}
		return s
	}
}

// credentials makes what the conversation needs from the stored password.
func (s *scramServer) credentials(user string, h func() hash.Hash) (scram.StoredCredentials, error) {
	if s.authID, _, s.fail = s.canonical(user, ""); s.fail != nil {
		return scram.StoredCredentials{}, s.fail
	}
	password, e := s.site.Secret(s.authID, "")
	if e != nil && e.Code != auth.NoUser {
		s.fail = e
		return scram.StoredCredentials{}, e
	}
	if e != nil {
		s.nobody, password = true, []byte(rand.Text())
	}
	client, err := scram.HashGeneratorFcn(h).NewClient(user, string(password), "")
	if err != nil {
		return scram.StoredCredentials{}, err
	}
	salt := make([]byte, h().Size())
	_, _ = rand.Read(salt) // never fails
	return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: scramRounds})
}

func (s *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case s.talk == nil:
		return nil, true, &auth.Error{Code: auth.Fail, Detail: s.name + " does not work"}
	case response == nil && s.steps == 0:
		return []byte{}, false, nil
	case len(response) > 3*maxResponse:
		return nil, true, errors.New("answer is too long")
	case s.proof: // what the client says to our proof does not matter
		return nil, true, nil
	}
	s.steps++
	answer, err := s.talk.Step(string(response))
	if err != nil {
		return nil, true, s.failed(err, s.steps == 1)
	}
	if !s.talk.Done() {
		return []byte(answer), false, nil
	}
	if err := s.finish(); err != nil {
		return nil, true, err
	}
	s.proof = true
	return []byte(answer), false, nil
}

// finish lets in who has proved himself.
func (s *scramServer) finish() error {
	_, target, e := s.canonical(s.talk.Username(), s.talk.AuthzID())
	if e != nil {
		return e
	}
	return s.proved(s.authID, target)
}

// failed words an error of the conversation as the SASL library does.
func (s *scramServer) failed(err error, first bool) *auth.Error {
	if s.fail != nil {
		return s.fail
	}
	e := &auth.Error{Code: auth.BadProt, User: s.authID, Detail: "Invalid " + s.name + " input", Err: err}
	switch text := err.Error(); {
	case strings.Contains(text, "proof"):
		e.Code, e.Detail = auth.BadAuth, "StoredKey mismatch"
	case strings.Contains(text, "nonce received"):
		e.Detail = "Nonce mismatch " + s.name + " input"
	case first && strings.Contains(text, "channel binding"):
		e.Detail = "Channel bindings data expected in " + s.name
	case first && strings.Contains(text, "encoding"):
		e.Detail = "Invalid username encoding in " + s.name + " input"
	}
	if s.nobody {
		return &auth.Error{Code: auth.NoUser, Detail: "unable to canonify user and get auxprops"}
	}
	return e
}
