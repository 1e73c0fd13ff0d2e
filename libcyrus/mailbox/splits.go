package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
)

// A thread with too many messages goes on in another conversation: the
// annotation newcid/CID of the user's mailbox SplitFolder says in which. It
// lasts before a message is in that one: a crash between leaves an annotation
// that the next message of the thread follows.
//
// Source: message_update_conversations in Cyrus imap/message.c.

// SplitFolder is the name of that mailbox below its owner's INBOX.
const SplitFolder = "#splitconversations"

// NextConversation is the annotation that says how a conversation goes on; its
// value is an id of 16 hex digits.
func NextConversation(cid uint64) annot.Key {
	return annot.Key{Entry: fmt.Sprintf("%snewcid/%016x", annot.Vendor, cid)}
}

// writeSplits makes it last how conversations go on, before the first messages
// are in them. m holds the namespace lock of the owner of both mailboxes.
func (m *Mailbox) writeSplits(ctx context.Context) error {
	splits := m.conv.Splits()
	if len(splits) == 0 {
		return nil
	}
	ref, ok, err := m.store.o.FindSplits(ctx, m.ref.Name.Owner())
	if err != nil {
		return err
	}
	if !ok {
		return errs.New(errs.Internal, "mailbox.Commit", string(m.ref.Name), conversations.ErrNoSplits)
	}
	f, err := m.store.openUnder(ctx, ref, Write)
	if err != nil {
		return err
	}
	defer f.Close()
	f.withoutConv = true
	var changes []annot.Change
	for base, cid := range splits {
		changes = append(changes, annot.Change{Key: NextConversation(base), Value: fmt.Appendf(nil, "%016x", cid), Allowed: true})
	}
	if _, err = f.AnnotateBox(ctx, changes); err != nil {
		return err
	}
	m.conv.Release()
	if err = m.touch(ctx, f); err == nil {
		err = f.Commit(ctx)
	}
	if err == nil {
		clear(splits)
	}
	return err
}

// touch tells the owner's conversations the highest modseq of f, before it is
// so: they may be ahead.
func (m *Mailbox) touch(ctx context.Context, f *Mailbox) error {
	t, err := m.store.o.Conversations.Begin(ctx, m.ref.Name.Owner())
	if err != nil {
		return err
	}
	defer t.Close()
	if err = t.Touch(f.folder(), f.hdr.HighestModseq); err == nil {
		err = t.Commit(ctx)
	}
	return err
}

// needSplits takes the requests that must wait for the mailbox SplitFolder.
func needSplits(reqs []*appendRequest) (wait []*appendRequest) {
	for _, r := range reqs {
		if errors.Is(r.err, conversations.ErrNoSplits) {
			r.err = nil
			wait = append(wait, r)
		}
	}
	return wait
}

// makeSplits makes the mailbox SplitFolder of a user. No lock is held. It
// reports whether threads can be split now: if not, they stay whole.
func (s *Store) makeSplits(ctx context.Context, n mboxname.Name) bool {
	err := s.o.MakeSplits(ctx, n.Owner())
	if err != nil {
		s.o.Log.Error("conversations cannot be split", "user", n.Owner(), "error", err)
	}
	return err == nil
}

// splitFrom is the conversation from which that of a message was split, 0 if it
// was not.
func (m *Mailbox) splitFrom(r *Record) (uint64, error) {
	if r.Flags&SplitConversation == 0 {
		return 0, nil
	}
	as, err := m.MessageAnnotations(context.Background(), r.UID)
	if err != nil {
		return 0, err
	}
	return parseBase(valueOf(as, annot.Key{Entry: annotBaseThread})), nil
}

// parseBase reads the value of the annotation basethrid; 0 if it is none.
func parseBase(v []byte) uint64 {
	if len(v) != 16 {
		return 0
	}
	n, err := strconv.ParseUint(string(v), 16, 64)
	if err != nil {
		return 0
	}
	return n
}

// SplitFrom is the conversation from which that of a message was split, by its
// annotations; 0 if there is none.
func SplitFrom(r *Record, as []Annotation) uint64 {
	if r.Flags&SplitConversation == 0 {
		return 0
	}
	return parseBase(valueOf(as, annot.Key{Entry: annotBaseThread}))
}

// withBase is the annotations of a new message that is in a conversation which
// was split from base.
func withBase(as []Annotation, base uint64) []Annotation {
	return withAnnotation(as, Annotation{Key: annot.Key{Entry: annotBaseThread}, Value: fmt.Appendf(nil, "%016x", base), Quiet: true})
}
