package mailbox

import "slices"

// liveUIDs is which messages of a mailbox are not expunged. All sessions of
// the process that select the mailbox share it.
type liveUIDs struct {
	of   liveState
	uids []uint32 // ascending; what is in it never changes, but more may come behind it
	// unseen is the index in uids of the first message without Seen, len(uids)
	// for none, as of the header's HighestModseq.
	unseen int
	modseq uint64 // 0: unseen is not known
}

// liveState is equal exactly while the same messages are not expunged: a
// message that goes lowers exists, one that comes raises lastUID, and nothing
// takes either back.
type liveState struct {
	inode      uint64
	generation uint32
	validity   uint32
	numRecords uint32
	exists     uint32
	lastUID    uint32
}

func (m *Mailbox) liveState() liveState {
	h := &m.hdr
	return liveState{m.file.ino, h.Generation, h.UIDValidity, h.NumRecords, h.Exists, h.LastUID}
}

// Live returns the UIDs of the messages that are not expunged, ascending, as
// they were before changes that are not committed. The slice is shared: it
// must not be changed (appending to it makes a copy).
func (m *Mailbox) Live() ([]uint32, error) {
	l, err := m.live()
	return l.uids, err
}

// FirstUnseen returns the place in Live of the first message without Seen in
// the index, or the length of Live if there is none.
func (m *Mailbox) FirstUnseen() (int, error) {
	l, err := m.live()
	if err != nil || l.modseq != 0 && l.modseq == m.hdr.HighestModseq {
		return l.unseen, err
	}
	l.unseen, l.modseq = len(l.uids), m.hdr.HighestModseq
	if m.hdr.Unseen > 0 {
		i := 0
		err = m.Each(1, func(r *Record) bool {
			if r.Live() {
				if r.Flags&Seen == 0 {
					l.unseen = i
					return false
				}
				i++
			}
			return true
		})
	}
	if err == nil {
		m.box.setLive(l)
	}
	return l.unseen, err
}

// live returns what is known, brought up to date.
func (m *Mailbox) live() (liveUIDs, error) {
	if m.changes.began {
		panic("mailbox: Live after a change")
	}
	m.box.mu.Lock()
	l := m.box.live
	m.box.mu.Unlock()
	now := m.liveState()
	if l.of == now {
		return l, nil
	}
	first := uint32(1)
	if l.onlyGrown(&now) {
		first = l.of.numRecords + 1
	} else {
		l.uids = make([]uint32, 0, m.hdr.Exists)
	}
	uids := l.uids
	err := m.Each(first, func(r *Record) bool {
		if r.Live() {
			uids = append(uids, r.UID)
		}
		return true
	})
	if err != nil {
		return liveUIDs{}, err
	}
	l = liveUIDs{of: now, uids: slices.Clip(uids)}
	m.box.setLive(l)
	return l, nil
}

// onlyGrown reports whether all that has happened until now is new messages,
// none of which has been expunged.
func (l *liveUIDs) onlyGrown(now *liveState) bool {
	then := &l.of
	return then.inode == now.inode && then.generation == now.generation && then.validity == now.validity &&
		now.numRecords >= then.numRecords && now.exists-then.exists == now.numRecords-then.numRecords
}

func (b *box) setLive(l liveUIDs) {
	b.mu.Lock()
	b.live = l
	b.mu.Unlock()
}
