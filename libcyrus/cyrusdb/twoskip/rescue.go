package twoskip

import (
	"fmt"
	"slices"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
)

// rescued is the database as far as complete transactions tell.
type rescued struct {
	keys   []string // sorted
	values map[string][]byte
}

func (s *rescued) set(key string, value []byte) {
	if _, ok := s.values[key]; !ok {
		i, _ := slices.BinarySearch(s.keys, key)
		s.keys = slices.Insert(s.keys, i, key)
	}
	s.values[key] = value
}

// removeBefore removes the last key before the given one.
func (s *rescued) removeBefore(key string) {
	if i, _ := slices.BinarySearch(s.keys, key); i > 0 {
		s.removeAt(i - 1)
	}
}

func (s *rescued) removeAt(i int) {
	delete(s.values, s.keys[i])
	s.keys = slices.Delete(s.keys, i, i+1)
}

// rescue does all complete transactions again, in a new file that replaces
// this one. Transactions with damaged records are left out.
func (d *DB) rescue(h *handle) error {
	fi, err := h.f.Stat()
	if err != nil {
		return disk.Error("twoskip.rescue", h.path, err)
	}
	h.pages = map[uint64][]byte{}
	v := &view{h: h, end: uint64(fi.Size())}
	state := &rescued{values: map[string][]byte{}}
	if err := v.replayAll(state); err != nil {
		return err
	}
	if len(state.keys) == 0 {
		d.log.Error(fmt.Sprintf("DBERROR: no records found in recovery2, aborting: filename=<%s>", h.path))
		return badFormat(h.path, "no records can be rescued")
	}
	err = d.writeNew(h, func(fn kv.ScanFunc) error {
		for _, key := range state.keys {
			if _, err := fn([]byte(key), state.values[key]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		d.log.Error(fmt.Sprintf("twoskip: recovery2 %s - rescued %d of %d records", h.path, len(state.keys), h.header.records))
	}
	return err
}

// replayAll reads the file from its first record to its end. Where no
// record can be read it looks for one at each of the next offsets.
func (v *view) replayAll(state *rescued) error {
	damaged := false
	var tx []record
	for offset := uint64(dummyStart); offset+minRecord <= v.end; {
		if b, err := v.read(offset, 8); err == nil && string(b) == blank {
			offset += 8
			continue
		}
		var r record
		if err := v.head(offset, &r); err != nil {
			if !isDamage(err) {
				return err
			}
			damaged = true
			offset += 8
			continue
		}
		offset = r.end()
		if r.typ != typeCommit {
			tx = append(tx, r)
			continue
		}
		if !damaged {
			v.replay(tx, state)
		}
		damaged, tx = false, nil
	}
	return nil
}

// replay does the changes of one transaction, or none if a value is damaged.
func (v *view) replay(tx []record, state *rescued) {
	for i := range tx {
		if _, _, err := v.tail(&tx[i]); err != nil {
			return
		}
	}
	for i := range tx {
		switch r := &tx[i]; r.typ {
		case typeRecord:
			key, value, _ := v.tail(r)
			state.set(string(key), slices.Clone(value))
		case typeDelete:
			v.replayDelete(r, state)
		}
	}
}

// replayDelete removes the key before the record that a delete record points
// to; if it points to the end, the last one.
func (v *view) replayDelete(r *record, state *rescued) {
	if r.next[0] == 0 {
		if n := len(state.keys); n > 0 {
			state.removeAt(n - 1)
		}
		return
	}
	var after record
	if v.head(r.next[0], &after) != nil || after.typ != typeRecord {
		return
	}
	if key, err := v.key(&after); err == nil {
		state.removeBefore(string(key))
	}
}
