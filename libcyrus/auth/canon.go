package auth

import (
	"context"
	"net"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
)

// Anonymous is the id of a log-in without a name, Anyone the identifier
// that means everybody.
const (
	Anonymous = "anonymous"
	Anyone    = "anyone"
)

// maxID is the longest user id, in bytes (auth_unix.c's buffer).
const maxID = 80

// forbidden is what no user id may hold, besides control characters and
// bytes above 0x7e (allowedchars in Cyrus lib/auth_unix.c).
const forbidden = "%&*/:?"

// Canonical returns the one form of a user name that a client or an admin
// gave: lower case if username_tolower, without the default domain, and
// with virtdomains=on completed by the domain of local, the address at
// which the client reached us (may be nil). ok is false for a name that
// cannot be a user's.
//
// Source: canonify_userid in Cyrus imap/global.c, mycanonifyid in
// lib/auth_unix.c.
func (s *Site) Canonical(ctx context.Context, name string, local net.Addr) (id string, ok bool) {
	name, at := s.splitDomain(name)
	localpart := name
	if at >= 0 {
		localpart = name[:at]
	}
	switch strings.ToLower(localpart) {
	case "anonymous":
		return Anonymous, true
	case "anyone", "anybody":
		return Anyone, true
	}
	switch {
	case !s.virtual():
	case at >= 0:
		if strings.EqualFold(name[at+1:], config.Defaultdomain.In(s.conf)) {
			name = localpart
		}
	case config.Virtdomains.In(s.conf) == "on":
		if d := localDomain(ctx, local); d != "" && !strings.EqualFold(d, config.Defaultdomain.In(s.conf)) {
			name += "@" + d
		}
	}
	return s.canonicalID(ctx, name)
}

// virtual reports whether user names may have domains.
func (s *Site) virtual() bool { return config.Virtdomains.In(s.conf) != "off" }

// splitDomain finds the sign before the domain, which may also be a "%",
// and makes it an "@". at is -1 if there is none or none is looked for.
func (s *Site) splitDomain(name string) (_ string, at int) {
	if !s.virtual() {
		return name, -1
	}
	at = strings.LastIndexByte(name, '@')
	if at < 0 {
		at = strings.LastIndexByte(name, '%')
	}
	if at >= 0 {
		name = name[:at] + "@" + name[at+1:]
	}
	return name, at
}

// canonicalID checks the characters of name and lowers its case.
func (s *Site) canonicalID(ctx context.Context, name string) (string, bool) {
	if len(name) > maxID {
		return "", false
	}
	if g, ok := strings.CutPrefix(name, "group:"); ok {
		return name, s.groups.exists(ctx, g)
	}
	for i := range len(name) {
		if c := name[i]; c < ' ' || c >= 0x7f || strings.IndexByte(forbidden, c) >= 0 {
			return "", false
		}
	}
	if config.UsernameTolower.In(s.conf) {
		name = strings.ToLower(name) // is ASCII
	}
	return name, true
}

// lookupWait is how long a name server may take: Cyrus waits without an
// end, but its processes have one client each.
const lookupWait = 2 * time.Second

// localDomain is what follows the first dot in the host name of our own
// address, or "".
func localDomain(ctx context.Context, local net.Addr) string {
	a, ok := local.(*net.TCPAddr)
	if !ok {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, lookupWait)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, a.IP.String())
	if err != nil || len(names) == 0 {
		return ""
	}
	_, domain, _ := strings.Cut(strings.TrimSuffix(names[0], "."), ".")
	return domain
}

// IsAnonymous reports whether a name as given means a log-in without a
// name, also with a domain.
func (s *Site) IsAnonymous(name string) bool {
	name, at := s.splitDomain(name)
	if at >= 0 {
		name = name[:at]
	}
	return strings.EqualFold(name, Anonymous)
}

// RealmAllowed reports whether somebody of this canonical id may log in
// here: without virtual domains, or if loginrealms is set, the part after
// the "@" must be (the beginning of, as in Cyrus) nothing but one of
// loginrealms.
//
// Source: the beginning of mysasl_proxy_policy in Cyrus imap/global.c.
// Cyrus takes a realm as allowed that a listed one begins with only where
// the listed one ends there too, which is equality.
func (s *Site) RealmAllowed(id string) bool {
	realms := config.Loginrealms.In(s.conf)
	if s.virtual() && realms == "" {
		return true
	}
	_, realm, found := strings.Cut(id, "@")
	if !found {
		return true
	}
	for _, r := range strings.Fields(realms) {
		if strings.EqualFold(r, realm) {
			return true
		}
	}
	return false
}
