package mailbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/syslog"
)

// CreateOptions says what a new mailbox is like.
type CreateOptions struct {
	SessionID   string
	ACL         string // text form
	QuotaRoot   mboxname.Name
	UIDValidity uint32 // 0 = from the clock
	MinValidity uint32 // at least this: one more than a tombstone's
	Modseq      uint64 // the first modseq, 0 = 1
	Options     IndexOptions
}

// Created is what the mailbox list keeps of a new mailbox.
type Created struct {
	UIDValidity uint32
	Modseq      uint64 // createdmodseq and foldermodseq
}

// NewUniqueID makes a unique id: 24 characters of 0-9a-z, as Cyrus does
// where it has no library for UUIDs.
func NewUniqueID() string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	id := make([]byte, 0, 24)
	var b [48]byte
	for len(id) < cap(id) {
		rand.Read(b[:])
		for _, x := range b {
			// 252 is the largest multiple of 36: all digits are as likely.
			if x < 252 && len(id) < cap(id) {
				id = append(id, digits[x%36])
			}
		}
	}
	return string(id)
}

// Create makes an empty mailbox on disk. When its files last, and while
// the locks of the name are held, hold is called to tell the mailbox list;
// if it fails the files are removed again. hold may be nil. What a crash left
// in the directory is removed; messages of a mailbox that the list has lost
// are set aside (see vacate).
func (s *Store) Create(ctx context.Context, ref Ref, o CreateOptions, hold func(Created) error) (Created, error) {
	ctx, cancel := s.withDeadline(ctx)
	defer cancel()
	b, err := s.box(&ref)
	if err != nil {
		return Created{}, err
	}
	m := &Mailbox{store: s, box: b, ref: ref, mode: Exclusive}
	defer m.Close()
	l := s.o.Layout
	err = m.lockAll(ctx, []string{l.NamespaceLock(ref.Name)}, []string{ref.lockName()})
	if err != nil {
		return Created{}, err
	}
	m.takeNumbers(&o)
	h := newIndexHeader(&o)
	head := newHeader(&ref, &o)
	if err := m.create(h, head); err != nil {
		return Created{}, disk.Error("mailbox.Create", string(ref.Name), err)
	}
	m.hdr, m.head = *h, head
	if err := m.startFolder(); err != nil {
		m.removeFiles()
		return Created{}, err
	}
	c := Created{h.UIDValidity, h.HighestModseq}
	err = s.countFolder(ctx, &ref, o.QuotaRoot, 1)
	if err == nil && hold != nil {
		if err = hold(c); err != nil {
			s.countFolder(ctx, &ref, o.QuotaRoot, -1)
		}
	}
	if err != nil {
		m.removeFiles()
		return Created{}, err
	}
	s.changed(ref.Name)
	s.audit("auditlog: create sessionid=<%s> mailbox=<%s> uniqueid=<%s> uidvalidity=<%d>",
		o.SessionID, ref.Name, ref.UniqueID, c.UIDValidity)
	return c, nil
}

// newHeader is the cyrus.header of a new mailbox.
func newHeader(ref *Ref, o *CreateOptions) *header {
	return &header{typ: ref.letters(), name: ref.Name, uniqueID: ref.UniqueID, quotaRoot: o.QuotaRoot, acl: o.ACL}
}

// letters is the type as it stands in cyrus.header.
func (r *Ref) letters() string {
	if r.Legacy {
		return r.typeLetter() + "l"
	}
	return r.typeLetter()
}

// newIndexHeader is the index header of a new mailbox.
func newIndexHeader(o *CreateOptions) *IndexHeader {
	t := now()
	h := &IndexHeader{
		Version: Version, UIDValidity: o.UIDValidity, HighestModseq: max(o.Modseq, 1),
		Options: o.Options | OptPOP3NewUIDL, SyncCRCAnnot: annotCRCInit, ChangesEpoch: t,
	}
	if h.UIDValidity == 0 {
		h.UIDValidity = uint32(t) + 1
	}
	h.UIDValidity = max(h.UIDValidity, o.MinValidity)
	h.CreatedModseq = h.HighestModseq
	return h
}

// create makes the directories and the two files, which last.
func (m *Mailbox) create(h *IndexHeader, head *header) error {
	p := &m.box.paths
	m.box.forget()
	if _, err := m.store.o.FS.Stat(p.index); err == nil {
		if err := m.vacate(); err != nil {
			return err
		}
	}
	fsys := m.store.o.FS
	parents, err := disk.Mkdirs(fsys, dirMode, p.dir, filepath.Dir(p.header), filepath.Dir(p.index), filepath.Dir(p.cache))
	if err != nil {
		return err
	}
	data := head.encode()
	h.HeaderCRC = checksum(data)
	if err := disk.CreateSync(fsys, fileMode, disk.NewFile{Name: p.header, Data: data}, disk.NewFile{Name: p.index, Data: h.encode()}); err != nil {
		return err
	}
	for _, d := range parents { // last: see disk.CreateSync
		if err := fsys.SyncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// makeDir makes a directory that lasts, with those above it.
func (s *Store) makeDir(dir string) error {
	if _, err := s.o.FS.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := s.makeDir(parent); err != nil {
			return err
		}
	}
	if err := s.o.FS.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	return s.o.FS.SyncDir(parent)
}

// countFolder changes the number of folders of a quota root.
func (s *Store) countFolder(ctx context.Context, ref *Ref, root mboxname.Name, n int64) error {
	if s.o.Quota == nil || root == "" {
		return nil
	}
	var u quota.Usage
	u[quota.NumFolders] = n
	return s.o.Quota.Update(ctx, root, ref.Name, u)
}

// removeFiles removes the files of a mailbox and its directories, as far
// as nothing else is in them. The index goes first: what a crash leaves is
// no mailbox. Failures are for the log: the mailbox is gone already.
func (m *Mailbox) removeFiles() {
	m.box.forget()
	l, r, fsys := m.store.o.Layout, &m.ref, m.store.o.FS
	fsys.Remove(m.box.paths.index)
	dirs, err := l.Dirs(r.Partition, r.Name, r.UniqueID, r.Legacy)
	if err != nil {
		return
	}
	for _, d := range dirs {
		entries, err := fsys.ReadDir(d)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.IsDir() || !isMailboxFile(e.Name()) {
				continue
			}
			if err := fsys.Remove(d + "/" + e.Name()); err != nil {
				m.store.o.Log.Warn("cannot remove a file", "file", d+"/"+e.Name(), "error", err)
			}
		}
		last := d                  // directory whose change must last
		if fsys.Remove(d) == nil { // with sub-folders in it, or foreign files, it stays
			last = filepath.Dir(d)
		}
		if err := fsys.SyncDir(last); err != nil {
			m.store.o.Log.Warn("cannot sync a directory", "directory", last, "error", err)
		}
	}
}

// isMailboxFile reports whether a file's name is one of a mailbox's.
func isMailboxFile(name string) bool {
	if strings.HasPrefix(name, "cyrus.") {
		return true
	}
	digits, ok := strings.CutSuffix(name, ".")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// Delete removes a mailbox from the disk for good, and its use from the
// quota. hold, which may be nil, is called with all locks held, before
// anything is removed: to take it from the mailbox list. An error of it
// stops the deletion.
func (s *Store) Delete(ctx context.Context, ref Ref, sessionID string, hold func(*Mailbox) error) error {
	m, err := s.Open(ctx, ref, Exclusive)
	if err != nil {
		return err
	}
	defer m.Close()
	m.session = sessionID
	if hold != nil {
		if err := hold(m); err != nil {
			return err
		}
	}
	if err := m.leaveConversations(); err != nil {
		return err
	}
	if err := m.markDeleted(ctx); err != nil {
		return err
	}
	m.removeFiles()
	s.audit("auditlog: delete sessionid=<%s> mailbox=<%s> uniqueid=<%s>", sessionID, ref.Name, m.head.uniqueID)
	s.o.Log.Log(ctx, syslog.LevelNotice, fmt.Sprintf("Deleted mailbox %s", ref.Name))
	return nil
}

// markDeleted makes the mailbox not existent for everybody, and takes its
// use from the quota.
func (m *Mailbox) markDeleted(ctx context.Context) error {
	m.begin()
	use := m.hdr.usage()
	m.hdr.Options |= OptDeleted
	if m.store.o.Quota != nil && m.head.quotaRoot != "" {
		m.changes.usage = use.Neg()
	}
	if err := m.Commit(ctx); err != nil {
		return err
	}
	m.box.forget()
	return nil
}

// Move changes where or under which name a mailbox lies. The files of
// legacy mailboxes, and of any when its partition changes, are moved; for
// others only cyrus.header changes. root is the new quota root, "" none.
// hold, which may be nil, is called to tell the mailbox list while the
// locks of both names are held: when the new place is complete, before the
// old one is given up. m is then the mailbox with its new name and modseq.
// The UIDVALIDITY stays, unless it is less than validity: what another mailbox
// had at the new name must not come again.
func (s *Store) Move(ctx context.Context, from, to Ref, root mboxname.Name, validity uint32, sessionID string, hold func(m *Mailbox) error) error {
	ctx, cancel := s.withDeadline(ctx)
	defer cancel()
	m, err := s.openPair(ctx, from, to)
	if err != nil {
		return err
	}
	defer m.Close()
	m.session = sessionID
	m.begin()
	if from.Name != to.Name {
		m.SetName(to.Name)
	}
	m.changes.renamed, m.changes.from = from.Name != to.Name, from.Name
	m.hdr.UIDValidity = max(m.hdr.UIDValidity, validity)
	if m.head.typ != "" {
		m.SetType(to.letters())
	}
	sameRoot := m.head.quotaRoot == root
	if !sameRoot {
		m.SetQuotaRoot(root)
	}
	if hold == nil {
		hold = func(*Mailbox) error { return nil }
	}
	p, err := layoutPaths(s.o.Layout, &to)
	if err != nil {
		return err
	}
	how, err := m.moveConversations(ctx, to)
	if err != nil {
		return err
	}
	if p == m.box.paths {
		m.ref = to
		if how.joins {
			if err := m.joinConversations(); err != nil {
				return err
			}
		}
		m.BeforeCommit(func(context.Context) error { return hold(m) })
		defer s.changed(from.Name)
		if err := m.Commit(ctx); err != nil {
			return err
		}
		m.countRenamed(ctx, from.Name, sameRoot)
		return nil
	}
	if err := m.moveFiles(ctx, to, hold, how); err != nil {
		return err
	}
	m.countRenamed(ctx, from.Name, sameRoot)
	if from.Partition != to.Partition {
		s.audit("auditlog: partitionmove sessionid=<%s> mailbox=<%s> uniqueid=<%s> oldpart=<%s> newpart=<%s>",
			sessionID, to.Name, m.head.uniqueID, from.Partition, to.Partition)
	} else if from.Name != to.Name {
		s.audit("auditlog: rename sessionid=<%s> oldmailbox=<%s> newmailbox=<%s> uniqueid=<%s>",
			sessionID, from.Name, to.Name, m.head.uniqueID)
	}
	return nil
}

// countRenamed tells a count of the quota root that runs just now of a mailbox
// that has another name and the same root: it may have counted the one, or be
// past the other.
func (m *Mailbox) countRenamed(ctx context.Context, from mboxname.Name, sameRoot bool) {
	to := m.head.name
	if m.store.o.Quota == nil || from == to || !sameRoot {
		return
	}
	if err := m.store.o.Quota.Renamed(ctx, m.head.quotaRoot, from, to, m.hdr.usage()); err != nil {
		m.store.o.Log.Error("a count of a quota root misses a mailbox that was renamed", "quotaroot", m.head.quotaRoot, "mailbox", to, "error", err)
	}
}

// openPair opens a mailbox Exclusive, or for writing if its files stay,
// with the locks of another name.
func (s *Store) openPair(ctx context.Context, from, to Ref) (*Mailbox, error) {
	// A mailbox that is damaged is repaired now, under its own locks only.
	probe, err := s.Open(ctx, from, Write)
	if err != nil {
		return nil, err
	}
	probe.Close()
	b, err := s.box(&from)
	if err != nil {
		return nil, err
	}
	m := &Mailbox{store: s, box: b, ref: from, mode: Exclusive}
	l := s.o.Layout
	err = m.lockAll(ctx, []string{l.NamespaceLock(from.Name), l.NamespaceLock(to.Name)},
		[]string{from.lockName(), to.lockName()})
	if err == nil {
		err = m.lockIndex(ctx)
	}
	if err == nil {
		err = m.readHeads()
	}
	if err == nil && m.hdr.dirty() {
		err = errs.New(errs.Locked, "mailbox.Move", string(from.Name), errors.New("needs repair"))
	}
	if err == nil && !m.hdr.layout().hasUnseen {
		m.fillCounters()
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// moveFiles moves a mailbox to another directory. What a crash leaves:
//
//	while copying   the old mailbox, and files in the new place that the
//	                next Create or Move there removes. With the mark, if its
//	                messages had left their conversations already: repair
//	                counts them
//	after hold      the mailbox list names the new place, which is complete;
//	                of the old one there may be files left. It has the mark,
//	                if its messages come into conversations: repair counts
func (m *Mailbox) moveFiles(ctx context.Context, to Ref, hold func(*Mailbox) error, how conversationsMove) error {
	b, err := m.store.box(&to)
	if err != nil {
		return err
	}
	n := &Mailbox{store: m.store, box: b, ref: to, mode: Exclusive, hdr: m.hdr, head: m.head, crcs: m.crcs}
	defer func() {
		n.box.forget()
		n.box.release()
	}()
	undo := func(err error) error {
		n.removeFiles()
		return disk.Error("mailbox.Move", string(to.Name), err)
	}
	if how.joins {
		m.hdr.Options |= optDirty
	}
	if err := m.copyTo(n); err != nil {
		return undo(err)
	}
	if err := m.leaveForGood(); err != nil {
		return undo(err)
	}
	undoQuota, err := m.updateQuota(ctx, m.quotaMoves())
	if err == nil {
		if err = hold(n); err != nil {
			undoQuota()
		}
	}
	if err != nil {
		return undo(err)
	}
	m.store.changed(to.Name)
	m.store.changed(m.ref.Name)
	if how.joins {
		if err := m.joinFrom(ctx, n); err != nil {
			m.store.o.Log.Error("conversations are to be counted", "mailbox", to.Name, "error", err)
		}
	}
	// The old place: others that have the index open must see it is gone.
	gone := m.hdr
	gone.Options |= OptDeleted
	m.file.WriteAt(gone.encode(), 0)
	m.changes = changes{}
	m.removeFiles()
	m.box.notify()
	return nil
}

// copyTo makes a complete copy of m, which is changed in memory, in the
// directories of n.
func (m *Mailbox) copyTo(n *Mailbox) error {
	s, p := m.store, &n.box.paths
	head, hdr := m.head, m.hdr
	// Until it is complete nobody may take it for a mailbox.
	blank := hdr
	blank.NumRecords = 0
	blank.Options |= OptDeleted
	if err := n.create(&blank, head); err != nil {
		return err
	}
	hdr.HeaderCRC = blank.HeaderCRC
	n.hdr.HeaderCRC = blank.HeaderCRC
	archived := false
	var failed error
	err := m.Each(1, func(r *Record) bool {
		if r.Flags&Archived != 0 && !archived {
			archived = true
			failed = s.makeDir(p.archiveDir)
		}
		if failed == nil {
			failed = s.linkOrCopy(m.messagePath(r), n.messagePath(r), r)
		}
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if err := m.copyMeta(n); err != nil {
		return err
	}
	sync := []string{p.dir + "/x", p.cache, p.annotations}
	if archived {
		sync = append(sync, p.archiveDir+"/x", p.archiveCache)
	}
	if err := s.syncDirs(sync...); err != nil {
		return err
	}
	index := make([]byte, m.hdr.layout().offset(m.hdr.NumRecords+1))
	if err := m.readAt(index, 0); err != nil {
		return err
	}
	copy(index, hdr.encode())
	return disk.ReplaceSync(s.o.FS, p.index, index, fileMode)
}

// copyMeta copies the caches and the message annotations.
func (m *Mailbox) copyMeta(n *Mailbox) error {
	from, to := &m.box.paths, &n.box.paths
	for _, f := range [][2]string{{from.cache, to.cache}, {from.archiveCache, to.archiveCache}, {from.annotations, to.annotations}} {
		a, b := f[0], f[1]
		if _, err := m.store.o.FS.Stat(a); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if err := m.store.makeDir(filepath.Dir(b)); err != nil {
			return err
		}
		if err := m.store.copyFile(a, b); err != nil {
			return err
		}
	}
	return nil
}

// linkOrCopy gives a message a second name, on another file system by
// copying. The file of an expunged message may be missing.
func (s *Store) linkOrCopy(from, to string, r *Record) error {
	err := s.o.FS.Link(from, to)
	if cannotLink(err) {
		err = s.copyFile(from, to)
	}
	if errors.Is(err, fs.ErrNotExist) && r.Flags&Unlinked != 0 {
		return nil
	}
	return err
}
