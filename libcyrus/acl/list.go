package acl

import (
	"errors"
	"slices"
	"strings"
)

// Entry is one line of a list.
type Entry struct {
	ID     string // user, user@domain, anyone, anonymous, group:x; "-" in front takes rights away
	Rights string // as it is stored, which may be an old spelling
}

// List is an access control list in its stored order. nil is empty.
type List []Entry

// ParseList reads the form of a list on disk and in log lines: identifier
// TAB rights TAB, again and again. What follows the last whole entry is
// dropped, as Cyrus does.
func ParseList(s string) List {
	var l List
	for {
		id, rest, ok := strings.Cut(s, "\t")
		if !ok {
			return l
		}
		rights, rest, ok := strings.Cut(rest, "\t")
		if !ok {
			return l
		}
		l = append(l, Entry{id, rights})
		s = rest
	}
}

// String is the form that ParseList reads.
func (l List) String() string {
	var b strings.Builder
	for _, e := range l {
		b.WriteString(e.ID)
		b.WriteByte('\t')
		b.WriteString(e.Rights)
		b.WriteByte('\t')
	}
	return b.String()
}

// Clone returns a copy that shares nothing with l.
func (l List) Clone() List { return slices.Clone(l) }

// Equal reports whether both have the same entries in the same order.
func (l List) Equal(m List) bool { return slices.Equal(l, m) }

// Get returns the stored rights of exactly this identifier, "" if none.
func (l List) Get(id string) string {
	for _, e := range l {
		if e.ID == id {
			return e.Rights
		}
	}
	return ""
}

// Mode says how Set treats the rights that an identifier has.
type Mode uint8

// The modes of SETACL (RFC 4314 section 3.1).
const (
	Replace Mode = iota
	Add
	Remove
)

// ErrBadID means that an identifier cannot stand in a list.
var ErrBadID = errors.New("bad identifier in access control list")

// Set returns l with the rights of id changed. An entry left without
// rights is dropped; a new one comes last, an existing one keeps its
// place. l itself is not changed.
//
// Source: cyrus_acl_set in Cyrus lib/acl_afs.c.
func (t Text) Set(l List, id string, mode Mode, r Rights) (List, error) {
	if !validID(id) {
		return nil, ErrBadID
	}
	at := slices.IndexFunc(l, func(e Entry) bool { return e.ID == id })
	var old Rights
	if at >= 0 {
		old, _ = t.Parse(l[at].Rights)
	}
	switch mode {
	case Add:
		r |= old
	case Remove:
		r = old &^ r
	}
	out := slices.Clone(l)
	switch {
	case r == 0 && at < 0:
	case r == 0:
		out = slices.Delete(out, at, at+1)
	case at < 0:
		out = append(out, Entry{id, t.Format(r)})
	default:
		out[at].Rights = t.Format(r)
	}
	return out, nil
}

// validID reports whether id, without its sign, is not empty and has
// nothing in it that would break the stored form.
func validID(id string) bool {
	id = strings.TrimPrefix(id, "-")
	return id != "" && !strings.ContainsAny(id, "\t\r\n\x00")
}

// Identity is somebody whose rights are asked for.
type Identity struct {
	User   string   // canonical user id; "" is not logged in and is treated as "anonymous"
	Groups []string // names of the groups that he is in, without "group:"
	Admin  bool     // one of imapd.conf's admins
}

// Anonymous is the user id of a log-in without a name.
const Anonymous = "anonymous"

// Anyone is the identifier that everybody is.
const Anyone = "anyone"

// Is reports whether the rights of identifier id go to who.
//
// Source: mymemberof in Cyrus lib/auth_unix.c.
func (who Identity) Is(id string) bool {
	user := who.User
	if user == "" {
		user = Anonymous
	}
	if id == Anyone || id == user {
		return true
	}
	group, ok := strings.CutPrefix(id, "group:")
	return ok && slices.Contains(who.Groups, group)
}

// Granted is what the list gives who: the rights of all identifiers that
// he is, less the negative ones. Implicit rights are not in it, see Rules.
//
// Source: cyrus_acl_myrights in Cyrus lib/acl_afs.c.
func (t Text) Granted(l List, who Identity) Rights {
	var give, take Rights
	for _, e := range l {
		id, negative := strings.CutPrefix(e.ID, "-")
		if !who.Is(id) {
			continue
		}
		r, _ := t.Parse(e.Rights)
		if negative {
			take |= r
		} else {
			give |= r
		}
	}
	return give &^ take
}
