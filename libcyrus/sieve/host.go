package sieve

import "errors"

// A Host answers what a script asks about the world outside its message.
// Embed NoHost to implement only some of it. Its methods are called from
// Run, in the order of the script.
type Host interface {
	// MailboxExists reports whether the user may deliver to a mailbox of
	// that name (RFC 5490 section 3.1).
	MailboxExists(name string) bool
	// MailboxIDExists is MailboxExists by id (RFC 9042).
	MailboxIDExists(id string) bool
	// SpecialUseExists reports whether the mailbox, or with nil any of the
	// user's, has all these uses (RFC 8579 section 3).
	SpecialUseExists(mailbox *string, uses []string) bool
	// Metadata returns the value of an entry ("/private/…", "/shared/…") of
	// a mailbox, of the server with nil.
	Metadata(mailbox *string, entry string) (string, bool)
	// Environment returns an item of RFC 5183 section 4.1.
	Environment(item string) (string, bool)
	// ValidList and InList are about external lists (RFC 6134).
	ValidList(list string) bool
	InList(list, value string) bool
	// Duplicate reports whether that id is tracked (RFC 7352).
	Duplicate(id string) bool
	// JMAPQuery reports whether the message fits a filter of JMAP.
	JMAPQuery(filter string) bool
	// Include returns another script of the user, or a global one. The key
	// says which scripts are the same. ErrNoScript: there is none.
	Include(name string, global bool) (s *Script, key string, err error)
	// Resolve says which mailbox an action would deliver to, so that no
	// mailbox gets a message twice; for fileinto and keep.
	Resolve(a Action) (mailbox string, err error)
	// ProcessIMIP is the action of Cyrus's own.
	ProcessIMIP(IMIP) (outcome, fault string, err error)
	// Log is the action log.
	Log(text string)
}

// ErrNoScript is the error of Host.Include for a script that does not exist.
var ErrNoScript = errors.New("no such script")

// NoHost is a Host that has nothing. Fileinto resolves to the name given,
// keep to "INBOX".
type NoHost struct{}

// MailboxExists is false.
func (NoHost) MailboxExists(string) bool { return false }

// MailboxIDExists is false.
func (NoHost) MailboxIDExists(string) bool { return false }

// SpecialUseExists is false.
func (NoHost) SpecialUseExists(*string, []string) bool { return false }

// Metadata has nothing.
func (NoHost) Metadata(*string, string) (string, bool) { return "", false }

// Environment has nothing.
func (NoHost) Environment(string) (string, bool) { return "", false }

// ValidList is false.
func (NoHost) ValidList(string) bool { return false }

// InList is false.
func (NoHost) InList(string, string) bool { return false }

// Duplicate is false.
func (NoHost) Duplicate(string) bool { return false }

// JMAPQuery is false.
func (NoHost) JMAPQuery(string) bool { return false }

// Include has no script.
func (NoHost) Include(string, bool) (*Script, string, error) { return nil, "", ErrNoScript }

// Resolve is the name of the mailbox.
func (NoHost) Resolve(a Action) (string, error) {
	if a.Kind == Keep {
		return "INBOX", nil
	}
	return a.Mailbox.Name, nil
}

// ProcessIMIP does nothing.
func (NoHost) ProcessIMIP(IMIP) (outcome, fault string, err error) { return "no_action", "", nil }

// Log does nothing.
func (NoHost) Log(string) {}
