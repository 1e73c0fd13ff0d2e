package mailbox

import (
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/syslog"
)

// Quota is what a Store needs of quota roots; *quota.Store is one.
type Quota interface {
	// Check returns an error of kind errs.OverQuota if a change by diff
	// would take root over a limit. It changes nothing.
	Check(ctx context.Context, root mboxname.Name, diff quota.Usage) error
	// Update changes what is used of root by diff; it lasts on return.
	Update(ctx context.Context, root, mailbox mboxname.Name, diff quota.Usage) error
	// Renamed tells a count of root that runs meanwhile of a mailbox with
	// another name.
	Renamed(ctx context.Context, root, from, to mboxname.Name, use quota.Usage) error
}

// Annotation is the value of one message annotation; one without a value
// removes it.
type Annotation = annot.Message

// Annotations is what a Store needs of annotations; *annot.Store is one.
type Annotations interface {
	Each(ctx context.Context, of annot.Scope, fn func(annot.Key, []byte) error) error
	MessageEach(ctx context.Context, m annot.Messages, uid uint32, fn func(a annot.Message, modseq uint64) error) error
	MessageSet(ctx context.Context, m annot.Messages, modseq uint64, set []annot.Message) (delta int64, err error)
	SetAll(ctx context.Context, of annot.Scope, rows []annot.Row) error
	MessageDrop(ctx context.Context, m annot.Messages, uids []uint32) error
}

// Options says what a Store works with and how.
type Options struct {
	FS     disk.FS
	Locks  *lock.Table
	Layout *mboxname.Layout
	Log    *slog.Logger
	// Quota may be nil: then nothing is limited and nothing counted.
	Quota Quota
	// Annotations may be nil: then messages have none.
	Annotations Annotations
	// Events is told what lasts; nil: nobody wants to know.
	Events *event.Notifier
	// OwnerSeen, if not nil, tells which messages the owner of a mailbox
	// has seen by his seen database, where index versions below 12 keep
	// that; it is asked once, when such an index is rewritten. A nil function
	// means that he has seen nothing.
	OwnerSeen func(ctx context.Context, ref Ref) (seen func(uid uint32) bool, recent uint32, err error)
	// Conversations and Counters are those of the site, nil if it keeps none
	// (conversations: no).
	Conversations *conversations.Store
	Counters      *counters.Store
	// UserMailboxes is all mailboxes of a user, in the order of the list:
	// to count his conversations.
	UserMailboxes func(ctx context.Context, user string) ([]Ref, error)
	CountOnce     bool // quota_use_conversations
	// FindSplits finds the mailbox SplitFolder of a user, MakeSplits makes it:
	// the first with, the second without locks. nil: nothing is split.
	FindSplits func(ctx context.Context, user string) (ref Ref, ok bool, err error)
	MakeSplits func(ctx context.Context, user string) error
	// Folder finds a mailbox by its unique id, or by its internal name, as
	// conversations call it.
	Folder func(ctx context.Context, key string, byName bool) (ref Ref, ok bool)
	// Changed, if not nil, is called for each mailbox whose index was
	// changed, before its locks are released: to drop its entries in
	// statuscache.db.
	Changed func(mboxname.Name)
	// Repaired, if not nil, is called without any lock when the use of a
	// quota root may be wrong: after a mailbox of it was repaired, or was
	// checked, as the first of this root, after an unclean boot.
	Repaired func(ref Ref, root mboxname.Name)
	// Panicked, if not nil, is called after a panic of somebody who held the
	// exclusive lock of a mailbox, while it is being released: the process
	// should take no more clients.
	Panicked func(ref Ref)

	// Message says how messages are parsed.
	Message message.Options

	// Archive says which messages go to the archive partition; nil = none
	// (archive_enabled).
	Archive *Archive

	// ImmediateExpunge removes files, and records soon, of what is expunged
	// (expunge_mode: immediate), SemidelayedExpunge only files at once.
	ImmediateExpunge   bool
	SemidelayedExpunge bool
	AuditLog           bool // auditlog
	CopyFiles          bool // singleinstancestore: no
	// MaxMessages is the largest number of messages in a mailbox by its
	// type's first letter (mailbox_maxmessages_*); none or 0 = no limit.
	MaxMessages map[string]uint32
	// UncleanBoot is when the system was started, if it had not been shut
	// down cleanly before: a mailbox that was not changed since is checked
	// when it is opened first. Zero means that all is well. See BootTime.
	UncleanBoot time.Time
	// PollInterval is how often a watched mailbox is looked at where
	// inotify does not work (imapidlepoll); 0 is 60 s.
	PollInterval time.Duration
	// LockWait is how long locks are waited for if the context has no
	// deadline; 0 is 10 s.
	LockWait time.Duration
	// MaxOpen is how many mailboxes keep their files open between two
	// operations; 0 is 256.
	MaxOpen int
}

const (
	defaultMaxOpen  = 256
	defaultLockWait = 10 * time.Second
	defaultPoll     = 60 * time.Second
)

// Store is the mailboxes of a site on disk. It may be used from many
// goroutines, while other processes work on the same files.
type Store struct {
	o     Options
	watch watcher

	copyAtOnce int // messages of a copy that are in memory

	mu        sync.Mutex
	boxes     map[string]*box // by Ref.key
	idle      list.List       // boxes that nobody uses, the longest unused first
	unchanged unchanged

	counted map[mboxname.Name]bool // quota roots that were counted after an unclean boot
}

// New returns a Store. It opens nothing yet.
func New(o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = defaultMaxOpen
	}
	if o.PollInterval <= 0 {
		o.PollInterval = defaultPoll
	}
	if o.LockWait <= 0 {
		o.LockWait = defaultLockWait
	}
	s := &Store{o: o, copyAtOnce: copyAtOnce, boxes: map[string]*box{}, counted: map[mboxname.Name]bool{}}
	s.unchanged.step = fileTimeStep
	s.watch.start(s)
	return s, nil
}

// Close closes all files. No mailbox may be open, and nothing watched.
func (s *Store) Close() error {
	s.watch.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, b := range s.boxes {
		if b.users == 0 {
			b.forget()
			delete(s.boxes, key)
		}
	}
	s.idle.Init()
	return nil
}

// withDeadline gives ctx the deadline for locks if it has none.
func (s *Store) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return lock.WithTimeout(ctx, s.o.LockWait)
}

// now is the time as it is stored.
func now() Stamp { return StampOf(time.Now()) }

// audit writes a line to the audit log.
func (s *Store) audit(format string, a ...any) {
	if s.o.AuditLog {
		s.o.Log.Log(context.Background(), syslog.LevelNotice, fmt.Sprintf(format, a...))
	}
}

// changed tells that what is known of a mailbox elsewhere is no longer true.
func (s *Store) changed(n mboxname.Name) {
	if s.o.Changed != nil {
		s.o.Changed(n)
	}
}
