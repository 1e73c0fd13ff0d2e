package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/errs"
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
