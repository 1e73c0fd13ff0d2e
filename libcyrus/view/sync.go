package view

import (
	"cmp"
	"context"
	"slices"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/seen"
)

// Refresh looks what has changed in the mailbox. The client is told by
// Report.
func (v *View) Refresh(ctx context.Context) error {
	if v.stillSame() {
		return nil
	}
	m, err := v.opened(ctx, mailbox.Read)
	if v.deleted {
		v.drop()
		return nil
	}
	if err != nil {
		return err
	}
	if h := m.Header(); v.mustClaim(&h) {
		m.Close()
		if m, err = v.opened(ctx, mailbox.Write); err != nil {
			return err
		}
	}
	defer m.Close()
	if err := v.sync(ctx, m); err != nil {
		return err
	}
	m.Remember()
	return v.claim(ctx, m)
}

// stillSame reports whether it is certain, without a lock, that nothing has
// changed since the last look.
func (v *View) stillSame() bool {
	if !v.ownSeen || v.deleted {
		return false
	}
	h, inode, ok := v.o.Store.Unchanged(v.ref)
	return ok && h.HighestModseq == v.known && h.LastUID == v.lastUID && h.NumRecords == v.numRecords &&
		h.Generation == v.generation && inode == v.inode && h.UIDValidity == v.validity &&
		h.HeaderCRC == v.headerCRC && v.o.Store.OwnsSeen(v.ref, &h, v.o.User) && !v.mustClaim(&h)
}

// mustClaim reports whether there are messages of which this session is the
// first to know, so that the mailbox has to be written.
func (v *View) mustClaim(h *mailbox.IndexHeader) bool {
	return v.ownSeen && !v.o.Examine && h.RecentUID < h.LastUID
}

// drop makes the view empty, when the mailbox is gone.
func (v *View) drop() {
	v.gone = slices.Clone(v.uids)
	v.changed = nil
}

// sync brings the view up to date with the open mailbox.
func (v *View) sync(ctx context.Context, m *mailbox.Mailbox) error {
	h := m.Header()
	v.access(m)
	old := v.seen
	if err := v.loadSeen(ctx, &h); err != nil {
		return err
	}
	seenChanged := !v.ownSeen && !slices.Equal(old, v.seen)
	moved := h.Generation != v.generation || m.Inode() != v.inode
	if h.HighestModseq == v.known && h.LastUID == v.lastUID && !moved && !seenChanged {
		v.note(m, &h) // names of flags
		return nil
	}
	var s scan
	s.v, s.old = v, old
	s.all = moved || seenChanged
	first := uint32(1)
	if v.onlyAppends(&h) && !s.all {
		first, s.next = v.numRecords+1, len(v.uids)
	}
	var err error
	if s.all {
		err = m.Each(first, s.record)
	} else {
		err = m.EachSince(first, v.lastUID, v.known, s.record)
	}
	if err != nil {
		return err
	}
	s.finish()
	v.note(m, &h)
	return nil
}

// onlyAppends reports whether all changes since the last look are new
// messages: each change takes one modseq, and each new message one record.
func (v *View) onlyAppends(h *mailbox.IndexHeader) bool {
	return h.NumRecords >= v.numRecords && h.HighestModseq-v.known == uint64(h.NumRecords-v.numRecords)
}

// scan compares the records of a mailbox with a view.
type scan struct {
	v       *View
	old     seen.UIDs // what was seen before
	all     bool      // records may have disappeared, or \Seen be different
	next    int       // the message of the view that comes next
	gone    []uint32
	changed []change
}

// record takes the next record.
func (s *scan) record(r *mailbox.Record) bool {
	v := s.v
	for s.next < len(v.uids) && v.uids[s.next] < r.UID {
		if s.all {
			s.gone = append(s.gone, v.uids[s.next]) // its record was dropped
			v.delay(v.known + 1)
		}
		s.next++
	}
	if r.UID > v.lastUID {
		if r.Live() {
			s.add(r)
		}
		return true
	}
	if s.next == len(v.uids) || v.uids[s.next] != r.UID {
		return true // the client never knew it, or knows that it is gone
	}
	s.next++
	switch {
	case !r.Live():
		if r.Modseq > v.known || s.all {
			s.gone = append(s.gone, r.UID)
			v.delay(r.Modseq)
			s.changed = append(s.changed, change{r.UID, v.flags(r), r.User, r.Modseq})
		}
	case r.Modseq > v.known || (s.all && s.seenDiffers(r.UID)):
		s.changed = append(s.changed, change{r.UID, v.flags(r), r.User, r.Modseq})
	}
	return true
}

// add takes a new message into the view.
func (s *scan) add(r *mailbox.Record) {
	v := s.v
	v.uids = append(v.uids, r.UID)
	v.touch(r.UID)
	s.next = len(v.uids)
	if r.UID > v.recentUID {
		v.recent = v.recent.Add(r.UID)
	}
}

// seenDiffers reports whether a reader's \Seen was changed by another
// session of his.
func (s *scan) seenDiffers(uid uint32) bool {
	return !s.v.ownSeen && s.old.Has(uid) != s.v.seen.Has(uid)
}

// finish joins what was found with what was found before.
func (s *scan) finish() {
	v := s.v
	if s.all {
		for ; s.next < len(v.uids) && v.uids[s.next] <= v.lastUID; s.next++ {
			s.gone = append(s.gone, v.uids[s.next])
			v.delay(v.known + 1)
		}
	}
	if len(s.gone) > 0 {
		v.gone = append(v.gone, s.gone...)
		slices.Sort(v.gone)
		v.gone = slices.Compact(v.gone)
	}
	v.addChanges(s.changed)
}

// addChanges notes new flags, in place of what was noted for the same
// messages.
func (v *View) addChanges(c []change) {
	if len(c) == 0 {
		return
	}
	for i := range c {
		v.touch(c[i].uid)
	}
	n := len(v.changed)
	if n == 0 {
		v.changed = c
		return
	}
	if v.changed[n-1].uid < c[0].uid {
		v.changed = append(v.changed, c...)
		return
	}
	all := append(slices.Clone(c), v.changed...) // the newer one first
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Compare(a.uid, b.uid) })
	v.changed = slices.CompactFunc(all, func(a, b change) bool { return a.uid == b.uid })
}
