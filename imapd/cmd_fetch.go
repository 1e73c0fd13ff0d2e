package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
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
		if !r.Accept('(') {
			return a, orWrong(r, nil, imapwire.SyntaxError("Missing required open parenthesis in "+r.Command+" modifiers"))
		}
		err = parseFetchModifiers(r, &a)
	}
	return a, err
}

// parseFetchModifiers reads what follows the parenthesis behind the items
// (RFC 7162 sections 3.1.4.1 and 3.2.6).
func parseFetchModifiers(r *imapwire.Reader, a *fetchArgs) (err error) {
	for {
		switch word := strings.ToUpper(r.Word()); {
		case word == "CHANGEDSINCE":
			if a.items.ChangedSince, err = parseModseq(r, word); err != nil {
				return err
			}
			a.items.Items |= imapwire.FetchModseq
		case word == "PARTIAL" && strings.HasPrefix(r.Command, "UID ") && offers(r, word) && a.items.Partial == (imapwire.Partial{}):
			if a.items.Partial, err = r.Partial(r.Command); err != nil {
				return err
			}
		case word == "VANISHED" && strings.HasPrefix(r.Command, "UID "):
			a.items.Vanished = true
		default:
			return badModifier(r, word)
		}
		if !r.Space() {
			break
		}
	}
	if !r.Accept(')') {
		return orWrong(r, nil, imapwire.SyntaxError("Missing close parenthesis in "+r.Command))
	}
	return nil
}

// offers reports whether a capability is there for the client.
func offers(r *imapwire.Reader, capability string) bool {
	return r.Offers == nil || r.Offers(capability)
}

// badModifier is the error of a modifier that is not known, or not now.
func badModifier(r *imapwire.Reader, word string) error {
	return orWrong(r, nil, imapwire.SyntaxError("Invalid "+r.Command+" modifier "+word))
}

// parseModseq reads a blank and the number after a modifier.
func parseModseq(r *imapwire.Reader, modifier string) (uint64, error) {
	if !r.Space() {
		return 0, orWrong(r, nil, imapwire.SyntaxError("Missing required argument to "+r.Command+" "+modifier))
	}
	n, err := r.Modseq()
	if err != nil {
		return 0, orWrong(r, nil, imapwire.SyntaxError("Invalid argument to "+r.Command+" "+modifier))
	}
	return n, nil
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
	return s.send(&a, false)
}

// uidFetch sends data of messages by UID.
func (s *session) uidFetch(a fetchArgs) (string, error) {
	return s.send(&a, true)
}

// conversed is the items that are not there without conversations.
var conversed = []struct {
	item imapwire.FetchItem
	name string
}{
	{imapwire.FetchCID, "CID"}, {imapwire.FetchBaseCID, "BASECID"},
	{imapwire.FetchMailboxes, "MAILBOXES"}, {imapwire.FetchMailboxIDs, "MAILBOXIDS"},
}

// send answers a FETCH.
//
// Source: cmd_fetch in Cyrus imap/imapd.c.
func (s *session) send(a *fetchArgs, uid bool) (string, error) {
	start := time.Now()
	if s.site.Conversations == nil {
		for _, x := range conversed {
			if a.items.Items&x.item != 0 {
				return "", imapwire.SyntaxError("Invalid " + s.r.Command + " attribute " + x.name)
			}
		}
	}
	switch {
	case s.client.Rev2 && usesRFC822(&a.items):
		return "", imapwire.SyntaxError("Invalid " + s.r.Command + " attribute RFC822")
	case a.items.Vanished && !s.client.QResync:
		return "", imapwire.SyntaxError("Invalid UID Fetch modifier VANISHED")
	case a.items.Vanished && a.items.ChangedSince == 0:
		return "", s.r.Missing()
	}
	if a.items.Items&imapwire.FetchModseq != 0 {
		s.useCondstore("MODSEQ fetch")
	}
	changed := func() {}
	if a.items.Items&imapwire.FetchSetSeen != 0 {
		changed = s.watchFlags(a.set, uid) // RFC 6785 section 2.2.3
	}
	found, err := s.view.Fetch(s.ctx, s.w, a.set, &a.items, uid)
	if s.view.Deleted() {
		return "", refusal(codes[errs.NotFound] + errs.NotFound.String() + took(start))
	}
	if err != nil {
		return "", err
	}
	changed()
	if err := s.refresh(uid, uid); err != nil {
		return "", err
	}
	if !found && !uid && !a.set.IsSaved() {
		return "", refusal("No matching messages" + took(start))
	}
	return "Completed" + took(start), nil
}

// usesRFC822 reports whether items are asked for that IMAP4rev2 has no more (RFC
// 9051 appendix E).
func usesRFC822(f *imapwire.Fetch) bool {
	return f.Items&(imapwire.FetchRFC822|imapwire.FetchRFC822Header|imapwire.FetchRFC822Text) != 0 ||
		slices.ContainsFunc(f.Sections, func(s imapwire.Section) bool {
			return s.Part == imapwire.PartLines || s.Part == imapwire.PartLinesNot
		})
}

// took is how long a FETCH took.
func took(start time.Time) string { return fmt.Sprintf(" (%.3f sec)", time.Since(start).Seconds()) }
