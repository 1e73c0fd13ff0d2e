package twoskip

import (
	"bytes"
	"math/rand/v2"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
)

// change is a transaction being put together in memory. What a crash leaves
// of it at each step of write:
//
//	step                                          afterwards a power cut leaves
//	1 append records, mark header dirty, sync     dirty or too long: recovery goes back to the old size
//	2 rewrite heads of old records, sync          the same; on level 1 the old pointers are still there
//	3 header with the new size, clean, sync       the new state
//
// If only one old record gets another level-1 pointer, step 2 writes heads
// and the header with the new size, still dirty, in one sync: that pointer
// lies in one block of the disk and decides which state recovery finds.
// Step 3 then needs no sync. Cyrus (mycommit) syncs the dirty header, the records with the
// heads, and the clean header.
type change struct {
	base  uint64             // committed size, where added begins
	added []byte             // fillers and records
	heads map[uint64]*record // rewritten ones, of old records and of added ones
	count int                // what the number of records grows by
	links map[uint64]bool    // old records whose level-1 pointer changes
}

// begin starts a transaction on a clean file.
func (h *handle) begin() *view {
	tx := &change{base: h.header.size, heads: map[uint64]*record{}, links: map[uint64]bool{}}
	return &view{h: h, end: h.header.size, tx: tx}
}

// add appends a record. Its offset is set.
func (v *view) add(r *record, key, value []byte) {
	v.tx.added = appendRecord(v.tx.added, v.tx.base, r, key, value)
	v.end = v.tx.base + uint64(len(v.tx.added))
}

// randomLevel is 1 with probability 1/2, 2 with 1/4, and so on.
func randomLevel() int {
	level := 1
	for level < maxLevel && rand.Uint32()&1 == 0 {
		level++
	}
	return level
}

// set makes one change: a nil value removes the key.
func (v *view) set(key, value []byte) error {
	var p place
	if err := v.find(key, &p); err != nil {
		return err
	}
	switch {
	case value == nil && !p.exact:
		return nil
	case value == nil:
		return v.remove(&p)
	case p.exact:
		_, old, err := v.tail(&p.record)
		if err != nil || bytes.Equal(old, value) {
			return err
		}
	}
	return v.store(&p, key, value)
}

// store appends a record and links it in, in place of the old one if exact.
func (v *view) store(p *place, key, value []byte) error {
	r := record{typ: typeRecord, level: randomLevel()}
	copy(r.next[1:r.level+1], p.forward[:r.level])
	top := r.level
	if p.exact {
		top = max(top, p.record.level)
	} else {
		v.tx.count++
	}
	v.add(&r, key, value)
	for i := range r.level {
		p.forward[i] = r.offset
	}
	return v.link(p, top)
}

// remove appends a delete record, and unlinks the one found.
func (v *view) remove(p *place) error {
	var after record
	if err := v.live(p.forward[0], &after); err != nil {
		return err
	}
	r := record{typ: typeDelete}
	r.next[0] = after.offset
	v.add(&r, nil, nil)
	p.forward[0] = r.offset
	v.tx.count--
	return v.link(p, p.record.level)
}

// link points the records before p, up to level top, to what comes after.
func (v *view) link(p *place, top int) error {
	for level := 0; level < top; {
		r := new(record)
		if err := v.head(p.back[level], r); err != nil {
			return err
		}
		if r.level <= level {
			return badRecord(v.h.path, r.offset, formatError("broken linkage"))
		}
		if level == 0 && r.offset < v.tx.base {
			v.tx.links[r.offset] = true
		}
		for ; level < min(top, r.level); level++ {
			r.setPointer(level, p.forward[level], v.tx.base)
		}
		v.tx.heads[r.offset] = r
	}
	return nil
}

// write makes the transaction last, as the table above says. After an
// error the file may be dirty.
func (v *view) write(fsys disk.FS) error {
	h, tx := v.h, v.tx
	if len(tx.added) == 0 {
		return nil
	}
	v.seal()
	h.forget()
	w := writer{h: h}
	header := h.header
	header.dirty = true
	w.at(header.encode(), 0)
	w.at(tx.added, tx.base)
	w.sync()
	w.heads(tx)
	header.size = v.end
	header.records += uint64(tx.count)
	if len(tx.links) == 1 {
		w.at(header.encode(), 0)
		w.sync()
		header.dirty = false
		w.at(header.encode(), 0)
	} else {
		w.sync()
		header.dirty = false
		w.at(header.encode(), 0)
		w.sync()
	}
	if w.err == nil && tx.base == emptySize {
		w.err = syncParent(fsys, h.path)
	}
	if w.err != nil {
		return disk.Error("twoskip.write", h.path, w.err)
	}
	h.keep(header, tx)
	return nil
}

// seal ends the records of the transaction.
func (v *view) seal() {
	tx := v.tx
	commit := record{typ: typeCommit}
	commit.next[0] = tx.base
	v.add(&commit, nil, nil)
	for offset, r := range tx.heads {
		if offset >= tx.base {
			r.encode(tx.added[offset-tx.base : offset-tx.base])
		}
	}
}

// heads writes those of old records.
func (w *writer) heads(tx *change) {
	for offset, r := range tx.heads {
		if offset < tx.base {
			w.at(r.encode(nil), offset)
		}
	}
}

// keep brings the pages up to date with what was written.
func (h *handle) keep(now header, tx *change) {
	for offset, r := range tx.heads {
		if offset < tx.base {
			h.patch(offset, r.encode(nil))
		}
	}
	h.patch(0, now.encode())
	for no := tx.base / pageSize; no <= now.size/pageSize; no++ {
		delete(h.pages, no)
	}
	h.header, h.valid = now, true
}

// patch changes those of the pages that are remembered. The first octets of
// a head may be the last of a page.
func (h *handle) patch(offset uint64, b []byte) {
	for len(b) > 0 {
		no, at := offset/pageSize, offset%pageSize
		n := min(uint64(len(b)), pageSize-at)
		if p, ok := h.pages[no]; ok && at < uint64(len(p)) {
			copy(p[at:], b[:n])
		}
		offset, b = offset+n, b[n:]
	}
}

// writer writes and syncs until something fails.
type writer struct {
	h   *handle
	err error
}

func (w *writer) at(b []byte, offset uint64) {
	if w.err == nil {
		_, w.err = w.h.f.WriteAt(b, int64(offset))
	}
}

func (w *writer) sync() {
	if w.err == nil {
		w.err = w.h.f.Datasync()
	}
}

// holds checks the conditions of a transaction.
func (v *view) holds(conds []kv.Cond) error {
	for _, c := range conds {
		value, err := v.get(c.Key)
		ok, err := c.Holds(value, err)
		if err != nil {
			return err
		}
		if !ok {
			return kv.ErrConflict
		}
	}
	return nil
}

// get returns a copy of a value, or ErrNotFound.
func (v *view) get(key []byte) ([]byte, error) {
	var p place
	if err := v.find(key, &p); err != nil {
		return nil, err
	}
	if !p.exact {
		return nil, kv.ErrNotFound
	}
	_, value, err := v.tail(&p.record)
	if err != nil {
		return nil, err
	}
	return append(make([]byte, 0, len(value)), value...), nil
}
