package mboxlist

import (
	"context"
	"slices"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// renameInbox moves the messages of the user's INBOX to a new mailbox, as one
// operation; the folders below it stay (RFC 3501 section 6.3.5).
func (l *List) renameInbox(ctx context.Context, who Actor, inbox *Entry, to mboxname.Name) error {
	last, some, err := l.lastUID(ctx, inbox)
	if err != nil {
		return err
	}
	if !some {
		if _, err = l.Create(ctx, who, to, CreateOptions{}); err == nil {
			err = errs.New(errs.NoSuchMessage, "mboxlist.Rename", string(inbox.Name), nil)
		}
		return err
	}
	p, err := l.mayCreate(ctx, who, to, CreateOptions{})
	if err != nil {
		return err
	}
	makes := l.makeSteps(p, p.missing, to, CreateOptions{})
	todo := append(slices.Clone(makes), step{Do: stepEmpty, Name: inbox.Name, ID: inbox.UniqueID, To: to, Last: last})
	return l.asOne(ctx, who, todo, func(took func()) error {
		dst, err := l.takeMakes(ctx, who, makes, took)
		if err == nil {
			err = l.empty(ctx, who, inbox, dst, last)
		}
		return err
	})
}

// lastUID is the last UID that a mailbox has given, and whether it has messages.
func (l *List) lastUID(ctx context.Context, e *Entry) (last uint32, some bool, err error) {
	box, err := l.o.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return 0, false, err
	}
	defer box.Close()
	h := box.Header()
	return h.LastUID, h.Exists > 0, nil
}

// empty moves the messages of a mailbox up to a UID to another one. Those that a
// process has copied before it was killed are only expunged.
func (l *List) empty(ctx context.Context, who Actor, from, to *Entry, last uint32) error {
	copied := map[mailbox.GUID]int{}
	err := l.eachLive(ctx, to, func(r *mailbox.Record) { copied[r.GUID]++ })
	if err != nil {
		return err
	}
	var move, there []uint32
	err = l.eachLive(ctx, from, func(r *mailbox.Record) {
		switch {
		case r.UID > last:
		case copied[r.GUID] > 0:
			copied[r.GUID]--
			there = append(there, r.UID)
		default:
			move = append(move, r.UID)
		}
	})
	if err == nil && len(there) > 0 {
		err = l.expunge(ctx, who, from, there)
	}
	if err == nil && len(move) > 0 {
		_, _, err = l.o.Store.Copy(ctx, from.Ref(), move, to.Ref(), mailbox.CopyOptions{
			SessionID: who.SessionID, User: who.User, Move: true, Flags: mailbox.SystemMask, Keywords: true,
		})
	}
	return err
}

// eachLive calls fn for the messages of a mailbox.
func (l *List) eachLive(ctx context.Context, e *Entry, fn func(*mailbox.Record)) error {
	box, err := l.o.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return err
	}
	defer box.Close()
	return box.Each(1, func(r *mailbox.Record) bool {
		if r.Live() {
			fn(r)
		}
		return true
	})
}

func (l *List) expunge(ctx context.Context, who Actor, e *Entry, uids []uint32) error {
	box, err := l.o.Store.Open(ctx, e.Ref(), mailbox.Write)
	if err != nil {
		return err
	}
	defer box.Close()
	box.Announce(event.Cause{User: who.User, Session: who.SessionID, Expunge: event.MessageExpunge})
	for _, uid := range uids {
		r, ok, err := box.FindUID(uid, 0)
		if err == nil && ok {
			err = box.Expunge(&r, who.SessionID)
		}
		if err != nil {
			return err
		}
	}
	return box.Commit(ctx)
}

// finishEmpty goes on with empty.
func (l *List) finishEmpty(ctx context.Context, who Actor, s *step) error {
	from, err := l.where(ctx, s.ID)
	if err != nil || from == nil || from.Name != s.Name {
		return err
	}
	to, err := l.Lookup(ctx, s.To)
	if err != nil {
		return err
	}
	return l.empty(ctx, who, from, to, s.Last)
}
