package mailbox

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/syslog"
)

// What a crash may leave in an index, and what repair makes of it. The
// crash is a killed writer (the dirty mark is there) or a power cut (any
// subset of the pages that were written and not synced is on disk).
//
//	header old, records written      they are not counted: nothing to do
//	header old, record rewritten     it is taken as it is, counters follow
//	header new, record page old      appended: checksum or UID is wrong;
//	                                 made again from the message file, or
//	                                 dropped without one. Rewritten: the
//	                                 old flags, counters follow
//	record half old, half new        every field is of one of them, as none
//	                                 crosses a page: taken as it is if file
//	                                 and GUID agree
//	index too short                  as appended
//
// None of the changes that may be lost here had been acknowledged.

// defect returns what must be done before the mailbox can be used, or nil.
func (m *Mailbox) defect() func(context.Context, Ref) error {
	switch {
	case m.hdr.Version < OldestKept || m.hasOldExpunge():
		return m.store.upgrade
	case m.hdr.dirty():
		return m.store.repair
	case m.unchecked():
		return m.store.check
	case m.hdr.Version < Version && !m.hdr.layout().hasUnseen:
		return m.fillCounters()
	}
	return nil
}

// BootTime is when the system was started, by its kernel, or the zero time if
// that cannot be known. For Options.UncleanBoot it will do also if the
// shutdown was clean: what that costs is one look at each mailbox.
func BootTime() time.Time {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(b)) {
		var sec int64
		if n, _ := fmt.Sscanf(line, "btime %d", &sec); n == 1 {
			return time.Unix(sec, 0)
		}
	}
	return time.Time{}
}

// noteAge remembers that the index needs no look if it was changed since
// the boot: then somebody has looked already.
func (m *Mailbox) noteAge(fi fs.FileInfo) {
	boot := m.store.o.UncleanBoot
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	if m.box.suspect || !boot.IsZero() && fi.ModTime().Before(boot) {
		return
	}
	m.box.checked = true
}

// unchecked reports whether nobody has looked at the records since an
// unclean boot.
func (m *Mailbox) unchecked() bool {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	return !m.box.checked
}

// trust remembers that the records have been looked at.
func (m *Mailbox) trust() {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	m.box.checked, m.box.suspect = true, false
}

// fillCounters counts what the header of an old version lacks. It returns a
// repair if a record is damaged.
func (m *Mailbox) fillCounters() func(context.Context, Ref) error {
	h := &m.hdr
	h.Exists, h.Unseen = 0, 0
	err := m.Each(1, func(r *Record) bool {
		if r.Live() {
			h.Exists++
			if r.Flags&Seen == 0 {
				h.Unseen++
			}
		}
		return true
	})
	if err != nil {
		return m.store.repair
	}
	return nil
}

// check looks at every record of a mailbox, and repairs it if one is
// damaged or the counters are wrong.
func (s *Store) check(ctx context.Context, ref Ref) error {
	m, err := s.open(ctx, ref, Write)
	if err != nil {
		return err
	}
	defer m.closeIfPanic()
	sound, err := m.sound(ctx)
	behind := false
	if err == nil && sound {
		behind, err = m.healConversations(ctx)
	}
	if err == nil && sound && !behind {
		// From now on its age says that it was looked at.
		err = s.o.FS.Chtimes(m.box.paths.index, time.Now())
		m.trust()
	}
	root := m.head.quotaRoot
	m.Close()
	if err != nil {
		return disk.Error("mailbox.check", string(ref.Name), err)
	}
	if !sound {
		return s.repair(ctx, ref)
	}
	if behind {
		return s.CountConversations(ctx, ref.Name.Owner(), nil)
	}
	if root != "" && s.o.Repaired != nil && s.firstOf(root) {
		s.o.Repaired(ref, root)
	}
	return nil
}

// healConversations raises the owner's counters to the modseqs of the mailbox,
// and reports whether his conversations lack its last change: a power cut may
// leave both so.
func (m *Mailbox) healConversations(ctx context.Context) (behind bool, err error) {
	m.countModseqs(0, m.hdr.HighestModseq)
	if !m.hasConversations() {
		return false, nil
	}
	t, err := m.store.o.Conversations.Look(ctx, m.ref.Name.Owner())
	if errs.Is(err, errs.BadFormat) {
		m.store.o.Log.Error("conversations cannot be compared with a mailbox", "mailbox", m.ref.Name, "error", err)
		return false, nil
	}
	if err != nil || t == nil {
		return false, err
	}
	defer t.Close()
	modseq, known, err := t.Modseq(m.folder())
	return known && modseq < m.hdr.HighestModseq, err
}

// firstOf reports whether no mailbox of a quota root has been checked before
// by this process: a power cut may have left the use of the root wrong
// though all mailboxes are sound.
func (s *Store) firstOf(root mboxname.Name) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counted[root] {
		return false
	}
	s.counted[root] = true
	return true
}

// sound reports whether records and counters agree.
func (m *Mailbox) sound(ctx context.Context) (bool, error) {
	if m.hdr.dirty() {
		return false, nil
	}
	l := m.hdr.layout()
	fi, err := m.file.Stat()
	if err != nil {
		return false, err
	}
	if fi.Size() < l.offset(m.hdr.NumRecords+1) {
		return false, nil
	}
	var exists, unseen, sync, last uint32
	annots := uint32(annotCRCInit)
	m.changes.old.AnnotUsed = 1 // the header's word that there are none is not believed
	used, known, err := m.mailboxAnnotations(ctx)
	if err != nil {
		return false, err
	}
	var r Record
	for recno := uint32(1); recno <= m.hdr.NumRecords; recno++ {
		b, err := m.raw(recno, windowSize)
		if err != nil {
			return false, err
		}
		if !l.decode(&r, b) || r.UID <= last || r.UID > m.hdr.LastUID || r.Modseq > m.hdr.HighestModseq {
			return false, nil
		}
		last = r.UID
		if r.Live() {
			exists++
			sync ^= m.crcs.basic(&r)
			have, err := m.annotsOf(ctx, r.UID)
			if err != nil {
				return false, err
			}
			annots ^= virtualCRC(&r, m.hdr.Version) ^ annotsCRC(have, m.hdr.Version)
			for i := range have {
				used += uint64(len(have[i].Value))
			}
			if r.Flags&Seen == 0 {
				unseen++
			}
		}
	}
	strays, err := m.strays(ctx, m.hdr.LastUID)
	if err != nil {
		return false, err
	}
	return len(strays) == 0 && (!l.hasExists || exists == m.hdr.Exists && sync == m.hdr.SyncCRC) &&
		(!l.hasUnseen || unseen == m.hdr.Unseen) &&
		(!l.hasAnnot || m.store.o.Annotations == nil || annots == m.hdr.SyncCRCAnnot && (used == m.hdr.AnnotUsed || !known)), nil
}

// strays is the UIDs above last that have annotations: an append was storing
// them when it ended too early. The messages that get these UIDs next must not
// find them.
func (m *Mailbox) strays(ctx context.Context, last uint32) (uids []uint32, err error) {
	if _, err := m.annotsOf(ctx, 0); err != nil {
		return nil, err
	}
	for uid, as := range m.changes.messages {
		if uid > last && len(as) > 0 {
			uids = append(uids, uid)
		}
	}
	return uids, nil
}

func (m *Mailbox) dropStrays(ctx context.Context, last uint32) error {
	uids, err := m.strays(ctx, last)
	if err != nil || len(uids) == 0 {
		return err
	}
	return m.store.o.Annotations.MessageDrop(ctx, m.messages(), uids)
}

// repair makes a mailbox consistent after a crash, without losing what was
// acknowledged.
func (s *Store) repair(ctx context.Context, ref Ref) error {
	m, err := s.open(ctx, ref, Exclusive)
	if err != nil {
		return err
	}
	defer m.closeIfPanic()
	root, conversed := m.head.quotaRoot, m.hasConversations()
	done, found, err := m.repair(ctx)
	m.Close()
	if err == nil && done && conversed {
		err = s.settle(ctx, ref, found)
	}
	if err == nil && done && root != "" && s.o.Repaired != nil {
		s.firstOf(root)
		s.o.Repaired(ref, root)
	}
	return err
}

// repair rewrites the index. It reports whether there was something to do, as
// somebody else may have been first, and whether records had to be made anew.
func (m *Mailbox) repair(ctx context.Context) (done, found bool, err error) {
	sound, err := m.sound(ctx)
	if err != nil || sound {
		if err == nil {
			m.trust()
		}
		return false, false, err
	}
	m.store.o.Log.Warn("repairing a mailbox that was not closed properly", "mailbox", m.ref.Name, "uniqueid", m.head.uniqueID)
	records, dropped, err := m.salvage()
	if err != nil {
		return false, false, err
	}
	rb, err := m.newRebuild(m.hdr.Version, dropped.rebuilt > 0)
	if err != nil {
		return false, false, err
	}
	if m.hasConversations() {
		rb.hdr.Options |= optDirty // until they are counted
	}
	if err := rb.recount(ctx, records); err != nil {
		return false, false, rb.fail(err)
	}
	if err := m.dropStrays(ctx, rb.hdr.LastUID); err != nil {
		return false, false, rb.fail(err)
	}
	for i := range records {
		if err := rb.add(&records[i].Record, records[i].parse); err != nil {
			return false, false, rb.fail(err)
		}
	}
	m.store.o.Log.Warn("repaired a mailbox", "mailbox", m.ref.Name, "records", len(records),
		"mended", dropped.mended, "rebuilt", dropped.rebuilt, "dropped", dropped.lost)
	err = rb.finish()
	if err == nil {
		m.trust()
	}
	return true, dropped.rebuilt > 0, err
}

// recount sets the counters of the new header by the records.
func (rb *rebuild) recount(ctx context.Context, records []salvaged) error {
	return rb.m.recount(ctx, &rb.hdr, records)
}

// recount sets the counters of a header by the records.
func (m *Mailbox) recount(ctx context.Context, h *IndexHeader, records []salvaged) error {
	was := h.AnnotUsed
	used, known, err := m.mailboxAnnotations(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if !known {
			h.AnnotUsed = was
		}
	}()
	h.QuotaUsed, h.Exists, h.Answered, h.Flagged, h.Deleted, h.Unseen = 0, 0, 0, 0, 0, 0
	h.SyncCRC, h.SyncCRCAnnot, h.FirstExpunged = 0, annotCRCInit, 0
	h.AnnotUsed = used
	m.changes.old.AnnotUsed = 1 // the header's word that there are none is not believed
	old := m.hdr
	m.hdr = *h
	defer func() { m.hdr = old }()
	for i := range records {
		r := &records[i].Record
		annots, err := m.annotsOf(ctx, r.UID)
		if err != nil {
			return err
		}
		m.count(r, annots, 1)
		if !r.Live() && r.Flags&Unlinked == 0 && (m.hdr.FirstExpunged == 0 || r.LastUpdated < m.hdr.FirstExpunged) {
			m.hdr.FirstExpunged = r.LastUpdated
		}
		m.hdr.LastUID = max(m.hdr.LastUID, r.UID)
		m.hdr.HighestModseq = max(m.hdr.HighestModseq, r.Modseq)
	}
	*h = m.hdr
	return nil
}

// mailboxAnnotations is the octets that the mailbox's own annotations use. It
// is not known if their database cannot be read, which is no fault of the
// mailbox: that is logged.
func (m *Mailbox) mailboxAnnotations(ctx context.Context) (n uint64, known bool, err error) {
	if m.store.o.Annotations == nil {
		return 0, true, nil
	}
	of := annot.Scope{MailboxID: m.head.uniqueID, Owner: m.owner()}
	err = m.store.o.Annotations.Each(ctx, of, func(_ annot.Key, v []byte) error {
		n += uint64(len(v))
		return nil
	})
	if errs.Is(err, errs.BadFormat) {
		m.store.o.Log.Error("annotations of mailboxes cannot be counted", "mailbox", m.ref.Name, "error", err)
		return 0, false, nil
	}
	return n, true, err
}

// salvaged is a record that goes into a repaired index.
type salvaged struct {
	Record
	parse    bool   // its cache record must be made anew
	mended   bool   // its checksum was wrong, but the file agrees with it
	from     string // the file, where it has not its right name yet
	cacheLen int64  // of the cache record that is made anew
}

// salvageCount says what had to be done.
type salvageCount struct{ mended, rebuilt, lost int }

func (n *salvageCount) any() bool { return n.mended+n.rebuilt+n.lost > 0 }

// salvage reads what can be read of an index.
func (m *Mailbox) salvage() (out []salvaged, n salvageCount, err error) {
	m.window.free()
	l := m.hdr.layout()
	fi, err := m.file.Stat()
	if err != nil {
		return nil, n, disk.Error("mailbox.repair", string(m.ref.Name), err)
	}
	inFile := uint32(min(max(0, fi.Size()-int64(l.header))/int64(l.record), 1<<32-1))
	var last uint32
	holes := 0
	fill := func(before uint32) error {
		made, err := m.remake(last, before, holes)
		n.rebuilt += len(made)
		n.lost += holes - len(made)
		out = append(out, made...)
		holes = 0
		return err
	}
	b := make([]byte, l.record)
	for recno := uint32(1); recno <= min(m.hdr.NumRecords, inFile); recno++ {
		var r salvaged
		if err := m.readAt(b, l.offset(recno)); err != nil {
			return nil, n, err
		}
		good := l.decode(&r.Record, b)
		plausible := r.UID > last && r.UID <= m.hdr.LastUID
		agrees := good
		if plausible && !good {
			if agrees, err = m.agrees(&r.Record); err != nil {
				return nil, n, err
			}
		}
		switch {
		case plausible && good:
		case plausible && agrees:
			n.mended++
			r.mended = true
			m.touchSalvaged(&r.Record)
		default:
			holes++
			continue
		}
		if holes > 0 {
			if err := fill(r.UID); err != nil {
				return nil, n, err
			}
		}
		last = r.UID
		out = append(out, r)
	}
	if m.hdr.NumRecords != 1<<32-1 { // else it is not known how many there were
		holes += int(m.hdr.NumRecords - min(m.hdr.NumRecords, inFile))
	}
	return out, n, fill(min(m.hdr.LastUID, 1<<32-2) + 1)
}

// touchSalvaged gives a record a modseq of its own, so that clients look at
// it again.
func (m *Mailbox) touchSalvaged(r *Record) {
	m.hdr.HighestModseq++
	r.Modseq, r.LastUpdated = m.hdr.HighestModseq, now()
}

// agrees reports whether a record with a wrong checksum fits the file of
// its UID. There is an error only if that cannot be known now.
func (m *Mailbox) agrees(r *Record) (bool, error) {
	f, err := m.OpenMessage(r)
	if disk.Exhausted(err) {
		return false, err
	}
	if err != nil {
		return false, nil
	}
	defer f.Close()
	sum := sha1.New()
	size, err := io.Copy(sum, f)
	if disk.Exhausted(err) {
		return false, disk.Error("mailbox.repair", f.Name(), err)
	}
	return err == nil && size == int64(r.Size) && GUID(sum.Sum(nil)) == r.GUID, nil
}

// remake makes up to n records from message files with a UID between two
// others that have no record.
func (m *Mailbox) remake(after, before uint32, n int) ([]salvaged, error) {
	if n == 0 {
		return nil, nil
	}
	p := &m.box.paths
	where := map[uint32]Flags{}
	var uids []uint32
	for _, flag := range []Flags{0, Archived} {
		dir := p.dir
		if flag != 0 {
			dir = p.archiveDir
		}
		entries, err := m.store.o.FS.ReadDir(dir)
		if err != nil && (flag == 0 || !errors.Is(err, fs.ErrNotExist)) {
			return nil, disk.Error("mailbox.repair", string(m.ref.Name), err)
		}
		for _, e := range entries {
			uid, ok := uidOf(e.Name())
			if _, twice := where[uid]; ok && !twice && uid > after && uid < before {
				uids, where[uid] = append(uids, uid), flag
			}
		}
	}
	slices.Sort(uids)
	var out []salvaged
	for _, uid := range uids[:min(n, len(uids))] {
		at := Record{UID: uid, Flags: where[uid]}
		r, err := m.remakeFrom(m.messagePath(&at), uid)
		if disk.Exhausted(err) {
			return nil, err // nothing may be dropped for it
		}
		if err != nil {
			m.store.o.Log.Error("cannot read a message", "mailbox", m.ref.Name, "uid", uid, "error", err)
			continue
		}
		m.touchSalvaged(&r.Record)
		r.CreatedModseq, r.SaveDate, r.Flags = r.Modseq, r.LastUpdated, where[uid]
		out = append(out, salvaged{Record: r.Record, parse: true})
	}
	return out, nil
}

// remade is a record made from a file, with its cache record.
type remade struct {
	Record
	msg   *message.Message
	cache []byte
}

// sentAt is when a message was sent that has come at a time.
func (r *remade) sentAt(internal Stamp) (sent, gm Stamp) {
	s, g := r.msg.Times(internal.Time())
	return StampOf(s), StampOf(g)
}

// remakeFrom makes a record from a message file. It has no modseq yet.
func (m *Mailbox) remakeFrom(path string, uid uint32) (r remade, err error) {
	r.UID, r.CacheVersion = uid, message.CacheVersion
	f, err := m.store.o.FS.Open(path)
	if err != nil {
		return r, disk.Error("mailbox.repair", path, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return r, disk.Error("mailbox.repair", path, err)
	}
	if r.msg, err = message.ParseReader(f, fi.Size(), m.store.o.Message); err != nil {
		return r, disk.Error("mailbox.repair", path, err)
	}
	fillRecord(&r.Record, r.msg, fi.ModTime())
	r.cache = r.msg.CacheRecord()
	r.CacheCRC = crc32.ChecksumIEEE(r.cache)
	return r, nil
}

// fillRecord sets what a record says of the contents of a message.
func fillRecord(r *Record, msg *message.Message, internal time.Time) {
	sent, gm := msg.Times(internal)
	r.InternalDate, r.SentDate, r.GMTime = StampOf(internal), StampOf(sent), StampOf(gm)
	r.Size, r.HeaderSize, r.GUID = uint32(msg.Size), uint32(msg.HeaderSize), GUID(msg.GUID)
}

// upgrade rewrites an index of a version below 10 as Version.
func (s *Store) upgrade(ctx context.Context, ref Ref) error {
	m, err := s.open(ctx, ref, Exclusive)
	if err != nil {
		return err
	}
	defer m.Close()
	if m.hdr.Version >= OldestKept && !m.hasOldExpunge() {
		return nil
	}
	var seen func(uint32) bool
	var recent uint32
	if s.o.OwnerSeen != nil {
		if seen, recent, err = s.o.OwnerSeen(ctx, ref); err != nil {
			return err
		}
	}
	if seen == nil {
		seen = func(uint32) bool { return false }
	}
	s.o.Log.Log(ctx, syslog.LevelNotice, "upgrading an index", "mailbox", ref.Name, "from", m.hdr.Version, "to", Version)
	if m.hdr.HighestModseq == 0 {
		m.hdr.HighestModseq = 1
	}
	m.hdr.HeaderCRC, m.hdr.RecentUID, m.hdr.ChangesEpoch = m.head.crc, recent, now()
	var records []salvaged
	err = m.Each(1, func(r *Record) bool {
		if s.upgradeRecord(m, r) {
			if seen(r.UID) {
				r.Flags |= Seen
			}
			records = append(records, salvaged{Record: *r, parse: true})
		}
		return true
	})
	if err == nil {
		records, err = s.addExpunged(m, records)
	}
	if err != nil {
		return err
	}
	rb, err := m.newRebuild(Version, true)
	if err != nil {
		return err
	}
	if err := rb.recount(ctx, records); err != nil {
		return rb.fail(err)
	}
	for i := range records {
		if err := rb.add(&records[i].Record, true); err != nil {
			return rb.fail(err)
		}
	}
	if err := rb.finish(); err != nil {
		return err
	}
	return s.dropOldExpunge(m)
}

// upgradeRecord fills in what old versions lack. It reports false for a
// message without a file.
func (s *Store) upgradeRecord(m *Mailbox, r *Record) bool {
	r.Flags &= SystemMask &^ Seen
	msg, err := m.parse(r)
	if err != nil {
		s.o.Log.Error("a message without a file is dropped", "mailbox", m.ref.Name, "uid", r.UID, "error", err)
		return false
	}
	fillRecord(r, msg, r.InternalDate.Time())
	if r.Modseq == 0 {
		r.Modseq = 1
	}
	r.CreatedModseq, r.SaveDate = r.Modseq, 0
	return true
}
