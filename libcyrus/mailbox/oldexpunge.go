package mailbox

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mboxname"
)

// Before version 12 of the index, expunged messages that are still there have
// their records in a file of their own, cyrus.expunge, in the form of the
// index and of the same version. When such an index is rewritten they go into
// it; then the file is removed. A crash between leaves the file, which nobody
// looks at in a mailbox of today's version.
//
// Source: upgrade_index in Cyrus imap/mailbox.c.

// oldExpunge is the path of that file.
func (m *Mailbox) oldExpunge() (string, error) {
	r := &m.ref
	return m.store.o.Layout.MetaPath(mboxname.Expunge, r.Partition, r.Name, r.UniqueID, r.Legacy)
}

// hasOldExpunge reports whether there is one that counts.
func (m *Mailbox) hasOldExpunge() bool {
	if m.hdr.layout().hasExists {
		return false
	}
	path, err := m.oldExpunge()
	if err != nil {
		return false
	}
	_, err = m.store.o.FS.Stat(path)
	return err == nil
}

// addExpunged adds the records of cyrus.expunge to those of an old index. A
// file that cannot be read is logged and stays.
func (s *Store) addExpunged(m *Mailbox, records []salvaged) ([]salvaged, error) {
	path, err := m.oldExpunge()
	if err != nil {
		return records, err
	}
	data, err := disk.ReadFile(s.o.FS, path)
	if errors.Is(err, fs.ErrNotExist) {
		return records, nil
	}
	if err != nil {
		return records, disk.Error("mailbox.upgrade", path, err)
	}
	h, err := decodeIndexHeader(data)
	if err != nil {
		s.o.Log.Error("expunged messages of an old mailbox are not taken over", "file", path, "error", err)
		return records, nil
	}
	have := map[uint32]bool{}
	for i := range records {
		have[records[i].UID] = true
	}
	l := h.layout()
	n := 0
	for at := l.header; at+l.record <= len(data) && n < int(h.NumRecords); at += l.record {
		n++
		r := Record{}
		l.decode(&r, data[at:at+l.record])
		if r.UID == 0 || have[r.UID] || r.UID > m.hdr.LastUID || !s.upgradeRecord(m, &r) {
			continue
		}
		have[r.UID] = true
		r.Flags |= Expunged | Deleted
		m.hdr.HighestModseq = max(m.hdr.HighestModseq, r.Modseq)
		records = append(records, salvaged{Record: r, parse: true})
	}
	slices.SortFunc(records, func(a, b salvaged) int { return cmp.Compare(a.UID, b.UID) })
	return records, nil
}

// dropOldExpunge removes the file when its records are in the index.
func (s *Store) dropOldExpunge(m *Mailbox) error {
	path, err := m.oldExpunge()
	if err != nil {
		return err
	}
	if err := s.o.FS.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return disk.Error("mailbox.upgrade", path, err)
	}
	return nil
}
