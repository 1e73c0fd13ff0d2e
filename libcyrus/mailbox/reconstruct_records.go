package mailbox

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io/fs"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/message"
)

// compareRecords looks at each record of the old index and at its file.
//
// Source: the loop of mailbox_reconstruct.
func (rc *reconstruction) compareRecords() error {
	m := rc.m
	old, err := rc.readRecords()
	if err != nil {
		return err
	}
	if rc.newHead && !rc.o.Fresh {
		rc.nameFlags(old)
	}
	rc.reparsed = 4
	if fi, err := m.store.o.FS.Stat(m.box.paths.cache); err == nil {
		rc.reparsed = max(4, fi.Size())
	}
	var rest []found
	for i := range old {
		s := &old[i]
		for len(rc.files) > 0 && rc.files[0].uid < s.UID {
			rest = append(rest, rc.files[0])
			rc.files = rc.files[1:]
		}
		if err := rc.compare(s, rc.claim(s)); err != nil {
			return err
		}
	}
	rc.files = append(rest, rc.files...)
	return nil
}

// readRecords reads the old index, and makes records anew that cannot be
// read. Record numbers are those of the old file as far as they have one.
func (rc *reconstruction) readRecords() ([]salvaged, error) {
	m := rc.m
	if m.file == nil || m.hdr.NumRecords == 0 {
		return nil, nil
	}
	h := m.hdr
	if m.hdr.layout().crc != 0 {
		m.hdr.LastUID = 1<<32 - 2 // a record with a right checksum is believed
	}
	old, lost, err := m.salvage()
	if err != nil {
		return nil, err
	}
	m.hdr.LastUID = h.LastUID
	if lost.any() || rc.newIndex {
		rc.records = true
	}
	for i := range old {
		s := &old[i]
		switch {
		case s.parse:
			rc.sayUID(s.UID, "found - adding")
			rc.caches = true
		case s.mended:
			rc.sayUID(s.UID, "record mismatch, rewriting")
		}
		if rc.newIndex { // with counters of nothing
			m.count(&s.Record, rc.annots[s.UID], 1)
		}
		if s.UID > m.hdr.LastUID {
			if !rc.newIndex && !s.parse {
				rc.say("%s future uid %d found", m.ref.Name, s.UID)
			}
			m.hdr.LastUID = s.UID
			rc.records = true
		}
		if s.Modseq > m.hdr.HighestModseq {
			if !rc.newIndex {
				rc.say("%s uid %d future modseq %d found", m.ref.Name, s.UID, s.Modseq)
			}
			m.hdr.HighestModseq = s.Modseq
			rc.records = true
		}
	}
	return old, nil
}

// claim takes the files of a record from the list, and says which one it is;
// nil if there is none.
func (rc *reconstruction) claim(s *salvaged) *found {
	var have *found
	for len(rc.files) > 0 && rc.files[0].uid == s.UID {
		f := rc.files[0]
		rc.files = rc.files[1:]
		switch {
		case have != nil:
			rc.say("Removing duplicate archive file %s", f.path)
			rc.remove = append(rc.remove, f.path)
			continue
		case f.archived && s.Flags&Archived == 0:
			rc.say("Marking file as archived %s %d", rc.m.ref.Name, s.UID)
		case !f.archived && s.Flags&Archived != 0 && rc.m.box.paths.dir != rc.m.box.paths.archiveDir:
			rc.say("Marking file as not archived %s %d", rc.m.ref.Name, s.UID)
		default:
			have = &f
			continue
		}
		have = &f
		s.Flags ^= Archived
		s.parse, rc.caches, rc.records = true, true, true
	}
	return have
}

// compare looks at one record and its file.
//
// Source: mailbox_reconstruct_compare_update.
func (rc *reconstruction) compare(s *salvaged, f *found) error {
	m := rc.m
	reparse := rc.o.Contents
	if f != nil && !rc.o.NoStat {
		fi, err := m.store.o.FS.Stat(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() == 0:
			rc.remove = append(rc.remove, f.path)
			f = nil
		case err != nil:
			return disk.Error("mailbox.Reconstruct", f.path, err)
		case fi.Size() != int64(s.Size):
			reparse = true
		}
	}
	if f == nil {
		return rc.missing(s)
	}
	old := s.Record
	lost := rc.cacheIsLost(s)
	if lost || reparse || s.InternalDate == 0 {
		unknown, err := rc.reparse(s, f, lost)
		if err != nil || unknown {
			return err
		}
	}
	for n := range MaxUserFlags {
		if s.User.Has(n) && (n >= len(m.head.flags) || m.head.flags[n] == "") {
			s.User.Clear(n)
		}
	}
	if rc.snoozed[s.UID] != (s.Flags&Snoozed != 0) {
		rc.sayUID(s.UID, "snoozed mismatch")
		s.Flags ^= Snoozed
	}
	if rc.match(&old, &s.Record) && !s.parse {
		rc.out = append(rc.out, *s)
		return nil
	}
	if s.parse && !rc.o.Look && (lost || s.CacheCRC != old.CacheCRC) {
		rc.say("%s rewrote cache for %d (offset 0 to %d, crc %d to %d/%d)", m.ref.Name, s.UID, rc.reparsed, old.CacheCRC, s.CacheCRC, s.CacheCRC)
		rc.reparsed += s.cacheLen
	}
	rc.replace(&old, s)
	return nil
}

// replace takes a record that has changed into the new index.
func (rc *reconstruction) replace(old *Record, s *salvaged) {
	m := rc.m
	rc.records = true
	if rc.o.Look {
		rc.out = append(rc.out, salvaged{Record: *old})
		return
	}
	m.count(old, rc.annots[old.UID], -1)
	m.touchSalvaged(&s.Record)
	m.count(&s.Record, rc.annots[s.UID], 1)
	rc.out = append(rc.out, *s)
}

// missing drops a record without file.
func (rc *reconstruction) missing(s *salvaged) error {
	if s.Flags&Unlinked != 0 {
		rc.out = append(rc.out, *s)
		return nil
	}
	rc.sayUID(s.UID, "not found")
	rc.expunge(s)
	return nil
}

// expunge drops a record for good: clients that know it must look at all.
func (rc *reconstruction) expunge(s *salvaged) {
	if rc.o.Look {
		rc.out = append(rc.out, *s)
		return
	}
	m := rc.m
	m.count(&s.Record, rc.annots[s.UID], -1)
	m.touchSalvaged(&s.Record)
	m.hdr.DeletedModseq = m.hdr.HighestModseq
	m.hdr.ChangesEpoch = max(m.hdr.ChangesEpoch, s.LastUpdated)
	rc.records = true
}

// cacheIsLost reports whether the cache record of a message cannot be used.
func (rc *reconstruction) cacheIsLost(s *salvaged) bool {
	if s.parse {
		return false // it is made anew anyway
	}
	var buf CacheBuffer
	defer buf.Free()
	b, err := rc.m.storedCache(&s.Record, &buf)
	if err == nil {
		_, _, err = message.ParseCache(b, int(s.CacheVersion))
	}
	return err != nil
}

// reparse makes everything anew that comes from the file. unknown means that
// the file is not the message of the record, and that this was dealt with.
func (rc *reconstruction) reparse(s *salvaged, f *found, lost bool) (unknown bool, err error) {
	m := rc.m
	fresh, err := m.remakeFrom(f.path, s.UID)
	if err != nil {
		return false, err
	}
	if fresh.GUID != s.GUID && !s.GUID.IsZero() {
		rc.mismatch(s, f)
		return true, nil
	}
	n := s.Record
	n.SentDate, n.GMTime, n.Size, n.HeaderSize, n.GUID = fresh.SentDate, fresh.GMTime, fresh.Size, fresh.HeaderSize, fresh.GUID
	if n.InternalDate == 0 {
		n.InternalDate = fresh.InternalDate
	} else {
		n.SentDate, n.GMTime = fresh.sentAt(n.InternalDate)
	}
	s.cacheLen = int64(len(fresh.cache))
	var buf CacheBuffer
	defer buf.Free()
	stored, cerr := m.storedCache(&s.Record, &buf)
	if lost || cerr != nil || !bytes.Equal(stored, fresh.cache) || int(s.CacheVersion) != message.CacheVersion {
		n.CacheVersion, n.CacheCRC = message.CacheVersion, crc32.ChecksumIEEE(fresh.cache)
		s.parse, rc.caches = true, true
	}
	l := m.hdr.layout()
	if !l.gmtime {
		n.GMTime = s.GMTime
	}
	s.Record = n
	return false, nil
}

// mismatch is for a file with other contents than its record says.
func (rc *reconstruction) mismatch(s *salvaged, f *found) {
	rc.sayUID(s.UID, "guid mismatch")
	switch {
	case rc.o.Look:
	case !s.Live():
		rc.sayUID(s.UID, "already expunged, unlinking")
		rc.remove = append(rc.remove, f.path)
		rc.expunge(s)
		return
	case rc.o.Renumber:
		rc.sayUID(s.UID, "marking for uid upgrade")
		rc.again = append(rc.again, *f)
		rc.expunge(s)
		return
	case rc.o.Unlink:
		rc.sayUID(s.UID, "unlinking as requested with -U")
		rc.remove = append(rc.remove, f.path)
		rc.expunge(s)
		return
	default:
		rc.say("run reconstruct with -R to fix or -U to remove")
	}
	rc.out = append(rc.out, *s)
}

// match tells what of a record is different now.
//
// Source: records_match.
func (rc *reconstruction) match(old, n *Record) bool {
	l := rc.m.hdr.layout()
	all := true
	for _, x := range []struct {
		differs bool
		what    string
	}{
		{old.InternalDate != n.InternalDate, "internaldate"},
		{old.SentDate != n.SentDate, "sentdate"},
		{old.Size != n.Size, "size"},
		{old.HeaderSize != n.HeaderSize, "header_size"},
		{old.GMTime != n.GMTime, "gmtime"},
		{old.Flags&InternalMask != n.Flags&InternalMask, "internalflags"},
		{old.User != n.User, "userflags"},
		{l.guid != 0 && old.GUID != n.GUID, "guid"},
	} {
		if x.differs {
			rc.sayUID(n.UID, "mismatch: "+x.what)
			all = false
		}
	}
	return all && old.CacheVersion == n.CacheVersion && (l.cacheCRC == 0 || old.CacheCRC == n.CacheCRC)
}
