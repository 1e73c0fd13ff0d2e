package main

import (
	"strconv"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/view"
)

// parseSelect reads the name of a mailbox; there are no modifiers yet
// (RFC 4466 section 2.1).
func parseSelect(r *imapwire.Reader) (string, error) {
	name, err := argument(r)
	if err == nil && r.Space() {
		err = imapwire.SyntaxError("Invalid modifier list in " + r.Command)
	}
	return name, err
}

// selectMailbox selects a mailbox (RFC 3501 section 6.3.1).
func (s *session) selectMailbox(name string) (string, error) { return s.open(name, false) }

// examine selects a mailbox without changing anything (RFC 3501 section
// 6.3.2).
func (s *session) examine(name string) (string, error) { return s.open(name, true) }

// open selects a mailbox. Another one that was selected is left in any case.
//
// Source: cmd_select in Cyrus imap/imapd.c.
func (s *session) open(external string, examine bool) (string, error) {
	if s.view != nil {
		s.leave()
		s.w.Line("* OK [CLOSED] Ok")
	}
	n, err := s.internal(external)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	if n.IsDeleted(s.site.Layout.DeletedPrefix) && !s.who.Admin {
		return "", errs.New(errs.NotFound, "imapd.select", external, nil)
	}
	e, err := s.site.List.Need(s.ctx, s.who, n, acl.Read)
	if e != nil && e.Kind() != mboxlist.Email && e.Kind() != mboxlist.News && !errs.Is(err, errs.NotFound) {
		return "", refusal("[CANNOT] Invalid mailbox type")
	}
	if err != nil {
		return "", err
	}
	v, sel, err := view.Open(s.ctx, e.Ref(), s.viewOptions(e, examine || config.Readonly.In(s.conf)))
	if err != nil {
		return "", err
	}
	v.Allow(s.site.List.Rights(s.who, e))
	s.view = v
	if sel.QuotaRoot != "" {
		s.warnQuota(n)
	}
	s.describe(sel)
	if v.ReadOnly() {
		return "[READ-ONLY] Completed", nil
	}
	return "[READ-WRITE] Completed", nil
}

// viewOptions is how the user sees a mailbox.
func (s *session) viewOptions(e *mboxlist.Entry, examine bool) view.Options {
	return view.Options{
		Store:   s.site.Store,
		Seen:    s.site.Seen,
		User:    s.who.User,
		Rights:  s.rightsOn(e),
		Examine: examine,
		Folding: message.Folding{
			Whitespace:     whitespace[config.SearchWhitespace.In(s.conf)],
			KeepDiacritics: !config.SearchSkipdiacrit.In(s.conf),
			SkipHTML:       config.SearchSkiphtml.In(s.conf),
		},
		SessionID:      s.conn.SessionID(),
		MaxHeaderLines: config.Maxheaderlines.In(s.conf),
		Log:            s.log,
	}
}

// whitespace is the values of search_whitespace.
var whitespace = map[string]message.Whitespace{
	"merge": message.MergeWhitespace,
	"skip":  message.SkipWhitespace,
	"keep":  message.KeepWhitespace,
}

// rightsOn returns what tells the user's rights from the ACL of a mailbox.
func (s *session) rightsOn(e *mboxlist.Entry) func(acl string) acl.Rights {
	entry := *e
	return func(text string) acl.Rights {
		entry.ACL = acl.ParseList(text)
		return s.site.List.Rights(s.who, &entry)
	}
}

// describe tells the client about the mailbox that it has selected.
//
// Source: index_select in Cyrus imap/index.c.
func (s *session) describe(sel *view.Selected) {
	w := s.w
	w.Line("* ", strconv.Itoa(sel.Exists), " EXISTS")
	w.Line("* ", strconv.Itoa(sel.Recent), " RECENT")
	s.view.WriteFlags(w)
	if sel.FirstUnseen != 0 {
		w.Line("* OK [UNSEEN ", uintText(sel.FirstUnseen), "] Ok")
	}
	w.Line("* OK [UIDVALIDITY ", uintText(sel.UIDValidity), "] Ok")
	w.Line("* OK [UIDNEXT ", uintText(sel.UIDNext), "] Ok")
	w.Line("* OK [HIGHESTMODSEQ ", uintText(sel.HighestModseq), "] Ok")
	if sel.UniqueID != "" {
		w.Line("* OK [MAILBOXID (", sel.UniqueID, ")] Ok")
	}
}

// leave deselects the mailbox.
func (s *session) leave() { s.view = nil }

// uintText is n in digits.
func uintText[T uint32 | uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }

// count is "3 of 5".
func count(n, of int) string { return strconv.Itoa(n) + " of " + strconv.Itoa(of) }
