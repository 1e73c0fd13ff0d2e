package mailbox

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/quota"
)

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
	// FlagLimit is the first slot that a new keyword may not take; 0 is
	// ClientUserFlags.
	FlagLimit int
	// Check, if not nil, is what the quota must have room for, instead of
	// what is appended; the zero Usage always fits. (LMTP without
	// lmtp_strict_quota only asks whether one octet has room.) Use is counted
	// as it is.
	Check *quota.Usage
	// BeforeCommit, if not nil, is called for each message when it has its
	// UID, before it becomes visible: for the duplicate database. i is
	// the message's index in the call of Append. An error refuses all
	// messages of the call. It must not use the Store.
	BeforeCommit func(ctx context.Context, i int, uid uint32) error

	// Once, if not nil, suppresses duplicates; there may be one message.
	Once *Once
	// Event is what an arrival is told as: event.MessageAppend or
	// event.MessageNew; 0: not at all. User is who sends it, or gets it.
	Event event.Type
	User  string

	// from is the quota root that counts the messages already, as they are
	// being moved: below the same root they need no room.
	from mboxname.Name
	// old and oldUIDs are the originals of copies, for the event.
	old     *event.Mailbox
	oldUIDs []uint32
	// copied is the quota root that the originals of copies have.
	copied mboxname.Name
	// replaces is the UID of the message of the same mailbox that the new one
	// replaces, 0 = none; frees is what goes with the old one.
	replaces uint32
	frees    frees
	// unlimited is for messages that were there before: the limits of
	// conversations do not count.
	unlimited bool
}

// Appended says what became of a message.
type Appended struct {
	UIDValidity uint32
	UID         uint32
	Modseq      uint64
	GUID        GUID
}

// item is a message that is ready to be linked into a mailbox: all that the
// record says is known but UID and modseq.
type item struct {
	source    string       // file to be linked
	sync      func() error // makes its contents last, if not nil
	rec       Record       // with CacheVersion and CacheCRC
	cache     []byte
	keywords  []string
	annots    []Annotation
	messageID string
}

// Append appends messages to a mailbox: all or none. They last when it
// returns. Appends of several goroutines to one mailbox are joined. Kinds of
// error: errs.OverQuota, errs.TooManyMessages, errs.FlagsFull and those of
// Open. The caller removes the staged files.
func (s *Store) Append(ctx context.Context, ref Ref, msgs []AppendMessage, o AppendOptions) ([]Appended, error) {
	items := make([]item, len(msgs))
	tasks := make([]func() error, len(msgs))
	for i := range msgs {
		tasks[i] = func() (err error) {
			items[i], err = msgs[i].prepare(ref.Partition)
			return err
		}
	}
	if err := together(tasks...); err != nil {
		return nil, err
	}
	return s.append(ctx, ref, items, o)
}

// prepare makes the message's file and fills in what is known.
func (a *AppendMessage) prepare(partition string) (item, error) {
	date := a.InternalDate
	if date.IsZero() {
		date = time.Now()
	}
	path, msg, err := a.Staged.ready(partition, StampOf(date))
	if err != nil {
		return item{}, err
	}
	if msg.Size > 1<<32-1 {
		return item{}, errs.New(errs.TooBig, "mailbox.Append", "", nil)
	}
	sent, gm := msg.Times(date)
	cache := msg.CacheRecord()
	defer a.Staged.done()
	return item{
		source: path, sync: func() error { return a.Staged.sync(path) }, cache: cache, keywords: a.Keywords, annots: slices.Clone(a.Annotations), messageID: msg.MessageID(),
		rec: Record{
			InternalDate: StampOf(date), SentDate: StampOf(sent), GMTime: StampOf(gm),
			Size: uint32(msg.Size), HeaderSize: uint32(msg.HeaderSize), GUID: GUID(msg.GUID),
			Flags: a.Flags & SystemMask, CacheVersion: message.CacheVersion, CacheCRC: crc32.ChecksumIEEE(cache),
		},
	}, nil
}

// batch is several calls of Append that are done at once.
type batch struct {
	m      *Mailbox
	reqs   []*appendRequest
	caches [2]cacheEnd // of messages here, and of archived ones
	check  quota.Usage // what the quota was asked for so far
	whole  bool        // no conversation is split
	passed *uint32     // see passFiles
}

// run does all requests and answers them. The mailbox is open for writing
// and closed by the caller.
func (b *batch) run(ctx context.Context) {
	m := b.m
	m.begin()
	var ready []*appendRequest
	for _, r := range b.reqs {
		if r.err = b.place(ctx, r); r.err == nil {
			ready = append(ready, r)
		}
	}
	b.reqs = ready
	if len(ready) == 0 {
		return
	}
	if err := b.commit(ctx); err != nil {
		b.fail(err)
		return
	}
	b.expungeReplaced(ctx)
}

// fail refuses all requests of the batch.
func (b *batch) fail(err error) {
	for _, r := range b.reqs {
		r.err = err
		b.unlink(r)
	}
}

// unlink removes the message files of a refused request.
func (b *batch) unlink(r *appendRequest) {
	for _, a := range r.placed {
		path := b.m.messagePath(&a.rec)
		if err := b.m.store.o.FS.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			// It is above last_uid; the next append replaces it.
			b.m.store.o.Log.Warn("message file is left", "file", path, "error", err)
		}
	}
	r.placed = nil
}

// place checks a request against the limits, links its files and gives
// UIDs. After an error nothing is left of it.
func (b *batch) place(ctx context.Context, r *appendRequest) (err error) {
	m, was, check := b.m, b.m.hdr, b.check
	defer func() {
		if err != nil {
			b.unlink(r)
			m.hdr, b.check = was, check
		}
	}()
	if err := b.once(ctx, r); err != nil {
		return err
	}
	if err := b.canReplace(ctx, r); err != nil {
		return err
	}
	if err := b.room(ctx, r); err != nil {
		return err
	}
	if err := b.passFiles(); err != nil {
		return err
	}
	for i := range r.items {
		it := &r.items[i]
		rec := it.rec
		if err := b.keywords(&rec, it.keywords, r.o.FlagLimit); err != nil {
			return err
		}
		m.hdr.LastUID++
		rec.UID = m.hdr.LastUID
		if m.store.shouldArchive(&rec, m.store.archiveBefore()) {
			rec.Flags |= Archived
		}
		if m.hdr.LastUID == 0 || m.hdr.LastUID == 1<<32-1 {
			return errs.New(errs.TooManyMessages, "mailbox.Append", string(m.ref.Name), errors.New("no UID is left"))
		}
		r.placed = append(r.placed, addition{rec: rec, annots: it.annots})
		if err := b.end(&rec).open(m, &rec); err != nil {
			return disk.Error("mailbox.Append", string(m.ref.Name), err)
		}
		if b.linkKnown(it, &rec) {
			continue
		}
		if err := b.link(it.source, m.messagePath(&rec)); err != nil {
			return err
		}
	}
	return nil
}

// room asks the limits of the mailbox and of its quota root whether a
// request fits, after those of the batch that went before.
func (b *batch) room(ctx context.Context, r *appendRequest) error {
	m := b.m
	n := uint32(len(r.items))
	if r.o.replaces != 0 {
		n--
	}
	if limit := m.store.o.MaxMessages[m.ref.typeLetter()]; limit > 0 && m.hdr.Exists+b.messages()+n > limit {
		return errs.New(errs.TooManyMessages, "mailbox.Append", string(m.ref.Name), nil)
	}
	need := r.usage()
	want := need
	if r.o.frees.root != "" && r.o.frees.root == m.head.quotaRoot {
		need = need.Add(r.o.frees.usage.Neg())
		want = need
	}
	if r.o.Check != nil {
		want = *r.o.Check
	}
	if r.o.from != "" && r.o.from == m.head.quotaRoot {
		return nil
	}
	// Where copies of a message count once, one more needs no room (cmd_copy in
	// Cyrus imap/index.c).
	if r.o.copied != "" && r.o.copied == m.head.quotaRoot && m.store.o.CountOnce {
		return nil
	}
	if m.store.o.Quota != nil && m.head.quotaRoot != "" && !want.IsZero() {
		if err := m.store.o.Quota.Check(ctx, m.head.quotaRoot, b.check.Add(want)); err != nil {
			return err
		}
	}
	b.check = b.check.Add(need)
	return nil
}

// end is the end of the cache that holds r's record.
func (b *batch) end(r *Record) *cacheEnd { return &b.caches[b.m.cacheSlot(r)] }

// messages is how many have been placed by the batch so far.
func (b *batch) messages() uint32 {
	var n uint32
	for _, r := range b.reqs {
		if r.err == nil {
			n += uint32(len(r.placed))
		}
	}
	return n
}

// typeLetter is the first letter of the type, by default that of mail.
func (r *Ref) typeLetter() string {
	if r.Type == "" {
		return "e"
	}
	return r.Type[:1]
}

// usage is what a request adds to the quota root.
func (r *appendRequest) usage() (u quota.Usage) {
	for i := range r.items {
		u[quota.Message]++
		u[quota.Storage] += int64(r.items[i].rec.Size)
		for _, a := range r.items[i].annots {
			u[quota.AnnotStorage] += int64(len(a.Value))
		}
	}
	return u
}

// placedUsage is usage with what the messages got when they were placed.
func (r *appendRequest) placedUsage() quota.Usage {
	u := r.usage()
	u[quota.AnnotStorage] = 0
	for i := range r.placed {
		for _, a := range r.placed[i].annots {
			u[quota.AnnotStorage] += int64(len(a.Value))
		}
	}
	return u
}

func (b *batch) keywords(rec *Record, names []string, limit int) error {
	if limit == 0 {
		limit = ClientUserFlags
	}
	for _, k := range names {
		n, err := b.m.AddFlag(k, limit)
		if err != nil {
			return err
		}
		rec.User.Set(n)
	}
	return nil
}

// link gives the file source the name of a message. What has that name is
// what a killed process left, as the UID is new. A file on another file
// system, or with too many links, is copied.
func (b *batch) link(source, path string) error {
	s := b.m.store
	var err error
	if !s.o.CopyFiles {
		err = s.o.FS.Link(source, path)
		if errors.Is(err, fs.ErrExist) {
			if err = s.o.FS.Remove(path); err == nil {
				err = s.o.FS.Link(source, path)
			}
		}
	}
	if s.o.CopyFiles || cannotLink(err) {
		err = s.copyFile(source, path)
	}
	return disk.Error("mailbox.Append", string(b.m.ref.Name), err)
}

// copyFile copies a message with its time. The copy lasts, not its name.
func (s *Store) copyFile(source, path string) error {
	in, err := s.o.FS.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := s.o.FS.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = s.o.FS.Chtimes(path, fi.ModTime())
	}
	if err != nil {
		s.o.FS.Remove(path)
	}
	return err
}

// commit makes everything last, then writes records and header. Hooks run
// beside the syncs; requests whose hook fails are taken out.
func (b *batch) commit(ctx context.Context) error {
	m := b.m
	var tasks []func() error
	b.reqs = slices.DeleteFunc(b.reqs, func(r *appendRequest) bool {
		if r.err = b.converse(r); r.err != nil {
			b.unlink(r)
			return true
		}
		b.addRecords(r)
		return false
	})
	if len(b.reqs) == 0 {
		return nil
	}
	for _, r := range b.reqs {
		tasks = append(tasks, r.syncs()...)
		if r.o.BeforeCommit != nil || r.o.Once != nil {
			tasks = append(tasks, func() error {
				r.err = r.hook(ctx)
				return nil
			})
		}
	}
	for i := range b.caches {
		tasks = append(tasks, b.caches[i].tasks(m)...)
	}
	if err := m.prepare(ctx, tasks...); err != nil {
		return disk.Error("mailbox.Append", string(m.ref.Name), err)
	}
	if err := b.dropRefused(ctx); err != nil || len(b.reqs) == 0 {
		m.abandon()
		return err
	}
	for _, r := range b.reqs {
		b.report(r)
	}
	return m.finish()
}

// syncs makes the message files last.
func (r *appendRequest) syncs() (tasks []func() error) {
	for i := range r.items {
		if sync := r.items[i].sync; sync != nil {
			tasks = append(tasks, sync)
		}
	}
	return tasks
}

// dropRefused takes the requests out whose hook failed: their files, their
// records, and their use of quota. Their UIDs are not used again.
func (b *batch) dropRefused(ctx context.Context) error {
	m := b.m
	c := &m.changes
	var ready []*appendRequest
	var back quota.Usage
	for _, r := range b.reqs {
		if r.err == nil {
			ready = append(ready, r)
			continue
		}
		back = back.Add(r.placedUsage())
		if err := b.deconverse(r); err != nil {
			return err
		}
		for i := range r.placed {
			m.count(&r.placed[i].rec, r.placed[i].annots, -1)
		}
		b.unlink(r)
	}
	if len(ready) == len(b.reqs) {
		return nil
	}
	m.hdr.NumRecords -= uint32(len(c.added))
	c.added = nil
	for _, r := range ready {
		for i := range r.placed {
			m.hdr.NumRecords++
			r.placed[i].rec.Recno = m.hdr.NumRecords
			c.added = append(c.added, r.placed[i])
		}
	}
	b.reqs = ready
	if len(ready) == 0 || m.store.o.Quota == nil || m.head.quotaRoot == "" {
		return nil
	}
	_, err := m.updateQuota(ctx, []quotaMove{{m.head.quotaRoot, m.ref.Name, back.Neg()}})
	return err
}

// hook runs BeforeCommit and the mark of Once for all messages of the
// request.
func (r *appendRequest) hook(ctx context.Context) error {
	for i := range r.placed {
		if r.o.Once != nil {
			if err := r.o.Once.Mark(ctx, r.placed[i].rec.UID); err != nil {
				return err
			}
		}
		if r.o.BeforeCommit == nil {
			continue
		}
		if err := r.o.BeforeCommit(ctx, i, r.placed[i].rec.UID); err != nil {
			return err
		}
	}
	return nil
}

// addRecords gives the messages of a request their places and modseqs, and
// counts them.
func (b *batch) addRecords(r *appendRequest) {
	m := b.m
	c, h := &m.changes, &m.hdr
	if h.Exists == 0 {
		h.Options |= OptPOP3NewUIDL
	}
	h.LastAppend = c.time
	for i := range r.placed {
		a := &r.placed[i]
		a.rec.CacheOffset = b.end(&a.rec).add(r.items[i].cache)
		m.nextModseq()
		h.NumRecords++
		a.rec.Recno = h.NumRecords
		a.rec.Modseq = h.HighestModseq
		a.rec.CreatedModseq = r.items[i].rec.CreatedModseq
		a.rec.startModseq()
		a.rec.LastUpdated, a.rec.SaveDate = c.time, c.time
		m.number(a.annots, a.rec.UID)
		m.count(&a.rec, a.annots, 1)
		c.added = append(c.added, *a)
		c.annots = append(c.annots, a.annots...)
		c.annotsMod = h.HighestModseq
	}
}

// report is the result of a request, and its lines in the audit log.
func (b *batch) report(r *appendRequest) {
	m := b.m
	b.announceArrivals(r)
	for i := range r.placed {
		rec := &r.placed[i].rec
		r.result = append(r.result, Appended{m.hdr.UIDValidity, rec.UID, rec.Modseq, rec.GUID})
		m.audit("auditlog: append sessionid=<%s> mailbox=<%s> uniqueid=<%s> uid=<%d> modseq=<%d> sysflags=<%s> guid=<%s> messageid=%s size=<%d>",
			r.o.SessionID, m.ref.Name, m.head.uniqueID, rec.UID, rec.Modseq, rec.Flags.Audit(), rec.GUID, auditID(r.items[i].messageID), rec.Size)
	}
}

// auditID is a message id for the audit log: it has its own angle brackets.
func auditID(id string) string {
	if id == "" {
		return "<>"
	}
	return id
}
