package mailbox

import (
	"context"
	"errors"
	"slices"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// Replacement says which message is replaced.
type Replacement struct {
	Ref Ref // its mailbox
	UID uint32
}

// What Replace does, and what a crash after each step leaves:
//
//	1 append, as Append does it          both messages, once it is written
//	2 the old one is expunged, in a      only the new one
//	  commit of its own
//
// In one mailbox nobody else sees it between the steps. If step 2 fails the new
// message is expunged again.

// Replace appends a message and expunges another, of the same mailbox or
// another one: the new message need only fit into the quota as far as it is
// larger. It returns the modseq of the mailbox of the old message afterwards.
// Kinds of error are those of Append, and errs.NoSuchMessage if the old message
// is not there; then nothing is changed.
//
// Source: RFC 8508 section 3.4.
func (s *Store) Replace(ctx context.Context, old Replacement, dst Ref, msg AppendMessage, o AppendOptions) (a Appended, modseq uint64, err error) {
	rec, freed, err := s.replaced(ctx, old)
	if err != nil {
		return Appended{}, 0, err
	}
	o.frees = freed
	same := old.Ref.UniqueID == dst.UniqueID && old.Ref.Name == dst.Name
	if same {
		o.replaces = old.UID
	}
	it, err := msg.prepare(dst.Partition)
	if err != nil {
		return Appended{}, 0, err
	}
	how := CopyOptions{SessionID: o.SessionID, User: o.User}
	done, err := s.append(ctx, dst, []item{it}, o)
	if err == nil && !same {
		err = s.expungeOriginals(context.WithoutCancel(ctx), old.Ref, []Record{rec}, &how)
	}
	if err != nil {
		if len(done) > 0 {
			s.takeBack(ctx, dst, done[0], &how)
		}
		return Appended{}, 0, err
	}
	m, err := s.Open(context.WithoutCancel(ctx), old.Ref, Read)
	if err != nil { // it is done nevertheless
		return done[0], 0, nil
	}
	defer m.Close()
	return done[0], m.Header().HighestModseq, nil
}

// replaced returns the record of a message that is to be replaced, and what
// its quota root gets back.
func (s *Store) replaced(ctx context.Context, old Replacement) (rec Record, f frees, err error) {
	m, err := s.Open(ctx, old.Ref, Read)
	if err != nil {
		return rec, f, err
	}
	defer m.Close()
	rec, err = m.liveRecord(ctx, old.UID)
	if err != nil {
		return rec, f, err
	}
	m.changes.old.AnnotUsed = m.hdr.AnnotUsed
	annots, err := m.annotsOf(ctx, rec.UID)
	return rec, frees{m.head.quotaRoot, usageOf(&rec, annots)}, err
}

// liveRecord returns the record of a message that is there.
func (m *Mailbox) liveRecord(ctx context.Context, uid uint32) (Record, error) {
	rec, ok, err := m.FindUID(uid, 0)
	if err == nil && (!ok || !rec.Live()) {
		err = errs.New(errs.NoSuchMessage, "mailbox.Replace", string(m.ref.Name), nil)
	}
	return rec, err
}

// frees is what a quota root gets back by the rest of an operation.
type frees struct {
	root  mboxname.Name
	usage quota.Usage
}

// usageOf is what a message uses of its quota root.
func usageOf(r *Record, annots []Annotation) (u quota.Usage) {
	u[quota.Message], u[quota.Storage] = 1, int64(r.Size)
	for i := range annots {
		u[quota.AnnotStorage] += int64(len(annots[i].Value))
	}
	return u
}

// canReplace refuses a request whose old message is not there any more, or is
// replaced by another request of the batch.
func (b *batch) canReplace(ctx context.Context, r *appendRequest) error {
	if r.o.replaces == 0 {
		return nil
	}
	for _, other := range b.reqs {
		if other != r && len(other.placed) > 0 && other.o.replaces == r.o.replaces {
			return errs.New(errs.NoSuchMessage, "mailbox.Replace", string(b.m.ref.Name), errors.New("somebody else replaces it"))
		}
	}
	_, err := b.m.liveRecord(ctx, r.o.replaces)
	return err
}

// expungeReplaced expunges what the requests of the batch replace. Their
// messages last already; those whose old message stays have r.err.
func (b *batch) expungeReplaced(ctx context.Context) {
	if !slices.ContainsFunc(b.reqs, func(r *appendRequest) bool { return r.o.replaces != 0 }) {
		return
	}
	err := b.tryExpunge(ctx)
	for _, r := range b.reqs {
		if r.o.replaces != 0 {
			r.err = err
		}
	}
}

func (b *batch) tryExpunge(ctx context.Context) error {
	for _, r := range b.reqs {
		if r.o.replaces == 0 {
			continue
		}
		if r.o.User != "" {
			b.m.Announce(event.Cause{User: r.o.User, Session: r.o.SessionID, Expunge: event.MessageExpunge})
		}
		rec, err := b.m.liveRecord(ctx, r.o.replaces)
		if err == nil {
			err = b.m.Expunge(&rec, r.o.SessionID)
		}
		if err != nil {
			return err
		}
	}
	return b.m.Commit(ctx)
}

// takeBack expunges a message whose operation has failed. If that fails as well
// it stays: it was never acknowledged.
func (s *Store) takeBack(ctx context.Context, ref Ref, a Appended, how *CopyOptions) {
	err := s.expungeMoved(context.WithoutCancel(ctx), ref, []Record{{UID: a.UID, GUID: a.GUID}}, how)
	if err != nil {
		s.o.Log.Warn("a message that could not replace another one stays beside it", "mailbox", ref.Name, "uid", a.UID, "error", err)
	}
}
