package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	"runtime"
	"sync"
	"time"
)

// accountVerifier checks passwords against Accounts.
//
// A hash that is slow on purpose would make 0.1 s of work of each of the
// many log-ins of one mail client. So a password that was found right is
// known for a minute, as an HMAC under a key that only this process has
// and that is never written anywhere: who can read it there can read the
// passwords themselves as they arrive. The record is part of what is
// hashed, so a changed password or deleted account counts at once. For
// saslauthd nothing of the kind is done, because there we do not learn of
// changes; sasldb needs it not.
type accountVerifier struct {
	accounts *Accounts
	log      *slog.Logger

	once sync.Once
	key  [32]byte
	slow chan struct{} // one place for each hash that may be computed at a time

	mu    sync.Mutex // guards known
	known map[[sha256.Size]byte]time.Time
}

const (
	knownTTL = time.Minute
	knownMax = 4096 // at most so many passwords are remembered
)

func (v *accountVerifier) setup() {
	_, _ = rand.Read(v.key[:]) // never fails
	v.known = make(map[[sha256.Size]byte]time.Time)
	v.slow = make(chan struct{}, runtime.GOMAXPROCS(0))
}

func (v *accountVerifier) verify(ctx context.Context, a *Attempt) *Error {
	v.once.Do(v.setup)
	record, found, err := v.accounts.Lookup(a.User)
	if err != nil {
		v.log.Error("SASL unable to read accounts", "error", err)
		return &Error{Code: Fail, Err: err}
	}
	mac := v.mac(a.User, record, a.Password)
	if found && v.isKnown(mac) {
		return nil
	}
	select {
	case v.slow <- struct{}{}:
		defer func() { <-v.slow }()
	case <-ctx.Done():
		return &Error{Code: Fail, Err: ctx.Err()}
	}
	if !found {
		_, _ = checkRecord(nobody, a.Password) // takes as long as a wrong password
		return &Error{Code: NoUser}
	}
	ok, err := checkRecord(record, a.Password)
	if err != nil {
		v.log.Error("SASL bad account", "user", a.User, "error", err)
		return &Error{Code: Fail, Err: err}
	}
	if !ok {
		return &Error{Code: BadAuth}
	}
	v.remember(mac)
	return nil
}

// mac is what a right password is remembered as.
func (v *accountVerifier) mac(user, record, password string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, v.key[:])
	for _, s := range []string{user, record, password} {
		h.Write([]byte(s))
		h.Write([]byte{0}) // none of them has a NUL
	}
	h.Sum(sum[:0])
	return sum
}

func (v *accountVerifier) isKnown(mac [sha256.Size]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	until, ok := v.known[mac]
	return ok && time.Now().Before(until)
}

func (v *accountVerifier) remember(mac [sha256.Size]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if len(v.known) >= knownMax {
		for m, until := range v.known {
			if now.After(until) {
				delete(v.known, m)
			}
		}
		if len(v.known) >= knownMax {
			clear(v.known)
		}
	}
	v.known[mac] = now.Add(knownTTL)
}
