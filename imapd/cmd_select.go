package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/view"
)

// selectArgs is the arguments of SELECT.
type selectArgs struct {
	mailbox   string
	condstore bool
	resync    *view.Resync // nil: not asked for
}

// parseSelect reads the name of a mailbox and modifiers (RFC 4466 section
// 2.1, RFC 7162 sections 3.1.8 and 3.2.5).
func parseSelect(r *imapwire.Reader) (a selectArgs, err error) {
	if a.mailbox, err = argument(r); err != nil || !r.Space() {
		return a, err
	}
	bad := imapwire.SyntaxError("Invalid modifier list in " + r.Command)
	if !r.Accept('(') {
		return a, orWrong(r, nil, bad)
	}
	for {
		switch word := strings.ToUpper(r.Word()); word {
		case "":
			return a, orWrong(r, nil, bad)
		case "ANNOTATE": // RFC 5257 section 4.1: the answers are the same
		case "CONDSTORE":
			a.condstore = true
		case "QRESYNC":
			a.resync = &view.Resync{}
			if !parseResync(r, a.resync) {
				return a, orWrong(r, nil, imapwire.SyntaxError("Invalid QRESYNC parameter list in "+r.Command))
			}
		default:
			return a, badModifier(r, word)
		}
		if !r.Space() {
			break
		}
	}
	if !r.Accept(')') {
		return a, orWrong(r, nil, imapwire.SyntaxError("Missing close parenthesis in "+r.Command))
	}
	return a, nil
}

// parseResync reads the parameters of QRESYNC, with the blank before them.
//
// Source: parse_qresync_param in Cyrus imap/imapd.c.
func parseResync(r *imapwire.Reader, p *view.Resync) bool {
	if !r.Space() || !r.Accept('(') {
		return false
	}
	var err error
	if p.UIDValidity, err = r.Number(); err != nil || p.UIDValidity == 0 || !r.Space() {
		return false
	}
	if p.Modseq, err = r.Modseq(); err != nil {
		return false
	}
	more := r.Space()
	if c, _ := r.Peek(); more && c != '(' {
		var ok bool
		if p.Known, ok = imapwire.ParseSeqSet(r.Word()); !ok {
			return false
		}
		more = r.Space()
	}
	if more && !parseMatch(r, p) {
		return false
	}
	return r.Accept(')')
}

// parseMatch reads sequence numbers and their UIDs in parentheses.
func parseMatch(r *imapwire.Reader, p *view.Resync) bool {
	if !r.Accept('(') {
		return false
	}
	var ok bool
	if p.MatchSeq, ok = imapwire.ParseSeqSet(r.Word()); !ok || !r.Space() {
		return false
	}
	if p.MatchUIDs, ok = imapwire.ParseSeqSet(r.Word()); !ok {
		return false
	}
	return r.Accept(')')
}

// selectMailbox selects a mailbox (RFC 3501 section 6.3.1).
func (s *session) selectMailbox(a selectArgs) (string, error) { return s.open(&a, false) }

// examine selects a mailbox without changing anything (RFC 3501 section
// 6.3.2).
func (s *session) examine(a selectArgs) (string, error) { return s.open(&a, true) }

// open selects a mailbox. Another one that was selected is left in any case.
//
// Source: cmd_select in Cyrus imap/imapd.c.
func (s *session) open(a *selectArgs, examine bool) (string, error) {
	external := a.mailbox
	if a.resync != nil && !s.client.QResync {
		return "", imapwire.SyntaxError("Invalid " + s.r.Command + " modifier QRESYNC")
	}
	if a.resync != nil && a.resync.MatchSeq != nil && s.client.UIDOnly {
		return "", errUIDRequired
	}
	s.client.Condstore = s.client.Condstore || a.condstore
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
	if sel.QuotaRoot != "" && !v.Examined() && v.Rights().Has(acl.Expunge) {
		s.warnQuota(sel.QuotaRoot)
	}
	s.describe(sel)
	if s.client.Rev2 {
		s.tellName(e.Name, external)
	}
	if a.resync != nil {
		if err := v.Resync(s.ctx, s.w, a.resync); err != nil {
			s.leave()
			return "", err
		}
	}
	if v.ReadOnly() {
		return "[READ-ONLY] Completed", nil
	}
	return "[READ-WRITE] Completed", nil
}

// viewOptions is how the user sees a mailbox.
func (s *session) viewOptions(e *mboxlist.Entry, examine bool) view.Options {
	return view.Options{
		Store:             s.site.Store,
		Seen:              s.site.Seen,
		User:              s.who.User,
		Rights:            s.rightsOn(e),
		Examine:           examine,
		Folder:            s.ns.ExternalOr(e.Name),
		Internal:          s.ns.Internal,
		PreviewAnnotation: config.JmapPreviewAnnot.In(s.conf),
		Admin:             s.who.Admin,
		Annotations:       s.site.Definitions,
		Client:            &s.client,
		Folding:           message.FoldingFrom(s.conf),
		SessionID:         s.conn.SessionID(),
		MaxHeaderLines:    message.OptionsFrom(s.conf).MaxHeaderLines,
		Memory:            s.sorting,
		Log:               s.log,
		Progress:          s.progress,
		Places:            s.openPlaces,
	}
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
	if !s.client.Rev2 {
		w.Line("* ", strconv.Itoa(sel.Recent), " RECENT")
	}
	s.view.WriteFlags(w)
	if sel.FirstUnseen != 0 && !s.client.UIDOnly && !s.client.Rev2 {
		w.Line("* OK [UNSEEN ", uintText(sel.FirstUnseen), "] Ok")
	}
	w.Line("* OK [UIDVALIDITY ", uintText(sel.UIDValidity), "] Ok")
	w.Line("* OK [UIDNEXT ", uintText(sel.UIDNext), "] Ok")
	w.Line("* OK [HIGHESTMODSEQ ", uintText(sel.HighestModseq), "] Ok")
	if sel.UniqueID != "" {
		w.Line("* OK [MAILBOXID (", sel.UniqueID, ")] Ok")
	}
	w.Line("* OK [URLMECH INTERNAL] Ok")
	w.Line("* OK [ANNOTATIONS 65536] Ok") // Cyrus's word; it takes more
}

// leave deselects the mailbox. With autoexpunge this removes what is \Deleted,
// without telling, as CLOSE does.
//
// Source: the uses of autoexpunge in Cyrus imap/imapd.c.
func (s *session) leave() {
	v := s.view
	s.view = nil
	if v == nil || v.Deleted() || v.Examined() || !config.Autoexpunge.In(s.conf) || !v.Rights().Has(acl.Expunge) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), autoexpungeTime) // the client may be gone
	defer cancel()
	if _, _, err := v.Expunge(ctx, nil); ofServer(err) {
		s.log.Error("autoexpunge failed", "user", s.who.User, "sessionid", s.conn.SessionID(), "error", err)
	}
}

// autoexpungeTime is how long a session that has ended may remove messages.
const autoexpungeTime = time.Minute

// uintText is n in digits.
func uintText[T uint32 | uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }
