package mailbox

import (
	"math/bits"
	"strings"
	"time"
)

// Flags is the flag word of an index record. The low half holds the
// system flags of IMAP, the high half what only the store uses.
//
// Source: Cyrus imap/mailbox.h, FLAG_*.
type Flags uint32

// System flags (RFC 3501 section 2.3.2). Seen is that of the owner, or of
// everybody if the mailbox has OptSharedSeen; other readers keep theirs in
// their seen database.
const (
	Answered Flags = 1 << iota
	Flagged
	Deleted
	Draft
	Seen
)

// Internal flags.
const (
	Snoozed           Flags = 1 << 26
	SplitConversation Flags = 1 << 27
	NeedsCleanup      Flags = 1 << 28 // an old copy of the file waits to be removed
	Archived          Flags = 1 << 29 // file and cache record are on the archive partition
	Unlinked          Flags = 1 << 30 // the file is removed, or may be, and the next repack drops the record
	Expunged          Flags = 1 << 31 // no client sees the message any more
)

// SystemMask has all flags that a client may set.
const SystemMask = Answered | Flagged | Deleted | Draft | Seen

// InternalMask has all flags that only the store sets.
const InternalMask = Snoozed | SplitConversation | NeedsCleanup | Archived | Unlinked | Expunged

// auditNames is the order and the spelling of flags in the audit log.
var auditNames = []struct {
	flag Flags
	name string
}{
	{Answered, "AN"}, {Flagged, "FL"}, {Deleted, "DE"}, {Draft, "DR"}, {Seen, "SE"}, {Snoozed, "SN"},
	{SplitConversation, "SP"}, {NeedsCleanup, "NC"}, {Archived, "AR"}, {Unlinked, "UN"}, {Expunged, "EX"},
}

// Has reports whether all flags of g are set in f.
func (f Flags) Has(g Flags) bool { return f&g == g }

// Audit is the spelling of f in the audit log: "AN|SE".
func (f Flags) Audit() string {
	var names []string
	for _, n := range auditNames {
		if f&n.flag != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, "|")
}

// Limits on user flags. MaxUserFlags is the number of slots; a client may
// only take one of the first ClientUserFlags.
const (
	MaxUserFlags    = 128
	ClientUserFlags = 100
)

// UserFlags has one bit for each user flag (keyword) that is set on a
// message; names are in cyrus.header. Flag n is bit n%32 of word n/32.
type UserFlags [MaxUserFlags / 32]uint32

// Has reports whether flag n is set. n is 0 to 127.
func (u *UserFlags) Has(n int) bool { return u[n/32]>>(n%32)&1 != 0 }

// Set sets flag n.
func (u *UserFlags) Set(n int) { u[n/32] |= 1 << (n % 32) }

// Clear clears flag n.
func (u *UserFlags) Clear(n int) { u[n/32] &^= 1 << (n % 32) }

// Any reports whether a flag is set.
func (u *UserFlags) Any() bool { return u[0]|u[1]|u[2]|u[3] != 0 }

// Each calls fn for each set flag, lowest first.
func (u *UserFlags) Each(fn func(n int)) {
	for w, word := range u {
		for ; word != 0; word &= word - 1 {
			fn(w*32 + bits.TrailingZeros32(word))
		}
	}
}

// Or returns the flags that are set in u or in v.
func (u UserFlags) Or(v UserFlags) UserFlags {
	for i := range u {
		u[i] |= v[i]
	}
	return u
}

// AndNot returns the flags of u that are not set in v.
func (u UserFlags) AndNot(v UserFlags) UserFlags {
	for i := range u {
		u[i] &^= v[i]
	}
	return u
}

// Stamp is a time as Cyrus stores it: unsigned seconds since 1970. Zero
// means none.
type Stamp uint32

// StampOf converts t; what does not fit is clamped to 0 or 2^32-1.
func StampOf(t time.Time) Stamp {
	return Stamp(max(0, min(t.Unix(), 1<<32-1)))
}

// Time is s in UTC.
func (s Stamp) Time() time.Time { return time.Unix(int64(s), 0).UTC() }
