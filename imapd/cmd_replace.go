package main

import (
	"strconv"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/quota"
)

// replace puts a message in the place of another, which is named by its
// sequence number (RFC 8508).
func (s *session) replace(r *imapwire.Reader) (string, error) { return s.replaceOne(r, false) }

// uidReplace is replace with a UID.
func (s *session) uidReplace(r *imapwire.Reader) (string, error) { return s.replaceOne(r, true) }

// replaceOne does a REPLACE. Whether that is allowed at all is looked at before
// the client is asked for the message.
func (s *session) replaceOne(r *imapwire.Reader, byUID bool) (string, error) {
	inner(r, "Replace")
	set, err := parseReplaced(r)
	if err != nil {
		return "", err
	}
	name, err := argument(r)
	if err != nil {
		return "", err
	}
	if !r.Space() {
		return "", missing(r, errMissing)
	}
	uid, err := s.replaced(set, byUID)
	if err != nil {
		return "", err
	}
	e, err := s.reachable(name)
	if err != nil {
		return "", err
	}
	m, err := s.receive(r, e)
	if m != nil {
		defer m.Staged.Remove()
	}
	if err == nil {
		s.annotate(e, m)
	}
	if err == nil && !r.EOL() {
		err = orWrong(r, nil, "junk after literal")
	}
	if err != nil {
		return "", err
	}
	return s.putInPlace(uid, byUID, e, m)
}

// parseReplaced reads the number of one message, or "*".
func parseReplaced(r *imapwire.Reader) (imapwire.SeqSet, error) {
	if !r.Space() || r.AtEOL() {
		return nil, missing(r, errMissing)
	}
	word := r.Word()
	if word == "*" {
		return imapwire.SeqSet{{First: imapwire.Star, Last: imapwire.Star}}, r.Err()
	}
	n, err := strconv.ParseUint(word, 10, 32)
	if err != nil || n == 0 || n == imapwire.Star {
		return nil, orWrong(r, nil, imapwire.SyntaxError("Invalid sequence in "+r.Command))
	}
	return imapwire.SeqSet{{First: uint32(n), Last: uint32(n)}}, r.Err()
}

// replaced returns the UID of the message to be replaced, if the user may
// remove it (RFC 8508 section 4.1).
func (s *session) replaced(set imapwire.SeqSet, byUID bool) (uint32, error) {
	t := s.view.BySequence(set)
	if byUID {
		t = s.view.ByUID(set)
	}
	if len(t) == 0 {
		return 0, refusal(codes[errs.NotFound] + string(errNoMessages))
	}
	if s.view.Examined() || !s.view.Rights().Has(acl.DeleteMessage|acl.Expunge) {
		return 0, errs.New(errs.Denied, "imapd.replace", string(s.view.Ref().Name), nil)
	}
	return s.view.UID(t[0].First), nil
}

// putInPlace appends a message and removes that with a UID.
func (s *session) putInPlace(uid uint32, byUID bool, e *mboxlist.Entry, m *mailbox.AppendMessage) (string, error) {
	rights := s.site.List.Rights(s.who, e)
	allowedFlags(m, rights)
	saw := false
	if m.Flags&mailbox.Seen != 0 {
		own, err := s.ownsSeen(e)
		if err != nil {
			return "", err
		}
		if saw = !own; saw {
			m.Flags &^= mailbox.Seen
		}
	}
	o := mailbox.AppendOptions{SessionID: s.conn.SessionID(), Event: event.MessageAppend, User: s.who.User}
	if s.noQuota {
		o.Check = &quota.Usage{}
	}
	a, modseq, err := s.site.Store.Replace(s.ctx, mailbox.Replacement{Ref: s.view.Ref(), UID: uid}, e.Ref(), *m, o)
	if errs.Is(err, errs.NoSuchMessage) {
		return "", refusal("[EXPUNGEISSUED] " + plain(err)) // somebody else was faster
	}
	if err != nil {
		return "", err
	}
	if saw {
		s.markOwn(e, []uint32{a.UID})
	}
	s.madeMyself(e, imapwire.SeqSet{{First: a.UID, Last: a.UID}})
	s.appended(e, []mailbox.Appended{a})
	if rights.Has(acl.Read) { // else he is told nothing of the mailbox
		s.w.Line("* OK [APPENDUID ", uintText(a.UIDValidity), " ", uintText(a.UID), "] Replacement ready")
	}
	if err := s.after(s.view.Refresh(s.ctx)); err != nil {
		return "", err
	}
	s.view.ReportNew(s.w) // before others go: see the examples of RFC 8508
	s.view.Report(s.w, true, byUID)
	if modseq == 0 {
		return "", nil
	}
	return "[HIGHESTMODSEQ " + uintText(modseq) + "] Completed", nil
}
