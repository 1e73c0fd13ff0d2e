package mailbox

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/syslog"
)

// What Commit does, and what a power cut or kill -9 after each step leaves:
//
//	1 hooks (seen databases, mailbox list)  they are ahead of the index
//	  dirty mark in the index header, if    kill: the next one repairs and has
//	  quota or annotations follow           the quota root counted
//	2 side by side, each lasting:
//	    new message files, their            files above last_uid, whole or not:
//	    directories                         replaced by the next append
//	    appended cache records              garbage at the end of the cache
//	    annotations (those of the mailbox   of UIDs that do not exist yet, or
//	    after the rest)                     with a modseq above the index's
//	    use of quota                        too high or too low by this commit:
//	                                        kill: the mark is there. Power cut:
//	                                        counted when the first mailbox of
//	                                        the root is looked at (check)
//	    cyrus.header                        new names without use; its CRC is
//	                                        not the index's, which is a warning
//	3 dirty mark, if it is not there        kill: the next one repairs
//	4 records                               kill: as 3. Power cut: see repair
//	5 index header without the mark, fsync  everything lasts
//
// Nobody is answered before 5 is done. A failure before 3 leaves what is
// said there, less what could be taken back; a failure after it is undone,
// and if that fails as well the mark stays.

// Commit writes all changes; they last when it returns nil. After an error
// none of them is visible. Nothing may be changed afterwards but by opening
// the mailbox again.
func (m *Mailbox) Commit(ctx context.Context) error {
	c := &m.changes
	if !c.began {
		return nil
	}
	for _, fn := range c.before {
		if err := fn(ctx); err != nil {
			return err
		}
	}
	if err := m.prepare(ctx); err != nil {
		return err
	}
	return m.finish()
}

// prepare does step 2, after the mark of step 1 where it is needed: what must
// last before the index is written, side by side with the tasks of the caller.
// After an error nothing is left of it that could be taken back.
func (m *Mailbox) prepare(ctx context.Context, tasks ...func() error) error {
	c := &m.changes
	m.committing = true // until it returns: a panic leaves it so
	c.undoQuota = func() {}
	moves := m.quotaMoves()
	conversed := false
	if m.store.o.Conversations != nil {
		var err error
		if m.conv != nil && len(m.conv.Splits()) > 0 {
			err = m.writeSplits(ctx)
		}
		if err != nil {
			m.abandon()
			return err
		}
		if conversed, err = m.prepareConversations(); err != nil {
			m.abandon()
			return err
		}
	}
	if len(moves) > 0 || len(c.annots) > 0 || len(c.box) > 0 || conversed {
		// The index counts annotations: whoever finds them there while the
		// index does not know them counts again.
		if err := m.setMark(); err != nil {
			m.abandon()
			return err
		}
	}
	if conversed {
		task, err := m.stageConversations(ctx)
		if err != nil {
			m.abandon()
			return err
		}
		tasks = append(tasks, task)
	}
	if counts := m.store.o.Counters != nil && m.newModseqs(); counts || len(moves) > 0 {
		tasks = append(tasks, func() (err error) {
			// The quota root takes a modseq too: before messages, after
			// annotations of the mailbox.
			first := counts && len(c.box) > 0
			if first {
				m.countModseqs(counters.Folder, m.hdr.HighestModseq)
			}
			c.undoQuota, err = m.updateQuota(ctx, moves)
			if counts && !first {
				m.countModseqs(0, m.hdr.HighestModseq)
			}
			return err
		})
	}
	if len(c.annots) > 0 {
		tasks = append(tasks, func() error {
			_, err := m.store.o.Annotations.MessageSet(ctx, m.messages(), c.annotsMod, c.annots)
			return err
		})
	}
	c.stored = len(c.annots) > 0
	if c.head {
		data := m.head.encode()
		m.head.crc = checksum(data)
		m.hdr.HeaderCRC = m.head.crc
		tasks = append(tasks, func() error {
			err := disk.ReplaceSync(m.store.o.FS, m.box.paths.header, data, fileMode)
			return disk.Error("mailbox.Commit", string(m.ref.Name), err)
		})
	}
	err := together(tasks...)
	if err == nil && len(c.box) > 0 {
		// Not beside the others: unlike them it cannot be taken back.
		c.stored = true
		err = m.store.o.Annotations.SetAll(ctx, m.annotScope(), c.box)
	}
	if err != nil {
		m.abandon()
	}
	return err
}

// finish writes the index and tells others.
func (m *Mailbox) finish() error {
	err := m.commitConversations()
	if err == nil {
		err = m.writeIndex()
	}
	if err != nil {
		m.abandon()
		return err
	}
	m.committed()
	return nil
}

// abandon takes back what can be after a failure.
func (m *Mailbox) abandon() {
	m.changes.undoQuota()
	m.box.forgetHead()
	m.closeStage()
	if m.changes.marked {
		m.undoIndex()
	}
	m.committing = false
}

// committed tells others, once everything lasts.
func (m *Mailbox) committed() {
	c := &m.changes
	log := m.store.o.Log
	for _, line := range c.audit {
		log.Log(context.Background(), syslog.LevelNotice, line)
	}
	if c.expunged > 0 {
		log.Log(context.Background(), syslog.LevelNotice, fmt.Sprintf("Expunged %d messages from %s", c.expunged, m.ref.Name))
	}
	m.store.changed(m.ref.Name)
	m.collect()
	m.committing = false
	c.tidy = c.tidy || c.unlinked > 0
	c.records.free()
	m.changes = changes{tidy: c.tidy}
	if m.conv != nil {
		m.closeConversations()
	}
	m.window.free()
	m.box.notify()
}

// quotaMove is a change of the use of one quota root, by a mailbox of that
// name.
type quotaMove struct {
	root, at mboxname.Name
	diff     quota.Usage
}

// quotaMoves says which roots' use changes.
func (m *Mailbox) quotaMoves() []quotaMove {
	c := &m.changes
	if m.store.o.Quota == nil {
		return nil
	}
	var moves []quotaMove
	from, to := m.ref.Name, m.ref.Name
	if c.renamed {
		from, to = c.from, m.head.name
	}
	add := func(root, at mboxname.Name, diff quota.Usage) {
		if root != "" && !diff.IsZero() {
			moves = append(moves, quotaMove{root, at, diff})
		}
	}
	if c.newRootUse && c.oldRoot != m.head.quotaRoot {
		add(c.oldRoot, from, c.old.usage().Neg())
		add(m.head.quotaRoot, to, m.hdr.usage())
	} else {
		add(m.head.quotaRoot, to, c.usage)
	}
	return moves
}

// usage is what a mailbox uses of its quota root.
func (h *IndexHeader) usage() quota.Usage {
	return quota.Usage{
		quota.Storage: int64(h.QuotaUsed), quota.Message: int64(h.Exists),
		quota.AnnotStorage: int64(h.AnnotUsed), quota.NumFolders: 1,
	}
}

// updateQuota changes the use of quota roots. undo takes back what was
// done; it may be called after an error too.
func (m *Mailbox) updateQuota(ctx context.Context, moves []quotaMove) (undo func(), err error) {
	var done []quotaMove
	undo = func() {
		for _, d := range done {
			if err := m.store.o.Quota.Update(context.WithoutCancel(ctx), d.root, d.at, d.diff.Neg()); err != nil {
				m.store.o.Log.Error("use of quota is wrong and must be recounted", "quotaroot", d.root, "mailbox", m.ref.Name, "error", err)
			}
		}
	}
	for _, d := range moves {
		if err := m.store.o.Quota.Update(ctx, d.root, d.at, d.diff); err != nil {
			return undo, err
		}
		done = append(done, d)
	}
	return undo, nil
}

// sideBySide is how many functions together runs at a time: each may hold a
// thread while the disk works.
const sideBySide = 32

// together runs functions side by side and returns the first error in
// their order. A single one runs in this goroutine.
func together(fns ...func() error) error {
	if len(fns) == 0 {
		return nil
	}
	errc := make([]chan error, len(fns)-1)
	room := make(chan struct{}, sideBySide)
	for i, fn := range fns[1:] {
		errc[i] = make(chan error, 1)
		room <- struct{}{}
		go func() {
			defer func() { <-room }()
			defer func() {
				if p := recover(); p != nil {
					errc[i] <- errs.New(errs.Internal, "mailbox.Commit", "", fmt.Errorf("panic: %v", p))
				}
			}()
			errc[i] <- fn()
		}()
	}
	err := fns[0]()
	for _, c := range errc {
		if e := <-c; err == nil {
			err = e
		}
	}
	return err
}

// writeIndex writes mark, records and header, and syncs.
func (m *Mailbox) writeIndex() error {
	c := &m.changes
	fail := func(err error) error {
		return disk.Error("mailbox.Commit", string(m.ref.Name), err)
	}
	var err error
	if len(c.records) > 0 || len(c.added) > 0 {
		err = m.setMark()
	}
	if err == nil {
		err = m.writeRecords()
	}
	if m.convStage != nil {
		if err == nil {
			err = m.writeStaged()
		}
	} else {
		if err == nil {
			_, err = m.file.WriteAt(m.hdr.encode(), 0)
		}
		if err == nil && c.lasting {
			// Not Sync: where only flags change, the file system need not write
			// its journal for the new time of the file.
			err = m.file.Datasync()
		}
	}
	if err != nil {
		c.marked = true // also a header that was only written half is undone
		return fail(err)
	}
	return nil
}

// writeStaged writes the header, and commits the conversations that are staged.
func (m *Mailbox) writeStaged() error {
	marked := m.hdr
	marked.Options |= optDirty
	_, err := m.file.WriteAt(marked.encode(), 0)
	if err == nil {
		err = together(m.file.Datasync, m.convStage.Store)
	}
	if err != nil {
		return err
	}
	m.changes.conversed = true
	if err = m.convStage.Commit(); err == nil {
		_, err = m.file.WriteAt(m.hdr.encode(), 0)
	}
	return err
}

// setMark writes the old header with the dirty mark, once.
func (m *Mailbox) setMark() error {
	c := &m.changes
	if c.marked {
		return nil
	}
	c.marked = true
	mark := c.old
	mark.Options |= optDirty
	_, err := m.file.WriteAt(mark.encode(), 0)
	return err
}

// writeRecords writes changed and appended records, neighbours with one
// call.
func (m *Mailbox) writeRecords() error {
	c, l := &m.changes, m.hdr.layout()
	w := windows.Get().(*[windowSize]byte)
	defer windows.Put(w)
	buf := w[:0]
	var start, next uint32
	flush := func() error {
		if len(buf) == 0 {
			return nil
		}
		_, err := m.file.WriteAt(buf, l.offset(start))
		buf = buf[:0]
		return err
	}
	put := func(r *Record) error {
		if r.Recno != next || len(buf)+l.record > windowSize {
			if err := flush(); err != nil {
				return err
			}
			start = r.Recno
		}
		next = r.Recno + 1
		buf = buf[:len(buf)+l.record]
		l.encode(buf[len(buf)-l.record:], r)
		return nil
	}
	for i := range c.records {
		if err := put(&c.records[i].new); err != nil {
			return err
		}
	}
	for i := range c.added {
		if err := put(&c.added[i].rec); err != nil {
			return err
		}
	}
	return flush()
}

// undoIndex writes back what the index held before. If that fails too, the
// mark stays (or the next reader finds a wrong checksum) and the mailbox is
// repaired when it is opened next.
func (m *Mailbox) undoIndex() {
	c, l := &m.changes, m.hdr.layout()
	m.window.free()
	b := make([]byte, l.record)
	var err error
	for i := range c.records {
		old := &c.records[i].old
		l.encode(b, old)
		if _, err = m.file.WriteAt(b, l.offset(old.Recno)); err != nil {
			break
		}
	}
	if err == nil {
		old := c.old
		if c.stored || c.conversed {
			old.Options |= optDirty // annotations or conversations may have changed: they are counted anew
		}
		_, err = m.file.WriteAt(old.encode(), 0)
	}
	if err == nil {
		err = m.file.Sync()
	}
	if err != nil {
		m.store.o.Log.Error("a failed change of the index could not be taken back", "mailbox", m.ref.Name, "error", err)
	}
}

// forgetHead drops what is known of cyrus.header.
func (b *box) forgetHead() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.head, b.crcs, b.headID = nil, nil, fileID{}
}

// syncDirs makes names in the directories of files last.
func (s *Store) syncDirs(files ...string) error {
	var dirs []string
	for _, f := range files {
		if d := filepath.Dir(f); !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	for _, d := range dirs {
		if err := s.o.FS.SyncDir(d); err != nil {
			return err
		}
	}
	return nil
}
