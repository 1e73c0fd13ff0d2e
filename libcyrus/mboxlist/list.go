package mboxlist

import (
	"context"
	"log/slog"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// Actor is somebody who works with the list.
type Actor struct {
	acl.Identity
	SessionID string // for the audit log
}

// List is the mailbox list of a site. It may be used from many goroutines,
// while other processes work on the same list.
type List struct {
	log *slog.Logger
}

// Lookup returns the entry of a mailbox without regard to rights;
// errs.NotFound for names without a mailbox.
func (l *List) Lookup(ctx context.Context, n mboxname.Name) (*Entry, error) { panic("not written yet") }

// Find is Lookup, but returns whatever is there: tombstones and
// intermediates too; errs.NotFound if there is nothing.
func (l *List) Find(ctx context.Context, n mboxname.Name) (*Entry, error) { panic("not written yet") }

// LookupID returns the entry of a unique id, with its history.
func (l *List) LookupID(ctx context.Context, id string) (*Entry, error) { panic("not written yet") }

// Rights is what who may do with a mailbox, with all implicit rights.
func (l *List) Rights(who Actor, e *Entry) acl.Rights { panic("not written yet") }

// Need returns the entry of a mailbox on which who has all the rights of
// want: errs.NotFound if he may not even look it up, else errs.Denied.
func (l *List) Need(ctx context.Context, who Actor, n mboxname.Name, want acl.Rights) (*Entry, error) {
	panic("not written yet")
}

// Scan calls fn for every entry from a name on, in the list's order, also
// tombstones and intermediates, until fn returns false or an error. No right is checked.
func (l *List) Scan(ctx context.Context, from mboxname.Name, fn func(*Entry) (more bool, err error)) error {
	panic("not written yet")
}

// Tree calls fn for the mailbox n and all below it. No right is checked.
func (l *List) Tree(ctx context.Context, n mboxname.Name, fn func(*Entry) (more bool, err error)) error {
	panic("not written yet")
}

// Listed is one line of an answer to LIST.
type Listed struct {
	External    string // external name
	Name        mboxname.Name
	Entry       *Entry // nil: there is no mailbox, only something below it that matches a longer name
	HasChildren bool   // there is a mailbox below it that the user may look up
	Subscribed  bool   // only with ListOptions.Subscribed or WantSubscribed
	// ChildMatches says that with RecursiveMatch a mailbox below fits the
	// selection although this one may not.
	ChildMatches bool
}

// ListOptions says what is listed.
type ListOptions struct {
	Patterns       []mboxname.Matcher
	Subscribed     bool // only what is subscribed, also if it does not exist
	WantSubscribed bool // fill in Listed.Subscribed
	RecursiveMatch bool // RFC 5258, with Subscribed
	IncludeDeleted bool // deleted mailboxes too, for admins
	Limit          int  // stop after so many; 0 = no limit
}

// Each calls fn for what matches, in the order in which Cyrus answers:
// INBOX, own, other users', shared mailboxes. Mailboxes that the user may
// not look up are left out.
func (l *List) Each(ctx context.Context, who Actor, ns *mboxname.Namespace, o ListOptions, fn func(Listed) error) error {
	panic("not written yet")
}

// CreateOptions says what a new mailbox is like.
type CreateOptions struct {
	Type       string // its kind; "" is "e"
	Partition  string // "" chooses; only admins may
	SpecialUse string // "\\Junk \\Sent"; stored as the owner's private annotation
	UniqueID   string // "" makes one
	Options    mailbox.IndexOptions
	ACL        acl.List // nil: the parent's, or the default
	// Force skips the rights: for what the server does by itself.
	Force bool
	// OnlyMissing: it is no error if the mailbox exists.
	OnlyMissing bool
}

// Create makes a mailbox, and its parents where there are none.
//
// Kinds: errs.BadName, errs.Denied, errs.Exists, errs.BadPartition,
// errs.OverQuota (X-NUM-FOLDERS).
func (l *List) Create(ctx context.Context, who Actor, n mboxname.Name, o CreateOptions) (*Entry, error) {
	panic("not written yet")
}

// DeleteOptions says how a mailbox is deleted.
type DeleteOptions struct {
	Force     bool // skip the rights
	Immediate bool // for good, also with delete_mode delayed
	Subtree   bool // with all below it
}

// Delete deletes a mailbox: with delete_mode delayed it gets a name below
// DELETED. An INBOX can be deleted by admins only; everything of the
// user goes with it.
func (l *List) Delete(ctx context.Context, who Actor, n mboxname.Name, o DeleteOptions) error {
	panic("not written yet")
}

// RenameOptions says how a mailbox is renamed.
type RenameOptions struct {
	Partition string // move to it; "" stays
	Force     bool   // skip the rights
	Alone     bool   // not what is below it
}

// Rename renames a mailbox and all below it. An INBOX is renamed by its
// owner by moving its messages; by an admin (allowusermoves) the whole user.
func (l *List) Rename(ctx context.Context, who Actor, from, to mboxname.Name, o RenameOptions) error {
	panic("not written yet")
}

// SetACL changes the rights of an identifier: rights as in SETACL, with "+"
// or "-" in front; "" removes the entry.
func (l *List) SetACL(ctx context.Context, who Actor, n mboxname.Name, id, rights string) error {
	panic("not written yet")
}

// Subscribe and Unsubscribe change the user's list.
func (l *List) Subscribe(ctx context.Context, who Actor, n mboxname.Name) error {
	panic("not written yet")
}

// Unsubscribe removes a name, whether or not the mailbox exists.
func (l *List) Unsubscribe(ctx context.Context, who Actor, n mboxname.Name) error {
	panic("not written yet")
}

// Inbox returns the INBOX of a user, made by the rules of autocreate_* if
// there is none; errs.NotFound if there is none and none is to be made.
func (l *List) Inbox(ctx context.Context, userID string) (*Entry, error) { panic("not written yet") }

// SpecialUse finds the user's mailbox with a special use such as "\\Trash";
// errs.NotFound without one.
func (l *List) SpecialUse(ctx context.Context, userID, use string) (*Entry, error) {
	panic("not written yet")
}
