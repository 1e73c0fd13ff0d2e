package mailbox

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"gocyrus/libcyrus/disk"
)

// Files of two mailboxes may have been exchanged: by a restore, a wrong copy,
// a file system check. A cyrus.header tells whose it is. A cyrus.index has only
// the checksum of its header, which a crash, and some versions of Cyrus, leave
// behind too; so where that is wrong, records are compared with the message
// files. A cache has the checksum of each of its records in the index, and a
// message its GUID.

// foreign reports whether a cyrus.header belongs to another mailbox. Where
// the directory has the name of the id there is no doubt; else a mailbox may
// have another id in the list than in its header, but then the index knows
// the header.
func (m *Mailbox) foreign(h *header) bool {
	if h.uniqueID == "" || m.ref.UniqueID == "" || h.uniqueID == m.ref.UniqueID {
		return false
	}
	return !m.ref.Legacy || m.hdr.layout().hasExists && m.hdr.HeaderCRC != 0 && m.hdr.HeaderCRC != h.crc
}

// doubtful reports whether the index might be that of another mailbox.
func (m *Mailbox) doubtful() bool {
	return m.hdr.layout().hasExists && m.hdr.HeaderCRC != m.head.crc ||
		m.head.uniqueID != m.ref.UniqueID && m.head.uniqueID != "" && m.ref.UniqueID != ""
}

// judged is a doubtful index that was found to be the mailbox's.
type judged struct {
	ino         uint64
	crc, header uint32
	proven      bool // messages of it are here
}

// judge returns an error for an index that is another mailbox's. What a
// doubtful index costs is paid once by each process.
func (m *Mailbox) judge() error {
	if !m.doubtful() {
		return nil
	}
	b := m.box
	j := judged{ino: m.file.ino, crc: m.hdr.HeaderCRC, header: m.head.crc}
	b.mu.Lock()
	known := b.judged
	b.mu.Unlock()
	if known.proven = false; known == j {
		return nil
	}
	why, proven, err := m.misfit()
	if err != nil {
		return err
	}
	if why != "" {
		return m.damagedFile(b.paths.index, errors.New(why))
	}
	m.store.o.Log.Info("cyrus.header is not the one that the index knows", "mailbox", m.ref.Name, "uniqueid", m.head.uniqueID)
	j.proven = proven
	b.mu.Lock()
	b.judged = j
	b.mu.Unlock()
	return nil
}

// unsure reports whether a doubtful index has not been proven by messages to be
// the mailbox's. It keeps its wrong checksum.
func (m *Mailbox) unsure() bool {
	if !m.doubtful() {
		return false
	}
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	return !m.box.judged.proven
}

const (
	judgedRecords = 8       // of an index are compared with their files
	judgedSize    = 1 << 20 // octets of a file that is read for it
)

// misfit says why a doubtful index cannot be that of the mailbox, or "".
func (m *Mailbox) misfit() (why string, proven bool, err error) {
	var fit, wrong, gone int
	l := m.hdr.layout()
	step := max(m.hdr.NumRecords/judgedRecords, 1)
	b := make([]byte, l.record)
	for recno := uint32(1); recno <= m.hdr.NumRecords && fit+wrong+gone < judgedRecords; recno += step {
		var r Record
		if _, err := m.file.ReadAt(b, l.offset(recno)); err != nil {
			break // that is found out later
		}
		if !l.decode(&r, b) || !r.Live() {
			continue
		}
		there, same, err := m.isFileOf(&r)
		switch {
		case err != nil:
			return "", false, err
		case same:
			fit++
		case there:
			wrong++
		default:
			gone++
		}
	}
	if wrong > fit {
		return fmt.Sprintf("it is that of another mailbox: of %d messages %d have other files here", fit+wrong+gone, wrong), false, nil
	}
	other := m.ref.UIDValidity != 0 && m.ref.UIDValidity != m.hdr.UIDValidity
	if fit > 0 || gone == 0 && !other {
		return "", fit > 0, nil
	}
	unknown, err := m.unknownFile()
	if err != nil || unknown == "" {
		return "", false, err
	}
	return "it is that of another mailbox: it does not know " + unknown, false, nil
}

// isFileOf reports whether there is a file for a record, and whether it can
// be that message.
func (m *Mailbox) isFileOf(r *Record) (there, same bool, err error) {
	path := m.messagePath(r)
	f, err := m.store.o.FS.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, disk.Error("mailbox.Open", path, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return false, false, disk.Error("mailbox.Open", path, err)
	}
	if fi.Size() != int64(r.Size) || r.GUID.IsZero() || fi.Size() > judgedSize {
		return true, fi.Size() == int64(r.Size), nil
	}
	sum := sha1.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false, false, disk.Error("mailbox.Open", path, err)
	}
	return true, GUID(sum.Sum(nil)) == r.GUID, nil
}

// unknownFile returns a message file of which the index knows nothing, or "".
func (m *Mailbox) unknownFile() (string, error) {
	entries, err := m.store.o.FS.ReadDir(m.box.paths.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", disk.Error("mailbox.Open", m.box.paths.dir, err)
	}
	for _, e := range entries {
		uid, ok := uidOf(e.Name())
		if !ok {
			continue
		}
		if _, known, err := m.FindUID(uid, 0); err == nil && !known {
			return e.Name(), nil
		}
	}
	return "", nil
}

// passFiles gives no UID that a message file has, where it is not sure that the
// index is the mailbox's. Elsewhere what lies above last_uid is what a killed
// process left, and is replaced.
func (b *batch) passFiles() error {
	m := b.m
	if !m.unsure() {
		return nil
	}
	if b.passed == nil {
		highest, err := m.highestFile()
		if err != nil {
			return err
		}
		b.passed = &highest
	}
	if m.hdr.LastUID < *b.passed {
		m.store.o.Log.Error("there are messages that the index does not know; run reconstruct", "mailbox", m.ref.Name, "last_uid", m.hdr.LastUID, "file", *b.passed)
		m.hdr.LastUID = *b.passed
	}
	m.hdr.HeaderCRC = m.head.crc
	return nil
}

// highestFile is the highest UID that a message file has, 0 if there is none.
func (m *Mailbox) highestFile() (highest uint32, err error) {
	p := &m.box.paths
	for _, dir := range []string{p.dir, p.archiveDir} {
		entries, err := m.store.o.FS.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, disk.Error("mailbox.Append", dir, err)
		}
		for _, e := range entries {
			if uid, ok := uidOf(e.Name()); ok {
				highest = max(highest, uid)
			}
		}
	}
	return highest, nil
}
