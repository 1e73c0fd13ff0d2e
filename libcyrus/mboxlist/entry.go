// Package mboxlist is the list of all mailboxes: who owns which, where it
// lies, who may do what with it, and the operations that change the list.
//
// Every right is checked here. A mailbox that somebody may not look up does
// not exist for him: the error is of kind errs.NotFound whatever he tries.
package mboxlist

import (
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// Entry is one mailbox in the list.
type Entry struct {
	Name          mboxname.Name
	Type          string // letters: the kind of mailbox, then flags; see Kind and Has
	UniqueID      string
	Partition     string
	Server        string // of a remote mailbox
	UIDValidity   uint32
	CreatedModseq uint64
	FolderModseq  uint64
	Mtime         int64 // seconds since 1970 of the entry's last change
	ACL           acl.List
	History       []Past // names it had before, newest first; only from LookupID
}

// Past is a name that a mailbox had.
type Past struct {
	Name          mboxname.Name
	Type          string
	Partition     string // "" if it was the same
	UIDValidity   uint32
	CreatedModseq uint64
	FolderModseq  uint64
	Mtime         int64
}

// The first letter of a type (Cyrus mboxlist_string_to_mbtype).
const (
	Email            = 'e'
	Calendar         = 'c'
	AddressBook      = 'a'
	Collection       = 'b'
	Submission       = 's'
	PushSubscription = 'p'
	News             = 'n'
	Sieve            = 'f'
)

// The flags behind it.
const (
	Tombstone    = 'd' // the name is free; the entry keeps what must not repeat
	Moving       = 'm'
	Remote       = 'r'
	Reserved     = 'z'
	Intermediate = 'i' // a name only, or a mailbox that is being made
	LegacyDirs   = 'l' // directories by name
)

// Kind is the first letter of the type; Email if there is none.
func (e *Entry) Kind() byte {
	if e.Type == "" {
		return Email
	}
	return e.Type[0]
}

// Has reports whether the type has a flag.
func (e *Entry) Has(flag byte) bool {
	return len(e.Type) > 1 && strings.IndexByte(e.Type[1:], flag) >= 0
}

// Exists reports whether the entry is a mailbox, not a mere name.
func (e *Entry) Exists() bool { return !e.Has(Tombstone) && !e.Has(Intermediate) && !e.Has(Reserved) }

// Ref is what package mailbox needs.
func (e *Entry) Ref() mailbox.Ref {
	return mailbox.Ref{
		Name:      e.Name,
		UniqueID:  e.UniqueID,
		Partition: e.Partition,
		Legacy:    e.Has(LegacyDirs),
		Type:      string(e.Kind()),

		UIDValidity: e.UIDValidity,
	}
}
