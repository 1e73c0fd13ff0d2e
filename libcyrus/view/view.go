// Package view is what one session sees of a mailbox: which messages have
// which sequence numbers, what the client has been told, and what has
// changed since. It answers FETCH, STORE, SEARCH and EXPUNGE from the store.
//
// A View holds no lock between its methods, and none while it sends: it
// reads or changes the mailbox in batches and opens it anew for each.
package view

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/seen"
)

// Options says whose view it is and what it works with.
type Options struct {
	Store *mailbox.Store
	Seen  *seen.Store
	User  string // whose \Seen and \Recent; "" is nobody
	// Rights returns what User may do with a mailbox that has this ACL.
	Rights  func(acl string) acl.Rights
	Examine bool   // change nothing, not even \Recent
	Folder  string // its name as the client writes it
	// Internal finds the mailbox that the client means (SEARCH FOLDER).
	Internal          func(external string) (mboxname.Name, error)
	PreviewAnnotation string             // jmap_preview_annot
	Admin             bool               // all annotations can be set
	Annotations       *annot.Definitions // of messages
	Client            *Client
	SessionID         string
	Folding           message.Folding // of SEARCH
	MaxHeaderLines    int             // maxheaderlines
	MaxMemory         int             // octets that a SORT or THREAD may need; 0 = enough for a million messages
	Memory            *Budget         // of all SORT and THREAD; nil = no limit
	ChangeAtOnce      int             // messages that STORE and EXPUNGE change in one step; 0 = 20,000
	Log               *slog.Logger
	// Progress, if not nil, is called from time to time with the messages that
	// a method has dealt with, and how many there are. An error ends the
	// method.
	Progress func(done, total int) error
	// Places, if not nil, opens what finds the copies of messages: for the
	// items MAILBOXES and MAILBOXIDS of FETCH.
	Places func(ctx context.Context) (Places, error)
}

// View is a selected mailbox. It belongs to one goroutine.
type View struct {
	o        Options
	ref      mailbox.Ref
	validity uint32
	ownSeen  bool   // \Seen is in the index
	seenUser string // else whose seen database has it
	acl      string
	rights   acl.Rights
	listed   bool // rights are those of Allow

	// uids has every message that the client knows, and at its end those
	// that it will be told of next, in ascending order. Until something goes
	// from it or comes to it, all sessions have the same array.
	uids  []uint32
	gone  []uint32 // of uids, expunged but not yet reported, ascending
	seen  seen.UIDs
	names []string        // of user flags, by number
	saved imapwire.SeqSet // what "$" stands for, as UIDs: see spans
	// updates is the results of which the client is told changes, touched
	// the messages that may have changed them since.
	updates []*update
	touched []uint32
	// recent has the UIDs that are \Recent for this session. recentUID is
	// the mark in the mailbox (or seen database) up to which they have been
	// told to somebody.
	recent    imapwire.SeqSet
	recentUID uint32

	// What the index was when it was looked at last.
	known      uint64 // HIGHESTMODSEQ
	lastUID    uint32
	numRecords uint32
	generation uint32
	headerCRC  uint32
	inode      uint64

	// What the client has not been told yet.
	told     int             // messages that EXISTS has told, less what EXPUNGE took
	mine     imapwire.SeqSet // UIDs of messages that the client has made itself
	fresh    []uint32        // messages that EXISTS has told since Fresh was called
	newNames bool
	changed  []change // by UID
	delayed  uint64   // one below the lowest modseq of those in gone, 0 = none
	deleted  bool     // the mailbox is gone
	cache    mailbox.CacheBuffer
	batch    []mailbox.Record
	ahead    uint32 // by how much the record number of a message was above its sequence number
}

// change is new flags of a message.
type change struct {
	uid    uint32
	flags  mailbox.Flags
	user   mailbox.UserFlags
	modseq uint64
}

// Selected is what the client is told when it selects a mailbox.
type Selected struct {
	Exists, Recent int
	FirstUnseen    uint32 // sequence number, 0 = none
	UIDValidity    uint32
	UIDNext        uint32
	HighestModseq  uint64
	UniqueID       string
	QuotaRoot      mboxname.Name // "" = none
}

// Open selects a mailbox.
func Open(ctx context.Context, ref mailbox.Ref, o Options) (*View, *Selected, error) {
	v := &View{o: o, ref: ref}
	if v.o.Client == nil {
		v.o.Client = &Client{}
	}
	m, err := v.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	h := m.Header()
	v.validity = h.UIDValidity
	first, err := v.load(m, &h)
	if err == nil {
		err = v.claim(ctx, m)
	}
	if err != nil {
		return nil, nil, err
	}
	v.told = len(v.uids)
	v.newNames = false
	return v, &Selected{
		Exists: len(v.uids), Recent: v.recent.Count(), FirstUnseen: first,
		UIDValidity: h.UIDValidity, UIDNext: h.LastUID + 1, HighestModseq: h.HighestModseq, UniqueID: ref.UniqueID,
		QuotaRoot: m.QuotaRoot(),
	}, nil
}

// open opens the mailbox for reading, or for writing if there are messages
// whose \Recent this session will take.
func (v *View) open(ctx context.Context) (*mailbox.Mailbox, error) {
	if m, ok := v.unchanged(); ok {
		return m, nil
	}
	m, err := v.o.Store.Open(ctx, v.ref, mailbox.Read)
	if err != nil {
		return nil, err
	}
	h := m.Header()
	v.ownSeen, v.seenUser = m.OwnsSeen(v.o.User), m.SeenUser(v.o.User)
	v.access(m)
	if err := v.loadSeen(ctx, &h); err != nil {
		m.Close()
		return nil, err
	}
	if v.o.Examine || !v.ownSeen || v.recentUID >= h.LastUID {
		m.Remember()
		return m, nil
	}
	m.Close()
	if m, err = v.o.Store.Open(ctx, v.ref, mailbox.Write); err != nil {
		return nil, err
	}
	h = m.Header()
	return m, v.loadSeen(ctx, &h)
}

// unchanged is open for a mailbox of which all is known that a SELECT tells. The
// six calls for locks were more than all others.
func (v *View) unchanged() (*mailbox.Mailbox, bool) {
	m, ok := v.o.Store.OpenUnchanged(v.ref)
	if !ok {
		return nil, false
	}
	h := m.Header()
	if !m.OwnsSeen(v.o.User) || !v.o.Examine && h.RecentUID < h.LastUID {
		m.Close()
		return nil, false
	}
	v.ownSeen, v.seenUser, v.recentUID = true, m.SeenUser(v.o.User), h.RecentUID
	v.access(m)
	return m, true
}

// Allow sets what the user may do from now on, whatever the ACL in the
// mailbox says: it is a copy of that in the mailbox list, and may be old.
func (v *View) Allow(r acl.Rights) { v.rights, v.listed = r, true }

// access notes the ACL and what the user may do.
func (v *View) access(m *mailbox.Mailbox) {
	if v.listed {
		return
	}
	if text := m.ACL(); text != v.acl || v.rights == 0 {
		v.acl, v.rights = text, v.o.Rights(text)
	}
}

// loadSeen reads the \Recent mark and, for readers whose \Seen is not in the
// index, what they have seen.
func (v *View) loadSeen(ctx context.Context, h *mailbox.IndexHeader) error {
	if v.ownSeen {
		v.recentUID = h.RecentUID
		return nil
	}
	st, err := v.o.Seen.Get(ctx, v.seenUser, v.ref.UniqueID)
	if err != nil {
		return err
	}
	v.recentUID = st.LastUID
	v.seen = st.Seen
	return nil
}

// load finds all messages. It returns the sequence number of the first that
// is not seen.
func (v *View) load(m *mailbox.Mailbox, h *mailbox.IndexHeader) (firstUnseen uint32, err error) {
	if v.uids, err = m.Live(); err != nil {
		return 0, err
	}
	n := len(v.uids)
	if v.ownSeen {
		n, err = m.FirstUnseen()
	} else if i := slices.IndexFunc(v.uids, func(uid uint32) bool { return !v.seen.Has(uid) }); i >= 0 {
		n = i
	}
	if n < len(v.uids) {
		firstUnseen = uint32(n) + 1
	}
	first, found := slices.BinarySearch(v.uids, v.recentUID)
	if found {
		first++
	}
	for _, uid := range v.uids[first:] {
		v.recent = v.recent.Add(uid)
	}
	v.note(m, h)
	return firstUnseen, err
}

// note remembers what the index was.
func (v *View) note(m *mailbox.Mailbox, h *mailbox.IndexHeader) {
	v.known, v.lastUID, v.numRecords = h.HighestModseq, h.LastUID, h.NumRecords
	v.generation, v.headerCRC, v.inode = h.Generation, h.HeaderCRC, m.Inode()
	if !slices.Equal(v.names, m.Flags()) {
		v.names = slices.Clone(m.Flags())
		v.newNames = true
	}
}

// claim takes \Recent of the messages of the view: no later session gets it,
// unless the disk is full; a mailbox must be readable then.
func (v *View) claim(ctx context.Context, m *mailbox.Mailbox) error {
	err := v.takeRecent(ctx, m)
	if errs.Is(err, errs.DiskFull) {
		return nil
	}
	return err
}

func (v *View) takeRecent(ctx context.Context, m *mailbox.Mailbox) error {
	if v.o.Examine || v.recentUID >= v.lastUID {
		return nil
	}
	if !v.ownSeen {
		return v.claimOther(ctx, m)
	}
	m.SetRecent(v.lastUID, time.Now())
	if err := m.Commit(ctx); err != nil {
		return err
	}
	v.recentUID = v.lastUID
	return nil
}

// claimOther is claim for readers whose \Seen is not in the index, also for
// those who may not keep \Seen.
func (v *View) claimOther(ctx context.Context, m *mailbox.Mailbox) error {
	if v.o.User == "" {
		return nil
	}
	h := m.Header()
	err := v.o.Seen.Update(ctx, v.seenUser, v.ref.UniqueID, func(st *seen.State) {
		st.LastRead, st.LastChange = now(), int64(h.LastAppend)
		st.LastUID = max(st.LastUID, v.lastUID)
	})
	if err == nil {
		v.recentUID = v.lastUID
	}
	return err
}

// progress tells how far a method is that has still to deal with rest.
func (v *View) progress(total int, rest Targets) error {
	if v.o.Progress == nil {
		return nil
	}
	return v.o.Progress(total-rest.Count(), total)
}

// isSeen reports whether the user has seen a message.
func (v *View) isSeen(r *mailbox.Record) bool {
	if v.ownSeen {
		return r.Flags&mailbox.Seen != 0
	}
	return v.seen.Has(r.UID)
}

// flags is the system flags of a message as the user sees them.
func (v *View) flags(r *mailbox.Record) mailbox.Flags {
	f := r.Flags & mailbox.SystemMask
	if !v.ownSeen {
		if f &^= mailbox.Seen; v.seen.Has(r.UID) {
			f |= mailbox.Seen
		}
	}
	return f
}

// Ref returns which mailbox is selected.
func (v *View) Ref() mailbox.Ref { return v.ref }

// UIDValidity returns the UIDVALIDITY of the mailbox when it was opened.
func (v *View) UIDValidity() uint32 { return v.validity }

// SetRef follows a mailbox that was renamed.
func (v *View) SetRef(ref mailbox.Ref) { v.ref = ref }

// ReadOnly reports whether nothing can be changed: it was examined, or the
// user has no right to change anything.
func (v *View) ReadOnly() bool {
	return v.o.Examine || !v.rights.Any(acl.Seen|acl.Write|acl.DeleteMessage|acl.Expunge|acl.Insert)
}

// Examined reports whether the mailbox was opened with EXAMINE.
func (v *View) Examined() bool { return v.o.Examine }

// Rights returns what the user may do.
func (v *View) Rights() acl.Rights { return v.rights }

// Count returns the number of messages that the client knows.
func (v *View) Count() uint32 { return uint32(v.told) }

// Recent returns how many messages are \Recent for this session.
func (v *View) Recent() uint32 { return uint32(v.recent.Count()) }

// Deleted reports whether the mailbox has been deleted meanwhile.
func (v *View) Deleted() bool { return v.deleted }

// Gone makes the view empty: its mailbox has been deleted or renamed by
// somebody else.
func (v *View) Gone() {
	v.deleted = true
	v.drop()
}

// opened is Open in the middle of a session: a mailbox that is not there any
// more, or has been made anew, makes the view empty.
func (v *View) opened(ctx context.Context, mode mailbox.Mode) (*mailbox.Mailbox, error) {
	if v.deleted {
		return nil, errs.New(errs.NotFound, "view", string(v.ref.Name), nil)
	}
	m, err := v.o.Store.Open(ctx, v.ref, mode)
	if err != nil {
		if errs.Is(err, errs.NotFound) {
			v.deleted = true
		}
		return nil, err
	}
	if m.Header().UIDValidity != v.validity {
		m.Close()
		v.deleted = true
		return nil, errs.New(errs.NotFound, "view", string(v.ref.Name), nil)
	}
	return m, nil
}

// now is the time in seconds since 1970.
func now() int64 { return time.Now().Unix() }
