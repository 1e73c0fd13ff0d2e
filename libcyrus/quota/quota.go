// Package quota keeps quota roots: what is used and what is allowed below
// a mailbox.
package quota

import (
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
)

// Resource is something that is counted.
type Resource uint8

// The resources of Cyrus 3.6, in the order of its files.
const (
	Storage      Resource = iota // message bytes
	Message                      // messages
	AnnotStorage                 // bytes of annotation values
	NumFolders                   // mailboxes
	Resources    = 4             // how many there are
)

// names has the name in IMAP that Cyrus 3.6 uses, that of RFC 9208, the name on
// disk and the octets or pieces in one unit of a limit.
var names = [Resources]struct {
	imap, rfc, disk string
	unit            int64
}{
	Storage:      {"STORAGE", "STORAGE", "S", 1024},
	Message:      {"MESSAGE", "MESSAGE", "M", 1},
	AnnotStorage: {"X-ANNOTATION-STORAGE", "ANNOTATION-STORAGE", "AS", 1024},
	NumFolders:   {"X-NUM-FOLDERS", "MAILBOX", "NF", 1},
}

// String is the resource's name in IMAP, as Cyrus 3.6 has it.
func (r Resource) String() string { return names[r].imap }

// Standard is the resource's name in RFC 9208 section 5.
func (r Resource) Standard() string { return names[r].rfc }

// Unit is what one unit of a limit, and of usage told to clients, is worth:
// 1024 octets or 1.
func (r Resource) Unit() int64 { return names[r].unit }

// Usage is an amount, or a change, of each resource: octets or pieces.
type Usage [Resources]int64

// Add returns the sum.
func (u Usage) Add(v Usage) Usage {
	for i := range u {
		u[i] += v[i]
	}
	return u
}

// Neg returns the opposite change.
func (u Usage) Neg() Usage {
	for i := range u {
		u[i] = -u[i]
	}
	return u
}

// IsZero reports whether nothing changes.
func (u Usage) IsZero() bool { return u == Usage{} }

// Unlimited is a limit that does not exist.
const Unlimited int64 = -1

// Limits has the limit of each resource in its Unit, or Unlimited.
type Limits [Resources]int64

// NoLimits is Unlimited for all.
func NoLimits() Limits {
	return Limits{Unlimited, Unlimited, Unlimited, Unlimited}
}

// Root is one quota root.
type Root struct {
	Name   mboxname.Name // the topmost mailbox; "dom!" is a whole domain
	Used   Usage         // octets, or pieces
	Limit  Limits
	Modseq uint64 // grows with every change for roots below "user."
	scan   *scan  // a running "quota -f"
}

// scan is what a running "quota -f" has counted so far: the mailboxes up
// to Mailbox are in Used.
type scan struct {
	Mailbox string
	Used    Usage
}

// Room returns nil if the resource may change by delta octets or pieces,
// and an error of kind errs.OverQuota if it would then exceed its limit.
// Less is always allowed, also when use is over the limit; with a delta of
// 0 it is an error to be over the limit already.
//
// Source: quota_check in Cyrus imap/quota_db.c.
func (r *Root) Room(res Resource, delta int64) error {
	if delta < 0 || r.Limit[res] < 0 || r.Used[res]+delta <= r.Limit[res]*res.Unit() {
		return nil
	}
	return errs.New(errs.OverQuota, "quota.Room", string(r.Name), exceeded(res))
}

// RoomFor is Room for each resource that grows.
func (r *Root) RoomFor(diff Usage) error {
	for res, delta := range diff {
		if delta <= 0 {
			continue
		}
		if err := r.Room(Resource(res), delta); err != nil {
			return err
		}
	}
	return nil
}

// use changes what is used; it does not go below zero. It reports whether
// it would have.
func (u *Usage) use(diff Usage) (underflow bool) {
	for i, d := range diff {
		if u[i] += d; u[i] < 0 {
			u[i], underflow = 0, true
		}
	}
	return underflow
}
