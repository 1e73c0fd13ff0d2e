package main

import (
	"bytes"
	"maps"
	"slices"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/view"
)

// tellUpdates tells how results have changed that are kept up to date, and
// sends of new messages what the client has asked for by NOTIFY or behind
// UPDATE. With NOTIFY that comes behind the results (RFC 5465 section 5.2), else
// before them (section 7).
func (s *session) tellUpdates() error {
	fresh := s.view.Fresh()
	items := s.itemsOfNew()
	if items == nil && !s.view.Sends() {
		_, err := s.view.TellUpdates(s.ctx, s.w, nil)
		return err
	}
	var results bytes.Buffer
	w := imapwire.NewWriter(&results)
	joined, err := s.view.TellUpdates(s.ctx, w, fresh)
	w.Flush()
	w.Release()
	if err != nil {
		return err
	}
	if items == nil {
		err = s.sendNew(joined)
		s.w.Append(results.Bytes())
		return err
	}
	s.w.Append(results.Bytes())
	if len(fresh) > 0 {
		joined = append(joined, view.Joined{UIDs: fresh, Fetch: items})
	}
	return s.sendNew(joined)
}

// itemsOfNew is what NOTIFY has asked for of each new message in the selected
// mailbox, nil if nothing.
func (s *session) itemsOfNew() *imapwire.Fetch {
	if s.notifier == nil || s.notifier.selected == nil || s.notifier.selected.events&eventNew == 0 {
		return nil
	}
	return s.notifier.selected.fetch
}

// sendNew sends one FETCH for each message, with all that is asked for of it.
func (s *session) sendNew(all []view.Joined) error {
	asked := map[uint32]uint32{} // by UID: which of all, as bits; there are fewer than 32
	for i := range all {
		for _, uid := range all[i].UIDs {
			asked[uid] |= 1 << i
		}
	}
	sets := map[uint32]imapwire.SeqSet{} // of UIDs, by those bits
	for uid, bits := range asked {
		sets[bits] = append(sets[bits], imapwire.SeqRange{First: uid, Last: uid})
	}
	for _, bits := range slices.Sorted(maps.Keys(sets)) {
		var items imapwire.Fetch
		for i := range all {
			if bits&(1<<i) != 0 {
				items.Join(all[i].Fetch)
			}
		}
		if _, err := s.view.Fetch(s.ctx, s.w, s.view.ByUID(sets[bits]), &items, false); err != nil {
			return err
		}
	}
	return nil
}

// madeMyself notes messages, by UID, that this client has put into a mailbox: it
// is not told of them (RFC 5465 sections 5 and 5.2), unless others have changed
// the mailbox, too.
func (s *session) madeMyself(e *mboxlist.Entry, uids imapwire.SeqSet) {
	if s.view != nil && s.view.Ref().UniqueID == e.UniqueID {
		s.view.Mine(uids)
		return
	}
	if s.notifier == nil || len(uids) == 0 {
		return
	}
	b := s.notifier.boxes[e.Name]
	if b == nil || !b.readable || b.ref.UniqueID != e.UniqueID {
		return
	}
	m, err := s.site.Store.Open(s.ctx, b.ref, mailbox.Read)
	if err != nil {
		return // then it is told
	}
	defer m.Close()
	h, n := m.Header(), uint32(uids.Count())
	others := h.UIDValidity != b.known.UIDValidity || h.Exists != b.known.Exists+n || h.LastUID != b.known.LastUID+n ||
		h.HighestModseq != b.known.HighestModseq+uint64(n) // each new message takes one
	if !others {
		b.known, b.unseen = h, h.Unseen
	}
}
