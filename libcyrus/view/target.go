package view

import (
	"math"
	"slices"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
)

// Targets is the messages that a command is about: ascending ranges of
// sequence numbers, all in the view.
type Targets = imapwire.SeqSet

// resolve returns the messages of a set of sequence numbers or UIDs, among
// the first exists ones.
func (v *View) resolve(set imapwire.SeqSet, uid bool, exists int) Targets {
	if uid || set.IsSaved() {
		return v.byUID(set, exists)
	}
	return clip(set.Resolve(uint32(exists)), uint32(exists))
}

// BySequence returns the messages of a set of sequence numbers. Numbers
// without a message are left out.
func (v *View) BySequence(set imapwire.SeqSet) Targets {
	return v.resolve(set, false, v.told)
}

// ByUID returns the messages of a set of UIDs.
func (v *View) ByUID(set imapwire.SeqSet) Targets { return v.byUID(set, v.told) }

func (v *View) byUID(set imapwire.SeqSet, exists int) Targets {
	if set.IsSaved() {
		set = v.saved
	}
	return v.having(set, exists)
}

// having returns the messages with UIDs of a set, in which nothing stands for
// "$".
func (v *View) having(set imapwire.SeqSet, exists int) Targets {
	uids := v.uids[:exists]
	last := uint32(0)
	if len(uids) > 0 {
		last = uids[len(uids)-1]
	}
	var t Targets
	for _, g := range set.Resolve(last) {
		first, _ := slices.BinarySearch(uids, g.First)
		end, found := slices.BinarySearch(uids, g.Last)
		if found {
			end++
		}
		if first < end {
			t = append(t, imapwire.SeqRange{First: uint32(first + 1), Last: uint32(end)})
		}
	}
	return t
}

// All returns all messages.
func (v *View) All() Targets {
	if v.told == 0 {
		return nil
	}
	return Targets{{First: 1, Last: v.Count()}}
}

// UIDs returns the UIDs of messages that have not been reported as gone.
func (v *View) UIDs(t Targets) []uint32 {
	uids := make([]uint32, 0, t.Count())
	for _, g := range t {
		uids = append(uids, v.uids[g.First-1:g.Last]...)
	}
	return uids
}

// UID returns the UID of a message.
func (v *View) UID(seq uint32) uint32 { return v.uids[seq-1] }

// clip leaves out what is above limit.
func clip(set imapwire.SeqSet, limit uint32) Targets {
	for i, g := range set {
		if g.First > limit {
			return Targets(set[:i])
		}
		if g.Last > limit {
			set[i].Last = limit
			return Targets(set[:i+1])
		}
	}
	return Targets(set)
}

// After returns the messages above seq.
func after(t Targets, seq uint32) Targets {
	for i, g := range t {
		if g.Last > seq {
			rest := slices.Clone(t[i:])
			rest[0].First = max(g.First, seq+1)
			return rest
		}
	}
	return nil
}

// split splits messages after the first n.
func split(t Targets, n int) (first, rest Targets) {
	for i, g := range t {
		size := int(g.Last-g.First) + 1
		if n >= size {
			n -= size
			continue
		}
		first, rest = slices.Clone(t[:i]), slices.Clone(t[i:])
		if n > 0 {
			middle := g.First + uint32(n)
			first = append(first, imapwire.SeqRange{First: g.First, Last: middle - 1})
			rest[0].First = middle
		}
		return first, rest
	}
	return t, nil
}

// recordBatch is how many records are copied out of the index at a time:
// 512 are about 100 KiB.
const recordBatch = 512

// walk calls fn for the record of each of the messages, ascending, until it
// returns false. Messages whose record is gone are left out; expunged ones
// are not.
func (v *View) walk(m *mailbox.Mailbox, t Targets, fn func(seq uint32, r *mailbox.Record) (more bool)) error {
	w := walker{v: v, m: m}
	for _, g := range t {
		for seq := g.First; seq <= g.Last; seq++ {
			r, err := w.find(seq, g.Last)
			if err != nil {
				return err
			}
			if r != nil && !fn(seq, r) {
				return nil
			}
			if seq == math.MaxUint32 {
				return nil
			}
		}
	}
	return nil
}

// walker goes through the records of an open mailbox.
type walker struct {
	v    *View
	m    *mailbox.Mailbox
	i    int    // next one in the batch
	next uint32 // record number behind the batch; 0 = nothing was read yet
}

// find returns the record of a message, which comes after all before, or nil.
// Those up to last will be asked for, too.
func (w *walker) find(seq, last uint32) (*mailbox.Record, error) {
	uid, want := w.v.uids[seq-1], int(last-seq)+1
	if w.next == 0 || w.far(uid) {
		r, ok, err := w.m.FindUID(uid, seq+w.v.ahead)
		if !ok || err != nil {
			return nil, err
		}
		if w.next = r.Recno; r.Recno >= seq {
			w.v.ahead = r.Recno - seq
		}
		if ok, err = w.read(want); !ok {
			return nil, err
		}
	}
	for {
		b := w.v.batch
		for w.i < len(b) && b[w.i].UID < uid {
			w.i++
		}
		if w.i < len(b) {
			if b[w.i].UID == uid {
				return &b[w.i], nil
			}
			return nil, nil
		}
		if ok, err := w.read(want); !ok {
			return nil, err
		}
	}
}

// far reports whether the record of uid is so far behind the batch that it
// is better looked for.
func (w *walker) far(uid uint32) bool {
	b := w.v.batch
	return len(b) > 0 && uid > b[len(b)-1].UID+recordBatch
}

// read reads the next batch, of at most want records; false at the end.
func (w *walker) read(want int) (bool, error) {
	b, err := w.m.Records(w.v.batch[:0], w.next, min(want, recordBatch))
	w.v.batch, w.i = b, 0
	w.next += uint32(len(b))
	return err == nil && len(b) > 0, err
}

// SeenFunc returns what tells whether the user has seen a message, or nil if
// that is in the index.
func (v *View) SeenFunc() func(uid uint32) bool {
	if v.ownSeen {
		return nil
	}
	return v.seen.Has
}
