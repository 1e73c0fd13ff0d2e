package mailbox

import (
	"context"
	"errors"
	"io/fs"

	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// What clients may have seen of a mailbox after the copy was made that it is
// restored from must not come again with another meaning. Nobody knows how
// much that was, so a restored mailbox goes on far above what it had.
const (
	uidGap    = 1 << 16
	modseqGap = 1 << 24
)

// InstallOptions says how a mailbox is made of a copy of one.
type InstallOptions struct {
	SessionID   string
	ACL         string // text form
	QuotaRoot   mboxname.Name
	IgnoreQuota bool
	UIDValidity uint32 // 0 = that of the copy
	LastUID     uint32 // the highest UID that was given is not below
	// Take, if not nil, says whether a message is taken, and may change the
	// flags of its record. Without it all are whose files are not removed.
	Take func(*Record) bool
}

// Installed says what became of a copy.
type Installed struct {
	Created
	Messages int      // that clients see
	Lost     []uint32 // messages left out because the copy has no file of them
}

// Install makes a mailbox of a copy of one, which is open in another Store:
// with the UIDs and the UIDVALIDITY, flags, dates and message annotations of
// the copy. All messages have a new modseq, and the next UID is well above
// those of the copy: clients that have seen the mailbox since then ask anew.
// Files are linked where that is possible. Messages keep their conversations,
// which the owner's conversations do not know yet: CountConversations, then
// SetConversations, must follow. hold is as in Create. Kinds:
// errs.OverQuota, and those of Create. What a crash leaves:
//
//	while copying   a mailbox marked as deleted, which is not in the list:
//	                the next Create or Install there removes it
//	before hold     complete, and not in the list: the next one sets it aside;
//	                the use of quota has been counted
//	after hold      the mailbox
func (s *Store) Install(ctx context.Context, ref Ref, from *Mailbox, o InstallOptions, hold func(Created) error) (*Installed, error) {
	ctx, cancel := s.withDeadline(ctx)
	defer cancel()
	b, err := s.box(&ref)
	if err != nil {
		return nil, err
	}
	m := &Mailbox{store: s, box: b, ref: ref, mode: Exclusive}
	defer m.Close()
	l := s.o.Layout
	if err := m.lockAll(ctx, []string{l.NamespaceLock(ref.Name)}, []string{ref.lockName()}); err != nil {
		return nil, err
	}
	in := &install{from: from, to: m, o: &o}
	in.heads()
	if err := in.room(ctx); err != nil {
		return nil, err
	}
	err = in.copy(ctx)
	if err == nil {
		err = in.enter(ctx, hold)
	}
	if err != nil {
		in.abort()
		return nil, disk.Error("mailbox.Install", string(ref.Name), err)
	}
	s.changed(ref.Name)
	m.box.notify()
	s.audit("auditlog: create sessionid=<%s> mailbox=<%s> uniqueid=<%s> uidvalidity=<%d>",
		o.SessionID, ref.Name, ref.UniqueID, m.hdr.UIDValidity)
	return &Installed{in.created(), int(m.hdr.Exists), in.lost}, nil
}

// install is one run of Install.
type install struct {
	from, to *Mailbox
	o        *InstallOptions
	index    *newFile
	caches   [2]*newFile
	buf      CacheBuffer
	annots   []Annotation // of messages, to be stored
	rec      []byte
	made     bool // the directories are ours
	archived bool // some message is on the archive partition
	lost     []uint32
}

func (in *install) created() Created { return Created{in.to.hdr.UIDValidity, in.to.hdr.HighestModseq} }

// heads makes the new header and index header, without any message.
func (in *install) heads() {
	m, was, o := in.to, &in.from.hdr, in.o
	m.head = newHeader(&m.ref, &CreateOptions{ACL: o.ACL, QuotaRoot: o.QuotaRoot})
	m.head.flags = append([]string(nil), in.from.head.flags...)
	m.crcs = newFlagCRCs(m.head.flags)
	h := newIndexHeader(&CreateOptions{UIDValidity: was.UIDValidity})
	if o.UIDValidity != 0 {
		h.UIDValidity = o.UIDValidity
	}
	h.Generation = was.Generation + 1
	h.Options = was.Options & (OptPOP3NewUIDL | OptSharedSeen | OptDuplicate | OptHasAlarms)
	h.LastUID = uint32(min(max(uint64(was.LastUID)+uidGap, uint64(o.LastUID)), 1<<32-2))
	h.HighestModseq = was.HighestModseq + modseqGap
	h.DeletedModseq = h.HighestModseq
	h.CreatedModseq = max(was.CreatedModseq, 1)
	h.LastAppend, h.POP3LastLogin, h.POP3ShowAfter = was.LastAppend, was.POP3LastLogin, was.POP3ShowAfter
	h.RecentUID, h.RecentTime = was.RecentUID, was.RecentTime
	m.hdr = *h
	m.startModseqs()
	in.rec = make([]byte, h.layout().record)
}

// take decides about a message.
func (in *install) take(r *Record) bool {
	return r.Flags&Unlinked == 0 && (in.o.Take == nil || in.o.Take(r))
}

// room asks the quota root.
func (in *install) room(ctx context.Context) error {
	q, root := in.to.store.o.Quota, in.o.QuotaRoot
	if q == nil || root == "" || in.o.IgnoreQuota {
		return nil
	}
	var use quota.Usage
	use[quota.NumFolders] = 1
	err := in.from.Each(1, func(r *Record) bool {
		c := *r
		if in.take(&c) && c.Live() {
			use[quota.Storage] += int64(c.Size)
			use[quota.Message]++
		}
		return true
	})
	if err != nil {
		return err
	}
	return q.Check(ctx, root, use)
}

// copy makes the files, which last. The index is the last of them.
func (in *install) copy(ctx context.Context) error {
	m, fsys := in.to, in.to.store.o.FS
	p := &m.box.paths
	blank := m.hdr
	blank.Options |= OptDeleted // until all is there
	if err := m.create(&blank, m.head); err != nil {
		return err
	}
	m.hdr.HeaderCRC = blank.HeaderCRC
	in.made = true
	var err error
	if in.index, err = createNew(fsys, p.index, fileMode); err != nil {
		return err
	}
	if err := in.index.write(make([]byte, m.hdr.layout().header)); err != nil {
		return err
	}
	if err := in.cache(0, p.cache); err != nil {
		return err
	}
	in.from.changes.old.AnnotUsed = 1 // they are looked for whatever the header says
	var failed error
	err = in.from.Each(1, func(r *Record) bool {
		c := *r
		if in.take(&c) {
			failed = in.add(ctx, &c)
		}
		return failed == nil
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if err := in.annotations(ctx, true); err != nil {
		return err
	}
	return in.finish()
}

// cache begins a cache file.
func (in *install) cache(slot int, path string) (err error) {
	if in.caches[slot], err = createNew(in.to.store.o.FS, path, cacheMode); err != nil {
		return err
	}
	return in.caches[slot].write(be.AppendUint32(nil, in.to.hdr.Generation))
}

// annotsAtOnce is how many annotations go into one transaction.
const annotsAtOnce = 500

// annotations stores those annotations of messages that were collected, if
// there are many, or with all if there is one.
func (in *install) annotations(ctx context.Context, all bool) error {
	if len(in.annots) == 0 || !all && len(in.annots) < annotsAtOnce {
		return nil
	}
	m := in.to
	_, err := m.store.o.Annotations.MessageSet(ctx, m.messages(), m.hdr.HighestModseq, in.annots)
	in.annots = nil
	return err
}

// add adds a message.
func (in *install) add(ctx context.Context, r *Record) error {
	m, s := in.to, in.to.store
	source, old := in.from.messagePath(r), *r
	if in.from.hdr.layout().cacheCRC == 0 { // version 10 lacks some fields
		msg, err := in.from.parse(r)
		if err != nil {
			return err
		}
		fillRecord(r, msg, r.InternalDate.Time())
	}
	r.Flags &^= NeedsCleanup
	if m.box.paths.dir == m.box.paths.archiveDir {
		r.Flags &^= Archived
	}
	if r.Flags&Archived != 0 && !in.archived {
		in.archived = true
		if err := s.makeDir(m.box.paths.archiveDir); err != nil {
			return err
		}
	}
	err := s.placeFile(source, m.messagePath(r))
	if errors.Is(err, fs.ErrNotExist) {
		in.lost = append(in.lost, r.UID)
		return nil
	}
	if err != nil {
		return err
	}
	if err := in.addCache(&old, r); err != nil {
		return err
	}
	annots, err := in.annotsOf(ctx, r.UID)
	if err != nil {
		return err
	}
	h := &m.hdr
	h.HighestModseq++
	h.NumRecords++
	r.Modseq = h.HighestModseq
	if r.CreatedModseq == 0 {
		r.CreatedModseq = r.Modseq
	}
	h.LastUID = max(h.LastUID, r.UID)
	if !r.Live() && (h.FirstExpunged == 0 || r.LastUpdated < h.FirstExpunged) {
		h.FirstExpunged = r.LastUpdated
	}
	m.count(r, annots, 1)
	in.annots = append(in.annots, annots...)
	if err := in.annotations(ctx, false); err != nil {
		return err
	}
	h.layout().encode(in.rec, r)
	return in.index.write(in.rec)
}

// placeFile links or copies a message file. What has the name is what a crash
// has left of an attempt before.
func (s *Store) placeFile(from, to string) error {
	if s.o.CopyFiles {
		return s.copyFile(from, to)
	}
	err := s.o.FS.Link(from, to)
	if errors.Is(err, fs.ErrExist) {
		if err = s.o.FS.Remove(to); err == nil {
			err = s.o.FS.Link(from, to)
		}
	}
	if cannotLink(err) {
		err = s.copyFile(from, to)
	}
	return err
}

// addCache writes the cache record of a message, which lies with old in the
// copy.
func (in *install) addCache(old, r *Record) error {
	slot := in.to.cacheSlot(r)
	if in.caches[slot] == nil {
		if err := in.cache(slot, in.to.box.paths.archiveCache); err != nil {
			return err
		}
	}
	c := in.caches[slot]
	b, version, err := in.from.CacheBytes(old, &in.buf)
	if err != nil {
		return err
	}
	r.CacheOffset, r.CacheVersion, r.CacheCRC = uint64(c.off), uint16(version), checksum(b)
	return c.write(b)
}

// annotsOf is the annotations of a message, those of the owner as the new
// owner's. What an index of this version holds itself is left out.
func (in *install) annotsOf(ctx context.Context, uid uint32) ([]Annotation, error) {
	all, err := in.from.annotsOf(ctx, uid)
	was, is := in.from.owner(), in.to.owner()
	var out []Annotation
	for _, a := range all {
		// What the new owner had noted as a reader gives way.
		if isVirtual(a.Entry, Version) || was != is && is != "" && a.User == is {
			continue
		}
		if a.User == was && was != "" {
			a.User = is
		}
		out = append(out, a)
	}
	return out, err
}

// finish makes all files last, the index last of all.
func (in *install) finish() error {
	m, s := in.to, in.to.store
	in.buf.Free()
	if err := in.index.flush(); err != nil {
		return err
	}
	if _, err := in.index.f.WriteAt(m.hdr.encode(), 0); err != nil {
		return err
	}
	files := []*newFile{in.index}
	dirs := []string{m.box.paths.dir + "/x", m.box.paths.annotations}
	if in.archived {
		dirs = append(dirs, m.box.paths.archiveDir+"/x")
	}
	for _, c := range in.caches {
		if c != nil {
			files = append(files, c)
			dirs = append(dirs, c.path)
		}
	}
	var tasks []func() error
	for _, f := range files {
		tasks = append(tasks, f.sync)
	}
	if err := together(tasks...); err != nil {
		return err
	}
	for _, f := range files[1:] {
		if err := f.rename(); err != nil {
			return err
		}
	}
	if err := s.syncDirs(dirs...); err != nil {
		return err
	}
	if err := in.index.rename(); err != nil {
		return err
	}
	return s.syncDirs(in.index.path)
}

// enter counts the use and tells the mailbox list.
func (in *install) enter(ctx context.Context, hold func(Created) error) error {
	m := in.to
	m.box.forget()
	if m.store.o.Counters != nil {
		m.updateCounters(func(n *counters.Counters, k counters.Kind) {
			n.UIDValidity = max(n.UIDValidity, m.hdr.UIDValidity)
			n.Raise(k, counters.Folder, m.hdr.HighestModseq)
		})
	}
	undo := func() {}
	if m.store.o.Quota != nil && m.head.quotaRoot != "" {
		var err error
		undo, err = m.updateQuota(ctx, []quotaMove{{m.head.quotaRoot, m.ref.Name, m.hdr.usage()}})
		if err != nil {
			return err
		}
	}
	if hold == nil {
		return nil
	}
	err := hold(in.created())
	if err != nil {
		undo()
	}
	return err
}

// abort removes what is not complete.
func (in *install) abort() {
	in.buf.Free()
	in.index.abort()
	for _, c := range in.caches {
		c.abort()
	}
	if in.made {
		in.to.removeFiles()
	}
}
