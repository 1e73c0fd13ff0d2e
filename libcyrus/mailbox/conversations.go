package mailbox

import (
	"context"
	"errors"

	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/message"
)

// Where conversations are kept (Options.Conversations), each change of a
// record changes the owner's conversations.db too, and modseqs come from his
// counters. What that adds to the steps of Commit:
//
//	2 conversations.db: new records         recovery of the database removes them
//	  the counters, less their directory    too low: check raises them
//	3 conversations.db: links of records    as 2
//	  index with records and the mark       the mark: the next one repairs, and has the
//	                                        conversations of the user counted anew (settle)
//	4 conversations.db is committed         the mark. Power cut: perhaps neither mark
//	                                        nor commit: its modseq of the folder is
//	                                        lower than the index's (check)
//	5 the mark is taken out
//
// What belongs to 2, and to 3, is synced side by side; 4 and 5 are not. A
// conversations.db of another kind than twoskip changes as a whole between 2 and
// 3, when the mark lasts.
//
// The owner's namespace lock, which every writer holds exclusively, guards both
// files.

// folder is m for its owner's conversations.
func (m *Mailbox) folder() conversations.Folder {
	id := m.ref.UniqueID
	if m.head != nil && m.head.uniqueID != "" {
		id = m.head.uniqueID
	}
	return conversations.Folder{Name: string(m.ref.Name), ID: id}
}

// keepsConversations reports whether the messages of a mailbox belong to
// conversations: those of users do that are not deleted.
//
// Source: mailbox_has_conversations_full in Cyrus imap/mailbox.c.
func (s *Store) keepsConversations(r *Ref) bool {
	if s.o.Conversations == nil || r.Name.IsDeleted(s.o.Layout.DeletedPrefix) || r.Name.Owner() == "" {
		return false
	}
	return counters.KindOf(r.Name, r.Type) != counters.Submission
}

// hasConversations reports whether records of m have conversations: their
// version must have a place for the id.
func (m *Mailbox) hasConversations() bool {
	return !m.withoutConv && m.store.o.Conversations != nil && m.hdr.layout().cid != 0 && m.store.keepsConversations(&m.ref)
}

// conversation returns what changes in the owner's conversations.db with the
// next Commit.
func (m *Mailbox) conversation() (*conversations.Txn, error) {
	if m.conv == nil {
		t, err := m.store.o.Conversations.Begin(context.Background(), m.ref.Name.Owner())
		if err != nil {
			return nil, err
		}
		m.conv = t
	}
	return m.conv, nil
}

// closeConversations forgets what is not committed.
func (m *Mailbox) closeConversations() {
	m.closeStage()
	if m.conv != nil {
		m.conv.Close()
		m.conv = nil
	}
	m.convBuf.Free()
}

// convMessage is a record for the owner's conversations.
func (m *Mailbox) convMessage(r *Record) *conversations.Message {
	rec := *r
	return &conversations.Message{
		UID: rec.UID, GUID: conversations.GUID(rec.GUID), CID: rec.CID, Flags: uint32(rec.Flags),
		Modseq: rec.Modseq, CreatedModseq: rec.CreatedModseq,
		InternalDate: uint32(rec.InternalDate), GMTime: uint32(rec.GMTime), Size: rec.Size,
		Has: func(flag string) bool {
			n, ok := m.head.flagNumber(flag)
			return ok && rec.User.Has(n)
		},
		Cache: func() (message.Cache, error) { return m.Cache(&rec, &m.convBuf) },
	}
}

// updateConversations tells the owner's conversations that a record changes.
// old or new may be nil.
func (m *Mailbox) updateConversations(old, new *Record) error {
	t, err := m.conversation()
	if err != nil {
		return err
	}
	var a, b *conversations.Message
	if old != nil {
		a = m.convMessage(old)
	}
	if new != nil {
		b = m.convMessage(new)
	}
	if err := t.Update(m.folder(), a, b, true, false); err != nil {
		return err
	}
	if new != nil {
		new.CID = b.CID
	}
	return nil
}

// changeConversations tells the owner's conversations that a message comes or
// goes.
func (m *Mailbox) changeConversations(old, new *conversations.Message) error {
	t, err := m.conversation()
	if err != nil {
		return err
	}
	return t.Update(m.folder(), old, new, true, false)
}

// converse gives the messages of a request their conversations. After an error
// nothing of the request is left in them.
func (b *batch) converse(r *appendRequest) error {
	m := b.m
	if !m.hasConversations() {
		return nil
	}
	t, err := m.conversation()
	if err != nil {
		return err
	}
	t.Whole = b.whole
	m.startModseqs()
	var done []*conversations.Message
	modseq := m.hdr.HighestModseq
	for i := range r.placed {
		rec := &r.placed[i].rec
		modseq++
		rec.Modseq = modseq
		for _, a := range r.placed[i].annots {
			if !a.Quiet { // see number
				modseq++
			}
		}
		rec.startModseq()
		c := m.convMessage(rec)
		c.Cache = func() (message.Cache, error) {
			cache, _, err := message.ParseCache(r.items[i].cache, int(rec.CacheVersion))
			return cache, err
		}
		if err = t.Update(m.folder(), nil, c, true, !r.o.unlimited); err != nil {
			if !errors.Is(err, conversations.ErrNoSplits) { // what was refused has left its place already
				done = append(done, c)
			}
			break
		}
		rec.CID = c.CID
		if c.Base != 0 {
			rec.Flags |= SplitConversation
			r.placed[i].annots = withBase(r.placed[i].annots, c.Base)
		}
		done = append(done, c)
	}
	if err != nil {
		for _, c := range done {
			err = errors.Join(err, t.Update(m.folder(), c, nil, false, false))
		}
	}
	return err
}

// deconverse takes the messages of a request out of their conversations.
func (b *batch) deconverse(r *appendRequest) error {
	if b.m.conv == nil {
		return nil
	}
	if err := b.m.unstage(); err != nil {
		return err
	}
	for i := range r.placed {
		c := b.m.convMessage(&r.placed[i].rec)
		c.Cache = func() (message.Cache, error) {
			cache, _, err := message.ParseCache(r.items[i].cache, int(r.placed[i].rec.CacheVersion))
			return cache, err
		}
		if err := b.m.conv.Update(b.m.folder(), c, nil, false, false); err != nil {
			return err
		}
	}
	return nil
}

// startModseqs makes the modseqs of this change follow on those of all other
// mailboxes that have the same counters.
//
// Source: mailbox_modseq_dirty in Cyrus imap/mailbox.c.
func (m *Mailbox) startModseqs() {
	c := &m.changes
	if m.store.o.Counters == nil || c.modseqs {
		return
	}
	c.modseqs = true
	h := &m.hdr
	if m.owner() != "" {
		// Nobody else changes them while the namespace is locked.
		n, err := m.store.o.Counters.Read(context.Background(), m.ref.Name)
		if err != nil {
			m.store.o.Log.Error("counters cannot be read", "mailbox", m.ref.Name, "error", err)
		}
		h.HighestModseq = max(h.HighestModseq, n.Modseqs[counters.Highest])
		return
	}
	m.updateCounters(func(n *counters.Counters, k counters.Kind) {
		h.HighestModseq = n.Next(k, 0, h.HighestModseq) - 1
	})
}

// updateCounters changes the counters of m. A failure costs no mail: it is for
// the log, and the mailbox's own highest modseq takes their place.
func (m *Mailbox) updateCounters(fn func(*counters.Counters, counters.Kind)) {
	err := m.store.o.Counters.Update(context.Background(), m.ref.Name, func(n *counters.Counters) {
		fn(n, counters.KindOf(m.ref.Name, m.ref.Type))
	})
	if err != nil {
		m.store.o.Log.Error("counters cannot be changed", "mailbox", m.ref.Name, "error", err)
	}
}

// countModseqs makes the counters at least what m has taken. After a power cut
// they may be less: check raises them again.
func (m *Mailbox) countModseqs(what counters.Change, modseq uint64) {
	if m.store.o.Counters == nil {
		return
	}
	err := m.store.o.Counters.Raise(context.Background(), m.ref.Name, func(n *counters.Counters) {
		n.Raise(counters.KindOf(m.ref.Name, m.ref.Type), what, modseq)
	})
	if err != nil {
		m.store.o.Log.Error("counters cannot be changed", "mailbox", m.ref.Name, "error", err)
	}
}

// newModseqs reports whether this change has taken modseqs.
func (m *Mailbox) newModseqs() bool { return m.hdr.HighestModseq != m.changes.old.HighestModseq }

// prepareConversations brings the folder's own record up to date, and reports
// whether conversations.db changes with this Commit.
func (m *Mailbox) prepareConversations() (bool, error) {
	if m.hasConversations() && (m.newModseqs() || m.conv != nil) {
		t, err := m.conversation()
		if err == nil {
			err = t.Touch(m.folder(), m.hdr.HighestModseq)
		}
		if err != nil {
			return false, err
		}
	}
	return m.conv != nil && m.conv.Dirty(), nil
}

// closeStage gives up what is staged of conversations.db, if it is not
// committed.
func (m *Mailbox) closeStage() {
	if m.convStage != nil {
		m.convStage.Close()
		m.convStage = nil
	}
}

// stageConversations begins to change conversations.db. It returns what is to be
// done beside the other files: where nothing can be staged, the mark must last.
func (m *Mailbox) stageConversations(ctx context.Context) (task func() error, err error) {
	m.convStage, err = m.conv.Stage(ctx)
	if err != nil {
		return nil, err
	}
	if m.convStage == nil {
		return m.file.Datasync, nil
	}
	return m.convStage.Append, nil
}

// commitConversations makes what changes in conversations.db last, if that is
// not staged. From then on the mark stays in the index until that is written
// too.
func (m *Mailbox) commitConversations() error {
	if m.conv == nil || !m.conv.Dirty() || m.convStage != nil {
		return nil
	}
	m.changes.conversed = true
	return m.conv.Commit(context.Background())
}

// unstage is for changes of conversations after they were staged: it goes back
// to where they were not.
func (m *Mailbox) unstage() error {
	if m.convStage == nil {
		return nil
	}
	m.closeStage()
	return m.file.Datasync() // the mark
}
