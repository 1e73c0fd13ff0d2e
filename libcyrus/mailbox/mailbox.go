package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/cyrusdb/twoskip"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/syslog"
)

// Mailbox is an open, locked mailbox. It belongs to one goroutine.
//
// Changes are collected in memory and reach the disk with Commit; Close
// without Commit discards them.
type Mailbox struct {
	store *Store
	box   *box
	ref   Ref
	mode  Mode

	namespaces []*lock.Held // in the order they are taken
	names      []*lock.Held
	index      *lock.Held
	since      time.Time   // when index was locked
	info       fs.FileInfo // of index, once it was locked
	file       *openFile   // cyrus.index

	hdr  IndexHeader // with the changes so far
	head *header     // shared until headerChanged
	crcs *flagCRCs

	conv            *conversations.Txn // the owner's, once something changes in it
	convStage       *twoskip.Stage     // of conv, while it is being committed
	convBuf         CacheBuffer        // for conv
	noConversations int                // above 0 Rewrite leaves them alone
	withoutConv     bool               // somebody else tells them of this change

	session    string // for the audit log
	kept       *bool  // see keeping
	committing bool   // Commit has begun and not returned
	window     window
	cacheIO    [2]cacheFile // of messages here, and on the archive partition
	changes    changes
	news       news // events
}

// Open opens a mailbox and takes its locks (see Mode). They are held until
// Close: never while waiting for a client. Kinds of error: errs.NotFound,
// errs.Locked, errs.BadFormat, errs.IO.
func (s *Store) Open(ctx context.Context, ref Ref, mode Mode) (*Mailbox, error) {
	ctx, cancel := s.withDeadline(ctx)
	defer cancel()
	for tries := 0; ; tries++ {
		m, err := s.open(ctx, ref, mode)
		if err != nil {
			return nil, err
		}
		todo := m.findDefect()
		if todo == nil {
			return m, nil
		}
		m.Close()
		if tries > 2 {
			return nil, errs.New(errs.BadFormat, "mailbox.Open", string(ref.Name), errors.New("repairing did not help"))
		}
		if err := todo(ctx, ref); err != nil {
			return nil, err
		}
	}
}

// open is Open without looking for defects.
func (s *Store) open(ctx context.Context, ref Ref, mode Mode) (*Mailbox, error) {
	b, err := s.box(&ref)
	if err != nil {
		return nil, err
	}
	m := &Mailbox{store: s, box: b, ref: ref, mode: mode}
	defer m.closeIfPanic()
	if err = m.lockNames(ctx); err == nil {
		err = m.lockIndex(ctx)
	}
	if err == nil {
		err = m.readHeads()
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// lockNames takes the namespace lock and the mailbox lock.
func (m *Mailbox) lockNames(ctx context.Context) error {
	p := m.box.lockPaths(&m.ref)
	n := nameLocks{names: []string{p.mailbox}, nameMode: lockModeOf(m.mode)}
	// Ordinary opens of shared mailboxes take no namespace lock: all would
	// be one queue. Nor do readers: what they read is guarded by the locks of
	// the mailbox, and they would wait for changes of the user's other
	// mailboxes to reach the disk.
	if p.namespace != "" && m.mode != Read {
		n.spaces, n.spaceMode = []string{p.namespace}, lock.Exclusive
	}
	return m.takeLocks(ctx, &n)
}

// lockModeOf is how the mailbox lock is taken.
func lockModeOf(m Mode) lock.Mode {
	if m == Exclusive {
		return lock.Exclusive
	}
	return lock.Shared
}

// lockAll takes namespace locks, then mailbox locks, each in ascending
// order of their names, exclusive.
func (m *Mailbox) lockAll(ctx context.Context, spaces, names []string) error {
	n := nameLocks{spaceMode: lock.Exclusive, nameMode: lock.Exclusive}
	for i, group := range [][]string{spaces, names} {
		paths := []*[]string{&n.spaces, &n.names}[i]
		slices.Sort(group)
		for _, name := range slices.Compact(group) {
			*paths = append(*paths, m.store.o.Layout.LockPath(name))
		}
	}
	return m.takeLocks(ctx, &n)
}

// lockIndex opens and locks the file that is the index now.
func (m *Mailbox) lockIndex(ctx context.Context) error {
	mode := lock.Shared
	if m.mode != Read {
		mode = lock.Exclusive
	}
	for {
		f, err := m.box.indexFile()
		if err != nil {
			return m.missingFile(m.box.paths.index, err)
		}
		held, err := m.store.o.Locks.File(ctx, f, m.box.paths.index, mode)
		if err != nil {
			f.release()
			return err
		}
		fi, err := m.store.o.FS.Stat(m.box.paths.index)
		if err == nil && disk.Inode(fi) == f.ino {
			m.file, m.index, m.since, m.info = f, held, time.Now(), fi
			m.noteAge(fi)
			return nil
		}
		held.Release()
		m.box.dropIndex(f)
		f.release()
		if err != nil {
			return m.missingFile(m.box.paths.index, err)
		}
	}
}

// readHeads reads the index header and, if it has changed, cyrus.header.
func (m *Mailbox) readHeads() error {
	var buf [maxHeader]byte
	n, err := m.file.ReadAt(buf[:], 0)
	if err != nil && err != io.EOF {
		return fsError("mailbox.Open", m.ref.Name, err)
	}
	h, err := decodeIndexHeader(buf[:n])
	if err == nil && h.damagedCRC {
		err = errors.New("wrong checksum of the index header")
	}
	if err != nil {
		return m.damagedFile(m.box.paths.index, err)
	}
	if h.Options&OptDeleted != 0 {
		return errs.New(errs.NotFound, "mailbox.Open", string(m.ref.Name), errors.New("deleted"))
	}
	m.hdr = *h
	if err := m.readHeader(); err != nil {
		return err
	}
	return m.judge()
}

// readHeader gets cyrus.header, from memory if it is the same file: whoever
// replaces it writes its checksum to the index.
func (m *Mailbox) readHeader() error {
	b, fsys := m.box, m.store.o.FS
	b.mu.Lock()
	if b.head != nil && m.hdr.HeaderCRC != 0 && b.head.crc == m.hdr.HeaderCRC {
		m.head, m.crcs = b.head, b.crcs
		b.mu.Unlock()
		return nil
	}
	b.mu.Unlock()
	fi, err := fsys.Stat(b.paths.header)
	if err != nil {
		return m.missingFile(b.paths.header, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.head == nil || b.headID != idOf(fi) {
		data, err := disk.ReadFile(fsys, b.paths.header)
		if err != nil {
			return m.missingFile(b.paths.header, err)
		}
		h, err := decodeHeader(data)
		if err == nil && m.foreign(h) {
			err = fmt.Errorf("it is that of the mailbox %s (%s)", h.name, h.uniqueID)
		}
		if err != nil {
			return m.damagedFile(b.paths.header, err)
		}
		b.head, b.headID, b.crcs = h, idOf(fi), newFlagCRCs(h.flags)
	}
	m.head, m.crcs = b.head, b.crcs
	return nil
}

// longLock is how long an index may be locked without a line in the log
// (Cyrus imap/mailbox.c, mailbox_unlock_index).
const longLock = time.Second

// Close releases the locks. Without Commit before, changes are lost. If it
// is deferred and a panic is on its way, that is noted first (see panicked).
func (m *Mailbox) Close() {
	if p := recover(); p != nil {
		m.panicked(p)
		panic(p)
	}
	m.close()
}

func (m *Mailbox) close() {
	if m.box == nil {
		return
	}
	if m.committing { // a panic that somebody else has recovered from
		m.distrust("a panic in a commit")
	}
	for i := range m.cacheIO {
		m.cacheIO[i].close()
	}
	if m.store.o.Conversations != nil {
		m.closeConversations()
	}
	m.window.free()
	// Cyrus's order of releasing: index, namespace, mailbox.
	if m.index != nil {
		m.index.Release()
		if d := time.Since(m.since); d > longLock {
			m.store.o.Log.Log(context.Background(), syslog.LevelNotice, fmt.Sprintf("mailbox: longlock %s for %.1f seconds", m.ref.Name, d.Seconds()))
		}
	}
	m.unlockNames()
	m.file.release()
	m.sendEvents()
	b := m.box
	m.box = nil
	if m.changes.tidy {
		m.store.tidy(m.ref)
	}
	b.release()
}

// Ref returns what the mailbox was opened with.
func (m *Mailbox) Ref() Ref { return m.ref }

// Header returns the index header with all changes so far. Exists, Unseen
// and the other counters are right also where the index version lacks them.
func (m *Mailbox) Header() IndexHeader { return m.hdr }

// Flags returns the names of user flags by their number; "" is a free slot.
// The slice must not be changed.
func (m *Mailbox) Flags() []string { return m.head.flags }

// ACL is the ACL in its text form, as cyrus.header has it.
func (m *Mailbox) ACL() string { return m.head.acl }

// QuotaRoot is the mailbox's quota root, or "".
func (m *Mailbox) QuotaRoot() mboxname.Name { return m.head.quotaRoot }

// HeaderName is the name in cyrus.header, which may be stale.
func (m *Mailbox) HeaderName() mboxname.Name { return m.head.name }

// UniqueID is the id in cyrus.header.
func (m *Mailbox) UniqueID() string { return m.head.uniqueID }

// owner is the userid of the mailbox's owner, or "".
func (m *Mailbox) owner() string {
	return m.ref.Name.OwnerOf(m.store.o.Layout.DeletedPrefix)
}

// OwnsSeen reports whether the \Seen flag of user (an id, "" = nobody) is
// in the index: he owns the mailbox or it has OptSharedSeen. Otherwise his
// seen database has it, as everybody's has for indexes before version 12.
//
// Source: mailbox_internal_seen in Cyrus imap/mailbox.c.
func (m *Mailbox) OwnsSeen(user string) bool { return m.hdr.ownsSeen(user, m.owner) }

func (h *IndexHeader) ownsSeen(user string, owner func() string) bool {
	switch {
	case user == "":
		return true
	case h.Version < 12:
		return false
	case h.Options&OptSharedSeen != 0:
		return true
	}
	return owner() == user
}

// SeenUser is whose seen database has what a user has seen, if OwnsSeen
// reports false: his own, or that of SharedSeenUser where an index of before
// version 12 has OptSharedSeen.
//
// Source: index_open in Cyrus imap/index.c.
func (m *Mailbox) SeenUser(user string) string {
	if m.hdr.Options&OptSharedSeen != 0 {
		return SharedSeenUser
	}
	return user
}

// SharedSeenUser is the user whose seen database has what everybody has
// seen.
const SharedSeenUser = "anyone"

// Inode identifies the index file: record numbers hold as long as it is
// the same and so is the header's Generation.
func (m *Mailbox) Inode() uint64 { return m.file.ino }

// missingFile is an error for a file of a mailbox that cannot be opened. Only
// if nothing is there at all the mailbox is gone: else it has lost a file, or
// the disk it is on, and mail for it must wait.
func (m *Mailbox) missingFile(path string, err error) error {
	p, fsys := &m.box.paths, m.store.o.FS
	if !errors.Is(err, fs.ErrNotExist) {
		return disk.Error("mailbox.Open", string(m.ref.Name), err)
	}
	for _, other := range []string{p.index, p.header} {
		if _, serr := fsys.Stat(other); serr == nil && other != path {
			return m.damagedFile(path, err)
		}
	}
	entries, _ := fsys.ReadDir(p.dir)
	for _, e := range entries {
		if _, ok := uidOf(e.Name()); ok {
			return m.damagedFile(path, err)
		}
	}
	if root, rerr := m.store.o.Layout.Root(m.ref.Partition); rerr == nil {
		if _, serr := fsys.Stat(root); serr != nil {
			return disk.Error("mailbox.Open", string(m.ref.Name), serr)
		}
	}
	return errs.New(errs.NotFound, "mailbox.Open", string(m.ref.Name), err)
}

// damagedFile is an error for a file that makes a mailbox unavailable, until
// it is reconstructed.
func (m *Mailbox) damagedFile(path string, err error) error {
	return errs.New(errs.BadFormat, "mailbox.Open", string(m.ref.Name), fmt.Errorf("%s: %w; run reconstruct", path, err))
}

func (m *Mailbox) badFormat(format string, a ...any) error {
	return errs.New(errs.BadFormat, "mailbox", string(m.ref.Name), fmt.Errorf(format, a...))
}
