package mboxlist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxkey"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/subs"
	"gocyrus/libcyrus/syslog"
)

// Actor is somebody who works with the list.
type Actor struct {
	acl.Identity
	SessionID string // for the audit log
}

// Options says what a List works with, and how.
type Options struct {
	DB    cyrusdb.DB
	FS    disk.FS
	Locks *lock.Table
	Store *mailbox.Store
	Quota *quota.Store
	Subs  *subs.Store
	Seen  *seen.Store
	Annot *annot.Store
	// MboxKeys is the secrets of users for URLs.
	MboxKeys *mboxkey.Store
	// Counters are those of users, nil if the site keeps no conversations.
	Counters *counters.Store
	Events   *event.Notifier // nil: nobody wants to know
	Layout   *mboxname.Layout
	Names    mboxname.Rules
	Rights   acl.Rules
	Log      *slog.Logger

	Admins           []string // imapd.conf's: they have no entries in the reverse index
	DefaultPartition string   // "" chooses among Layout.Partitions by Partitions
	Partitions       PartitionChoice
	LegacyDirs       bool // mailbox_legacy_dirs
	DelayedDelete    bool // delete_mode: delayed
	DeleteUnsub      bool // delete_unsubscribe
	UserMoves        bool // allowusermoves
	SubscribeAll     bool // allowallsubscribe
	ReverseACLs      bool // reverseacls
	AuditLog         bool
	SpecialUses      []string             // specialuse_extra, besides those of RFC 6154
	ProtectedUses    []string             // specialuse_protect
	ChildlessUses    []string             // specialuse_nochildren
	NewOptions       mailbox.IndexOptions // mailbox_default_options
	Autocreate       Autocreate
	// UserGone, if not nil, is called after a user was deleted, or got another
	// name; MailboxGone after a mailbox was deleted for good. session is who did
	// it. They are for ending sessions.
	UserGone    func(userID, session string)
	MailboxGone func(n mboxname.Name, session string)
	// Now is the clock, time.Now if nil.
	Now func() time.Time
}

// List is the mailbox list of a site. It may be used from many goroutines,
// while other processes work on the same list.
//
// Changes are transactions on condition that the entries which they were
// decided by are still the same; the locks of mailboxes are taken by package
// mailbox around them, in its order.
type List struct {
	partitions *partitions
	o          Options
	db         cyrusdb.DB
	recounts   recounts
	journal    journal
	parsed     parsed
	trees      trees
}

// New returns the list kept in o.DB.
func New(o Options) *List {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &List{o: o, db: o.DB, partitions: newPartitions(o.Layout, o.Partitions)}
}

// Close closes the database.
func (l *List) Close() error { return l.db.Close() }

// stored is an entry with the bytes that it was read from.
type stored struct {
	*Entry
	raw []byte // nil: there is none
}

// fetch reads one key. A missing one gives a nil Entry and no error.
func (l *List) fetch(ctx context.Context, key []byte) (stored, error) {
	raw, err := l.db.Get(ctx, key)
	if errors.Is(err, cyrusdb.ErrNotFound) {
		return stored{}, nil
	}
	if err != nil {
		return stored{}, err
	}
	e, err := l.parsed.entry(key, raw)
	if err != nil {
		l.o.Log.Error("DBERROR: entry of the mailbox list cannot be read", "key", string(key), "error", err)
		return stored{}, errs.New(errs.BadFormat, "mboxlist.fetch", string(key), err)
	}
	return stored{e, raw}, nil
}

func notFound(n mboxname.Name) error {
	return errs.New(errs.NotFound, "mboxlist.Lookup", string(n), nil)
}

func denied(op string, n mboxname.Name) error { return errs.New(errs.Denied, op, string(n), nil) }

// Lookup returns the entry of a mailbox without regard to rights;
// errs.NotFound for names without a mailbox.
func (l *List) Lookup(ctx context.Context, n mboxname.Name) (*Entry, error) {
	e, err := l.Find(ctx, n)
	if err == nil && !e.Exists() {
		return nil, notFound(n)
	}
	return e, err
}

// Find is Lookup, but returns whatever is there: tombstones and
// intermediates too; errs.NotFound if there is nothing.
func (l *List) Find(ctx context.Context, n mboxname.Name) (*Entry, error) {
	if n == "" {
		return nil, notFound(n)
	}
	s, err := l.fetch(ctx, keyOf(n))
	if err == nil && s.Entry == nil {
		return nil, notFound(n)
	}
	return s.Entry, err
}

// LookupID returns the entry of a unique id, with its history; errs.NotFound
// if there is none, or if its name belongs to another mailbox by now.
func (l *List) LookupID(ctx context.Context, id string) (*Entry, error) {
	s, err := l.fetch(ctx, keyOfID(id))
	if err != nil {
		return nil, err
	}
	if s.Entry == nil || !s.Exists() {
		return nil, errs.New(errs.NotFound, "mboxlist.LookupID", id, nil)
	}
	named, err := l.Lookup(ctx, s.Name)
	if err != nil || named.UniqueID == id {
		return s.Entry, err
	}
	return nil, errs.New(errs.NotFound, "mboxlist.LookupID", id, nil)
}

// Rights is what who may do with a mailbox, with all implicit rights.
func (l *List) Rights(who Actor, e *Entry) acl.Rights {
	id := who.Identity
	id.Admin = l.isAdmin(who, e.Name)
	return l.o.Rights.Rights(e.ACL, id, l.owns(who, e.Name))
}

// owns reports whether a mailbox is who's own.
func (l *List) owns(who Actor, n mboxname.Name) bool {
	return who.User != "" && n.OwnerOf(l.o.Names.DeletedPrefix) == who.User
}

// isAdmin reports whether who is an admin of n's domain: one whose id has a
// domain is an admin there only.
func (l *List) isAdmin(who Actor, n mboxname.Name) bool {
	if !who.Admin {
		return false
	}
	d := mboxname.UserParts(who.User).Domain
	return d == "" || l.o.Names.Virtual == mboxname.VirtualOff || d == n.Domain()
}

// Need returns the entry of a mailbox on which who has all the rights of
// want: errs.NotFound if he may not even look it up, else errs.Denied.
func (l *List) Need(ctx context.Context, who Actor, n mboxname.Name, want acl.Rights) (*Entry, error) {
	e, err := l.Lookup(ctx, n)
	if err != nil {
		return nil, err
	}
	return e, l.allowed(who, e, want)
}

// allowed is the one place where a mailbox is hidden from somebody.
func (l *List) allowed(who Actor, e *Entry, want acl.Rights) error {
	switch have := l.Rights(who, e); {
	case have.Has(want):
		return nil
	case !have.Has(acl.Lookup):
		return notFound(e.Name)
	}
	return denied("mboxlist.Need", e.Name)
}

// NeedAny is Need for at least one of several rights.
func (l *List) NeedAny(ctx context.Context, who Actor, n mboxname.Name, some acl.Rights) (*Entry, error) {
	e, err := l.Lookup(ctx, n)
	if err != nil {
		return nil, err
	}
	if l.Rights(who, e).Any(some) {
		return e, nil
	}
	return nil, l.allowed(who, e, some)
}

// ScanFunc is called for an entry; it says whether to go on.
type ScanFunc func(*Entry) (more bool, err error)

// Scan calls fn for every entry from a name on, in the list's order, also
// tombstones and intermediates, until fn returns false or an error. No right
// is checked. Damaged entries are logged and left out.
func (l *List) Scan(ctx context.Context, from mboxname.Name, fn ScanFunc) error {
	return l.scan(ctx, keyOf(from), []byte{nameKey}, fn)
}

// scan is Scan for the keys with a prefix, from one on.
func (l *List) scan(ctx context.Context, from, prefix []byte, fn ScanFunc) error {
	return l.db.Scan(ctx, from, func(k, v []byte) (bool, error) {
		if !bytes.HasPrefix(k, prefix) {
			return false, nil
		}
		e, err := decode(k, v)
		if err != nil {
			l.o.Log.Error("DBERROR: entry of the mailbox list cannot be read", "key", string(k), "error", err)
			return true, nil
		}
		return fn(e)
	})
}

// Tree calls fn for the mailbox n and all mailboxes below it, in the
// list's order. No right is checked.
func (l *List) Tree(ctx context.Context, n mboxname.Name, fn ScanFunc) error {
	if n.IsInbox() {
		return l.treeOf(ctx, n, fn)
	}
	return l.readTree(ctx, n, fn)
}

// readTree is Tree by reading the list.
func (l *List) readTree(ctx context.Context, n mboxname.Name, fn ScanFunc) error {
	return l.scan(ctx, keyOf(n), keyOf(n), func(e *Entry) (bool, error) {
		if !n.Contains(e.Name) || !e.Exists() {
			return true, nil
		}
		return fn(e)
	})
}

// User calls fn for all mailboxes of a user, his INBOX first; with deleted
// also for those that wait for their final deletion.
func (l *List) User(ctx context.Context, userID string, deleted bool, fn ScanFunc) error {
	inbox := l.o.Names.Inbox(userID)
	if inbox == "" {
		return errs.New(errs.BadArgument, "mboxlist.User", userID, nil)
	}
	stopped := false
	err := l.Tree(ctx, inbox, func(e *Entry) (bool, error) {
		more, err := fn(e)
		stopped = !more
		return more, err
	})
	if err != nil || !deleted || stopped {
		return err
	}
	gone := mboxname.Name(l.o.Names.DeletedPrefix + "." + string(inbox.Local())).InDomain(inbox.Domain())
	return l.Tree(ctx, gone, fn)
}

// HomeOf says where the files of a user lie: the unique id of his INBOX and
// whether it has legacy directories; "" if he has none. It is what packages
// seen and subs want to know.
func (l *List) HomeOf(ctx context.Context, userID string) (inboxID string, legacy bool, err error) {
	if userID == "" {
		return "", false, nil
	}
	e, err := l.Lookup(ctx, l.o.Names.Inbox(userID))
	if errs.Is(err, errs.NotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	return e.UniqueID, e.Has(LegacyDirs), nil
}

// audit writes a line of the audit log, if there is one.
func (l *List) audit(format string, args ...any) {
	if l.o.AuditLog {
		l.o.Log.Log(context.Background(), syslog.LevelNotice, "auditlog: "+fmt.Sprintf(format, args...))
	}
}

// now is the time of a change, in seconds since 1970.
func (l *List) now() int64 { return max(l.o.Now().Unix(), 0) }
