// Package errs classifies failures, so that each protocol can word them
// for its client without seeing what is only for the log.
package errs

import (
	"errors"
	"strings"
)

// Kind says what a failure means to a client. Each has the meaning of one
// code of Cyrus (imap/imap_err.et), named in its comment.
type Kind uint8

// The kinds of failure. The zero value is an unclassified error: the
// client is told nothing but that, the log has the cause.
const (
	Internal        Kind = iota // IMAP_INTERNAL
	IO                          // IMAP_IOERROR: the disk or a file on it failed
	Denied                      // IMAP_PERMISSION_DENIED
	OverQuota                   // IMAP_QUOTA_EXCEEDED
	TooBig                      // IMAP_MESSAGE_TOO_LARGE
	FlagsFull                   // IMAP_USERFLAG_EXHAUSTED
	BadFormat                   // IMAP_MAILBOX_BADFORMAT: a file of the store is damaged
	NotSupported                // IMAP_MAILBOX_NOTSUPPORTED
	NotFound                    // IMAP_MAILBOX_NONEXISTENT
	Exists                      // IMAP_MAILBOX_EXISTS
	BadName                     // IMAP_MAILBOX_BADNAME
	HasChildren                 // IMAP_MAILBOX_HASCHILDREN
	Locked                      // IMAP_MAILBOX_LOCKED: temporary
	PopLocked                   // IMAP_MAILBOX_POPLOCK
	TooManyMessages             // IMAP_NO_OVERQUOTA's sibling: mailbox_maxmessages_* reached
	ContainsNUL                 // IMAP_MESSAGE_CONTAINSNULL
	ContainsNL                  // IMAP_MESSAGE_CONTAINSNL
	Contains8Bit                // IMAP_MESSAGE_CONTAINS8BIT
	BadHeader                   // IMAP_MESSAGE_BADHEADER
	NoBlankLine                 // IMAP_MESSAGE_NOBLANKLINE
	QuotaNotFound               // IMAP_QUOTAROOT_NONEXISTENT
	BadIdentifier               // IMAP_INVALID_IDENTIFIER
	BadRights                   // IMAP_INVALID_RIGHTS
	BadPartition                // IMAP_PARTITION_UNKNOWN
	NoSuchMessage               // IMAP_NO_NOSUCHMSG
	UserUnknown                 // the log-in name or recipient does not exist
	Unavailable                 // IMAP_SERVER_UNAVAILABLE: temporary, the client may try again
	DiskFull                    // ENOSPC or EDQUOT: temporary, nothing was changed
	BadArgument                 // the caller's argument is wrong; Err says how
	Duplicate                   // the mailbox has had this message; no client is told
	kinds                       // number of kinds
)

// texts is Cyrus's wording of each kind (imap/imap_err.et).
var texts = [kinds]string{
	Internal:        "Internal Error",
	IO:              "System I/O error",
	Denied:          "Permission denied",
	OverQuota:       "Over quota",
	TooBig:          "Message size exceeds fixed limit",
	FlagsFull:       "Too many user flags in mailbox",
	BadFormat:       "Mailbox has an invalid format",
	NotSupported:    "Operation is not supported on mailbox",
	NotFound:        "Mailbox does not exist",
	Exists:          "Mailbox already exists",
	BadName:         "Invalid mailbox name",
	HasChildren:     "Mailbox has inferior hierarchy",
	Locked:          "Mailbox is locked",
	PopLocked:       "Mailbox has been locked by POP server",
	TooManyMessages: "Too many messages in mailbox",
	ContainsNUL:     "Message contains NUL characters",
	ContainsNL:      "Message contains bare newlines",
	Contains8Bit:    "Message contains non-ASCII characters in headers",
	BadHeader:       "Message contains invalid header",
	NoBlankLine:     "Message has no header/body separator",
	QuotaNotFound:   "Quota root does not exist",
	BadIdentifier:   "Invalid identifier",
	BadRights:       "Invalid rights",
	BadPartition:    "Unknown/invalid partition",
	NoSuchMessage:   "No matching messages",
	UserUnknown:     "User unknown",
	Unavailable:     "Server(s) unavailable to complete operation",
	DiskFull:        "No space left on device",
	BadArgument:     "Invalid argument",
	Duplicate:       "Duplicate message",
}

// String is Cyrus's wording of the kind, which may be sent to a client.
func (k Kind) String() string {
	if k >= kinds {
		k = Internal
	}
	return texts[k]
}

// Temporary reports whether the same request may succeed later without
// anybody having to change anything: an MTA is told 4xx.
func (k Kind) Temporary() bool {
	switch k {
	case Internal, IO, BadFormat, Locked, PopLocked, Unavailable, DiskFull, OverQuota, TooManyMessages:
		return true
	}
	return false
}

// Error is a failed operation. Op, Name and Err are for the log only.
type Error struct {
	Kind Kind
	Op   string // package and function: "mboxlist.Create"
	Name string // what it was about: usually a mailbox name or a path
	Err  error  // the cause, or nil
}

// Error is the form for the log: operation, what it was about, kind, cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Name != "" {
		b.WriteString(" ")
		b.WriteString(e.Name)
	}
	b.WriteString(": ")
	b.WriteString(e.Kind.String())
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an *Error; err may be nil.
func New(k Kind, op, name string, err error) *Error {
	return &Error{Kind: k, Op: op, Name: name, Err: err}
}

// KindOf returns the Kind of the outermost *Error in err's chain, or
// Internal. It must not be asked about nil.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is not nil and of kind k.
func Is(err error, k Kind) bool {
	return err != nil && KindOf(err) == k
}
