package twoskip

import (
	"context"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
)

// Stage is a transaction whose steps happen beside those of another file that
// changes with it (see change): Append and Store last when they return, Commit
// makes the transaction so. It holds the lock of the file until Close.
//
//	stopped after      a power cut leaves
//	Append, Store      dirty or too long: recovery goes back to the old state
//	Commit             the new state, or, until the next Append, the old one
//
// So the owner must be able to tell, after a power cut, that the new state is
// missing. It belongs to one goroutine at a time.
type Stage struct {
	s    *session
	v    *view
	w    writer
	next header
	done bool
}

// Stage begins a transaction without conditions.
func (d *DB) Stage(ctx context.Context, tx kv.Tx) (*Stage, error) {
	s, err := d.lockForWriting(ctx)
	if err != nil {
		return nil, err
	}
	s.h.mu.Lock()
	st := &Stage{s: s, v: s.h.begin(), w: writer{h: s.h}}
	for _, c := range tx.Set {
		if err := st.v.set(c.Key, c.Value); err != nil {
			st.Close()
			return nil, err
		}
	}
	if len(st.v.tx.added) > 0 {
		st.v.seal()
	}
	return st, nil
}

// Append writes the new records.
func (st *Stage) Append() error {
	if tx := st.v.tx; len(tx.added) > 0 {
		st.s.h.forget()
		st.next = st.s.h.header
		st.next.dirty = true
		st.w.at(st.next.encode(), 0)
		st.w.at(tx.added, tx.base)
		st.w.sync()
	}
	return st.error()
}

// Store links the new records with the old ones, whose old links stay.
func (st *Stage) Store() error {
	if tx := st.v.tx; len(tx.added) > 0 {
		st.w.heads(tx)
		st.w.sync()
	}
	return st.error()
}

// Commit makes the new records those of the database. It is not synced.
func (st *Stage) Commit() error {
	h, tx := st.s.h, st.v.tx
	if len(tx.added) == 0 {
		st.done = true
		return nil
	}
	st.next.dirty = false
	st.next.size = st.v.end
	st.next.records += uint64(tx.count)
	st.w.at(st.next.encode(), 0)
	if st.w.err == nil && tx.base == emptySize {
		st.w.err = syncParent(st.s.d.fs, h.path)
	}
	if err := st.error(); err != nil {
		return err
	}
	h.keep(st.next, tx)
	st.done = true
	st.s.d.repackIfDue(h)
	return nil
}

func (st *Stage) error() error {
	if st.w.err != nil {
		return disk.Error("twoskip.Stage", st.s.h.path, st.w.err)
	}
	return nil
}

// Close releases the lock. What was not committed is gone: the next one who
// opens the file recovers it.
func (st *Stage) Close() {
	if st.s != nil {
		if !st.done {
			st.s.h.forget()
		}
		st.s.h.mu.Unlock()
		st.s.unlock()
		st.s = nil
	}
}
