package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
)

// internalMechanism is the only mechanism that signs URLs (RFC 4467 section
// 2.4), in upper case.
const internalMechanism = "INTERNAL"

// hmacSHA1 is the first octet of a token: which algorithm made the rest
// (URLAUTH_ALG_HMAC_SHA1 in Cyrus imap/imapd.c).
const hmacSHA1 = 0

// token signs what is to be signed of a URL with a user's secret, which may
// not be empty.
func token(secret []byte, rump string) []byte {
	h := hmac.New(sha1.New, secret)
	h.Write([]byte(rump))
	return h.Sum([]byte{hmacSHA1})
}

// errBadURL says that a URL names nothing that the client may have.
var errBadURL = errs.New(errs.BadName, "imapd.urlauth", "", nil)

// soundURL reads a URL that names a message of this server, and looks at all
// that does not depend on a mailbox.
func (s *session) soundURL(text string) (u imapwire.SignedURL, err error) {
	u, ok := imapwire.ParseSignedURL(text)
	if !ok || u.User == "" || u.Server != s.name || u.Mailbox == "" || u.UID == 0 || u.NoSection || u.Access == "" || u.BadExpire {
		return u, errBadURL
	}
	if !u.Expire.IsZero() && u.Expire.Before(time.Now()) {
		return u, errBadURL
	}
	return u, nil
}

// urlMailbox finds the mailbox of a URL. Whose URL it is must be able to read
// it now: a right that is taken away ends what he has allowed to others.
func (s *session) urlMailbox(u *imapwire.SignedURL) (*mboxlist.Entry, error) {
	owner, ns := s.who, s.ns
	if u.User != s.user.ID {
		who := s.auth.User(s.ctx, u.User)
		owner = mboxlist.Actor{SessionID: s.conn.SessionID()}
		owner.User, owner.Groups, owner.Admin = who.ID, who.Groups, who.Admin
		ns = s.site.Namespace(who.ID, who.Admin)
	}
	n, err := ns.InUTF8().Internal(u.Mailbox)
	if err != nil {
		return nil, noSuchMailbox(err)
	}
	return s.site.List.Need(s.ctx, owner, n, acl.Read)
}

// mayUse reports whether the URL is for this client (RFC 4467 section 3).
//
// Source: cmd_urlfetch in Cyrus imap/imapd.c.
func (s *session) mayUse(u *imapwire.SignedURL) bool {
	kind, name, named := strings.Cut(u.Access, "+")
	switch strings.ToLower(kind) {
	case "submit":
		return named && s.auth.IsSubmitServer(s.user)
	case "user":
		return named && name == s.user.ID
	case "authuser":
		return !named && s.user.ID != auth.Anonymous
	case "anonymous":
		return !named
	}
	return false
}

// verified finds the mailbox of a URL that the client may fetch from.
//
// Source: cmd_urlfetch in Cyrus imap/imapd.c, with Debian's fixes: without a
// key nothing is signed, and the rights are those of now.
func (s *session) verified(text string) (*imapwire.SignedURL, *mboxlist.Entry, error) {
	u, err := s.soundURL(text)
	if err != nil {
		return nil, nil, err
	}
	if !strings.EqualFold(u.Mechanism, internalMechanism) || len(u.Token) == 0 || !s.mayUse(&u) {
		return nil, nil, errBadURL
	}
	e, err := s.urlMailbox(&u)
	if err != nil {
		return nil, nil, err
	}
	secret, err := s.site.MboxKeys.Get(s.ctx, u.User, e.Name)
	if err != nil {
		return nil, nil, err
	}
	if len(secret) == 0 || !hmac.Equal(u.Token, token(secret, u.Rump)) {
		return nil, nil, errBadURL
	}
	return &u, e, nil
}
