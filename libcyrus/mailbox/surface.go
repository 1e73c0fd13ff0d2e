package mailbox

import (
	"context"
	"io"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/message"
)

// Store is the mailboxes of a site on disk. It may be used from many
// goroutines, while other processes work on the same files.
type Store struct{}

// New returns a Store.
func New(o Options) (*Store, error) { panic("not yet") }

// Close closes all files. No mailbox may be open.
func (s *Store) Close() error { panic("not yet") }

// Open opens a mailbox and takes its locks (see Mode). They are held until
// Close: never while waiting for a client. Kinds of error: errs.NotFound,
// errs.Locked, errs.BadFormat, errs.IO.
func (s *Store) Open(ctx context.Context, ref Ref, mode Mode) (*Mailbox, error) { panic("not yet") }

// Mailbox is an open, locked mailbox. It belongs to one goroutine.
//
// Changes are collected in memory and reach the disk with Commit; Close
// without Commit discards them.
type Mailbox struct{}

// Ref returns what the mailbox was opened with.
func (m *Mailbox) Ref() Ref { panic("not yet") }

// Header returns the index header with all changes so far. Exists, Unseen
// and the other counters are right also where the index version lacks them.
func (m *Mailbox) Header() IndexHeader { panic("not yet") }

// Flags returns the names of user flags by their number; "" is a free slot.
// The slice must not be changed.
func (m *Mailbox) Flags() []string { panic("not yet") }

// ACL is the ACL in its text form, as cyrus.header has it.
func (m *Mailbox) ACL() string { panic("not yet") }

// QuotaRoot is the mailbox's quota root, or "".
func (m *Mailbox) QuotaRoot() mboxname.Name { panic("not yet") }

// OwnsSeen reports whether the \Seen flag of user (an id, "" = nobody) is
// in the index: he owns the mailbox or it has OptSharedSeen. Otherwise his
// seen database has it.
func (m *Mailbox) OwnsSeen(user string) bool { panic("not yet") }

// Generation and Inode identify the index file: record numbers hold while
// both are the same.
func (m *Mailbox) Inode() uint64 { panic("not yet") }

// Records appends up to n records, from number first on (from 1), to dst.
// At the end of the file it returns fewer. Expunged records are among them.
func (m *Mailbox) Records(dst []Record, first uint32, n int) ([]Record, error) { panic("not yet") }

// Record returns the record with a number from 1 to NumRecords.
func (m *Mailbox) Record(recno uint32) (Record, error) { panic("not yet") }

// Each calls fn for the records from number first on until it returns
// false. The record is valid during the call.
func (m *Mailbox) Each(first uint32, fn func(*Record) (more bool)) error { panic("not yet") }

// FindUID returns the record with this UID, expunged or not; hint is a
// record number near which it may be (0: none).
func (m *Mailbox) FindUID(uid, hint uint32) (r Record, ok bool, err error) { panic("not yet") }

// Cache returns the cache record of a message. buf is a window of the cache
// file; with the same one, reading records in ascending order costs few
// system calls. What is returned is valid until buf is used again. If the
// cache record is missing or damaged the message is parsed.
func (m *Mailbox) Cache(r *Record, buf *CacheBuffer) (message.Cache, error) { panic("not yet") }

// CacheBuffer is a window of a cache file. The zero value is ready.
type CacheBuffer struct{}

// OpenMessage opens the file of a message for reading. It may be read after
// the mailbox is closed, also when it has been removed meanwhile.
func (m *Mailbox) OpenMessage(r *Record) (disk.File, error) { panic("not yet") }

// FlagNumber returns the number of a user flag, any case, and false if
// the mailbox has none of this name.
func (m *Mailbox) FlagNumber(name string) (int, bool) { panic("not yet") }

// AddFlag returns the number of a user flag, which it makes if there is
// none. It takes a slot below limit (ClientUserFlags; MaxUserFlags for
// flags of mailbox_initial_flags); errs.FlagsFull if none is free.
func (m *Mailbox) AddFlag(name string, limit int) (int, error) { panic("not yet") }

// RemoveFlag frees the slot of a user flag, which no record may have.
func (m *Mailbox) RemoveFlag(n int) error { panic("not yet") }

// Rewrite changes the flags (Flags, User) of a record to those in r. The
// record gets the next modseq, also if nothing is different, and r has it
// afterwards. Setting Expunged expunges it. Mode Write.
func (m *Mailbox) Rewrite(r *Record) error { panic("not yet") }

// RewriteSilent is Rewrite without a new modseq (internal flags).
func (m *Mailbox) RewriteSilent(r *Record) error { panic("not yet") }

// Expunge expunges a record: with errs nothing happens. The flags of r are
// changed. Message file and quota follow with Commit, by Options.
func (m *Mailbox) Expunge(r *Record, sessionID string) error { panic("not yet") }

// Annotate sets message annotations; each message gets a new modseq.
func (m *Mailbox) Annotate(ctx context.Context, a []Annotation) error { panic("not yet") }

// SetRecent records that messages up to uid are no longer \Recent for the
// owner (or all, with OptSharedSeen), and when he looked.
func (m *Mailbox) SetRecent(uid uint32, t time.Time) { panic("not yet") }

// SetOptions sets the options that an annotation can change (OptSharedSeen,
// OptDuplicate, OptPOP3NewUIDL).
func (m *Mailbox) SetOptions(set, clear IndexOptions) { panic("not yet") }

// SetPOP3 sets the two POP3 times; zero times are left as they are.
func (m *Mailbox) SetPOP3(lastLogin, showAfter time.Time) { panic("not yet") }

// SetACL changes the ACL (text form) and takes a modseq.
func (m *Mailbox) SetACL(acl string) { panic("not yet") }

// SetQuotaRoot changes the quota root. The use of both roots is changed at
// Commit by what the mailbox uses.
func (m *Mailbox) SetQuotaRoot(root mboxname.Name) { panic("not yet") }

// SetName changes the name in cyrus.header, and takes a modseq.
func (m *Mailbox) SetName(n mboxname.Name) { panic("not yet") }

// AddAnnotationUse adds to the octets that annotations use (mailbox
// annotations, which live elsewhere), and to the quota.
func (m *Mailbox) AddAnnotationUse(delta int64) { panic("not yet") }

// NextModseq takes a modseq for a change that is not one of a record: a
// mailbox annotation.
func (m *Mailbox) NextModseq() uint64 { panic("not yet") }

// BeforeCommit registers fn to run in Commit before the index is written,
// for what has to last first: another user's seen database.
func (m *Mailbox) BeforeCommit(fn func(ctx context.Context) error) { panic("not yet") }

// Commit writes all changes; they last when it returns nil. After an error
// none of them is visible.
func (m *Mailbox) Commit(ctx context.Context) error { panic("not yet") }

// Close releases the locks. Without Commit before, changes are lost.
func (m *Mailbox) Close() { panic("not yet") }

// Staged is a message on its way: a file in a partition's stage directory.
// It belongs to one goroutine until it is handed to Append.
type Staged struct{}

// Stage makes an empty staged message on a partition.
func (s *Store) Stage(partition string) (*Staged, error) { panic("not yet") }

// Write appends to the message.
func (st *Staged) Write(p []byte) (int, error) { panic("not yet") }

// Size is the number of octets written so far.
func (st *Staged) Size() int64 { panic("not yet") }

// ReaderAt reads what was written.
func (st *Staged) ReaderAt() io.ReaderAt { panic("not yet") }

// Parse ends writing and parses the message; Append does it if the caller
// has not. The result may be asked for again.
func (st *Staged) Parse() (*message.Message, error) { panic("not yet") }

// Remove removes the file; always to be called in the end. Messages that
// were appended keep theirs.
func (st *Staged) Remove() { panic("not yet") }

// AppendMessage is a message to be appended.
type AppendMessage struct {
	Staged       *Staged   // may be on another partition
	Flags        Flags     // system flags
	Keywords     []string  // user flags by name
	InternalDate time.Time // zero = now
	Annotations  []Annotation
}

// AppendOptions says how messages are appended.
type AppendOptions struct {
	SessionID string // for the audit log
	// UserFlagLimit is the first slot that a new keyword may not take; 0 is
	// ClientUserFlags.
	UserFlagLimit int
	// NoQuota appends also if the quota does not allow it. Use is counted
	// always.
	NoQuota bool
	// QuotaCheck, if not nil, replaces the changes by which the quota is
	// checked (LMTP without lmtp_strict_quota checks for 0 octets).
	QuotaStorage *int64
	// BeforeCommit, if not nil, is called for each message, in order, when
	// it is on disk and has its UID, before it becomes visible: for the
	// duplicate database. An error refuses all messages of the call.
	BeforeCommit func(ctx context.Context, i int, uid uint32) error
}

// Appended says what became of a message.
type Appended struct {
	UIDValidity uint32
	UID         uint32
	Modseq      uint64
	GUID        GUID
	Size        uint32
}

// Append appends messages to a mailbox: all or none. They last when it
// returns. Appends of several goroutines to one mailbox are joined. Kinds of
// error: errs.OverQuota, errs.TooManyMessages, errs.FlagsFull and those of
// Open. The caller removes the staged files.
func (s *Store) Append(ctx context.Context, ref Ref, msgs []AppendMessage, o AppendOptions) ([]Appended, error) {
	panic("not yet")
}

// CopyPair is the UID of a message and that of its copy.
type CopyPair struct{ Source, Copy uint32 }

// CopyOptions says how Copy works.
type CopyOptions struct {
	SessionID string
	Move      bool // expunge the originals
	NoQuota   bool
	// Seen, if not nil, tells whether the reader has seen a message of the
	// source (for readers whose \Seen is not in the index); KeepSeen says
	// whether he may set the flag in the destination.
	Seen     func(uid uint32) bool
	KeepSeen bool
	// Flags limits the flags that are copied by the rights on the
	// destination: system flags of FlagMask, and user flags if Keywords.
	FlagMask Flags
	Keywords bool
}

// Copy copies messages, given by ascending UID, from one mailbox to another
// (or the same): all that exist, or none. It returns the destination's
// UIDVALIDITY and the UIDs in the order of the source. With Move the
// originals are expunged after the copies last.
func (s *Store) Copy(ctx context.Context, src Ref, uids []uint32, dst Ref, o CopyOptions) (uint32, []CopyPair, error) {
	panic("not yet")
}

// CreateOptions says what a new mailbox is like.
type CreateOptions struct {
	SessionID   string
	ACL         string
	QuotaRoot   mboxname.Name
	UIDValidity uint32 // 0 = from the clock
	MinValidity uint32 // at least this: one more than a tombstone's
	Modseq      uint64 // first modseq, 0 = 1
	Options     IndexOptions
}

// Created is what the mailbox list keeps of a new mailbox.
type Created struct {
	UIDValidity   uint32
	CreatedModseq uint64
	HighestModseq uint64
}

// Create makes an empty mailbox on disk. The mailbox list is told
// afterwards by the caller, with hold's locks still held: hold is called
// when the files last; if it fails the files are removed again. hold may be
// nil. If files of a mailbox are in the way the error is errs.Exists.
func (s *Store) Create(ctx context.Context, ref Ref, o CreateOptions, hold func(Created) error) (Created, error) {
	panic("not yet")
}

// Delete removes a mailbox from the disk for good, and its use from the
// quota. hold is called with all locks held, before anything is removed: to
// take it from the mailbox list. An error of it stops the deletion.
func (s *Store) Delete(ctx context.Context, ref Ref, sessionID string, hold func(*Mailbox) error) error {
	panic("not yet")
}

// Move changes where or under which name a mailbox lies: the files of
// legacy mailboxes, or of any on a change of partition, are moved; for
// others only cyrus.header changes. root is the new quota root. hold is
// called with the locks of both held, when the new place is complete and
// lasts and before the old one is removed: for the mailbox list.
func (s *Store) Move(ctx context.Context, from, to Ref, root mboxname.Name, sessionID string, hold func(*Mailbox) error) error {
	panic("not yet")
}

// NewUniqueID makes a unique id: 24 characters of 0-9a-z.
func NewUniqueID() string { panic("not yet") }

// CleanupOptions says what Cleanup removes.
type CleanupOptions struct {
	// ExpungedBefore removes what was expunged before this time; the zero
	// time only what was marked before.
	ExpungedBefore time.Time
	SessionID      string
}

// Cleanup removes expunged messages for good (cyr_expire -X): marks their
// records Unlinked, removes the files, and repacks the index. It returns how
// many messages it removed and how many expunged ones are left.
func (s *Store) Cleanup(ctx context.Context, ref Ref, o CleanupOptions) (removed, left int, err error) {
	panic("not yet")
}

// Repack writes index and cache anew without what nobody needs.
func (s *Store) Repack(ctx context.Context, ref Ref, sessionID string) error { panic("not yet") }

// Watch returns a channel on which something is sent soon after a mailbox
// has changed, by this process or another; several changes may be one. stop
// must be called in the end.
func (s *Store) Watch(ref Ref) (changed <-chan struct{}, stop func()) { panic("not yet") }
