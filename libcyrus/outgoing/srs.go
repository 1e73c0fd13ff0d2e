package outgoing

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
)

// A rewriter makes the return path of a mail that is passed on one of this
// site (sender rewriting scheme, srs_*): a bounce comes here, and whoever has
// the secret can see that the address was made here and to whom it belongs.
//
// The forms are those of libsrs2, with which Cyrus is built where it has this
// (srs_forward): SRS0=HASH=DAY=host=user of an address as people have it, and
// SRS1=HASH=host==REST of one that somebody else has rewritten before.
type rewriter struct {
	domain string
	always bool // also what is in that domain already
	sep    string
	secret string
	length int // characters of HASH
}

// defaultHashLength is libsrs2's.
const defaultHashLength = 4

// maxHashLength is all of a SHA-1 sum in base64, without padding.
const maxHashLength = 27

var errSeparator = errors.New(`srs_separator must be one of "=", "-" and "+"`)

// newRewriter reads srs_*: nil if there is no srs_domain.
//
// Source: sieve_srs_init in Cyrus imap/lmtp_sieve.c.
func newRewriter(c *config.Config) (*rewriter, error) {
	r := &rewriter{domain: config.SrsDomain.In(c), always: config.SrsAlwaysrewrite.In(c), sep: "=", length: defaultHashLength}
	if r.domain == "" {
		return nil, nil
	}
	if s := config.SrsSeparator.In(c); s != "" {
		if r.sep = s[:1]; !isSeparator(s[0]) {
			return nil, errSeparator
		}
	}
	if n := config.SrsHashlength.In(c); n > maxHashLength {
		return nil, fmt.Errorf("srs_hashlength must be at most %d", maxHashLength)
	} else if n > 0 {
		r.length = n
	}
	// Any of the secrets opens an address; the first one makes them.
	secrets := strings.FieldsFunc(config.SrsSecrets.In(c), func(c rune) bool { return strings.ContainsRune(", \t\r\n", c) })
	if len(secrets) == 0 {
		return nil, errors.New("srs_domain without srs_secrets")
	}
	r.secret = secrets[0]
	return r, nil
}

func isSeparator(c byte) bool { return c == '=' || c == '-' || c == '+' }

// tagged reports whether a local part begins with SRS0 or SRS1 and a
// separator, and returns what follows the tag, with the separator.
func tagged(local, tag string) (rest string, ok bool) {
	n := len(tag)
	if len(local) <= n || !strings.EqualFold(local[:n], tag) || !isSeparator(local[n]) {
		return "", false
	}
	return local[n:], true
}

// forward is the return path of a mail from sender that is passed on at a
// time. The null path, and what is in domain already, stay.
func (r *rewriter) forward(sender string, now time.Time) (string, error) {
	if sender == "" {
		return "", nil
	}
	local, host, ok := strings.Cut(sender, "@")
	if !ok {
		return "", errors.New("no @ in the sender")
	}
	if !r.always && strings.EqualFold(host, r.domain) {
		return sender, nil
	}
	if rest, ok := tagged(local, "SRS1"); ok {
		_, rest, ok = strings.Cut(rest[1:], "=")
		host, local, found := strings.Cut(rest, "=")
		if !ok || !found || host == "" || local == "" {
			return "", errors.New("no host and user in an SRS1 address")
		}
		return "SRS1" + r.sep + r.hash(host, local) + "=" + host + "=" + local + "@" + r.domain, nil
	}
	if rest, ok := tagged(local, "SRS0"); ok {
		return "SRS1" + r.sep + r.hash(host, rest) + "=" + host + "=" + rest + "@" + r.domain, nil
	}
	day := stamp(now)
	return "SRS0" + r.sep + r.hash(day, host, local) + "=" + day + "=" + host + "=" + local + "@" + r.domain, nil
}

// stamp is the day, modulo 1024, in two characters.
func stamp(now time.Time) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	day := now.Unix() / (24 * 60 * 60)
	return string([]byte{digits[day>>5&31], digits[day&31]})
}

// hash is the beginning of the keyed sum of some texts in lower case.
func (r *rewriter) hash(texts ...string) string {
	h := hmac.New(sha1.New, []byte(r.secret))
	for _, t := range texts {
		h.Write(lowerASCII(t))
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))[:r.length]
}

func lowerASCII(s string) []byte {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

// Forwarded is the return path of a mail that is passed on for somebody: the
// sender's, or one of this site if srs_domain says so. One that cannot be
// rewritten stays, with a line in the log, as in Cyrus.
func (s *Sender) Forwarded(sender string) string {
	if s.srs == nil {
		return sender
	}
	path, err := s.srs.forward(sender, time.Now())
	if err != nil {
		s.log.Error(fmt.Sprintf("sieve SRS forward failed (%s, %s): %v", sender, s.srs.domain, err))
		return sender
	}
	return path
}
