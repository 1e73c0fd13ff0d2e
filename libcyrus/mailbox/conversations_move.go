package mailbox

import (
	"context"
	"os"

	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/counters"
)

// leaveConversations takes all messages of m out of the conversations of its
// owner: m is deleted, or becomes another user's.
//
// Source: mailbox_delete_conversations in Cyrus imap/mailbox.c.
func (m *Mailbox) leaveConversations() error {
	if !m.hasConversations() {
		return nil
	}
	t, err := m.conversation()
	if err != nil {
		return err
	}
	err = m.eachConversed(func(c *conversations.Message) error {
		return t.Update(m.folder(), c, nil, false, false)
	})
	if err == nil {
		t.Drop(m.folder())
	}
	return err
}

// joinConversations puts all messages of m, which have kept their
// conversations, into those of its owner.
//
// Source: mailbox_add_conversations in Cyrus imap/mailbox.c.
func (m *Mailbox) joinConversations() error {
	if !m.hasConversations() {
		return nil
	}
	t, err := m.conversation()
	if err == nil {
		err = m.joinAs(t, m.folder())
	}
	return err
}

// joinAs puts all messages of m into t, as a folder.
func (m *Mailbox) joinAs(t *conversations.Txn, f conversations.Folder) error {
	t.StartFolder(f, m.hdr.HighestModseq)
	return m.eachConversed(func(c *conversations.Message) error {
		return t.Update(f, nil, c, true, false)
	})
}

// eachConversed calls fn for the messages of m that have a conversation.
func (m *Mailbox) eachConversed(fn func(*conversations.Message) error) error {
	var failed error
	err := m.Each(1, func(r *Record) bool {
		if r.CID != 0 && r.Flags&Unlinked == 0 {
			c := m.convMessage(r)
			if c.Base, failed = m.splitFrom(r); failed == nil {
				failed = fn(c)
			}
		}
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	return err
}

// conversationsMove is what a new name of a mailbox means for conversations.
type conversationsMove struct {
	joins bool // its messages come into those of the new owner
}

// moveConversations is for a mailbox that gets another name: its messages
// leave the conversations of its owner if they cannot stay.
func (m *Mailbox) moveConversations(ctx context.Context, to Ref) (how conversationsMove, err error) {
	s := m.store
	if s.o.Conversations == nil || m.hdr.layout().cid == 0 || m.ref.Name == to.Name {
		return how, nil
	}
	was, is := s.keepsConversations(&m.ref), s.keepsConversations(&to)
	if was && is {
		from, err := s.o.Conversations.Path(ctx, m.ref.Name.Owner())
		if err != nil {
			return how, err
		}
		path, err := s.o.Conversations.Path(ctx, to.Name.Owner())
		if err != nil {
			return how, err
		}
		if from == path {
			t, err := m.conversation()
			if err != nil {
				return how, err
			}
			return how, t.Rename(m.folder(), conversations.Folder{Name: string(to.Name), ID: m.folder().ID})
		}
	}
	how.joins = is
	if was {
		err = m.leaveConversations()
	}
	return how, err
}

// leaveForGood commits what moveConversations did, for a mailbox that goes
// to another directory. Until it is there the mark stays.
func (m *Mailbox) leaveForGood() error {
	if m.conv == nil && m.hasConversations() && m.newModseqs() { // the directory alone changes
		if _, err := m.conversation(); err != nil {
			return err
		}
	}
	if m.conv == nil {
		return nil
	}
	if err := m.conv.Touch(m.folder(), m.hdr.HighestModseq); err != nil || !m.conv.Dirty() {
		return err
	}
	mark := m.changes.old
	mark.Options |= optDirty
	if _, err := m.file.WriteAt(mark.encode(), 0); err != nil {
		return err
	}
	if err := m.file.Datasync(); err != nil {
		return err
	}
	return m.conv.Commit(context.Background())
}

// joinFrom puts the messages of m, which are those of n now, into the
// conversations of n's owner, and takes the mark from n's index.
func (m *Mailbox) joinFrom(ctx context.Context, n *Mailbox) error {
	t, err := m.store.o.Conversations.Begin(ctx, n.ref.Name.Owner())
	if err != nil {
		return err
	}
	defer t.Close()
	if err = m.joinAs(t, n.folder()); err == nil {
		err = t.Commit(ctx)
	}
	if err != nil {
		return err
	}
	f, err := m.store.o.FS.OpenFile(n.box.paths.index, os.O_RDWR, fileMode)
	if err != nil {
		return err
	}
	defer f.Close()
	h := m.hdr
	h.HeaderCRC = n.hdr.HeaderCRC
	h.Options &^= optDirty
	if _, err = f.WriteAt(h.encode(), 0); err == nil {
		err = f.Sync()
	}
	return err
}

// startFolder makes the owner's conversations know a new mailbox.
func (m *Mailbox) startFolder() error {
	if !m.hasConversations() {
		return nil
	}
	t, err := m.conversation()
	if err == nil {
		t.StartFolder(m.folder(), m.hdr.HighestModseq)
		err = t.Commit(context.Background())
	}
	m.closeConversations()
	return err
}

// takeNumbers gives a new mailbox its UIDVALIDITY and first modseq from the
// counters.
func (m *Mailbox) takeNumbers(o *CreateOptions) {
	if m.store.o.Counters == nil {
		return
	}
	m.updateCounters(func(n *counters.Counters, k counters.Kind) {
		if o.UIDValidity == 0 {
			o.UIDValidity = n.NextUIDValidity(max(uint32(now()), o.MinValidity, 1) - 1)
		} else {
			n.UIDValidity = max(n.UIDValidity, o.UIDValidity)
		}
		if o.Modseq == 0 {
			o.Modseq = n.Next(k, counters.Folder, 0)
		} else {
			n.Raise(k, counters.Folder, o.Modseq)
		}
	})
}

// clearCleanup takes NeedsCleanup from records before a repack does, so that
// conversations know.
func (m *Mailbox) clearCleanup(ctx context.Context) error {
	if !m.hasConversations() {
		return nil
	}
	var records []Record
	err := m.Each(1, func(r *Record) bool {
		if r.Flags&(NeedsCleanup|Unlinked) == NeedsCleanup {
			records = append(records, *r)
		}
		return true
	})
	if err != nil || len(records) == 0 {
		return err
	}
	for i := range records {
		records[i].Flags &^= NeedsCleanup
		if err := m.RewriteSilent(&records[i]); err != nil {
			return err
		}
	}
	return m.Commit(ctx)
}
