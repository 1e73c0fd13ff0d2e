package main

import (
	"context"
	"io"
	"math"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/annotator"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/view"
)

// maxAppend bounds the messages of one APPEND (RFC 3502).
const maxAppend = 1000

// appendOptions is what stands before a message of APPEND.
type appendOptions struct {
	flags       mailbox.Flags
	keywords    []string
	date        time.Time   // zero = now
	annotations []annot.Set // RFC 5257 section 4.7
	literal     imapwire.LiteralInfo
	catenate    bool // pieces follow (RFC 4469)
	utf8        bool // the literal is in parentheses, its header in UTF-8 (RFC 6855 section 4)
}

// append puts messages into a mailbox (RFC 3501 section 6.3.11, RFC 3502),
// all or none. Whether that is allowed at all is looked at before the client
// is asked for the messages; then each is written to the stage directory
// as it comes.
//
// Source: cmd_append in Cyrus imap/imapd.c.
func (s *session) append(r *imapwire.Reader) (string, error) {
	name, err := argument(r)
	if err != nil {
		return "", err
	}
	return s.appendTo(r, name)
}

// appendTo reads the messages for a mailbox and puts them into it.
func (s *session) appendTo(r *imapwire.Reader, name string) (string, error) {
	if !r.Space() {
		return "", r.Missing()
	}
	e, err := s.mayAppend(name)
	if err != nil {
		return "", err
	}
	var msgs []mailbox.AppendMessage
	defer func() {
		for _, m := range msgs {
			m.Staged.Remove()
		}
	}()
	for {
		m, err := s.receive(r, e)
		if m != nil && err == nil {
			s.annotate(e, m)
		}
		if m != nil {
			msgs = append(msgs, *m)
		}
		if err == nil && len(msgs) > maxAwake {
			err = m.Staged.Rest()
		}
		if err != nil {
			return "", err
		}
		if r.EOL() {
			break
		}
		if !r.Space() {
			return "", orWrong(r, nil, "junk after literal")
		}
		if len(msgs) == maxAppend {
			return "", refusal("[LIMIT] Too many messages in one APPEND")
		}
	}
	text, err := s.appendAll(e, msgs)
	if err == nil {
		s.tellComposed(e.Name, name)
	}
	return text, err
}

// annotate asks the annotator about a new message.
func (s *session) annotate(e *mboxlist.Entry, m *mailbox.AppendMessage) {
	s.annotator.Annotate(s.ctx, m, annotator.Subject{User: s.who.User, Rights: s.site.List.Rights(s.who, e), Owner: e.Name.Owner() == s.who.User})
}

// mayAppend returns the mailbox that the client names if he may put
// something into it.
//
// Source: append_check in Cyrus imap/append.c.
func (s *session) mayAppend(name string) (*mboxlist.Entry, error) {
	n, err := s.internal(name)
	if err != nil {
		return nil, noSuchMailbox(err)
	}
	e, err := s.site.List.Need(s.ctx, s.who, n, acl.Insert)
	if errs.Is(err, errs.NotFound) {
		return nil, s.tryCreate(n, err)
	}
	if err != nil || s.noQuota {
		return e, err
	}
	root, err := s.quotaRoot(s.ctx, n)
	if err != nil || root == nil {
		return e, err
	}
	if err := root.Room(quota.Storage, 0); err != nil {
		return nil, err
	}
	return e, root.Room(quota.Message, 0)
}

// tryCreate adds TRYCREATE to the error of a mailbox that does not exist if
// the user could make it.
func (s *session) tryCreate(n mboxname.Name, err error) error {
	if s.mayCreate(n) {
		return refusal("[TRYCREATE] " + plain(err))
	}
	return err
}

// mayCreate reports whether the user could make a mailbox: he is an admin, or
// has the right k on the nearest one above it.
//
// Source: mboxlist_create_namecheck in Cyrus imap/mboxlist.c.
func (s *session) mayCreate(n mboxname.Name) bool {
	if s.ns.Valid(n) != nil || s.who.Admin {
		return s.who.Admin
	}
	for p := n.Parent(); p != ""; p = p.Parent() {
		if _, err := s.site.List.Lookup(s.ctx, p); err == nil {
			_, err = s.site.List.Need(s.ctx, s.who, p, acl.Create)
			return err == nil
		}
	}
	return s.who.Admin
}

// maxAwake is how many messages of one APPEND keep a descriptor, and up to 128
// KiB of memory each, until all of them have come.
const maxAwake = 16

// receive reads the options and the content of one message.
func (s *session) receive(r *imapwire.Reader, e *mboxlist.Entry) (*mailbox.AppendMessage, error) {
	o, err := parseAppend(r)
	if err != nil {
		return nil, err
	}
	if o.literal.Size > s.appendLimit() {
		return nil, s.tooBig(o.literal)
	}
	staged, err := s.site.Store.Stage(e.Partition)
	if err != nil {
		return nil, err
	}
	m := &mailbox.AppendMessage{Staged: staged, Flags: o.flags, Keywords: o.keywords, InternalDate: o.date}
	annotations, refused := s.newAnnotations(e, o.annotations)
	m.Annotations = annotations
	if o.catenate {
		if err := s.catenate(r, staged); err != nil {
			return m, err
		}
		return m, s.received(staged, refused)
	}
	lit, err := r.Literal(o.literal)
	if err != nil {
		return m, err
	}
	c := message.NewCopier(staged, message.CopyOptions{
		Mode:       message.Strict,
		Reject8bit: config.Reject8bit.In(s.conf),
		Munge8bit:  config.Munge8bit.In(s.conf),
		AllowNUL:   o.literal.Binary && !o.utf8,
		UTF8:       o.utf8 || s.client.Rev2,
	})
	n, failed := io.Copy(c, lit)
	if _, err := io.Copy(io.Discard, lit); err != nil { // after a full disk
		return m, err
	}
	if r.Err() != nil {
		return m, r.Err()
	}
	if o.utf8 && !r.Accept(')') {
		return m, orWrong(r, nil, "Missing close parenthesis after UTF8 in Append command")
	}
	if failed != nil {
		return m, failed
	}
	if n == 0 {
		return m, refusal("Zero-length message literal")
	}
	if err := c.Close(); err != nil {
		return m, err
	}
	return m, s.received(staged, refused)
}

// received looks at a message that is there; refused is why it may not have
// its annotations.
func (s *session) received(staged *mailbox.Staged, refused error) error {
	if refused != nil {
		return refused
	}
	// Its buffer is large, and more messages may follow.
	_, err := staged.Parse()
	return err
}

// newAnnotations checks the annotations of a new message. As in Cyrus those
// of the first entry take modseqs, others none.
func (s *session) newAnnotations(e *mboxlist.Entry, sets []annot.Set) (as []mailbox.Annotation, err error) {
	who := annot.Actor{User: s.who.User, Rights: s.site.List.Rights(s.who, e), Admin: s.who.Admin}
	changes, err := s.site.Definitions.Check(annot.OfMessage, sets, who)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if c.Value == nil {
			continue
		}
		if !c.Allowed {
			return nil, errs.New(errs.Denied, "imapd.append", c.Entry, nil)
		}
		as = append(as, mailbox.Annotation{Key: c.Key, Value: c.Value, Quiet: c.Entry != changes[0].Entry})
	}
	return as, nil
}

// tooBig refuses a message by its size. A client that did not wait for leave
// is cut, as in Cyrus: it would send all of it.
func (s *session) tooBig(h imapwire.LiteralInfo) error {
	err := errs.New(errs.TooBig, "imapd.append", "", nil)
	if !h.NoWait {
		return err
	}
	s.w.Line(s.tag, " ", tagged("", err))
	s.w.Line("* BYE ", failure(err))
	s.done = true
	return errAnswered
}

// appendAll puts the messages into the mailbox.
func (s *session) appendAll(e *mboxlist.Entry, msgs []mailbox.AppendMessage) (string, error) {
	rights := s.site.List.Rights(s.who, e)
	sawIt := make([]bool, len(msgs))
	own := true
	for i := range msgs {
		allowedFlags(&msgs[i], rights)
		own = own && msgs[i].Flags&mailbox.Seen == 0
	}
	if !own { // there is something to keep
		var err error
		if own, err = s.ownsSeen(e); err != nil {
			return "", err
		}
	}
	for i := range msgs {
		if !own && msgs[i].Flags&mailbox.Seen != 0 {
			sawIt[i] = true
			msgs[i].Flags &^= mailbox.Seen
		}
	}
	o := mailbox.AppendOptions{SessionID: s.conn.SessionID(), Event: event.MessageAppend, User: s.who.User}
	if s.noQuota {
		o.Check = &quota.Usage{}
	}
	done, err := s.site.Store.Append(s.ctx, e.Ref(), msgs, o)
	if err != nil {
		return "", err
	}
	var seenUIDs []uint32
	for i, a := range done {
		if sawIt[i] {
			seenUIDs = append(seenUIDs, a.UID)
		}
	}
	s.markOwn(e, seenUIDs)
	var uids imapwire.SeqSet
	for _, a := range done {
		uids = uids.Add(a.UID)
	}
	s.madeMyself(e, uids)
	s.appended(e, done)
	if s.view != nil {
		if err := s.after(s.refresh(true, false)); err != nil {
			return "", err
		}
	}
	if !rights.Has(acl.Read) {
		return "", nil // he is told nothing of the mailbox
	}
	return "[APPENDUID " + uintText(done[0].UIDValidity) + " " + uids.String() + "] Completed", nil
}

// allowedFlags takes flags off that the user may not set.
func allowedFlags(m *mailbox.AppendMessage, rights acl.Rights) {
	if !rights.Has(acl.Seen) {
		m.Flags &^= mailbox.Seen
	}
	if !rights.Has(acl.DeleteMessage) {
		m.Flags &^= mailbox.Deleted
	}
	if !rights.Has(acl.Write) {
		m.Flags &= mailbox.Seen | mailbox.Deleted
		m.Keywords = nil
	}
}

// ownsSeen reports whether the user's \Seen is in the index of a mailbox.
func (s *session) ownsSeen(e *mboxlist.Entry) (bool, error) {
	m, err := s.site.Store.Open(s.ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return false, err
	}
	defer m.Close()
	return m.OwnsSeen(s.who.User), nil
}

// markOwn notes in the user's seen database that he has seen new messages.
// They are in the mailbox already, so that an error is only logged, but a lock
// is waited for again and again.
func (s *session) markOwn(e *mboxlist.Entry, uids []uint32) {
	if len(uids) == 0 {
		return
	}
	ctx := context.WithoutCancel(s.ctx)
	err := s.addSeen(ctx, e, uids)
	for tries := 1; errs.Is(err, errs.Locked) && tries < seenTries; tries++ {
		err = s.addSeen(ctx, e, uids)
	}
	if err != nil {
		s.log.Error("seen state of new messages is lost", "mailbox", string(e.Name), "user", s.who.User, "error", err)
	}
}

// seenTries is how often markOwn waits for the mailbox.
const seenTries = 6

// addSeen adds messages to what the user has seen. Meanwhile the mailbox is
// locked: another session of his writes all that he has seen, as it was when it
// locked it.
func (s *session) addSeen(ctx context.Context, e *mboxlist.Entry, uids []uint32) error {
	m, err := s.site.Store.Open(ctx, e.Ref(), mailbox.Write)
	if err != nil {
		return err
	}
	defer m.Close()
	return s.site.Seen.Update(ctx, m.SeenUser(s.who.User), e.UniqueID, func(st *seen.State) {
		for _, uid := range uids {
			st.Seen = st.Seen.Add(uid, uid)
		}
	})
}

// maxDate is the longest date that APPEND takes: " 1-Jan-2024 12:00:00 +0000".
const maxDate = 26

// parseAppend reads flags, date and the head of the literal.
func parseAppend(r *imapwire.Reader) (o appendOptions, err error) {
	if r.Accept('(') {
		if o.flags, o.keywords, err = parseAppendFlags(r); err != nil {
			return o, err
		}
		if !r.Space() {
			return o, missingIn(r)
		}
	}
	if c, ok := r.Peek(); ok && c == '"' {
		const bad = imapwire.SyntaxError("Invalid date-time in Append command")
		text, err := r.String()
		if err != nil {
			return o, orWrong(r, err, bad)
		}
		if o.date, ok = message.ParseDate(text); !ok || len(text) > maxDate {
			return o, bad
		}
		if o.date.Unix() <= 0 { // no date, as in Cyrus; a clock that was not set
			o.date = time.Time{}
		}
		if !r.Space() {
			return o, missingIn(r)
		}
	}
	if err = parseAppendAnnotations(r, &o); err != nil {
		return o, err
	}
	c, ok := r.Peek()
	if ok && c|0x20 == 'c' && strings.EqualFold(r.Word(), "CATENATE") && r.Space() {
		o.catenate = true
		return o, nil
	}
	if ok && c|0x20 == 'u' && r.UTF8 {
		o.utf8 = true
		if err := parseUTF8(r); err != nil {
			return o, err
		}
		c, ok = r.Peek()
	}
	if !ok || (c != '{' && c != '~') {
		return o, missingIn(r)
	}
	o.literal, err = r.LiteralHead()
	if err != nil || o.literal.Size > math.MaxUint32 && !o.literal.NoWait {
		return o, orWrong(r, err, "Literal size not a number")
	}
	return o, nil
}

// parseUTF8 reads what stands before a literal8 whose header is in UTF-8 (RFC
// 6855 section 4).
func parseUTF8(r *imapwire.Reader) error {
	if !strings.EqualFold(r.Word(), "UTF8") || !r.Space() || !r.Accept('(') {
		return missingIn(r)
	}
	if c, ok := r.Peek(); !ok || c != '~' {
		return orWrong(r, nil, "UTF8 wants a literal8 in Append command")
	}
	return nil
}

// parseAppendAnnotations reads annotations, if there are any, and the blank
// behind them.
func parseAppendAnnotations(r *imapwire.Reader, o *appendOptions) error {
	if c, ok := r.Peek(); !ok || c|0x20 != 'a' {
		return nil
	}
	if !strings.EqualFold(r.Word(), "ANNOTATION") {
		return missingIn(r)
	}
	if !r.Space() {
		return orWrong(r, nil, "Missing annotation data in Append command")
	}
	as, err := r.AnnotationStore(false)
	if err != nil {
		return err
	}
	o.annotations = annotSets(as)
	if !r.Space() {
		return missingIn(r)
	}
	return nil
}

// missingIn is how Cyrus words a missing argument of APPEND.
func missingIn(r *imapwire.Reader) error {
	return orWrong(r, nil, "Missing required argument to Append command")
}

// parseAppendFlags reads a list of flags behind "(".
func parseAppendFlags(r *imapwire.Reader) (flags mailbox.Flags, keywords []string, err error) {
	if r.Accept(')') {
		return 0, nil, nil
	}
	for {
		word := r.Word()
		f, system := view.Flag(word)
		switch {
		case system:
			flags |= f
		case !imapwire.IsAtom(word) || strings.HasPrefix(word, `\`):
			return 0, nil, orWrong(r, nil, "Invalid flag in Append command")
		default:
			keywords = append(keywords, word)
		}
		if r.Accept(')') {
			return flags, keywords, nil
		}
		if !r.Space() {
			return 0, nil, orWrong(r, nil, "Missing space or ) after flag name in Append command")
		}
	}
}
