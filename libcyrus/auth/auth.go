// Package auth decides who a user is: it brings names into their one
// form, checks passwords, and finds a user's groups and powers.
package auth

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
)

// User is somebody who has logged in, or as whom somebody acts. Its ID,
// Groups and Admin are those of an acl.Identity.
type User struct {
	ID     string   // canonical; "anonymous" is nobody in particular
	Groups []string // names of the groups that he is in, without "group:"
	Admin  bool     // one of imapd.conf's admins, and not acting as another
	// AuthID is whose password was given. It differs from ID when an
	// admin, a proxy server or the holder of an ACL acts as ID.
	AuthID string
	// ProxyAdmin says that somebody else acts as ID, who is an admin:
	// imapd lets a proxy server do then what it lets admins do.
	ProxyAdmin bool
	// Plus is what followed the name from a plus sign on, with imapmagicplus:
	// "+" alone shows the user his subscribed mailboxes only.
	Plus string
}

// Site answers all questions of this package for one configuration. It may
// be used by many goroutines.
type Site struct {
	conf   *config.Config
	log    *slog.Logger
	groups *groups
	pass   *passwords
}

// New returns the Site of c. It opens nothing yet.
func New(c *config.Config, log *slog.Logger) *Site {
	return &Site{conf: c, log: log, groups: newGroups(), pass: newPasswords(c, log)}
}

// User returns the user whose canonical id is id, with groups and powers.
func (s *Site) User(ctx context.Context, id string) User {
	u := User{ID: id, AuthID: id}
	if config.UnixGroupEnable.In(s.conf) && id != Anonymous {
		u.Groups = s.groups.of(ctx, id)
	}
	u.Admin = s.listed(config.Admins.In(s.conf), &u)
	return u
}

// listed reports whether u is meant by one of the blank-separated
// identifiers of list: a user id, "group:name" or "anyone"
// (global_authisa in Cyrus imap/global.c).
func (s *Site) listed(list string, u *User) bool {
	for _, id := range strings.Fields(list) {
		group, ok := strings.CutPrefix(id, "group:")
		switch {
		case id == Anyone, id == u.ID:
			return true
		case ok && slices.Contains(u.Groups, group):
			return true
		}
	}
	return false
}

// IsSubmitServer reports whether the user is one of imapd.conf's
// submitservers.
func (s *Site) IsSubmitServer(u *User) bool { return s.listed(config.Submitservers.In(s.conf), u) }

// IsProxyServer reports whether the user is one of imapd.conf's
// proxyservers.
func (s *Site) IsProxyServer(u *User) bool { return s.listed(config.Proxyservers.In(s.conf), u) }

// Code is a result of the SASL library. Admins know these numbers from
// their logs.
type Code int

// The results in use (sasl.h).
const (
	Fail     Code = -1
	BufOver  Code = -3
	NoMech   Code = -4
	BadProt  Code = -5
	NotDone  Code = -6
	BadAuth  Code = -13
	NoAuthz  Code = -14
	TooWeak  Code = -15
	Encrypt  Code = -16
	Disabled Code = -19
	NoUser   Code = -20
	Unavail  Code = -24
)

// texts is what the library calls its results (sasl_errstring).
var texts = map[Code]string{
	Fail:     "generic failure",
	BufOver:  "overflowed buffer",
	NoMech:   "no mechanism available",
	BadProt:  "bad protocol / cancel",
	NotDone:  "Information that was requested is not yet available.",
	BadAuth:  "authentication failure",
	NoAuthz:  "authorization failure",
	TooWeak:  "mechanism too weak for this user",
	Encrypt:  "encryption needed to use mechanism",
	Disabled: "account disabled",
	NoUser:   "user not found",
	Unavail:  "remote authentication server unavailable",
}

// Error is a refused or failed attempt to log in.
type Error struct {
	Code   Code
	Detail string // for the log: "checkpass failed"
	User   string // canonical name, "" where Cyrus logs none; see LogUser
	Err    error  // the cause of a failure of ours, or nil
}

// Error is what Cyrus writes into the log in brackets
// (sasl_errdetail): "SASL(-13): user not found: checkpass failed". The
// number of an unknown user is that of a wrong password.
func (e *Error) Error() string {
	code := e.Code
	if code == NoUser {
		code = BadAuth
	}
	return fmt.Sprintf("SASL(%d): %s: %s", code, texts[e.Code], e.Detail)
}

// Reply is what the client may be told. It does not tell an unknown user
// from a wrong password.
func (e *Error) Reply() string {
	if e.Code == NoUser {
		return texts[BadAuth]
	}
	return texts[e.Code]
}

// LogUser is the user as Cyrus writes him after a failed AUTHENTICATE.
func (e *Error) LogUser() string {
	if e.User == "" {
		return "-notset-"
	}
	return e.User
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
