package mailbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
)

// ReadIndex reads a cyrus.index that nobody changes: a copy. fn is called
// for each record until it returns false; the record is valid during the
// call. Damage is an error of kind errs.BadFormat.
func ReadIndex(fsys disk.FS, path string, fn func(*Record) (more bool)) (*IndexHeader, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, disk.Error("mailbox.ReadIndex", path, err)
	}
	defer f.Close()
	damaged := func(err error) error { return errs.New(errs.BadFormat, "mailbox.ReadIndex", path, err) }
	var head [maxHeader]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && err != io.EOF {
		return nil, disk.Error("mailbox.ReadIndex", path, err)
	}
	h, err := decodeIndexHeader(head[:n])
	if err != nil {
		return nil, damaged(err)
	}
	if h.damagedCRC {
		return nil, damaged(errors.New("wrong checksum of the index header"))
	}
	l := h.layout()
	in := bufio.NewReaderSize(io.NewSectionReader(f, int64(l.header), 1<<62), windowSize)
	b := make([]byte, l.record)
	var r Record
	for r.Recno = 1; r.Recno <= h.NumRecords; r.Recno++ {
		if _, err := io.ReadFull(in, b); err != nil {
			return nil, damaged(fmt.Errorf("record %d: %w", r.Recno, err))
		}
		if !l.decode(&r, b) {
			return nil, damaged(fmt.Errorf("wrong checksum of record %d (uid %d)", r.Recno, r.UID))
		}
		if !fn(&r) {
			break
		}
	}
	return h, nil
}
