package twoskip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"gocyrus/libcyrus/disk"
)

// recovery brings a file that was not left clean back to its committed size.
// It needs the exclusive lock. If the list of records is damaged, it writes
// a new file from all transactions that are complete (then the handle is out
// of date and replaced is true). Source: Cyrus recovery1 and recovery2.
func (d *DB) recovery(h *handle) (replaced bool, err error) {
	start := time.Now()
	fixed, err := h.repair()
	if err == nil {
		d.log.Info(fmt.Sprintf("twoskip: recovered %s (%s, %d bytes) in %.3f seconds - fixed %s",
			h.path, several(h.header.records, "record"), h.header.size, time.Since(start).Seconds(), several(fixed, "offset")))
		return false, nil
	}
	if !isDamage(err) {
		return false, err
	}
	d.log.Error(fmt.Sprintf("DBERROR: recovery1 failed, trying recovery2: filename=<%s>", h.path), "error", err)
	if err := d.rescue(h); err != nil {
		return false, err
	}
	return true, nil
}

// isDamage tells errors in the contents from those of the disk.
func isDamage(err error) bool {
	var f formatError
	return errors.As(err, &f)
}

// repair walks level 1 using only pointers below the committed size, clears
// the others, and corrects the higher levels, which may be anything.
// It returns how many records it rewrote.
func (h *handle) repair() (fixed uint64, err error) {
	h.forget()
	h.pages = map[uint64][]byte{}
	now := h.header
	now.dirty = true
	w := writer{h: h}
	w.at(now.encode(), 0)
	w.sync()

	v := h.begin()
	if err := v.relink(&now.records); err != nil {
		return 0, err
	}
	for offset, r := range v.tx.heads {
		w.at(r.encode(nil), offset)
	}
	if w.err == nil {
		w.err = h.f.Truncate(int64(now.size))
	}
	w.sync()
	now.dirty = false
	w.at(now.encode(), 0)
	w.sync()
	if w.err != nil {
		return 0, disk.Error("twoskip.recover", h.path, w.err)
	}
	h.header, h.valid, h.pages = now, true, map[uint64][]byte{}
	return uint64(len(v.tx.heads)), nil
}

// relink puts into v.tx.heads all heads that must be rewritten.
func (v *view) relink(count *uint64) error {
	*count = 0
	var last [maxLevel + 1]*record // the last record of each level
	r := new(record)
	if err := v.head(dummyStart, r); err != nil {
		return err
	}
	if r.typ != typeDummy || r.level != maxLevel {
		return badRecord(v.h.path, dummyStart, formatError("no list head"))
	}
	var lastKey []byte
	for {
		next := v.checkBase(r)
		for i := 2; i <= r.level; i++ {
			if last[i] != nil && last[i].next[i] != r.offset {
				last[i].next[i] = r.offset
				v.tx.heads[last[i].offset] = last[i]
			}
			last[i] = r
		}
		r = new(record)
		if err := v.live(next, r); err != nil {
			return err
		}
		if r.offset == 0 {
			break
		}
		key, _, err := v.tail(r)
		if err != nil {
			return err
		}
		if r.typ != typeRecord || *count > 0 && bytes.Compare(lastKey, key) >= 0 {
			return badRecord(v.h.path, r.offset, formatError("out of order"))
		}
		lastKey = append(lastKey[:0], key...)
		*count++
	}
	for i := 2; i <= maxLevel; i++ {
		if last[i].next[i] != 0 {
			last[i].next[i] = 0
			v.tx.heads[last[i].offset] = last[i]
		}
	}
	return nil
}

// checkBase clears pointers of level 1 that were never committed, and
// returns the next record of level 1.
func (v *view) checkBase(r *record) uint64 {
	for i := range 2 {
		if i <= r.level && r.next[i] >= v.end {
			r.next[i] = 0
			v.tx.heads[r.offset] = r
		}
	}
	return r.pointer(0, v.end)
}

// lockForWriting returns a locked, clean and current handle.
func (d *DB) lockForWriting(ctx context.Context) (*session, error) {
	for {
		s, err := d.lock(ctx, true)
		if err != nil {
			return nil, err
		}
		clean, err := s.h.look(s.size)
		if err == nil && clean {
			return s, nil
		}
		replaced := false
		switch {
		case err == nil:
			replaced, err = d.recovery(s.h)
		case d.canCreate(s):
			err = d.initialise(s)
		}
		if err != nil {
			s.unlock()
			return nil, err
		}
		if !replaced {
			return s, nil
		}
		s.unlock() // and come back with the new file
	}
}

// canCreate reports whether the file has never been written.
func (d *DB) canCreate(s *session) bool {
	if s.size > emptySize {
		return false
	}
	b := make([]byte, emptySize)
	n, _ := s.h.f.ReadAt(b, 0)
	return isUnwritten(b[:n])
}

// initialise writes a database without records.
func (d *DB) initialise(s *session) error {
	w := writer{h: s.h}
	w.at(emptyFile(), 0)
	if w.err == nil {
		w.err = s.h.f.Truncate(emptySize)
	}
	w.sync()
	if w.err == nil {
		w.err = syncParent(d.fs, s.h.path)
	}
	if w.err != nil {
		return disk.Error("twoskip.create", s.h.path, w.err)
	}
	s.size = emptySize
	_, err := s.h.look(s.size)
	return err
}
