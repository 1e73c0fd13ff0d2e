package main

import (
	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/view"
)

// copyArgs is the arguments of COPY and MOVE.
type copyArgs struct {
	set     imapwire.SeqSet
	mailbox string
}

// parseCopy reads a sequence set and a mailbox (RFC 3501 section 6.4.7, RFC
// 6851).
func parseCopy(r *imapwire.Reader) (a copyArgs, err error) {
	if a.set, err = parseSequenceMore(r); err != nil {
		return a, err
	}
	a.mailbox, err = argument(r)
	return a, err
}

// The four forms of COPY.
func (s *session) copy(a copyArgs) (string, error) {
	return s.transfer(a, transfer{saved: a.set.IsSaved()})
}

func (s *session) uidCopy(a copyArgs) (string, error) {
	return s.transfer(a, transfer{uid: true})
}

func (s *session) move(a copyArgs) (string, error) {
	return s.transfer(a, transfer{move: true, saved: a.set.IsSaved()})
}

func (s *session) uidMove(a copyArgs) (string, error) {
	return s.transfer(a, transfer{uid: true, move: true})
}

// transfer is which form of COPY it is.
type transfer struct {
	uid, move bool
	saved     bool // the messages are "$"
}

// transfer copies or moves messages, also those that have just come: the client
// may know their UIDs from APPEND on another connection.
//
// Source: cmd_copy in Cyrus imap/imapd.c, index_copy in imap/index.c.
func (s *session) transfer(a copyArgs, how transfer) (string, error) {
	if err := s.refresh(false, how.uid); err != nil {
		return "", err
	}
	dst, err := s.destination(a.mailbox, how.move)
	if err != nil {
		return "", err
	}
	t := s.view.BySequence(a.set)
	if how.uid {
		t = s.view.ByUID(a.set)
	}
	if len(t) == 0 {
		if how.uid || how.saved { // RFC 5182 section 2.1
			return "", nil
		}
		return "", errNoMessages
	}
	validity, pairs, err := s.carry(t, dst, how)
	if err != nil {
		return "", err
	}
	done := copied(validity, pairs)
	readable := s.site.List.Rights(s.who, dst).Has(acl.Read)
	if how.move && readable && done != "" {
		s.w.Line("* OK ", done, "Completed")
		done = ""
	}
	if err := s.after(s.refresh(how.move || how.uid, how.uid)); err != nil {
		return "", err
	}
	if done == "" || !readable {
		return "", nil
	}
	return done + "Completed", nil
}

// carry copies the messages. If the user's \Seen is not in the index of the
// destination, his seen database gets it.
func (s *session) carry(t view.Targets, dst *mboxlist.Entry, how transfer) (uint32, []mailbox.CopyPair, error) {
	o := s.copyOptions(dst, how)
	own, err := s.ownsSeen(dst)
	if err != nil {
		return 0, nil, err
	}
	saw := map[uint32]bool{}
	if !own && o.Flags&mailbox.Seen != 0 {
		o.Flags &^= mailbox.Seen
		q := imapwire.Search{Key: imapwire.SearchKey{Op: imapwire.SearchFlag, Flag: imapwire.FlagSeen}}
		if err := s.view.Search(s.ctx, &q, func(f view.Found) { saw[f.UID] = true }); err != nil {
			return 0, nil, err
		}
	}
	var validity uint32
	var pairs []mailbox.CopyPair
	err = s.during(func() (err error) {
		validity, pairs, err = s.site.Store.Copy(s.ctx, s.view.Ref(), s.view.UIDs(t), dst.Ref(), o)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	var seenUIDs []uint32
	for _, p := range pairs {
		if saw[p.Source] {
			seenUIDs = append(seenUIDs, p.Copy)
		}
	}
	s.markOwn(dst, seenUIDs)
	var copies imapwire.SeqSet
	for _, p := range pairs {
		copies = copies.Add(p.Copy)
	}
	s.madeMyself(dst, copies)
	s.transferred(dst, pairs)
	return validity, pairs, nil
}

// destination returns the mailbox to copy to.
func (s *session) destination(name string, move bool) (*mboxlist.Entry, error) {
	if move && (s.view.Examined() || !s.view.Rights().Has(acl.DeleteMessage|acl.Expunge)) {
		if _, err := s.reachable(name); err != nil {
			return nil, err
		}
		return nil, errs.New(errs.Denied, "imapd.move", name, nil)
	}
	return s.reachable(name)
}

// reachable returns a mailbox that the user may put messages into.
func (s *session) reachable(name string) (*mboxlist.Entry, error) {
	n, err := s.internal(name)
	if err != nil {
		return nil, noSuchMailbox(err)
	}
	e, err := s.site.List.Need(s.ctx, s.who, n, acl.Insert)
	if errs.Is(err, errs.NotFound) {
		err = s.tryCreate(n, err)
	}
	return e, err
}

// copyOptions says which flags go along: those that the user may set in the
// destination.
func (s *session) copyOptions(dst *mboxlist.Entry, how transfer) mailbox.CopyOptions {
	rights := s.site.List.Rights(s.who, dst)
	o := mailbox.CopyOptions{
		SessionID: s.conn.SessionID(),
		User:      s.who.User,
		Move:      how.move,
		Seen:      s.view.SeenFunc(),
		Keywords:  rights.Has(acl.Write),
	}
	if rights.Has(acl.Write) {
		o.Flags |= mailbox.Answered | mailbox.Flagged | mailbox.Draft
	}
	if rights.Has(acl.DeleteMessage) {
		o.Flags |= mailbox.Deleted
	}
	if rights.Has(acl.Seen) {
		o.Flags |= mailbox.Seen
	}
	return o
}

// copied is the response code COPYUID (RFC 4315 section 3), with a blank, or
// nothing if no message was left to copy.
func copied(validity uint32, pairs []mailbox.CopyPair) string {
	if len(pairs) == 0 {
		return ""
	}
	var from, to imapwire.SeqSet
	for _, p := range pairs {
		from, to = from.Add(p.Source), to.Add(p.Copy)
	}
	return "[COPYUID " + uintText(validity) + " " + from.String() + " " + to.String() + "] "
}
