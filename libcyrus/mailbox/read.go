package mailbox

import (
	"io"
	"sort"
	"strconv"
	"sync"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// windowSize is how much of the index is read at once when records are
// looked at one after the other: 64 KiB are 585 records.
const windowSize = 64 << 10

var windows = sync.Pool{New: func() any { return new([windowSize]byte) }}

// window is a piece of cyrus.index that has been read under the lock that
// is still held. Records that this Mailbox writes are changed in it too.
type window struct {
	buf   *[windowSize]byte
	first uint32 // record number of the first record in it
	n     uint32 // number of records in it
}

func (w *window) free() {
	if w.buf != nil {
		windows.Put(w.buf)
		*w = window{}
	}
}

// raw returns the bytes of a record, valid until the next call. If it must
// be read, so are those behind it, ahead in all: a record alone is a short
// read.
func (m *Mailbox) raw(recno, ahead uint32) ([]byte, error) {
	w, l := &m.window, m.hdr.layout()
	if recno < w.first || recno-w.first >= w.n {
		if w.buf == nil {
			w.buf = windows.Get().(*[windowSize]byte)
		}
		n := min(uint32(windowSize/l.record), m.recordsOnDisk()-recno+1, ahead)
		b := w.buf[:int(n)*l.record]
		w.n = 0
		if err := m.readAt(b, l.offset(recno)); err != nil {
			return nil, err
		}
		w.first, w.n = recno, n
	}
	off := int(recno-w.first) * l.record
	return w.buf[off : off+l.record], nil
}

// offset is where a record begins in the file.
func (l *layout) offset(recno uint32) int64 {
	return int64(l.header) + int64(recno-1)*int64(l.record)
}

// readAt reads from the index. A file that is too short is damaged.
func (m *Mailbox) readAt(b []byte, off int64) error {
	_, err := m.file.ReadAt(b, off)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return m.badFormat("the index ends before offset %d", off+int64(len(b)))
	case err != nil:
		return disk.Error("mailbox.read", string(m.ref.Name), err)
	}
	return nil
}

// recordsOnDisk is the number of records without those appended now.
func (m *Mailbox) recordsOnDisk() uint32 { return m.hdr.NumRecords - uint32(len(m.changes.added)) }

// read decodes a record into r.
func (m *Mailbox) read(r *Record, recno uint32) error { return m.readAhead(r, recno, 1) }

// readAhead is read for a reader that wants that many records from there on.
func (m *Mailbox) readAhead(r *Record, recno, ahead uint32) error {
	if have := m.changes.records.get(recno); have != nil {
		*r = have.new
		return nil
	}
	if n := m.recordsOnDisk(); recno > n && recno <= m.hdr.NumRecords {
		*r = m.changes.added[recno-n-1].rec
		return nil
	}
	b, err := m.raw(recno, ahead)
	if err != nil {
		return err
	}
	r.Recno = recno
	if !m.hdr.layout().decode(r, b) {
		return m.badFormat("wrong checksum of record %d (uid %d)", recno, r.UID)
	}
	return nil
}

// Record returns the record with a number from 1 to NumRecords.
func (m *Mailbox) Record(recno uint32) (r Record, err error) {
	if recno == 0 || recno > m.hdr.NumRecords {
		return r, errs.New(errs.NoSuchMessage, "mailbox.Record", string(m.ref.Name), nil)
	}
	err = m.read(&r, recno)
	return r, err
}

// Records appends up to n records, from number first on (from 1), to dst.
// At the end of the file it returns fewer. Expunged records are among them.
func (m *Mailbox) Records(dst []Record, first uint32, n int) ([]Record, error) {
	for recno := max(first, 1); n > 0 && recno <= m.hdr.NumRecords; recno++ {
		dst = append(dst, Record{})
		if err := m.readAhead(&dst[len(dst)-1], recno, uint32(n)); err != nil {
			return dst[:len(dst)-1], err
		}
		n--
	}
	return dst, nil
}

// Each calls fn for the records from number first on until it returns
// false. The record is valid during the call.
func (m *Mailbox) Each(first uint32, fn func(*Record) (more bool)) error {
	var r Record
	for recno := max(first, 1); recno <= m.hdr.NumRecords; recno++ {
		if err := m.readAhead(&r, recno, windowSize); err != nil {
			return err
		}
		if !fn(&r) {
			break
		}
	}
	return nil
}

// EachSince calls fn for the records from number first on that have a UID
// above uid or a modseq above modseq, until it returns false. The others are
// passed over unread, also if they are damaged. Mode and validity are those
// of Each.
func (m *Mailbox) EachSince(first, uid uint32, modseq uint64, fn func(*Record) (more bool)) error {
	l := m.hdr.layout()
	var r Record
	for recno := max(first, 1); recno <= m.hdr.NumRecords; recno++ {
		if recno <= m.recordsOnDisk() && len(m.changes.records) == 0 {
			if _, err := m.raw(recno, windowSize); err != nil {
				return err
			}
			w := &m.window
			b := w.buf[int(recno-w.first)*l.record : int(w.n)*l.record]
			for len(b) > 0 && be.Uint32(b) <= uid && field64(b, l.modseq) <= modseq {
				b = b[l.record:]
				recno++
			}
			if len(b) == 0 {
				recno-- // the last one of the window
				continue
			}
		}
		if err := m.readAhead(&r, recno, windowSize); err != nil {
			return err
		}
		if !fn(&r) {
			break
		}
	}
	return nil
}

// FindUID returns the record with this UID, expunged or not; hint is a
// record number where it may be (0: none).
func (m *Mailbox) FindUID(uid, hint uint32) (r Record, ok bool, err error) {
	// UIDs ascend, so that no record can lie further from another than their
	// UIDs: where none is missing, hint or the second look finds it.
	low, high := uint32(1), min(uid, m.hdr.NumRecords)
	for range 2 {
		if hint < low || hint > high {
			break
		}
		if err := m.read(&r, hint); err != nil || r.UID == uid {
			return r, err == nil, err
		}
		if r.UID < uid {
			low, high = hint+1, min(high, hint+(uid-r.UID))
			hint = high
		} else {
			far := r.UID - uid
			high = hint - 1
			if far < hint {
				low = max(low, hint-far)
			}
			hint = low
		}
	}
	if low > high {
		return Record{}, false, nil
	}
	n := sort.Search(int(high-low)+1, func(i int) bool {
		var u uint32
		if err == nil {
			u, err = m.uidAt(low + uint32(i))
		}
		return err != nil || u >= uid
	})
	if err != nil || n > int(high-low) {
		return Record{}, false, err
	}
	err = m.read(&r, low+uint32(n))
	return r, err == nil && r.UID == uid, err
}

// uidAt returns the UID of a record. Unlike read it does not fill the
// window: a search would read a window for each step.
func (m *Mailbox) uidAt(recno uint32) (uint32, error) {
	w := &m.window
	n := m.recordsOnDisk()
	switch {
	case recno > n:
		return m.changes.added[recno-n-1].rec.UID, nil
	case recno >= w.first && recno-w.first < w.n:
		return be.Uint32(w.buf[int(recno-w.first)*m.hdr.layout().record:]), nil
	}
	var b [4]byte
	err := m.readAt(b[:], m.hdr.layout().offset(recno))
	return be.Uint32(b[:]), err
}

// messagePath is the path of a message's file.
func (m *Mailbox) messagePath(r *Record) string {
	dir := m.box.paths.dir
	if r.Flags&Archived != 0 {
		dir = m.box.paths.archiveDir
	}
	return uidPath(dir, r.UID)
}

func uidPath(dir string, uid uint32) string {
	b := make([]byte, 0, len(dir)+12)
	b = append(b, dir...)
	b = append(b, '/')
	b = strconv.AppendUint(b, uint64(uid), 10)
	return string(append(b, '.'))
}

// OpenMessage opens the file of a message for reading. It may be read after
// the mailbox is closed, also when it has been removed meanwhile.
func (m *Mailbox) OpenMessage(r *Record) (disk.File, error) {
	f, err := m.store.o.FS.Open(m.messagePath(r))
	if err != nil {
		return nil, disk.Error("mailbox.OpenMessage", string(m.ref.Name), err)
	}
	return f, nil
}
