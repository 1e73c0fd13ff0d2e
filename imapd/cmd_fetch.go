package main

import (
	"fmt"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/view"
)

// fetchArgs is the arguments of FETCH.
type fetchArgs struct {
	set   imapwire.SeqSet
	items imapwire.Fetch
}

// parseFetch reads the arguments of FETCH (RFC 3501 section 6.4.5).
func parseFetch(r *imapwire.Reader) (a fetchArgs, err error) {
	if a.set, err = parseSequenceMore(r); err != nil {
		return a, err
	}
	if !r.Space() {
		return a, r.Missing()
	}
	inner(r, "Fetch")
	if a.items, err = r.Fetch(); err == nil && r.Space() {
		err = imapwire.SyntaxError("Missing required open parenthesis in " + r.Command + " modifiers")
	}
	return a, err
}

// inner changes the name of a command in texts: behind the sequence set
// Cyrus calls "Uid" by its full name.
func inner(r *imapwire.Reader, name string) {
	if r.Command == "Uid" {
		r.Command = "UID " + name
	}
}

// fetch sends data of messages by sequence number.
func (s *session) fetch(a fetchArgs) (string, error) {
	return s.send(s.view.BySequence(a.set), &a.items, false)
}

// uidFetch sends data of messages by UID.
func (s *session) uidFetch(a fetchArgs) (string, error) {
	return s.send(s.view.ByUID(a.set), &a.items, true)
}

// send answers a FETCH.
//
// Source: cmd_fetch in Cyrus imap/imapd.c.
func (s *session) send(t view.Targets, items *imapwire.Fetch, uid bool) (string, error) {
	start := time.Now()
	err := s.view.Fetch(s.ctx, s.w, t, items, uid)
	if s.view.Deleted() {
		return "", refusal(codes[errs.NotFound] + errs.NotFound.String() + took(start))
	}
	if err != nil {
		return "", err
	}
	if err := s.refresh(uid, uid); err != nil {
		return "", err
	}
	if len(t) == 0 && !uid {
		return "", refusal("No matching messages" + took(start))
	}
	return "Completed" + took(start), nil
}

// took is how long a FETCH took.
func took(start time.Time) string { return fmt.Sprintf(" (%.3f sec)", time.Since(start).Seconds()) }
