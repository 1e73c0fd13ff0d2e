// Package event tells other programs what happens in the mail store: the
// events of RFC 5423, each one line of JSON, handed to notifyd.
//
// An event is collected while something is done, and sent once that lasts.
// Nobody waits for it: it goes into a bounded queue (notify.Queue), and what
// has no room there is lost and counted in the log.
//
// Source: Cyrus imap/mboxevent.c.
package event

import (
	"context"
	"net"
	"time"

	"gocyrus/libcyrus/mboxname"
)

// Type is a kind of event, or a set of them.
type Type uint32

// The kinds of event.
const (
	MessageAppend Type = 1 << iota
	MessageExpire
	MessageExpunge
	MessageNew
	MessageCopy
	MessageMove
	QuotaExceed
	QuotaWithin
	QuotaChange
	MessageRead
	MessageTrash
	FlagsSet // becomes MessageTrash, MessageRead and FlagsSet, as far as there are flags for each
	FlagsClear
	Login
	Logout
	MailboxCreate
	MailboxDelete
	MailboxRename
	MailboxSubscribe
	MailboxUnsubscribe
	AclChange
	MailboxModseq
)

// names is how events are called in JSON. A type that RFC 5423 does not have
// is Cyrus's.
var names = map[Type]string{
	MessageAppend: "MessageAppend", MessageExpire: "MessageExpire", MessageExpunge: "MessageExpunge", MessageNew: "MessageNew",
	MessageCopy: "vnd.cmu.MessageCopy", MessageMove: "vnd.cmu.MessageMove",
	QuotaExceed: "QuotaExceed", QuotaWithin: "QuotaWithin", QuotaChange: "QuotaChange",
	MessageRead: "MessageRead", MessageTrash: "MessageTrash", FlagsSet: "FlagsSet", FlagsClear: "FlagsClear",
	Login: "Login", Logout: "Logout",
	MailboxCreate: "MailboxCreate", MailboxDelete: "MailboxDelete", MailboxRename: "MailboxRename",
	MailboxSubscribe: "MailboxSubscribe", MailboxUnsubscribe: "MailboxUnSubscribe",
	AclChange: "AclChange", MailboxModseq: "MailboxModseq",
}

// Sets of types.
const (
	arrivals      = MessageNew | MessageAppend // of one message each
	messages      = arrivals | MessageExpire | MessageExpunge | MessageCopy | MessageMove
	flags         = FlagsSet | FlagsClear | MessageRead | MessageTrash
	mailboxes     = MailboxCreate | MailboxDelete | MailboxRename | AclChange | MailboxModseq
	subscriptions = MailboxSubscribe | MailboxUnsubscribe
	quotas        = QuotaExceed | QuotaWithin | QuotaChange
	access        = Login | Logout
)

// groups is the sets that event_groups names.
var groups = map[string]Type{
	"message": messages, "quota": quotas, "flags": flags, "access": access | AclChange,
	"mailbox": mailboxes, "subscription": subscriptions,
}

// Mailbox is what an event tells of a mailbox: as it was when the event came
// about.
type Mailbox struct {
	Name        mboxname.Name
	UniqueID    string
	UIDValidity uint32 // 0: not told
	Type        string // letters: "e"
	ACL         string // text form
	Exists      uint32
	Unseen      uint32 // by what is in the index
	UIDNext     uint32
}

// Message is what an event tells of one message. Fields that are not wanted
// (Notifier.Wants) need not be filled.
type Message struct {
	UID           uint32
	OldUID        uint32 // of the original, for copies
	Modseq        uint64
	Size          uint32
	CID           uint64 // of its conversation, 0: none
	GUID          [20]byte
	ID            string // Message-ID, with its angle brackets
	Envelope      string // as IMAP has it
	BodyStructure string
	Content       string
}

// Quota is what an event tells of a quota root.
type Quota struct {
	Root          mboxname.Name
	Storage       bool  // the two fields for storage are told
	DiskQuota     int64 // KiB; less than 0: no limit, which is not told
	DiskUsed      int64 // KiB
	Messages      bool  // the two fields for messages are told
	MaxMessages   int64 // -1: no limit
	MessagesThere int64
}

// Conversations is what an event tells of the conversations of a mailbox and
// the counters of its owner.
type Conversations struct {
	Exists, Unseen uint32
	Counters       []uint64 // modseqs as they stand in the counters file of version 9, all 35; nil: none
	UIDValidity    uint32   // that of this file
}

// Event is one event. What a type does not tell may be zero.
type Event struct {
	Type     Type
	Time     time.Time // zero: now
	User     string    // who did it; "" is the server
	Session  string    // its id
	Mailbox  *Mailbox
	NoID     bool         // without mailboxID
	Old      *Mailbox     // where messages were copied from, or a mailbox before it was renamed
	UIDs     []Message    // which messages, ascending by UID
	Flags    []string     // that changed, or that a new message has
	Quota    *Quota       // of the quota events
	Subject  string       // whose rights changed
	Rights   string       // to these
	NoRights bool         // instead of Rights: the entry was removed
	Server   *net.TCPAddr // both ends of the connection; nil for a unix socket
	Client   *net.TCPAddr
	Conv     *Conversations // nil: the site has none
}

// Cause says who changes a mailbox, and how that is told.
type Cause struct {
	User    string
	Session string
	// Expunge is what an expunged message is told as: MessageExpunge or
	// MessageExpire. 0: not at all, nor are changed flags.
	Expunge Type
	// First sends events of messages before MailboxModseq, not after it.
	First bool
	// NoID leaves mailboxID out of them, as Cyrus's pop3d does.
	NoID bool
}

// sessionKey is the key of a context's session.
type sessionKey struct{}

// InSession returns a context whose events tell a session, where those who
// make them know of none: quota roots.
func InSession(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, sessionKey{}, id)
}

// SessionOf is the session of a context, "" if it has none.
func SessionOf(ctx context.Context) string {
	id, _ := ctx.Value(sessionKey{}).(string)
	return id
}
