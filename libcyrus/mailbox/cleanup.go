package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/disk"
)

// CleanupOptions says what Cleanup removes.
type CleanupOptions struct {
	// ExpungedBefore removes what was expunged before this time; with the
	// zero time only what was marked before.
	ExpungedBefore time.Time
	SessionID      string
}

// Cleanup removes expunged messages for good (cyr_expire -X): it marks
// their records Unlinked, removes the files, and repacks the index. It
// returns how many messages it removed and how many expunged ones are left.
func (s *Store) Cleanup(ctx context.Context, ref Ref, o CleanupOptions) (removed, left int, err error) {
	idle, err := s.nothingToClean(ctx, ref, StampOf(o.ExpungedBefore))
	if err != nil || idle {
		return 0, 0, err
	}
	m, err := s.Open(ctx, ref, Exclusive)
	if err != nil {
		return 0, 0, err
	}
	defer m.Close()
	if left, err = m.mark(StampOf(o.ExpungedBefore), o.SessionID); err != nil {
		return 0, left, err
	}
	removed, err = m.unlinkMarked(o.SessionID)
	if err == nil && m.hdr.Options&OptNeedsRepack != 0 {
		err = m.repack(ctx, o.SessionID)
	}
	return removed, left, err
}

// nothingToClean looks at the index header, with shared locks.
func (s *Store) nothingToClean(ctx context.Context, ref Ref, before Stamp) (bool, error) {
	m, err := s.Open(ctx, ref, Read)
	if err != nil {
		return false, err
	}
	defer m.Close()
	h := &m.hdr
	// Old versions do not say when something was expunged first.
	waiting := h.Options&(OptNeedsRepack|OptNeedsUnlink) != 0 || !h.layout().hasExists
	return !waiting && (h.FirstExpunged == 0 || h.FirstExpunged >= before), nil
}

// mark marks records that were expunged before a time as Unlinked. It
// returns how many expunged ones are left, and commits.
func (m *Mailbox) mark(before Stamp, session string) (left int, err error) {
	var first Stamp
	for recno := uint32(1); recno <= m.hdr.NumRecords; recno++ {
		var r Record
		if err := m.read(&r, recno); err != nil {
			return left, err
		}
		if r.Flags&Expunged == 0 {
			continue
		}
		if r.Flags&Unlinked != 0 {
			if r.LastUpdated < before {
				m.SetOptions(OptNeedsRepack, 0)
			}
			continue
		}
		if r.LastUpdated >= before {
			left++
			if first == 0 || r.LastUpdated < first {
				first = r.LastUpdated
			}
			continue
		}
		r.Flags |= Unlinked
		if err := m.RewriteSilent(&r); err != nil {
			return left, err
		}
		m.hdr.Options |= OptNeedsRepack
		m.audit("auditlog: unlink sessionid=<%s> mailbox=<%s> uniqueid=<%s> uid=<%d> modseq=<%d> sysflags=<%s> guid=<%s>",
			session, m.ref.Name, m.head.uniqueID, r.UID, r.Modseq, r.Flags.Audit(), r.GUID)
	}
	if m.changes.began {
		m.hdr.FirstExpunged = first
	}
	return left, m.Commit(context.Background())
}

// unlinkMarked removes the files of Unlinked records, and the old copies of
// records that NeedsCleanup. It returns how many files were there. The
// mailbox is open Exclusive; nothing is committed.
func (m *Mailbox) unlinkMarked(session string) (int, error) {
	n := 0
	var r Record
	for recno := uint32(1); recno <= m.hdr.NumRecords; recno++ {
		if err := m.read(&r, recno); err != nil {
			return n, err
		}
		var where Flags
		switch {
		case r.Flags&Unlinked != 0:
			where = r.Flags & Archived
		case r.Flags&NeedsCleanup != 0 && m.box.paths.dir != m.box.paths.archiveDir:
			where = ^r.Flags & Archived // the other copy
		default:
			continue
		}
		at := Record{UID: r.UID, Flags: where}
		err := m.store.o.FS.Remove(m.messagePath(&at))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return n, disk.Error("mailbox.unlink", string(m.ref.Name), err)
		}
		if n++; n == 1 {
			m.store.o.Log.Info(fmt.Sprintf("Unlinking files in mailbox %s", m.ref.Name))
		}
		word := "unlink"
		if where != 0 {
			word = "unlinkarchive"
		}
		m.store.audit("auditlog: %s sessionid=<%s> mailbox=<%s> uniqueid=<%s> uid=<%d> sysflags=<%s>",
			word, session, m.ref.Name, m.head.uniqueID, r.UID, r.Flags.Audit())
	}
	return n, nil
}

// Repack writes index and cache anew without the records of messages whose
// removal is complete.
func (s *Store) Repack(ctx context.Context, ref Ref, session string) error {
	m, err := s.Open(ctx, ref, Exclusive)
	if err != nil {
		return err
	}
	defer m.Close()
	if _, err := m.unlinkMarked(session); err != nil {
		return err
	}
	return m.repack(ctx, session)
}

// repack drops Unlinked records, whose files are gone. The mailbox is open
// Exclusive and must be closed afterwards.
func (m *Mailbox) repack(ctx context.Context, session string) error {
	m.store.o.Log.Info(fmt.Sprintf("Repacking mailbox %s version %d", m.ref.Name, m.hdr.Version))
	if m.store.o.Conversations != nil {
		if err := m.clearCleanup(ctx); err != nil {
			return err
		}
	}
	rb, err := m.newRebuild(m.hdr.Version, true)
	if err != nil {
		return err
	}
	h := &rb.hdr
	h.LastRepack = now()
	h.Options &^= OptNeedsRepack | OptNeedsUnlink
	h.LeakedCache = 0
	h.FirstExpunged = 0
	var dropped []uint32
	for recno := uint32(1); recno <= m.hdr.NumRecords; recno++ {
		var r Record
		if err := m.read(&r, recno); err != nil {
			return rb.fail(err)
		}
		if r.Flags&Unlinked != 0 {
			dropped = append(dropped, r.UID)
			h.DeletedModseq = max(h.DeletedModseq, r.Modseq)
			h.ChangesEpoch = max(h.ChangesEpoch, r.LastUpdated)
			continue
		}
		r.Flags &^= NeedsCleanup
		if !r.Live() && (h.FirstExpunged == 0 || r.LastUpdated < h.FirstExpunged) {
			h.FirstExpunged = r.LastUpdated
		}
		if err := rb.add(&r, false); err != nil {
			return rb.fail(err)
		}
	}
	if err := rb.finish(); err != nil {
		return err
	}
	m.countModseqs(counters.Removal, h.DeletedModseq)
	if len(dropped) > 0 {
		m.store.audit("auditlog: modseq sessionid=<%s> mailbox=<%s> uniqueid=<%s> highestmodseq=<%d> deletedmodseq=<%d>",
			session, m.ref.Name, m.head.uniqueID, h.HighestModseq, h.DeletedModseq)
	}
	if m.store.o.Annotations != nil && len(dropped) > 0 {
		return m.store.o.Annotations.MessageDrop(ctx, m.messages(), dropped)
	}
	return nil
}

// tidyWait is how long a mailbox is waited for to remove files of expunged
// messages at once. If it is busy somebody else will.
const tidyWait = 250 * time.Millisecond

// tidy removes the files of messages that were expunged immediately, and
// repacks if that is wanted and makes the index much smaller. It is only a
// service: failures are for the log.
func (s *Store) tidy(ref Ref) {
	ctx, cancel := context.WithTimeout(context.Background(), tidyWait)
	defer cancel()
	m, err := s.open(ctx, ref, Exclusive)
	if err != nil {
		return
	}
	defer m.Close()
	_, err = m.unlinkMarked("")
	small := m.hdr.Exists < m.hdr.NumRecords/2 || !m.hdr.layout().hasExists
	switch {
	case err != nil:
	case small && m.hdr.Options&OptNeedsRepack != 0:
		err = m.repack(ctx, "")
	case m.hdr.Options&OptNeedsUnlink != 0:
		m.SetOptions(0, OptNeedsUnlink)
		err = m.Commit(ctx)
	}
	if err != nil {
		s.o.Log.Error("cleaning up after an expunge", "mailbox", ref.Name, "error", err)
	}
}
