package annot

import (
	"strings"

	"gocyrus/libcyrus/acl"
)

// Level is what an annotation belongs to.
type Level uint8

// The levels.
const (
	OfServer Level = iota
	OfMailbox
	OfMessage
)

// Attrs is a set of attributes of annotations.
type Attrs uint8

// The attributes: values and their sizes, shared by all or private.
const (
	ValueShared Attrs = 1 << iota
	ValuePriv
	SizeShared
	SizePriv
)

// Type says which values an annotation takes.
type Type uint8

// The types. A number is decimal and fits into 64 bits.
const (
	String Type = iota
	Boolean
	Uint
	Int
	Switch // begins like on, yes, true, 1, or their opposites
)

// Place says where the value of an annotation is.
type Place uint8

// The places. Those from Size on are only read.
const (
	InDB           Place = iota
	InFile               // a file below msg/ of configdirectory, named as the entry's last part
	InOptions            // an option of the index
	InShowAfter          // the index field for POP3
	Size                 // octets of messages
	AnnotSize            // octets of annotations
	LastPop              // POP3 login
	LastUpdate           // the time of the index file
	FolderModseq         // of the entry in the mailbox list
	Partition            // likewise
	Server               // of a remote mailbox
	SyncCRCs             //
	UniqueID             //
	HasAlarms            // an option of the index
	UserModseq           // of the user's counters
	UserCounters         // all of them
	Freespace            // KiB on all partitions
	FreespaceTotal       // likewise, and their size
	FreespaceMost        // of the partition with the largest part free
)

// Definition is a known annotation.
//
// Source: the tables in Cyrus imap/annotate.c.
type Definition struct {
	Name      string // "" is any other one
	Type      Type
	Attrs     Attrs // that can be set
	Rights    acl.Rights
	Place     Place
	Option    Option // of InOptions
	ReadOnly  bool   // also of entries in the database
	OwnCheck  bool   // the right to look the mailbox up is enough to read it
	OnlyInbox bool   // of users, not of their other mailboxes
	proxy     bool   // only of the frontends of a murder: not here
}

// Option names an option of the index.
type Option uint8

// The options that annotations change.
const (
	NoOption Option = iota
	OptionSharedSeen
	OptionDuplicates
	OptionNewUIDL
)

// Vendor is what the entries of Cyrus itself begin with.
const Vendor = "/vendor/cmu/cyrus-imapd/"

const both = ValueShared | ValuePriv

func db(name string, t Type, a Attrs, r acl.Rights) Definition {
	return Definition{Name: name, Type: t, Attrs: a, Rights: r}
}

func computed(name string, a Attrs, p Place) Definition {
	return Definition{Name: name, Attrs: a, Place: p, ReadOnly: true}
}

func option(name string, o Option) Definition {
	return Definition{Name: name, Type: Boolean, Attrs: ValueShared, Place: InOptions, Option: o}
}

func file(name string) Definition {
	return Definition{Name: name, Attrs: ValueShared, Place: InFile}
}

// known is every entry that is built in, in Cyrus's order: answers come in
// the opposite one.
var known = [...][]Definition{
	OfServer: {
		db("/admin", String, ValueShared, acl.Admin),
		db(Comment, String, both, acl.Admin),
		file("/motd"),
		computed(Vendor+"usermodseq", ValuePriv, UserModseq),
		computed(Vendor+"usercounters", ValuePriv, UserCounters),
		db(Expire, Uint, ValueShared, acl.Admin),
		computed(Vendor+"freespace", ValueShared, Freespace),
		computed(Vendor+"freespace/total", ValueShared, FreespaceTotal),
		computed(Vendor+"freespace/percent/most", ValueShared, FreespaceMost),
		file(Vendor + "shutdown"),
		db(Squat, Boolean, ValueShared, acl.Admin),
	},
	OfMailbox: {
		db("/check", Boolean, both, 0),
		db("/checkperiod", Uint, both, 0),
		db(Comment, String, both, 0),
		db("/sort", String, both, 0),
		db(SpecialUse, String, ValuePriv, 0),
		db("/thread", String, both, 0),
		computed(Vendor+"annotsize", ValueShared, AnnotSize),
		db(Archive, Uint, ValueShared, acl.Admin),
		db(Delete, Uint, ValueShared, acl.Admin),
		option(DuplicateDeliver, OptionDuplicates),
		db(Expire, Uint, ValueShared, acl.Admin),
		computed(Vendor+"lastpop", ValueShared, LastPop),
		computed(Vendor+"hasalarms", ValueShared, HasAlarms),
		computed(Vendor+"foldermodseq", ValueShared, FolderModseq),
		computed(Vendor+"lastupdate", ValueShared, LastUpdate),
		db(Vendor+"news2mail", String, ValueShared, acl.Admin),
		{Name: Vendor + "partition", Attrs: ValueShared, Place: Partition, ReadOnly: true, OwnCheck: true},
		option(Vendor+"pop3newuidl", OptionNewUIDL),
		{Name: Vendor + "pop3showafter", Attrs: ValueShared, Place: InShowAfter},
		{Name: SearchFuzzy, Type: Switch, Attrs: ValueShared, Rights: acl.Admin, OnlyInbox: true},
		{Name: Vendor + "server", Attrs: ValueShared, Place: Server, ReadOnly: true, OwnCheck: true, proxy: true},
		option(SharedSeen, OptionSharedSeen),
		db(SieveScript, String, ValueShared, acl.Admin),
		computed(Vendor+"size", ValueShared, Size),
		db(SortOrder, Uint, ValuePriv, 0),
		db(Squat, Boolean, ValueShared, acl.Admin),
		computed(Vendor+"synccrcs", ValueShared, SyncCRCs),
		computed(Vendor+"uniqueid", ValueShared, UniqueID),
	},
	OfMessage: {
		db("/altsubject", String, both, 0),
		db(Comment, String, both, 0),
		db(Vendor+"basethrid", String, both, 0),
		db(Vendor+"thrid", String, both, 0),
		db(Vendor+"savedate", String, both, 0),
		db(Vendor+"createdmodseq", String, both, 0),
		db(Vendor+"snoozed-until", String, ValueShared, 0),
		db(Snoozed, String, ValueShared, 0),
	},
}

// Snoozed stands on one copy of a message only: copying leaves it out.
const Snoozed = Vendor + "snoozed"

// Definitions is the annotations that a site knows. The zero value knows
// those that are built in.
type Definitions struct {
	more           [len(known)][]Definition
	AllowUndefined bool // annotation_allow_undefined
}

// other stands for every annotation without a definition.
var other = Definition{Attrs: both}

// each calls fn for all definitions of a level until it returns false.
func (d *Definitions) each(l Level, fn func(*Definition) bool) {
	for i := range known[l] {
		if !fn(&known[l][i]) {
			return
		}
	}
	if d == nil {
		return
	}
	for i := range d.more[l] {
		if !fn(&d.more[l][i]) {
			return
		}
	}
}

// find returns what is to be written when entry is set, nil if that is not
// allowed.
//
// Source: find_desc_store in Cyrus imap/annotate.c.
func (d *Definitions) find(l Level, entry string) (found *Definition) {
	seen := false
	d.each(l, func(def *Definition) bool {
		if seen = def.Name == entry; seen && !def.ReadOnly {
			found = def
		}
		return !seen
	})
	if seen || d == nil || !d.AllowUndefined || strings.HasPrefix(entry, Vendor) || l == OfMessage && strings.HasPrefix(entry, "/flags/") {
		return found
	}
	return &other
}
