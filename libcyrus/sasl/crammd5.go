package sasl

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	gosasl "github.com/emersion/go-sasl"

	"gocyrus/libcyrus/auth"
)

// cram is CRAM-MD5 (RFC 2195): the client hashes our challenge with its
// password. It has no other identity to act as.
type cram struct {
	*attempt
	challenge []byte
}

func newCram(a *attempt) gosasl.Server { return &cram{attempt: a} }

func (c *cram) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case c.challenge == nil && response != nil:
		return nil, true, errors.New("Remote sent first but mech does not allow it.")
	case c.challenge == nil:
		c.challenge = fmt.Appendf(nil, "<%s.%d@%s>", randomNumber(), time.Now().Unix(), c.conf.ServerName())
		return c.challenge, false, nil
	case len(response) > maxResponse:
		return nil, true, errors.New("answer is too long")
	}
	text := string(response)
	at := strings.LastIndexByte(text, ' ')
	if at <= 0 {
		return nil, true, errors.New("need authentication name")
	}
	authID, _, e := c.canonical(text[:at], "")
	if e != nil {
		return nil, true, e
	}
	password, e := c.site.Secret(authID, "")
	if e != nil {
		e.Detail = "user: " + authID + " property: cmusaslsecretCRAM-MD5 not found in sasldb"
		return nil, true, e
	}
	mac := hmac.New(md5.New, password)
	mac.Write(c.challenge)
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(text[at+1:])) {
		return nil, true, &auth.Error{Code: auth.BadAuth, Detail: "incorrect digest response", User: authID}
	}
	return nil, true, c.proved(authID, authID)
}

// randomNumber is decimal and cannot be guessed.
func randomNumber() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	var n uint64
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return fmt.Sprint(n)
}
