package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// ReconstructOptions says what Reconstruct looks at and what it does about
// what it finds.
type ReconstructOptions struct {
	Look       bool // nothing is changed (-n)
	NoStat     bool // sizes of message files are not looked at (-s)
	Contents   bool // all messages are parsed again (-G)
	Renumber   bool // messages with other contents than their record get new UIDs (-R)
	Unlink     bool // they are removed (-U)
	IgnoreOdd  bool // files that do not belong there are not named (-o)
	RemoveOdd  bool // they are removed (-O)
	PreferList bool // of two ACLs or UIDVALIDITYs that of the mailbox list is right (-M)
	Fresh      bool // header and index are not believed and made anew (-x)

	// What the mailbox list has, for what is lost.
	ACL           string
	UIDValidity   uint32
	CreatedModseq uint64
	FolderModseq  uint64
	QuotaRoot     mboxname.Name
	Options       IndexOptions // of a new index
	// Keywords are names that user flags may have had (those of the owner's
	// other mailboxes). It is asked when names are lost.
	Keywords func() []string

	// Say is told each finding, a line without its end, in Cyrus's words.
	Say func(line string)
}

// Reconstructed is what a mailbox has after Reconstruct.
type Reconstructed struct {
	ACL         string // in cyrus.header
	UIDValidity uint32 // of the index, as it was before PreferList
	Modseq      uint64 // the highest
}

// reconstruction is one run of Reconstruct.
type reconstruction struct {
	m   *Mailbox
	o   *ReconstructOptions
	ctx context.Context

	was      IndexHeader // as it was read
	newIndex bool        // header of the index is made anew
	newHead  bool        // cyrus.header is
	validity uint32      // UIDVALIDITY of the index, as it was found
	written  bool        // a new index is in place

	files    []found
	annots   map[uint32][]Annotation
	snoozed  map[uint32]bool
	out      []salvaged // the records of the new index
	again    []found    // files that get a new UID
	reparsed int64      // where the next cache record would be appended
	records  bool       // records are different now
	caches   bool       // caches must be written anew
	stale    []uint32   // UIDs whose annotations go
	remove   []string   // files that go when the new index lasts
}

// Reconstruct compares a mailbox with its files and repairs it. Files are
// believed rather than the index, and whatever can be read is kept: a lost
// cyrus.header comes from the mailbox list, a lost index from the message
// files, under their UIDs. What a crash leaves:
//
//	files linked to new UIDs     messages above last_uid; the next run adds them
//	cyrus.header replaced        its checksum is not the index's: a warning
//	index replaced               see rebuild; the next run removes the rest
//
// An index that is another mailbox's is kept aside.
//
// Kinds of error: errs.NotFound for a mailbox that is being deleted,
// errs.BadFormat and errs.IO for what only Look may leave alone and for an
// index of a newer version, errs.Locked.
//
// Source: mailbox_reconstruct in Cyrus imap/mailbox.c.
func (s *Store) Reconstruct(ctx context.Context, ref Ref, o ReconstructOptions) (Reconstructed, error) {
	ctx, cancel := s.withDeadline(ctx)
	defer cancel()
	if err := s.upgradeFirst(ctx, ref, &o); err != nil {
		return Reconstructed{}, err
	}
	b, err := s.box(&ref)
	if err != nil {
		return Reconstructed{}, err
	}
	m := &Mailbox{store: s, box: b, ref: ref, mode: Exclusive}
	defer m.closeIfPanic()
	rc := &reconstruction{m: m, o: &o, ctx: ctx}
	err = rc.run()
	if m.head == nil {
		m.head = &header{}
	}
	done := Reconstructed{m.head.acl, rc.validity, m.hdr.HighestModseq}
	root := m.head.quotaRoot
	conversed := err == nil && rc.written && m.hasConversations()
	m.Close()
	if conversed {
		err = s.settle(ctx, ref, true)
	}
	if err == nil && rc.newIndex && root != "" && s.o.Repaired != nil {
		s.o.Repaired(ref, root)
	}
	return done, err
}

// upgradeFirst rewrites an index of a version that is not kept.
func (s *Store) upgradeFirst(ctx context.Context, ref Ref, o *ReconstructOptions) error {
	m, err := s.open(ctx, ref, Read)
	if err != nil {
		return nil // that is what Reconstruct is for
	}
	old := m.hdr.Version < OldestKept
	m.Close()
	if !old || o.Fresh {
		return nil
	}
	if o.Look {
		o.NoStat, o.Contents = true, false // it has no checksums to compare
		return nil
	}
	return s.upgrade(ctx, ref)
}

func (rc *reconstruction) run() error {
	m := rc.m
	if err := m.lockNames(rc.ctx); err != nil {
		return err
	}
	m.box.forget()
	if err := rc.openIndex(); err != nil {
		return err
	}
	if err := rc.openHead(); err != nil {
		return err
	}
	if err := rc.judge(); err != nil {
		return err
	}
	rc.was = m.hdr
	rc.compareValidity()
	steps := []func() error{rc.compareACL, rc.findFiles, rc.findAnnotations, rc.compareRecords, rc.addFiles, rc.staleAnnotations}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	h, err := rc.count()
	if err != nil {
		return err
	}
	rc.sayCounts(&h)
	if rc.o.Look || !rc.records && !rc.caches && !rc.newHead && !rc.newIndex && !rc.differs(&h) {
		return rc.dropRest()
	}
	return rc.write(h)
}

// say prints a finding, and logs it as Cyrus does.
func (rc *reconstruction) say(format string, a ...any) {
	line := fmt.Sprintf(format, a...)
	rc.m.store.o.Log.Error(line)
	if rc.o.Say != nil {
		rc.o.Say(line)
	}
}

// sayUID prints a finding about one message.
func (rc *reconstruction) sayUID(uid uint32, text string) {
	rc.say("%s uid %d %s", rc.m.ref.Name, uid, text)
}

// openIndex locks the index and reads its head. If that cannot be read, a new
// one is made up.
func (rc *reconstruction) openIndex() error {
	m := rc.m
	err := m.lockIndex(rc.ctx)
	if errors.Is(err, fs.ErrNotExist) {
		if rc.o.Look {
			return errs.New(errs.IO, "mailbox.Reconstruct", m.box.paths.index, fs.ErrNotExist)
		}
		return rc.loseIndex(nil)
	}
	if err != nil {
		return err
	}
	var buf [maxHeader]byte
	n, err := m.file.ReadAt(buf[:], 0)
	if err != nil && err != io.EOF {
		return disk.Error("mailbox.Reconstruct", m.box.paths.index, err)
	}
	h, err := decodeIndexHeader(buf[:n])
	switch {
	case err == nil && !h.damagedCRC && h.Options&OptDeleted != 0:
		return errs.New(errs.NotFound, "mailbox.Reconstruct", string(m.ref.Name), errors.New("deleted"))
	case err == nil && !h.damagedCRC && !rc.o.Fresh:
		m.hdr = *h
		return nil
	case err == nil && h.damagedCRC:
		err = errors.New("wrong checksum of the index header")
	}
	if v := newerVersion(buf[:n]); v != 0 {
		return errs.New(errs.BadFormat, "mailbox.Reconstruct", m.box.paths.index,
			fmt.Errorf("index version %d is from a newer program, the newest known here is %d; to make a new index from the messages, which loses flags, remove this file first", v, Version))
	}
	if rc.o.Look {
		return errs.New(errs.BadFormat, "mailbox.Reconstruct", m.box.paths.index, err)
	}
	if rc.o.Fresh {
		h = nil
	}
	return rc.loseIndex(h)
}

// newerVersion is the version of an index that a later Cyrus has written, or
// 0: what looks like garbage is not one.
func newerVersion(b []byte) uint32 {
	if len(b) < 24 {
		return 0
	}
	v, start, size := be.Uint32(b[8:]), be.Uint32(b[12:]), be.Uint32(b[16:])
	if v > Version && v < 100 && start >= maxHeader && start < 4096 && size >= 112 && size < 4096 {
		return v
	}
	return 0
}

// loseIndex makes up the head of an index. bad is what can be read of the old
// one, if it can be read at all.
func (rc *reconstruction) loseIndex(bad *IndexHeader) error {
	m, o := rc.m, rc.o
	rc.newIndex = true
	if !o.Fresh {
		rc.say("%s: failed to read index header", m.ref.Name)
	}
	h := newIndexHeader(&CreateOptions{UIDValidity: o.UIDValidity, Modseq: max(o.CreatedModseq, o.FolderModseq), Options: o.Options})
	if o.CreatedModseq != 0 {
		h.CreatedModseq = o.CreatedModseq
	}
	if bad != nil && o.UIDValidity != 0 && bad.UIDValidity == o.UIDValidity {
		bad.Options &= knownIndexOptions &^ (OptDeleted | optDirty)
		h = bad // at least this part of it is as the list knows it
	}
	*h = h.uncounted()
	version := uint32(0)
	if m.file != nil && !o.Fresh {
		version = m.guessVersion(bad)
	}
	if version == 0 {
		h.NumRecords = 0
		version = Version
	} else {
		h.NumRecords = 1<<32 - 1 // as many as there are
	}
	h.Version = version
	m.hdr = *h
	for _, f := range []string{m.box.paths.dir + "/x", m.box.paths.index, m.box.paths.header, m.box.paths.cache} {
		if err := m.store.makeDir(filepath.Dir(f)); err != nil {
			return disk.Error("mailbox.Reconstruct", f, err)
		}
	}
	return nil
}

// uncounted is a head without what is counted from records.
func (h IndexHeader) uncounted() IndexHeader {
	h.QuotaUsed, h.AnnotUsed, h.Exists, h.Unseen, h.Answered, h.Flagged, h.Deleted = 0, 0, 0, 0, 0, 0, 0
	h.SyncCRC, h.SyncCRCAnnot, h.FirstExpunged, h.damagedCRC = 0, annotCRCInit, 0, false
	return h
}

// guessVersion finds out of which version the records behind a head are that
// cannot be believed: the one of which most checksums are right.
func (m *Mailbox) guessVersion(bad *IndexHeader) uint32 {
	if bad != nil {
		return bad.Version
	}
	best, most := uint32(0), 0
	for _, v := range []uint32{17, 14, 13, 12} {
		l := layoutOf(v)
		b := make([]byte, l.record)
		var r Record
		n := 0
		for recno := uint32(1); recno <= 1000; recno++ {
			if k, err := m.file.ReadAt(b, l.offset(recno)); k < len(b) || err != nil && err != io.EOF {
				break
			}
			if l.decode(&r, b) && r.UID != 0 {
				n++
			}
		}
		if n > most {
			best, most = v, n
		}
	}
	return best
}

// openHead reads cyrus.header. One that cannot be read, or is of another
// mailbox, is made up from the mailbox list.
func (rc *reconstruction) openHead() error {
	m, o := rc.m, rc.o
	data, err := disk.ReadFile(m.store.o.FS, m.box.paths.header)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return disk.Error("mailbox.Reconstruct", m.box.paths.header, err)
	}
	var h *header
	if err == nil {
		h, err = decodeHeader(data)
	}
	if err == nil && m.foreign(h) {
		data = nil
		err = fmt.Errorf("it is of the mailbox %s (%s)", h.name, h.uniqueID)
	}
	if err == nil && !o.Fresh {
		if h.uniqueID != m.ref.UniqueID && !o.Look {
			// Annotations and seen states are kept under the list's id.
			h = h.clone()
			h.uniqueID, rc.newHead = m.ref.UniqueID, true
		}
		m.head, m.crcs = h, newFlagCRCs(h.flags)
		if m.hdr.layout().hasExists && m.hdr.HeaderCRC != h.crc && !rc.newIndex {
			rc.records = true
		}
		return nil
	}
	if o.Look {
		return errs.New(errs.BadFormat, "mailbox.Reconstruct", m.box.paths.header, err)
	}
	if !o.Fresh {
		rc.say("%s: failed to read header file", m.ref.Name)
		m.store.o.Log.Error("cyrus.header is made anew", "file", m.box.paths.header, "cause", err)
	}
	m.head = newHeader(&m.ref, &CreateOptions{ACL: o.ACL, QuotaRoot: o.QuotaRoot})
	rc.newHead = true
	if !o.Fresh {
		m.head.flags = keywordsIn(data)
	}
	m.crcs = newFlagCRCs(m.head.flags)
	return nil
}

// judge keeps an index that is another mailbox's aside, as the other may want
// it back, and makes up a new one.
func (rc *reconstruction) judge() error {
	m := rc.m
	if rc.newIndex || !m.doubtful() {
		return nil
	}
	why, _, err := m.misfit()
	if err != nil || why == "" {
		return err
	}
	path := m.box.paths.index
	if rc.o.Look {
		return errs.New(errs.BadFormat, "mailbox.Reconstruct", path, errors.New(why))
	}
	aside := fmt.Sprintf("%s.FOREIGN.%d", path, now())
	if err := m.store.o.FS.Link(path, aside); err != nil && !errors.Is(err, fs.ErrExist) {
		return disk.Error("mailbox.Reconstruct", aside, err)
	}
	m.store.o.Log.Error("cyrus.index is not that of its mailbox", "file", path, "kept", aside, "cause", why)
	if err := rc.loseIndex(nil); err != nil {
		return err
	}
	rc.say("%s: %s: kept as %s", m.ref.Name, why, aside)
	m.hdr.NumRecords = 0
	m.hdr.Version = Version
	return nil
}

// compareACL tells when header and mailbox list have different ACLs.
//
// Source: mailbox_reconstruct_acl.
func (rc *reconstruction) compareACL() error {
	m, o := rc.m, rc.o
	if rc.newHead || m.head.acl == o.ACL {
		return nil
	}
	rc.say("%s: update acl from header %s => %s", m.ref.Name, o.ACL, m.head.acl)
	if o.PreferList && !o.Look {
		m.head = m.head.clone()
		m.head.acl, rc.newHead = o.ACL, true
	}
	return nil
}

// compareValidity gives the index the UIDVALIDITY of the mailbox list, if that
// is to be right.
//
// Source: do_reconstruct in Cyrus imap/reconstruct.c.
func (rc *reconstruction) compareValidity() {
	h, want := &rc.m.hdr, rc.o.UIDValidity
	rc.validity = h.UIDValidity
	if rc.o.PreferList && !rc.o.Look && want != 0 && h.UIDValidity != want {
		h.UIDValidity, rc.records = want, true
	}
}

// write puts the new files in their places.
func (rc *reconstruction) write(h IndexHeader) error {
	m, s := rc.m, rc.m.store
	if rc.newHead {
		data := m.head.encode()
		m.head.crc = checksum(data)
		if err := disk.ReplaceSync(s.o.FS, m.box.paths.header, data, fileMode); err != nil {
			return disk.Error("mailbox.Reconstruct", m.box.paths.header, err)
		}
	}
	if err := rc.link(); err != nil {
		return err
	}
	rb, err := m.newRebuild(m.hdr.Version, rc.caches || rc.newIndex)
	if err != nil {
		return err
	}
	h.Generation, h.NumRecords, h.Options = rb.hdr.Generation, 0, rb.hdr.Options
	if m.hasConversations() {
		h.Options |= optDirty // until they are counted
	}
	h.HeaderCRC = m.head.crc
	rb.hdr = h
	for i := range rc.out {
		if err := rb.add(&rc.out[i].Record, rc.out[i].parse || rc.newIndex); err != nil {
			return rb.fail(err)
		}
	}
	m.hdr = h
	if err := rb.finish(); err != nil {
		return err
	}
	rc.written = true
	m.box.forget()
	m.trust()
	if err := rc.settleQuota(&h); err != nil {
		return err
	}
	s.changed(m.ref.Name)
	return rc.dropRest()
}

// settleQuota tells the quota root what the mailbox uses now.
func (rc *reconstruction) settleQuota(h *IndexHeader) error {
	m := rc.m
	root := m.head.quotaRoot
	if rc.newIndex || root == "" || m.store.o.Quota == nil {
		return nil // it is counted anew as a whole
	}
	diff := h.usage().Add(rc.was.usage().Neg())
	if !rc.was.layout().hasAnnot {
		diff[quota.AnnotStorage] = 0 // it never said what it had
	}
	if diff.IsZero() {
		return nil
	}
	err := m.store.o.Quota.Update(rc.ctx, root, m.ref.Name, diff)
	if errs.Is(err, errs.BadFormat) { // it is no fault of the mailbox
		rc.say("%s: quota root %s cannot be read: %v", m.ref.Name, root, err)
		return nil
	}
	return err
}

// dropRest removes what the new index does not know any more.
func (rc *reconstruction) dropRest() error {
	if rc.o.Look {
		return nil
	}
	m := rc.m
	for _, path := range rc.remove {
		if err := m.store.o.FS.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return disk.Error("mailbox.Reconstruct", path, err)
		}
	}
	if len(rc.stale) > 0 && m.store.o.Annotations != nil {
		return m.store.o.Annotations.MessageDrop(rc.ctx, m.messages(), rc.stale)
	}
	return nil
}
