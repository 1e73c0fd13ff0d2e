package twoskip

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"gocyrus/libcyrus/disk"
)

const (
	pageSize = 4096
	// maxPages bounds what is kept in memory of a file: 4 MiB.
	maxPages = 1024
)

// handle is an open file with what is remembered of it. Its methods are
// called with the file locked.
//
// Pages may be kept as long as the committed size of the header stays the
// same and the file is clean: a transaction always makes it larger, a repack
// makes another file, and the inode of an open file is not used again.
type handle struct {
	path string
	f    disk.File
	ino  uint64
	refs int // guarded by DB.mu

	mu     sync.Mutex // guards what follows against other readers
	header header     // as read at the last look
	valid  bool       // header and pages are those of a clean file
	pages  map[uint64][]byte
	span   []byte // what read returns of more than one page
}

// look reads the header. The file has size octets. It returns false if the
// file was not left clean.
func (h *handle) look(size int64) (clean bool, err error) {
	var b [headerSize]byte
	n, err := h.f.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return false, disk.Error("twoskip.read", h.path, err)
	}
	var now header
	if err := now.decode(b[:n]); err != nil {
		return false, withPath(h.path, err)
	}
	clean = !now.dirty && now.size == uint64(size)
	if !clean || !h.valid || now != h.header {
		h.pages = map[uint64][]byte{}
	}
	h.header, h.valid = now, clean
	return clean, nil
}

// forget makes the next look read everything again.
func (h *handle) forget() { h.valid = false }

// page returns a page of the file, shorter than pageSize at its end.
func (h *handle) page(no uint64) ([]byte, error) {
	if p, ok := h.pages[no]; ok {
		return p, nil
	}
	var p []byte
	if len(h.pages) < maxPages {
		p = make([]byte, pageSize)
	}
	for k, old := range h.pages { // whichever comes first
		if p == nil {
			delete(h.pages, k)
			p = old[:pageSize]
		}
		break
	}
	n, err := h.f.ReadAt(p, int64(no*pageSize))
	if err != nil && err != io.EOF {
		return nil, disk.Error("twoskip.read", h.path, err)
	}
	h.pages[no] = p[:n]
	return p[:n], nil
}

// read returns n octets, valid until the next call.
func (h *handle) read(offset, n uint64) ([]byte, error) {
	no, at := offset/pageSize, offset%pageSize
	p, err := h.page(no)
	if err != nil {
		return nil, err
	}
	if at+n <= uint64(len(p)) {
		return p[at : at+n], nil
	}
	h.span = h.span[:0]
	for {
		if at < uint64(len(p)) {
			h.span = append(h.span, p[at:min(uint64(len(p)), at+n-uint64(len(h.span)))]...)
		}
		switch {
		case uint64(len(h.span)) == n:
			return h.span, nil
		case len(p) < pageSize:
			return nil, errPastEnd
		}
		no, at = no+1, 0
		if p, err = h.page(no); err != nil {
			return nil, err
		}
	}
}

// view is a file as a reader or a transaction sees it: valid up to end.
type view struct {
	h   *handle
	end uint64
	tx  *change // nil for readers
}

// read returns n octets, valid until the next call.
func (v *view) read(offset, n uint64) ([]byte, error) {
	switch {
	case offset+n > v.end || offset+n < offset:
		return nil, errPastEnd
	case v.tx != nil && offset >= v.tx.base:
		at := offset - v.tx.base
		return v.tx.added[at : at+n], nil
	}
	return v.h.read(offset, n)
}

// head reads the record at offset; for 0 it sets r.offset to 0.
func (v *view) head(offset uint64, r *record) error {
	if v.tx != nil {
		if changed := v.tx.heads[offset]; changed != nil {
			*r = *changed
			return nil
		}
	}
	r.offset = offset
	if offset == 0 {
		return nil
	}
	err := v.decodeHead(offset, r)
	var f formatError
	if errors.As(err, &f) {
		return badRecord(v.h.path, offset, f)
	}
	return err
}

func (v *view) decodeHead(offset uint64, r *record) error {
	b, err := v.read(offset, leadSize)
	if err != nil {
		return err
	}
	n, err := r.lead(b)
	if err != nil {
		return err
	}
	if b, err = v.read(offset, uint64(n)); err != nil {
		return err
	}
	if err = r.decode(b); err != nil {
		return err
	}
	if r.keyLen > v.end || r.valueLen > v.end || r.end() > v.end {
		return errPastEnd
	}
	return nil
}

// live is head, but goes on from a delete record to the one after it, which
// is never another delete record.
func (v *view) live(offset uint64, r *record) error {
	if err := v.head(offset, r); err != nil || r.offset == 0 || r.typ != typeDelete {
		return err
	}
	return v.head(r.next[0], r)
}

// key returns the key of a record, valid until the next call.
func (v *view) key(r *record) ([]byte, error) {
	b, err := v.read(r.offset+r.headLen, r.keyLen)
	if err != nil {
		return nil, badRecord(v.h.path, r.offset, err)
	}
	return b, nil
}

// tail returns key and value, valid until the next call, and checks them.
func (v *view) tail(r *record) (key, value []byte, err error) {
	b, err := v.read(r.offset+r.headLen, r.tailLen())
	if err != nil {
		return nil, nil, badRecord(v.h.path, r.offset, err)
	}
	if crc32.ChecksumIEEE(b) != r.tailCRC {
		return nil, nil, badRecord(v.h.path, r.offset, errTailCRC)
	}
	return b[:r.keyLen], b[r.keyLen : r.keyLen+r.valueLen], nil
}

// place is where a key is, or would be.
type place struct {
	exact   bool
	record  record               // if exact, else the one before
	back    [maxLevel + 1]uint64 // the last record before the key, per level
	forward [maxLevel + 1]uint64 // what comes after the key, per level
}

// find looks for a key. An empty one is before all others.
func (v *view) find(key []byte, p *place) error {
	if err := v.head(dummyStart, &p.record); err != nil {
		return err
	}
	if p.record.typ != typeDummy || p.record.level != maxLevel {
		return badRecord(v.h.path, dummyStart, formatError("no list head"))
	}
	p.exact = false
	var r, best record
	const none = ^uint64(0)
	seen, cmp := none, 0          // the offset last looked at, and how it compares
	steps := v.end/minRecord + 64 // more are not possible unless pointers run in a circle
	for level := maxLevel; level > 0; {
		offset := p.record.pointer(level-1, v.end)
		p.back[level-1], p.forward[level-1] = p.record.offset, offset
		if offset != seen {
			seen, cmp = offset, 1
			if err := v.live(offset, &r); err != nil {
				return err
			}
			if r.offset != 0 {
				if r.typ != typeRecord || r.level < level || steps == 0 {
					return badRecord(v.h.path, offset, formatError("broken linkage"))
				}
				k, err := v.key(&r)
				if err != nil {
					return err
				}
				cmp = bytes.Compare(k, key)
			}
			steps--
			best = r
		}
		if cmp < 0 {
			p.record = best
			seen = none
			continue
		}
		level--
	}
	if cmp == 0 && best.offset != 0 {
		p.exact, p.record = true, best
		for i := range best.level {
			p.forward[i] = best.pointer(i, v.end)
		}
	}
	return nil
}

// withPath names the file in an error of decode.
func withPath(path string, err error) error {
	var f formatError
	if errors.As(err, &f) {
		return badFormat(path, string(f))
	}
	return err
}
