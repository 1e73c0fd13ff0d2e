package sieve

import (
	"crypto/md5"
	"slices"
)

// Kind is what an Action does.
type Kind uint8

// The kinds of actions.
const (
	Keep Kind = iota + 1
	Discard
	FileInto
	Redirect
	Reject
	Ereject
	Vacation
	Snooze
)

// kindNames is how Cyrus calls them in the log.
var kindNames = [...]string{Keep: "Keep", Discard: "Discard", FileInto: "Fileinto", Redirect: "Redirect",
	Reject: "Reject", Ereject: "eReject", Vacation: "Vacation", Snooze: "Snooze"}

// String is Cyrus's name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "Unknown"
}

// Mailbox names where something is filed. The mailbox id comes first, then
// the special use, then the name.
type Mailbox struct {
	Name       string
	ID         *string // :mailboxid
	SpecialUse *string // :specialuse
	Create     bool    // :create
	Flags      []string
}

// An Action is something to be done with the message. Which fields are set
// depends on Kind.
type Action struct {
	Kind       Kind
	CancelKeep bool // no implicit keep after this

	Mailbox  Mailbox // FileInto, Snooze; Keep: Flags only
	Resolved string  // FileInto, Keep: what Host.Resolve said
	// Header is the header block of the message as the script left it, with
	// the empty line; nil if it was not edited. FileInto, Keep, Redirect,
	// Snooze.
	Header []byte

	Address   string  // Redirect: whom to, or with List the list
	List      bool    // :list
	DeliverBy string  // by-value of RFC 2852, "" = none
	DSNNotify *string // :notify
	DSNRet    *string // :ret

	Reason string // Reject, Ereject

	Response *Response // Vacation

	// Snooze: flags when it comes back, days of the week as bits (1 =
	// Sunday), times in seconds of the day, ascending.
	AddFlags, RemoveFlags []string
	Days                  int
	Times                 []int
	Zone                  *string
}

// A Response is a vacation message.
type Response struct {
	To, From string // From may be a whole address field
	Subject  string // UTF-8
	Text     string
	MIME     bool // Text is a whole MIME entity with its header
	Seconds  int  // no other of this Hash to the same address before that
	Hash     [md5.Size]byte
	Fcc      *Mailbox // where a copy goes, or nil
}

// A Notification is what notify asks for.
type Notification struct {
	Method   string // of notifyd: "mailto" with the address as first option; "default" = sievenotifier
	ID, From *string
	Options  []string
	Priority string // "low", "normal", "high"
	Message  string // with $from$ and the like replaced
	active   bool
}

// A Tracked is an id that the test duplicate is to remember.
type Tracked struct {
	ID      string
	Seconds int
}

// IMIP is what processimip asks for.
type IMIP struct {
	InvitesOnly, UpdatesOnly, DeleteCanceled bool
	CalendarID                               *string
}

// A Result is what a script wants done.
type Result struct {
	// Actions in their order. If none cancels it, an implicit keep follows,
	// with Flags and Header.
	Actions []Action
	Notes   []Notification
	Tracked []Tracked // to be remembered if all went well
	Flags   []string  // of the implicit keep: the internal variable
	Header  []byte    // as in Action
	// Err is why the script ended early, nil if it did not. Then there are
	// no Actions, and the message is delivered as if there were no script;
	// Notes are sent. Its text is Cyrus's.
	Err error

	stopped bool   // by stop or return, not by its end
	keepIn  string // where an implicit keep leads
}

// ImplicitKeep reports whether nothing cancelled the implicit keep.
func (r *Result) ImplicitKeep() bool {
	return r.Err == nil && !slices.ContainsFunc(r.Actions, func(a Action) bool { return a.CancelKeep })
}

// add puts an action behind the others, as Cyrus's rules on their
// combination say. It returns false if it may not be combined with them.
//
// Source: Cyrus sieve/message.c.
func (r *Result) add(a Action) bool {
	rejected := slices.ContainsFunc(r.Actions, func(x Action) bool { return x.Kind == Reject || x.Kind == Ereject })
	has := func(k Kind) bool { return slices.ContainsFunc(r.Actions, func(x Action) bool { return x.Kind == k }) }
	switch a.Kind {
	case Reject, Ereject:
		if len(r.Actions) > 0 && (len(r.Actions) > 1 || r.Actions[0].Kind != Discard) {
			return false
		}
	case Discard:
		if has(Discard) {
			return true
		}
	case Vacation:
		if rejected || has(Vacation) {
			return false
		}
	default:
		if rejected {
			return false
		}
		r.drop(a)
	}
	r.Actions = append(r.Actions, a)
	return true
}

// drop removes the actions that a takes the place of.
func (r *Result) drop(a Action) {
	r.Actions = slices.DeleteFunc(r.Actions, func(x Action) bool {
		switch a.Kind {
		case Keep:
			return x.Kind == Keep || x.Kind == FileInto && x.Resolved == a.Resolved
		case FileInto:
			return (x.Kind == Keep || x.Kind == FileInto) && x.Resolved == a.Resolved
		case Snooze:
			return x.Kind == Snooze
		}
		return false
	})
}
