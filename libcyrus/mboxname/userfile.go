package mboxname

import (
	"context"
	"errors"
	"strings"
)

var errBadID = errors.New("unique id cannot be a path")

// UserFile is a file kept per user.
type UserFile string

// The files of a user. Their names are those of a user whose INBOX has
// legacy directories; see Layout.UserFile.
const (
	Subscriptions UserFile = "sub"
	SeenState     UserFile = "seen"
	Counters      UserFile = "counters"
	Conversations UserFile = "conversations"
	UserDAV       UserFile = "dav"
	MboxKey       UserFile = "mboxkey"
	XapianActive  UserFile = "xapianactive"
)

// byIDName is the file's name in the directory of an INBOX's unique id.
func (f UserFile) byIDName() string {
	if f == XapianActive {
		return string(f)
	}
	return string(f) + ".db"
}

// UserFile is the path of a user's file. inboxID is the unique id of his
// INBOX, legacy its flag l; without an id (no INBOX, or a shared owner "")
// the legacy path is meant.
//
// Source: user_hash_meta in Cyrus imap/user.c.
func (l *Layout) UserFile(f UserFile, userID, inboxID string, legacy bool) string {
	if userID != "" && !legacy && ValidID(inboxID) {
		return byID(l.ConfigDir+"/user", inboxID) + "/" + f.byIDName()
	}
	return l.legacyUserFile(f, userID)
}

// Home finds where a user's files lie: the unique id of his INBOX, and
// whether it has legacy directories. A user without INBOX has "".
type Home func(ctx context.Context, userID string) (inboxID string, legacy bool, err error)

// FileOf is UserFile for a user whose home has to be found first. The error is
// that of home.
func (l *Layout) FileOf(ctx context.Context, home Home, f UserFile, userID string) (string, error) {
	id, legacy, err := home(ctx, userID)
	return l.UserFile(f, userID, id, legacy), err
}

// safe keeps a user id from leaving its directory. Ids with a slash are
// refused at log-in, so that this changes nothing.
func safe(userID string) string {
	return strings.NewReplacer("/", "^", "\x00", "^").Replace(userID)
}

// legacyUserFile is always hashed, whatever hashimapspool says.
//
// Source: mboxname_conf_getpath in Cyrus imap/mboxname.c.
func (l *Layout) legacyUserFile(f UserFile, userID string) string {
	p := UserParts(safe(userID))
	dir := l.ConfigDir
	if p.Domain != "" {
		dir += "/domain/" + DirHash(p.Domain, l.FullHash) + "/" + p.Domain
	}
	if p.Localpart == "" {
		return dir + "/shared." + string(f)
	}
	return dir + "/user/" + DirHash(p.Localpart, l.FullHash) + "/" + p.Localpart + "." + string(f)
}

// SharedFile is a file for all shared mailboxes of a domain ("" is the
// default one).
func (l *Layout) SharedFile(f UserFile, domain string) string {
	return l.legacyUserFile(f, Parts{Domain: domain}.sharedID())
}

// sharedID is a user id without a local part.
func (p Parts) sharedID() string {
	if p.Domain == "" {
		return ""
	}
	return "@" + p.Domain
}

// UserSieveDir is the directory of a user's compiled Sieve scripts.
//
// Source: user_sieve_path in Cyrus imap/user.c.
func (l *Layout) UserSieveDir(userID, inboxID string, legacy bool) string {
	if userID == "" {
		return l.SieveDir + "/global"
	}
	if !legacy && ValidID(inboxID) {
		return byID(l.SieveDir, inboxID)
	}
	p := UserParts(safe(userID))
	dir := l.SieveDir
	if p.Domain != "" {
		dir += "/domain/" + DirHash(p.Domain, l.FullHash) + "/" + p.Domain
	}
	return dir + "/" + DirHash(p.Localpart, l.FullHash) + "/" + p.Localpart
}
