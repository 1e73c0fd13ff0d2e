package annot

import (
	"bytes"
	"strconv"

	"gocyrus/libcyrus/errs"
)

// ownerToken stands for the owner of a mailbox in stored keys, so that his
// private values survive a change of his name.
const ownerToken = "[.OwNeR.]"

// Key says which annotation is meant.
type Key struct {
	Entry string // "/comment", without /shared and /private
	User  string // "" is the shared value; else whose private one
}

// check refuses what cannot stand in a key.
func (k Key) check() error {
	if k.Entry == "" || k.Entry[0] != '/' || bytes.IndexByte([]byte(k.Entry+k.User), 0) >= 0 {
		return errs.New(errs.BadArgument, "annot.Key", k.Entry, nil)
	}
	return nil
}

// owned is k as it is stored for a mailbox of owner.
func (k Key) owned(owner string) Key {
	if owner != "" && k.User == owner {
		k.User = ownerToken
	}
	return k
}

// real turns a stored key into one with the owner's name.
func (k Key) real(owner string) Key {
	if k.User == ownerToken {
		k.User = owner
	}
	return k
}

// encode is the key in a database; scope is a mailbox's unique id, "" for
// the server, or a UID.
//
// Source: make_key in Cyrus imap/annotate.c.
func (k Key) encode(scope string) []byte {
	b := append([]byte(scope), 0)
	b = append(append(b, k.Entry...), 0)
	return append(append(b, k.User...), 0)
}

// parseKey is the opposite of encode; ok is false if b is no key.
func parseKey(b []byte) (scope string, k Key, ok bool) {
	f := bytes.Split(b, []byte{0})
	if len(f) < 3 || len(f) > 4 || len(f) == 4 && len(f[3]) > 0 || len(f[1]) == 0 {
		return "", Key{}, false
	}
	return string(f[0]), Key{string(f[1]), string(f[2])}, true
}

// uidScope is the scope of a message's annotations.
func uidScope(uid uint32) string { return strconv.FormatUint(uint64(uid), 10) }
