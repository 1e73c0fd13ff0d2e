package mailbox

import (
	"gocyrus/libcyrus/mboxname"
)

// Ref says which mailbox is meant and where it lies: what the mailbox list
// knows of it.
type Ref struct {
	Name      mboxname.Name
	UniqueID  string
	Partition string
	Legacy    bool // directories by name: the letter l of the type
	// UIDValidity is that of the list, 0 = not known. The index's counts; this
	// only helps to recognise an index that is another mailbox's.
	UIDValidity uint32
	// Type is the first letter of the type: "e" for mail, "f" for #sieve;
	// "" is "e".
	Type string
}

// lockName is the name of the mailbox's lock.
func (r *Ref) lockName() string {
	return mboxname.MailboxLock(r.Name, r.UniqueID, r.Legacy)
}

// Mode says what a mailbox is opened for, and so which locks are taken.
type Mode uint8

const (
	// Read takes the mailbox and index locks shared.
	Read Mode = iota
	// Write takes the namespace lock of a user's mailbox and the index
	// lock exclusive, the mailbox lock shared.
	Write
	// Exclusive takes all exclusive. Only then may message files be
	// removed and index or cache be replaced.
	Exclusive
)
