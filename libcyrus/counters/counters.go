// Package counters keeps the numbers that all mailboxes of a user share:
// modseqs and UIDVALIDITYs. There is one file per user, and one for the shared
// mailboxes of each domain; they exist only with conversations switched on.
package counters

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Counters is the contents of a file.
type Counters struct {
	Generation uint32 // grows with every change
	// Modseqs by what they count; Highest is at least as high as all others.
	Modseqs     [fields]uint64
	UIDValidity uint32 // the last that was given
}

// Field is a modseq of Counters.
type Field int

// The fields that mailboxes of mail use, and those that are no mailbox's.
const (
	Highest Field = 0
	Quota   Field = 9
	RACL    Field = 10
)

// fields is how many modseqs there are in version 9.
const fields = 35

// Kind is what a mailbox holds, for the counters: each kind has its own four.
type Kind int

// Kinds of mailboxes.
const (
	Mail Kind = iota
	Calendar
	AddressBook
	Notes
	Submission
	DAVNotification
	JMAPNotification
	Sieve
)

// places has for each kind the fields of changes, of changed folders, of what
// was removed for good, and of folders of these.
var places = [...][4]Field{
	Mail:             {1, 5, 13, 18},
	Calendar:         {2, 6, 14, 19},
	AddressBook:      {3, 7, 15, 20},
	Notes:            {4, 8, 16, 21},
	Submission:       {11, 12, 17, 22},
	DAVNotification:  {23, 25, 24, 26},
	JMAPNotification: {27, 29, 28, 30},
	Sieve:            {31, 33, 32, 34},
}

// Change says what a modseq is taken for.
type Change uint8

// Folder is a change of a mailbox's entry in the list, Removal one that only
// raises what is known to be gone for good.
const (
	Folder Change = 1 << iota
	Removal
)

// field is the field that a change of a kind of mailbox raises; folder the
// second one, if it is a change of the list.
func (k Kind) field(c Change) (f, folder Field) {
	p := places[k]
	if c&Removal != 0 {
		return p[2], p[3]
	}
	return p[0], p[1]
}

// Raise makes the counters at least n, and takes no new modseq.
//
// Source: mboxname_setmodseq in Cyrus imap/mboxname.c.
func (c *Counters) Raise(k Kind, what Change, n uint64) {
	f, folder := k.field(what)
	c.raise(f, n)
	if what&Folder != 0 {
		c.raise(folder, n)
	}
}

func (c *Counters) raise(f Field, n uint64) {
	c.Modseqs[Highest] = max(c.Modseqs[Highest], n)
	c.Modseqs[f] = max(c.Modseqs[f], n)
}

// Next takes a modseq that is higher than all given before and than last.
//
// Source: mboxname_nextmodseq in Cyrus imap/mboxname.c.
func (c *Counters) Next(k Kind, what Change, last uint64) uint64 {
	f, folder := k.field(what)
	n := c.NextOf(f, last)
	if what&Folder != 0 {
		c.Modseqs[folder] = n
	}
	return n
}

// NextOf is Next for a counter that is no mailbox's: Quota or RACL.
func (c *Counters) NextOf(f Field, last uint64) uint64 {
	n := max(c.Modseqs[Highest], last) + 1
	c.Modseqs[Highest], c.Modseqs[f] = n, n
	return n
}

// NextUIDValidity takes a UIDVALIDITY that is higher than all given before
// and than last.
//
// Source: mboxname_nextuidvalidity in Cyrus imap/mboxname.c.
func (c *Counters) NextUIDValidity(last uint32) uint32 {
	c.UIDValidity = max(c.UIDValidity, last) + 1
	return c.UIDValidity
}

// version is what is written; size is its length.
const (
	version = 9
	size    = 296
)

// counts is how many modseqs each version has, in the order of version 9 and
// without what came later, which begins at 0. Version 2 had one counter of
// folders.
//
// Source: mboxname_buf_to_counters in Cyrus imap/mboxname.c.
var counts = [version + 1]int{1: 5, 2: 6, 3: 9, 4: 11, 5: 13, 6: 23, 7: 27, 8: 31, 9: fields}

var be = binary.BigEndian

var errBad = errors.New("not a file of counters")

// decode reads a file; an empty one is all zero.
func decode(b []byte) (c Counters, err error) {
	if len(b) == 0 {
		return c, nil
	}
	if len(b) < 8 {
		return c, fmt.Errorf("%d octets: %w", len(b), errBad)
	}
	c.Generation = be.Uint32(b)
	v := be.Uint32(b[4:])
	if v < 1 || v > version {
		return c, fmt.Errorf("version %d: %w", v, errBad)
	}
	n := counts[v]
	end := 8 + 8*n
	if len(b) < end+8 {
		return c, fmt.Errorf("version %d in %d octets: %w", v, len(b), errBad)
	}
	if crc32.ChecksumIEEE(b[:end+4]) != be.Uint32(b[end+4:]) {
		return c, fmt.Errorf("wrong checksum: %w", errBad)
	}
	for i := range n {
		c.Modseqs[i] = be.Uint64(b[8+8*i:])
	}
	c.UIDValidity = be.Uint32(b[end:])
	return c, nil
}

// encode is the file, in version 9.
func (c *Counters) encode() []byte {
	b := make([]byte, 0, size)
	b = be.AppendUint32(b, c.Generation)
	b = be.AppendUint32(b, version)
	for _, n := range c.Modseqs {
		b = be.AppendUint64(b, n)
	}
	b = be.AppendUint32(b, c.UIDValidity)
	return be.AppendUint32(b, crc32.ChecksumIEEE(b))
}
