package mailbox

import (
	"context"
	"slices"
	"time"

	"gocyrus/libcyrus/disk"
)

// Archive says which messages are kept on the archive partition.
type Archive struct {
	After       time.Duration // older ones (archive_after)
	Size        uint32        // octets: larger ones at once (archive_maxsize)
	KeepFlagged bool          // not those with \Flagged, unless they are large
}

// archiveBefore is the internal date before which messages are archived.
func (s *Store) archiveBefore() Stamp {
	if s.o.Archive == nil {
		return 0
	}
	return StampOf(time.Now().Add(-s.o.Archive.After))
}

// shouldArchive reports whether a message belongs on the archive partition.
//
// Source: mailbox_should_archive in Cyrus imap/mailbox.c.
func (s *Store) shouldArchive(r *Record, before Stamp) bool {
	a := s.o.Archive
	switch {
	case a == nil:
		return false
	case r.Size > a.Size:
		return true
	case a.KeepFlagged && r.Flags&Flagged != 0:
		return false
	}
	return r.InternalDate < before
}

// ArchiveMessages moves messages to the archive partition that belong there:
// large ones, and those with an internal date before a time; with the zero
// time the one of Options.Archive. It returns how many.
//
// First the copies are made, and the records point to them; then, under
// the exclusive lock, the old files are removed. A crash between leaves
// files that the next cleanup removes.
func (s *Store) ArchiveMessages(ctx context.Context, ref Ref, before time.Time, session string) (int, error) {
	if s.o.Archive == nil {
		return 0, nil
	}
	stamp := s.archiveBefore()
	if !before.IsZero() {
		stamp = StampOf(before)
	}
	n, err := s.archive(ctx, ref, stamp, session)
	if err != nil || n == 0 {
		return n, err
	}
	return n, s.Repack(ctx, ref, session)
}

func (s *Store) archive(ctx context.Context, ref Ref, before Stamp, session string) (int, error) {
	m, err := s.Open(ctx, ref, Write)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	if m.box.paths.dir == m.box.paths.archiveDir || !m.hdr.layout().hasExists {
		return 0, nil
	}
	var records []Record
	err = m.Each(1, func(r *Record) bool {
		if r.Live() && r.Flags&Archived == 0 && s.shouldArchive(r, before) {
			records = append(records, *r)
		}
		return true
	})
	if err != nil || len(records) == 0 {
		return 0, err
	}
	var end cacheEnd
	var buf CacheBuffer
	defer buf.Free()
	for i := range records {
		if err := m.archiveOne(&records[i], &end, &buf, session); err != nil {
			return 0, disk.Error("mailbox.Archive", string(ref.Name), err)
		}
	}
	if err := m.prepare(ctx, end.tasks(m)...); err != nil {
		return 0, disk.Error("mailbox.Archive", string(ref.Name), err)
	}
	return len(records), m.finish()
}

// archiveOne copies a message and its cache record, and changes the record
// in memory.
func (m *Mailbox) archiveOne(r *Record, end *cacheEnd, buf *CacheBuffer, session string) error {
	cache, version, err := m.CacheBytes(r, buf)
	if err != nil {
		return err
	}
	from := m.messagePath(r)
	r.Flags |= Archived | NeedsCleanup
	if err := end.open(m, r); err != nil {
		return err
	}
	to := m.messagePath(r)
	if err := m.store.linkOrCopy(from, to, r); err != nil {
		// What is there was left by one that was interrupted.
		m.store.o.FS.Remove(to)
		if err := m.store.linkOrCopy(from, to, r); err != nil {
			return err
		}
	}
	if err := m.RewriteSilent(r); err != nil {
		return err
	}
	rec := &m.changes.records.get(r.Recno).new
	rec.CacheOffset, rec.CacheVersion, rec.CacheCRC = end.add(cache), uint16(version), checksum(cache)
	m.hdr.Options |= OptNeedsUnlink | OptNeedsRepack
	m.audit("auditlog: archive sessionid=<%s> mailbox=<%s> uniqueid=<%s> uid=<%d> guid=<%s> cid=<%s> sysflags=<%s>",
		session, m.ref.Name, m.head.uniqueID, r.UID, r.GUID, auditCID(r), r.Flags.Audit())
	return nil
}

// Unexpunge brings expunged messages back, under new UIDs and with the
// flags they had and keywords; with clearDeleted without \Deleted. uids in
// ascending order; nil is all. It returns the pairs of old and new UIDs.
//
// Source: unexpunge in Cyrus imap/unexpunge.c.
func (s *Store) Unexpunge(ctx context.Context, ref Ref, uids []uint32, clearDeleted bool, session string, keywords ...string) ([]CopyPair, error) {
	items, from, err := s.gatherExpunged(ctx, ref, uids, clearDeleted)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	for i := range items {
		for _, k := range keywords {
			if !slices.Contains(items[i].keywords, k) {
				items[i].keywords = append(items[i].keywords, k)
			}
		}
	}
	done, err := s.append(ctx, ref, items, AppendOptions{SessionID: session, unlimited: true})
	if err != nil {
		return nil, err
	}
	pairs := make([]CopyPair, len(done))
	for i := range done {
		pairs[i] = CopyPair{from[i].UID, done[i].UID}
	}
	m, err := s.Open(ctx, ref, Write)
	if err != nil {
		return pairs, err
	}
	defer m.Close()
	for i := range from {
		r, ok, err := m.FindUID(from[i].UID, from[i].Recno)
		if err != nil {
			return pairs, err
		}
		if !ok {
			continue
		}
		r.Flags |= Unlinked
		if err := m.RewriteSilent(&r); err != nil {
			return pairs, err
		}
		m.hdr.Options |= OptNeedsUnlink | OptNeedsRepack
	}
	m.changes.tidy = true
	return pairs, m.Commit(ctx)
}

// gatherExpunged reads what is needed to append expunged messages again.
func (s *Store) gatherExpunged(ctx context.Context, ref Ref, uids []uint32, clearDeleted bool) (items []item, from []Record, err error) {
	m, err := s.Open(ctx, ref, Read)
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	o := CopyOptions{Flags: SystemMask, Keywords: true}
	if clearDeleted {
		o.Flags &^= Deleted
	}
	var buf CacheBuffer
	defer buf.Free()
	wanted := func(uid uint32) bool {
		for len(uids) > 0 && uids[0] < uid {
			uids = uids[1:]
		}
		return len(uids) > 0 && uids[0] == uid
	}
	all := uids == nil
	var failed error
	err = m.Each(1, func(r *Record) bool {
		if r.Live() || r.Flags&Unlinked != 0 || !all && !wanted(r.UID) {
			return true
		}
		var it item
		if it, failed = m.copyItem(ctx, r, &buf, &o); failed != nil {
			return false
		}
		items, from = append(items, it), append(from, *r)
		return true
	})
	if err == nil {
		err = failed
	}
	return items, from, err
}
