// Package mboxname knows the names of mailboxes: their four spellings
// (internal, external, database and path form), what a valid name is, which
// names a LIST pattern matches, and where the files of a name lie.
//
// Nothing here looks at the disk.
package mboxname

import (
	"fmt"
	"strconv"
	"strings"
)

// Name is a mailbox name in internal form: components joined by '.', a dot
// inside a component written '^', and "domain!" in front unless it is the
// default domain: "user.alice.Work", "other.test!user.erin". It is what
// stands in cyrus.header, quota roots and log lines. "" is no mailbox.
type Name string

// MaxLength is the longest name that may be created, in bytes of internal
// form (Cyrus MAX_MAILBOX_NAME).
const MaxLength = 490

// Inbox is the name of the INBOX of a user id ("alice", "erin@other.test",
// "first.last"). "" gives "".
func Inbox(userID string) Name {
	return UserParts(userID).Name("")
}

// split cuts "domain!" off; domain is "" without one.
func (n Name) split() (domain, rest string) {
	if d, r, ok := strings.Cut(string(n), "!"); ok {
		return d, r
	}
	return "", string(n)
}

// Domain is the domain in front of '!', or "" for the default domain.
func (n Name) Domain() string {
	d, _ := n.split()
	return d
}

// Local is the name without its domain.
func (n Name) Local() Name {
	_, r := n.split()
	return Name(r)
}

// InDomain returns the name with this domain in front; "" is the default.
func (n Name) InDomain(domain string) Name {
	if domain == "" {
		return n
	}
	return Name(domain + "!" + string(n))
}

// IsUser reports whether n is a user's mailbox, INBOX or below; names of
// deleted mailboxes are not.
func (n Name) IsUser() bool {
	_, r := n.split()
	rest, ok := strings.CutPrefix(r, "user.")
	return ok && rest != ""
}

// IsInbox reports whether n is a user's INBOX.
func (n Name) IsInbox() bool {
	_, r := n.split()
	rest, ok := strings.CutPrefix(r, "user.")
	return ok && rest != "" && !strings.Contains(rest, ".")
}

// Owner is the id of the user whose mailbox n is: "alice", or
// "erin@other.test"; "" if n is shared. See OwnerOf for deleted mailboxes.
func (n Name) Owner() string { return n.OwnerOf("") }

// OwnerOf is Owner, but a deleted mailbox (imapd.conf's deletedprefix in
// front) belongs to the user whose it was.
func (n Name) OwnerOf(deletedPrefix string) string {
	d, r := n.split()
	rest, ok := strings.CutPrefix(r, "user.")
	if !ok || deletedPrefix == "user" {
		return n.Parts(deletedPrefix).UserID()
	}
	// Most names: taking all of them apart was a seventh of a LIST.
	local, _, _ := strings.Cut(rest, ".")
	return Parts{Domain: d, Localpart: strings.ReplaceAll(local, "^", ".")}.UserID()
}

// IsDeleted reports whether n is the name of a mailbox whose deletion is
// delayed: its first component is deletedPrefix, there are more than two,
// and the last is a time.
func (n Name) IsDeleted(deletedPrefix string) bool {
	_, ok := n.DeletedAt(deletedPrefix)
	return ok
}

// Deleted is the name under which n waits for its final deletion, as from
// t, in seconds since 1970.
func (n Name) Deleted(deletedPrefix string, t uint32) Name {
	d, r := n.split()
	return Name(deletedPrefix + "." + r + "." + hex(t)).InDomain(d)
}

// DeletedAt is the time in the last component of a deleted mailbox's name,
// in seconds since 1970. ok is false if n is no such name.
func (n Name) DeletedAt(deletedPrefix string) (t uint32, ok bool) {
	_, r := n.split()
	return deletedTime(strings.Split(r, "."), deletedPrefix)
}

// Undeleted is the name that a deleted mailbox had; n itself if it is not
// deleted.
func (n Name) Undeleted(deletedPrefix string) Name {
	if !n.IsDeleted(deletedPrefix) {
		return n
	}
	p := n.Parts(deletedPrefix)
	p.Deleted, p.WasDeleted = 0, false
	return p.Name("")
}

// Parent is the name one level up: "" above a top-level name, and above
// "user". The parent of "dom!a" is "".
func (n Name) Parent() Name {
	d, r := n.split()
	i := strings.LastIndexByte(r, '.')
	if i <= 0 {
		return ""
	}
	return Name(r[:i]).InDomain(d)
}

// Child is the name of the mailbox base, an internal component or several,
// below n.
func (n Name) Child(base string) Name { return n + Name("."+base) }

// Base is the last component.
func (n Name) Base() string {
	_, r := n.split()
	return r[strings.LastIndexByte(r, '.')+1:]
}

// Contains reports whether o is n or lies below it.
func (n Name) Contains(o Name) bool {
	rest, ok := strings.CutPrefix(string(o), string(n))
	return ok && (rest == "" || rest[0] == '.')
}

// Below reports whether n lies below (and is not) p.
func (n Name) Below(p Name) bool { return n != p && p.Contains(n) }

// Move replaces the prefix from of n by to. n must be from or below it.
func (n Name) Move(from, to Name) Name { return to + n[len(from):] }

// String is the internal form.
func (n Name) String() string { return string(n) }

// Parts is a name taken apart; its strings have their dots plain.
type Parts struct {
	Domain     string   // "" is the default domain
	Localpart  string   // of the owner; "" for shared mailboxes
	Boxes      []string // the components below the owner, or all
	WasDeleted bool     // the name is one of a deleted mailbox
	Deleted    uint32   // … and this is its time
}

// Parts takes n apart. Names of deleted mailboxes are recognised if
// deletedPrefix is not empty.
//
// Source: mbname_from_intname in Cyrus imap/mboxname.c.
func (n Name) Parts(deletedPrefix string) Parts {
	var p Parts
	d, r := n.split()
	p.Domain = d
	if r == "" {
		return p
	}
	p.Boxes = strings.Split(r, ".")
	for i, b := range p.Boxes {
		p.Boxes[i] = strings.ReplaceAll(b, "^", ".")
	}
	if t, ok := deletedTime(p.Boxes, deletedPrefix); ok {
		p.WasDeleted, p.Deleted = true, t
		p.Boxes = p.Boxes[1 : len(p.Boxes)-1]
	}
	if len(p.Boxes) > 1 && p.Boxes[0] == "user" {
		p.Localpart = p.Boxes[1]
		p.Boxes = p.Boxes[2:]
	}
	return p
}

// deletedTime recognises the components of a deleted mailbox's name: the
// prefix, two more at least, and the last is a time as Deleted writes it.
func deletedTime(c []string, prefix string) (t uint32, ok bool) {
	if prefix == "" || len(c) < 3 || c[0] != prefix {
		return 0, false
	}
	last := c[len(c)-1]
	v, err := strconv.ParseUint(last, 16, 32)
	if err != nil || v == 0 || hex(uint32(v)) != last {
		return 0, false
	}
	return uint32(v), true
}

// hex writes a time as names of deleted mailboxes have it.
func hex(t uint32) string { return fmt.Sprintf("%X", t) }

// UserParts is the INBOX of a user id. The domain is whatever follows the
// last '@'; the caller has taken the default domain off.
func UserParts(userID string) Parts {
	if i := strings.LastIndexByte(userID, '@'); i >= 0 {
		return Parts{Localpart: userID[:i], Domain: userID[i+1:]}
	}
	return Parts{Localpart: userID}
}

// UserID is the id of the owner, "" if there is none.
func (p Parts) UserID() string {
	if p.Localpart == "" || p.Domain == "" {
		return p.Localpart
	}
	return p.Localpart + "@" + p.Domain
}

// Name puts the parts together again. deletedPrefix is used only if
// p.WasDeleted.
//
// Source: mbname_intname in Cyrus imap/mboxname.c.
func (p Parts) Name(deletedPrefix string) Name {
	var c []string
	if p.WasDeleted {
		c = append(c, deletedPrefix)
	}
	if p.Localpart != "" {
		c = append(c, "user", p.Localpart)
	}
	c = append(c, p.Boxes...)
	if p.WasDeleted {
		c = append(c, hex(p.Deleted))
	}
	for i, s := range c {
		c[i] = strings.ReplaceAll(s, ".", "^")
	}
	return Name(strings.Join(c, ".")).InDomain(p.Domain)
}
