package mailbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// changes is what a Mailbox has collected for Commit.
type changes struct {
	old       IndexHeader // as read, if began
	began     bool
	modseqs   bool  // the counters have been asked
	conversed bool  // conversations.db is ahead of the index
	marked    bool  // the dirty mark is on disk
	lasting   bool  // more than \Recent and POP3 times change: the index is synced
	time      Stamp // of the first change: the last_updated of all
	records   rewrites
	crcs      crcChanges
	added     []addition

	head       bool        // cyrus.header changes
	usage      quota.Usage // of the quota root
	annots     []Annotation
	annotsMod  uint64
	box        []annot.Row // changed annotations of the mailbox itself
	stored     bool        // some annotations are, or may be, in their databases
	before     []func(context.Context) error
	audit      []string
	expunged   int  // messages
	unlinked   int  // records whose files can be removed
	tidy       bool // remove them after Close
	undoQuota  func()
	newRootUse bool // usage goes to another root than the old one had
	oldRoot    mboxname.Name
	renamed    bool          // the mailbox gets another name
	from       mboxname.Name // which it had before

	// messages are the stored annotations by UID, once read.
	messages map[uint32][]Annotation
}

// addition is a record that is appended.
type addition struct {
	rec    Record
	annots []Annotation
}

// begin prepares for a change. It must be called before m.hdr changes.
func (m *Mailbox) begin() {
	m.beginLazy()
	m.changes.lasting = true
}

// beginLazy is begin for a change that may be lost in a power cut.
func (m *Mailbox) beginLazy() {
	c := &m.changes
	if m.mode == Read {
		panic("mailbox: change of a mailbox that is open for reading")
	}
	if !c.began {
		c.began, c.old, c.time = true, m.hdr, now()
		c.records = newRewrites()
		if !m.unsure() {
			m.hdr.HeaderCRC = m.head.crc // which is wrong after some crashes
		}
	}
}

// count adds a record to the counters and sync CRCs of the header and to
// the use of quota; with sign -1 it takes it out.
func (m *Mailbox) count(r *Record, annots []Annotation, sign int64) {
	if !r.Live() {
		return
	}
	m.countFlags(r, sign)
	h := &m.hdr
	h.SyncCRC ^= m.crcs.basic(r)
	h.Exists += uint32(sign)
	h.QuotaUsed += uint64(sign * int64(r.Size))
	h.SyncCRCAnnot ^= virtualCRC(r, h.Version) ^ annotsCRC(annots, h.Version)
	var size int64
	for i := range annots {
		size += int64(len(annots[i].Value))
	}
	h.AnnotUsed = uint64(max(0, int64(h.AnnotUsed)+sign*size))
	u := &m.changes.usage
	u[quota.Storage] += sign * int64(r.Size)
	u[quota.Message] += sign
	u[quota.AnnotStorage] += sign * size
}

// countFlags is the part of count that flags of a live message have in the
// counters.
func (m *Mailbox) countFlags(r *Record, sign int64) {
	h := &m.hdr
	add := func(n *uint32, yes bool) {
		if yes {
			*n += uint32(sign)
		}
	}
	add(&h.Answered, r.Flags&Answered != 0)
	add(&h.Flagged, r.Flags&Flagged != 0)
	add(&h.Deleted, r.Flags&Deleted != 0)
	add(&h.Unseen, r.Flags&Seen == 0)
}

// annotsOf returns the stored annotations of a message. They are read at
// most once, and not at all where the header says that there are none.
func (m *Mailbox) annotsOf(ctx context.Context, uid uint32) ([]Annotation, error) {
	c := &m.changes
	if c.messages == nil {
		c.messages = map[uint32][]Annotation{}
		a := m.store.o.Annotations
		if a == nil || m.hdr.layout().hasAnnot && c.old.AnnotUsed == 0 {
			return nil, nil
		}
		err := a.MessageEach(ctx, m.messages(), 0, func(x Annotation, _ uint64) error {
			x.Value = slices.Clone(x.Value)
			c.messages[x.UID] = append(c.messages[x.UID], x)
			return nil
		})
		if err != nil {
			c.messages = nil
			return nil, err
		}
	}
	return c.messages[uid], nil
}

// messages says where the annotations of this mailbox's messages are.
func (m *Mailbox) messages() annot.Messages {
	return annot.Messages{Path: m.box.paths.annotations, Owner: m.owner()}
}

// Rewrite changes the flags (Flags, User) of a record to those in r. The
// record gets the next modseq, also if nothing is different, and r has it
// afterwards. Setting Expunged expunges it; nothing takes that back. Mode
// Write.
func (m *Mailbox) Rewrite(r *Record) error { return m.RewriteFrom(nil, r) }

// RewriteFrom is Rewrite where the caller has the record as it read it since
// m was opened; nil = read it. In a STORE of all messages reading them a
// second time cost an eighth.
func (m *Mailbox) RewriteFrom(was, r *Record) error {
	old, err := m.rewrite(was, r, true)
	if err == nil && m.store.o.AuditLog {
		m.audit("auditlog: touched sessionid=<%s> mailbox=<%s> uniqueid=<%s> uid=<%d> guid=<%s> cid=<%s> modseq=<%d> oldflags=<%s> sysflags=<%s>",
			m.session, m.ref.Name, m.head.uniqueID, r.UID, r.GUID, auditCID(r), r.Modseq, old.Audit(), r.Flags.Audit())
	}
	return err
}

// RewriteSilent is Rewrite without a new modseq (internal flags).
func (m *Mailbox) RewriteSilent(r *Record) error {
	_, err := m.rewrite(nil, r, false)
	return err
}

// rewrite returns the flags that the record had before. read is the record
// as it was read, or nil.
func (m *Mailbox) rewrite(read, r *Record, touch bool) (old Flags, err error) {
	m.begin()
	c := &m.changes
	on := read // as it is on disk
	if have := c.records.get(r.Recno); have != nil {
		on = &have.old
	} else if read == nil || read.Recno != r.Recno {
		on = &Record{}
		if err := m.readAhead(on, r.Recno, windowSize); err != nil { // its neighbours come next
			return 0, err
		}
	}
	if on.UID != r.UID {
		return 0, errs.New(errs.NoSuchMessage, "mailbox.Rewrite", string(m.ref.Name), fmt.Errorf("record %d is uid %d, not %d", r.Recno, on.UID, r.UID))
	}
	rw := c.records.add(on)
	was := rw.new
	flags := r.Flags | was.Flags&Expunged
	var annots []Annotation
	if was.Live() && flags&Expunged != 0 {
		if annots, err = m.annotsOf(context.Background(), r.UID); err != nil {
			return 0, err
		}
		if m.hdr.FirstExpunged == 0 || m.hdr.FirstExpunged > c.time {
			m.hdr.FirstExpunged = c.time
		}
	}
	rw.new.Flags, rw.new.User = flags, r.User
	live := was.Live() && rw.new.Live()
	if live {
		m.countFlags(&was, -1)
	} else {
		m.count(&was, annots, -1)
	}
	if touch {
		rw.new.Modseq = m.nextModseq()
		rw.new.LastUpdated = c.time
	}
	if live { // annotations and size are what they were; expunged ones do not count
		m.countFlags(&rw.new, 1)
		m.hdr.SyncCRC ^= c.crcs.change(m.crcs, &was, &rw.new)
	}
	if m.store.o.Conversations != nil && m.noConversations == 0 && m.hasConversations() {
		changed := rw.new
		if err := m.updateConversations(&was, &changed); err != nil {
			return 0, err
		}
		rw = c.records.add(on)
		rw.new = changed
	}
	*r = rw.new
	return was.Flags, nil
}

// auditCID is a conversation id in the audit log.
func auditCID(r *Record) string {
	if r.CID == 0 {
		return "NIL"
	}
	return fmt.Sprintf("%016x", r.CID)
}

// audit remembers a line for the audit log; it is written by Commit.
func (m *Mailbox) audit(format string, a ...any) {
	if m.store.o.AuditLog {
		m.changes.audit = append(m.changes.audit, fmt.Sprintf(format, a...))
	}
}

// SetSession tells for which session changes are made: for the audit log.
func (m *Mailbox) SetSession(id string) { m.session = id }

// Expunge expunges a record and makes it \Deleted; on one that is expunged
// already it does nothing. The flags of r are changed. The use of quota
// follows with Commit, the file when it is due (Options.ImmediateExpunge,
// Cleanup).
func (m *Mailbox) Expunge(r *Record, session string) error {
	if r.Live() {
		r.Flags |= Deleted
	}
	return m.Expire(r, session)
}

// Expire is Expunge without \Deleted: so are messages expunged that nobody
// has deleted, and they come back as they were.
//
// Source: mailbox_expunge in Cyrus imap/mailbox.c.
func (m *Mailbox) Expire(r *Record, session string) error {
	if !r.Live() {
		return nil
	}
	m.session = session
	r.Flags |= Expunged
	// Old versions count all their records as messages, so that expunged
	// ones cannot stay.
	immediate, files := m.store.o.ImmediateExpunge, m.store.o.SemidelayedExpunge
	if (immediate || files) && m.keeping() {
		immediate, files = false, false
	}
	immediate = immediate || !m.hdr.layout().hasExists
	if immediate || files {
		r.Flags |= Unlinked
	}
	if err := m.Rewrite(r); err != nil {
		return err
	}
	if r.Flags&Unlinked != 0 {
		m.hdr.Options |= OptNeedsUnlink
		m.changes.unlinked++
	}
	if immediate {
		m.hdr.Options |= OptNeedsRepack
	}
	m.changes.expunged++
	m.audit("auditlog: expunge sessionid=<%s> mailbox=<%s> uniqueid=<%s> uid=<%d> modseq=<%d> sysflags=<%s> guid=<%s> size=<%d>",
		session, m.ref.Name, m.head.uniqueID, r.UID, r.Modseq, r.Flags.Audit(), r.GUID, r.Size)
	return nil
}

// withAnnotation returns as with a set in it.
func withAnnotation(as []Annotation, a Annotation) []Annotation {
	var out []Annotation
	for _, x := range as {
		if x.Entry != a.Entry || x.User != a.User {
			out = append(out, x)
		}
	}
	if len(a.Value) > 0 {
		out = append(out, a)
	}
	return out
}

// AddFlag returns the number of a user flag, which it makes if there is
// none. It takes a slot below limit (ClientUserFlags; MaxUserFlags for
// flags of mailbox_initial_flags); errs.FlagsFull if none is free. The name
// must be an IMAP atom. Mode Write.
func (m *Mailbox) AddFlag(name string, limit int) (int, error) {
	if n, ok := m.head.flagNumber(name); ok {
		return n, nil
	}
	n := 0
	for n < len(m.head.flags) && m.head.flags[n] != "" {
		n++
	}
	if n >= min(limit, MaxUserFlags) {
		return 0, errs.New(errs.FlagsFull, "mailbox.AddFlag", string(m.ref.Name), nil)
	}
	h := m.changeHead()
	if n == len(h.flags) {
		h.flags = append(h.flags, "")
	}
	h.flags[n] = name
	m.crcs = newFlagCRCs(h.flags)
	return n, nil
}

// RemoveFlag frees the slot of a user flag, which no record may have. Mode
// Write.
func (m *Mailbox) RemoveFlag(n int) {
	if n < len(m.head.flags) {
		h := m.changeHead()
		h.flags[n] = ""
		m.crcs = newFlagCRCs(h.flags)
	}
}

// changeHead returns the contents of cyrus.header to be changed.
func (m *Mailbox) changeHead() *header {
	m.begin()
	if !m.changes.head {
		m.changes.head = true
		m.changes.oldRoot = m.head.quotaRoot
		m.head = m.head.clone()
		if m.head.name == "" {
			m.head.name = m.ref.Name
		}
		if m.head.typ == "" {
			m.head.typ = "e"
		}
		if m.head.uniqueID == "" {
			m.head.uniqueID = m.ref.UniqueID
		}
	}
	return m.head
}

// SetRecent records that messages up to uid are no longer \Recent for the
// owner (or all, with OptSharedSeen), and when he looked. Mode Write.
func (m *Mailbox) SetRecent(uid uint32, t time.Time) {
	m.begin()
	m.hdr.RecentUID = uid
	m.hdr.RecentTime = StampOf(t)
}

// SetOptions sets and clears options that an annotation can change
// (OptSharedSeen, OptDuplicate, OptPOP3NewUIDL). Mode Write.
func (m *Mailbox) SetOptions(set, clear IndexOptions) {
	m.begin()
	m.hdr.Options = m.hdr.Options&^clear | set
}

// SetPOP3 sets the two POP3 times; a nil time is left as it is. Mode Write.
func (m *Mailbox) SetPOP3(lastLogin, showAfter *time.Time) {
	m.begin()
	if lastLogin != nil {
		m.hdr.POP3LastLogin = StampOf(*lastLogin)
	}
	if showAfter != nil {
		m.hdr.POP3ShowAfter = StampOf(*showAfter)
	}
}

// SetACL changes the ACL (text form) and takes a modseq. Mode Write.
func (m *Mailbox) SetACL(acl string) {
	m.changeHead().acl = acl
	m.NextModseq()
}

// SetQuotaRoot changes the quota root; "" is none. At Commit what the
// mailbox uses goes from the old root to the new one. Mode Write.
func (m *Mailbox) SetQuotaRoot(root mboxname.Name) {
	m.changeHead().quotaRoot = root
	m.changes.newRootUse = true
}

// SetName changes the name in cyrus.header, and takes a modseq. Mode Write.
func (m *Mailbox) SetName(n mboxname.Name) {
	m.changeHead().name = n
	m.NextModseq()
}

// SetUIDValidity raises the UIDVALIDITY to what the mailbox list has. Mode
// Write.
func (m *Mailbox) SetUIDValidity(v uint32) {
	m.begin()
	m.hdr.UIDValidity = max(m.hdr.UIDValidity, v)
}

// SetType changes the type letters in cyrus.header. Mode Write.
func (m *Mailbox) SetType(letters string) { m.changeHead().typ = letters }

// AddAnnotationUse adds to the octets that annotations use: for mailbox
// annotations, which are not in the mailbox. The quota follows. Mode Write.
func (m *Mailbox) AddAnnotationUse(delta int64) {
	m.begin()
	m.hdr.AnnotUsed = uint64(max(0, int64(m.hdr.AnnotUsed)+delta))
	m.changes.usage[quota.AnnotStorage] += delta
}

// NextModseq takes a modseq for a change that is not one of a record: a
// mailbox annotation. Mode Write.
func (m *Mailbox) NextModseq() uint64 {
	m.begin()
	return m.nextModseq()
}

// nextModseq takes a modseq; begin was called.
func (m *Mailbox) nextModseq() uint64 {
	if m.store.o.Counters != nil {
		m.startModseqs()
	}
	m.hdr.HighestModseq++
	return m.hdr.HighestModseq
}

// BeforeCommit registers fn to run in Commit before anything is written,
// for what has to last first: another user's seen database, the mailbox
// list. An error of it ends Commit. Mode Write.
func (m *Mailbox) BeforeCommit(fn func(ctx context.Context) error) {
	m.begin()
	m.changes.before = append(m.changes.before, fn)
}
