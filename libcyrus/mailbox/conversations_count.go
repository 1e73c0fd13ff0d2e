package mailbox

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/errs"
)

// CountConversations counts the conversations of a user anew from his
// mailboxes, as ctl_conversationsdb -R does. say, if not nil, is called for
// each mailbox before it is counted.
func (s *Store) CountConversations(ctx context.Context, user string, say func(Ref)) error {
	return s.withConversations(ctx, user, func(t *conversations.Txn, refs []Ref) error {
		if err := t.Zero(false); err != nil {
			return err
		}
		if err := s.countInto(ctx, t, refs, say); err != nil {
			return err
		}
		return t.Commit(ctx)
	})
}

// AuditConversations compares a user's conversations with a count of his
// mailboxes, and changes nothing. compare gets the database and the
// recounted copy.
func (s *Store) AuditConversations(ctx context.Context, user string, say func(Ref), compare func(have, should *conversations.Txn) error) error {
	return s.withConversations(ctx, user, func(t *conversations.Txn, refs []Ref) error {
		c, err := t.Copy(ctx)
		if err == nil {
			err = c.Zero(true)
		}
		if err == nil {
			err = s.countInto(ctx, c, refs, say)
		}
		if err == nil {
			err = compare(t, c)
		}
		return err
	})
}

// WithConversations calls fn with a user's conversations, while nobody else
// changes them.
func (s *Store) WithConversations(ctx context.Context, user string, fn func(*conversations.Txn) error) error {
	return s.withConversations(ctx, user, func(t *conversations.Txn, _ []Ref) error { return fn(t) })
}

// withConversations calls fn with the namespace of a user locked.
func (s *Store) withConversations(ctx context.Context, user string, fn func(*conversations.Txn, []Ref) error) error {
	if s.o.Conversations == nil || s.o.UserMailboxes == nil {
		return nil
	}
	refs, err := s.o.UserMailboxes(ctx, user)
	if err != nil || len(refs) == 0 {
		return err
	}
	// The lock is that of the whole user.
	m := &Mailbox{store: s}
	defer m.unlockNames()
	if err := m.lockAll(ctx, []string{s.o.Layout.NamespaceLock(refs[0].Name)}, nil); err != nil {
		return err
	}
	t, err := s.o.Conversations.Begin(ctx, user)
	if err != nil {
		return err
	}
	defer t.Close()
	return fn(t, refs)
}

// countInto adds all messages of mailboxes to t.
func (s *Store) countInto(ctx context.Context, t *conversations.Txn, refs []Ref, say func(Ref)) error {
	for _, ref := range refs {
		if !s.keepsConversations(&ref) {
			continue
		}
		if say != nil {
			say(ref)
		}
		m, err := s.openUnder(ctx, ref, Read)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if m.hdr.layout().cid != 0 {
			err = m.joinAs(t, m.folder())
		}
		m.Close()
		if err != nil {
			return err
		}
	}
	return t.DropEmpty()
}

// openUnder is open for who holds the namespace lock already.
func (s *Store) openUnder(ctx context.Context, ref Ref, mode Mode) (*Mailbox, error) {
	b, err := s.box(&ref)
	if err != nil {
		return nil, err
	}
	m := &Mailbox{store: s, box: b, ref: ref, mode: mode}
	p := b.lockPaths(&ref)
	if err = m.lockPaths(ctx, &m.names, []string{p.mailbox}, lockModeOf(mode)); err == nil {
		err = m.lockIndex(ctx)
	}
	if err == nil {
		err = m.readHeads()
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// settle counts the conversations of a mailbox's owner after the mailbox was
// repaired, and then takes the mark from its index that repair has left. With
// found there are messages that have come without an id: they get one.
func (s *Store) settle(ctx context.Context, ref Ref, found bool) error {
	if err := s.CountConversations(ctx, ref.Name.Owner(), nil); err != nil {
		return err
	}
	return s.withSplits(ctx, ref, func() error {
		m, err := s.open(ctx, ref, Write)
		if err != nil {
			return err
		}
		defer m.Close()
		m.begin()
		if found {
			if err := m.setConversations(true); err != nil {
				return err
			}
		}
		m.hdr.Options &^= optDirty
		return m.Commit(ctx)
	})
}

// SetConversations gives or takes the conversation ids of all of a user's
// messages, one mailbox after the other: with assign those that have none get
// one, else all lose theirs (ctl_conversationsdb -b, -z). skipped is called
// for a mailbox that cannot be opened.
func (s *Store) SetConversations(ctx context.Context, user string, assign bool, skipped func(Ref, error)) error {
	if s.o.Conversations == nil || s.o.UserMailboxes == nil {
		return nil
	}
	refs, err := s.o.UserMailboxes(ctx, user)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if !s.keepsConversations(&ref) {
			continue
		}
		err := s.withSplits(ctx, ref, func() error {
			m, err := s.Open(ctx, ref, Write)
			if err != nil {
				skipped(ref, err)
				return nil
			}
			defer m.Close()
			if err = m.setConversations(assign); err == nil {
				err = m.Commit(ctx)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// setConversations changes the ids of m's messages.
func (m *Mailbox) setConversations(assign bool) error {
	if !m.hasConversations() {
		return nil
	}
	var records []Record
	err := m.Each(1, func(r *Record) bool {
		if r.Flags&Unlinked == 0 && (r.CID == 0) == assign {
			records = append(records, *r)
		}
		return true
	})
	for i := range records {
		if err == nil {
			err = m.setConversation(&records[i], assign)
		}
	}
	return err
}

func (m *Mailbox) setConversation(r *Record, assign bool) error {
	m.begin()
	have, err := m.annotsOf(context.Background(), r.UID)
	if err != nil {
		return err
	}
	was, next := *r, have
	c := m.convMessage(r)
	if assign {
		m.startModseqs()
		c.Modseq = m.hdr.HighestModseq + 1
		if err := m.changeConversations(nil, c); err != nil {
			return err
		}
		if c.Base != 0 {
			r.Flags |= SplitConversation
			next = withBase(have, c.Base)
		}
	} else {
		if err := m.changeConversations(c, nil); err != nil {
			return err
		}
		c.CID = 0
		r.Flags &^= SplitConversation
		next = withAnnotation(have, Annotation{Key: annot.Key{Entry: annotBaseThread}})
	}
	if was.Flags&SplitConversation != 0 || c.Base != 0 {
		m.setBase(r, have, next, c.Base)
	}
	m.noConversations++
	err = m.Rewrite(r)
	m.noConversations--
	if err != nil {
		return err
	}
	rw := m.changes.records.get(r.Recno)
	if rw.new.Live() {
		m.hdr.SyncCRCAnnot ^= virtualCRC(&rw.new, m.hdr.Version)
	}
	rw.new.CID, r.CID = c.CID, c.CID
	if rw.new.Live() {
		m.hdr.SyncCRCAnnot ^= virtualCRC(&rw.new, m.hdr.Version)
	}
	return nil
}

// setBase changes the annotation that says from which conversation that of a
// message was split; 0 removes it.
func (m *Mailbox) setBase(r *Record, have, next []Annotation, base uint64) {
	m.count(r, have, -1)
	m.count(r, next, 1)
	a := Annotation{UID: r.UID, Key: annot.Key{Entry: annotBaseThread}, Modseq: m.hdr.HighestModseq + 1}
	if base != 0 {
		a.Value = fmt.Appendf(nil, "%016x", base)
	}
	c := &m.changes
	c.annots, c.messages[r.UID], c.annotsMod = append(c.annots, a), next, a.Modseq
}

// withSplits calls fn, and once more if first the mailbox SplitFolder must be
// made. Without it conversations cannot be given.
func (s *Store) withSplits(ctx context.Context, ref Ref, fn func() error) error {
	err := fn()
	if errors.Is(err, conversations.ErrNoSplits) && s.makeSplits(ctx, ref.Name) {
		return fn()
	}
	return err
}
