package main

import (
	"context"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/seen"
)

// takeSeen takes \Seen off a message that is stored for somebody whose \Seen
// is not in the mailbox's index, and reports whether it did: then it belongs
// into his seen database.
//
// Source: append_setseen in Cyrus imap/append.c.
func (s *session) takeSeen(ctx context.Context, e *mboxlist.Entry, user string, m *mailbox.AppendMessage) (bool, error) {
	if m.Flags&mailbox.Seen == 0 || e.Name.Owner() == user {
		return false, nil
	}
	box, err := s.site.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return false, err
	}
	defer box.Close()
	if box.OwnsSeen(user) {
		return false, nil
	}
	m.Flags &^= mailbox.Seen
	return true, nil
}

// seenTries is how often markSeen waits for the mailbox.
const seenTries = 6

// markSeen notes in a user's seen database that he has seen a message. It is
// in the mailbox already, so that an error is only logged.
func (s *session) markSeen(ctx context.Context, e *mboxlist.Entry, user string, uid uint32) {
	ctx = context.WithoutCancel(ctx)
	err := s.addSeen(ctx, e, user, uid)
	for tries := 1; errs.Is(err, errs.Locked) && tries < seenTries; tries++ {
		err = s.addSeen(ctx, e, user, uid)
	}
	if err != nil {
		s.log.Error("seen state of a new message is lost", "mailbox", string(e.Name), "user", user, "error", err)
	}
}

// addSeen adds a message to what the user has seen. Meanwhile the mailbox is
// locked: a session of his writes all that he has seen, as it was when it
// locked it.
func (s *session) addSeen(ctx context.Context, e *mboxlist.Entry, user string, uid uint32) error {
	box, err := s.site.Store.Open(ctx, e.Ref(), mailbox.Write)
	if err != nil {
		return err
	}
	defer box.Close()
	return s.site.Seen.Update(ctx, box.SeenUser(user), e.UniqueID, func(st *seen.State) {
		st.Seen = st.Seen.Add(uid, uid)
	})
}
