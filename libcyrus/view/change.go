package view

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/seen"
)

// An Operation is how STORE treats the flags that it names.
type Operation uint8

// The operations of STORE.
const (
	Replace Operation = iota // FLAGS
	Add                      // +FLAGS
	Remove                   // -FLAGS
)

// FlagChange is the arguments of STORE.
type FlagChange struct {
	Operation Operation
	Flags     mailbox.Flags // system flags
	Keywords  []string      // user flags
	// UnchangedSince leaves messages alone that have a higher modseq (RFC
	// 7162 section 3.1.3), if Conditional.
	UnchangedSince uint64
	Conditional    bool
	// Silent says that the client knows what it does (.SILENT): one that has
	// enabled IMAP4rev2 is not told then, unless of modseqs (RFC 9051 section
	// 6.4.6, RFC 7162 section 3.1.3). Cyrus 3.6 tells all clients.
	Silent bool
}

// permit takes those flags out of +FLAGS and -FLAGS that the user has no right
// to, and reports whether he may do what is left (RFC 4314 section 4). Of FLAGS
// he needs the right to every flag named.
//
// Source: index_store in Cyrus imap/index.c.
func (v *View) permit(c *FlagChange) bool {
	asked := c.Flags != 0 || len(c.Keywords) > 0
	if v.o.Examine {
		return c.Operation != Replace && !asked
	}
	complete := true
	for _, f := range systemFlags {
		if c.Flags&f.flag != 0 && !v.rights.Has(f.right) {
			c.Flags &^= f.flag
			complete = false
		}
	}
	if len(c.Keywords) > 0 && !v.rights.Has(acl.Write) {
		c.Keywords = nil
		complete = false
	}
	if c.Operation == Replace || !asked {
		return complete
	}
	return c.Flags != 0 || len(c.Keywords) > 0
}

// Store changes flags of messages. It returns those (by UID with uid, else
// by sequence number) that were not, because of UnchangedSince. The client is
// told by Report.
func (v *View) Store(ctx context.Context, set imapwire.SeqSet, uid bool, c FlagChange) (modified imapwire.SeqSet, err error) {
	if !v.permit(&c) {
		return nil, errs.New(errs.Denied, "view.Store", string(v.ref.Name), nil)
	}
	return v.change(ctx, set, uid, &c, true)
}

// markSeen sets \Seen of messages. Nothing is written if all have it.
func (v *View) markSeen(ctx context.Context, set imapwire.SeqSet, uid bool) error {
	m, err := v.opened(ctx, mailbox.Read)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := v.sync(ctx, m); err != nil {
		return err
	}
	t := v.resolve(set, uid, len(v.uids))
	unseen := false
	err = v.walk(m, t, func(_ uint32, r *mailbox.Record) bool {
		unseen = r.Live() && !v.isSeen(r)
		return !unseen
	})
	m.Close()
	if err != nil || !unseen {
		return err
	}
	_, err = v.change(ctx, set, uid, &FlagChange{Operation: Add, Flags: mailbox.Seen}, false)
	return err
}

// changeAtOnce is how many messages STORE and EXPUNGE change in one step, if
// Options does not say: they take some 10 MiB.
const changeAtOnce = 20000

func (v *View) atOnce() int { return cmp.Or(v.o.ChangeAtOnce, changeAtOnce) }

// change does a FlagChange, in one step or, of many messages, in several: after
// an error those before it last, and are reported. Its event comes before that
// of the mailbox's modseq, if first; as in Cyrus.
func (v *View) change(ctx context.Context, set imapwire.SeqSet, uid bool, c *FlagChange, first bool) (imapwire.SeqSet, error) {
	e := editor{v: v, c: c, uid: uid}
	rest, err := e.step(ctx, first, func() Targets { return v.resolve(set, uid, len(v.uids)) })
	for err == nil && len(rest) > 0 {
		rest, err = e.step(ctx, first, func() Targets { return rest })
	}
	if err != nil {
		return nil, err
	}
	return e.modified, nil
}

// step changes the first of some messages, which are known once the view is up
// to date, and returns the others.
func (e *editor) step(ctx context.Context, first bool, targets func() Targets) (rest Targets, err error) {
	v := e.v
	m, err := v.opened(ctx, mailbox.Write)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := v.sync(ctx, m); err != nil {
		return nil, err
	}
	m.Announce(v.cause(first))
	e.m, e.nowSeen = m, nil
	if err := e.keywords(); err != nil {
		return nil, err
	}
	now, rest := split(targets(), v.atOnce())
	e.changed = make([]change, 0, min(now.Count(), len(v.uids)))
	if err := v.walk(m, now, e.record); err != nil || e.err != nil {
		return nil, firstError(err, e.err)
	}
	if len(e.changed) == 0 && slices.Equal(m.Flags(), v.names) {
		return rest, v.claim(ctx, m)
	}
	if e.nowSeen != nil {
		m.BeforeCommit(e.storeSeen)
	}
	fresh := v.ownSeen && v.recentUID < v.lastUID
	if fresh {
		m.SetRecent(v.lastUID, time.Now())
	}
	if err := m.Commit(ctx); err != nil {
		return nil, err
	}
	if fresh {
		v.recentUID = v.lastUID
	}
	if err := v.claim(ctx, m); err != nil {
		return nil, err
	}
	if e.nowSeen != nil {
		v.seen = e.seenUIDs()
	}
	v.addChanges(e.told())
	h := m.Header()
	v.note(m, &h)
	return rest, nil
}

// cause is what the events of changes say of who made them.
func (v *View) cause(first bool) event.Cause {
	return event.Cause{User: v.o.User, Session: v.o.SessionID, Expunge: event.MessageExpunge, First: first}
}

// firstError returns a, or b if a is nil.
func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// editor changes the flags of messages of an open mailbox.
type editor struct {
	v        *View
	m        *mailbox.Mailbox
	c        *FlagChange
	uid      bool // modified has UIDs
	modified imapwire.SeqSet
	user     mailbox.UserFlags // the keywords of c
	mask     mailbox.Flags     // system flags that a Replace may touch
	changed  []change
	nowSeen  map[uint32]bool // \Seen of readers who do not keep it in the index
	err      error
}

// keywords finds or makes the numbers of the user flags. As in Cyrus one that
// is to be removed is made, too.
func (e *editor) keywords() error {
	for _, name := range e.c.Keywords {
		n, err := e.m.AddFlag(name, mailbox.ClientUserFlags)
		if err != nil {
			return err
		}
		e.user.Set(n)
	}
	for _, f := range systemFlags {
		if e.v.rights.Has(f.right) {
			e.mask |= f.flag
		}
	}
	return nil
}

// record changes one message; false stops after an error.
func (e *editor) record(seq uint32, r *mailbox.Record) bool {
	if !r.Live() {
		return true
	}
	if e.c.Conditional && r.Modseq > e.c.UnchangedSince {
		if e.uid {
			seq = r.UID
		}
		e.modified = e.modified.Add(seq)
		return true
	}
	old, oldUser := e.v.flags(r), r.User
	flags, user := e.apply(old, oldUser)
	if flags == old && user == oldUser {
		return true
	}
	if !e.v.ownSeen && (flags^old)&mailbox.Seen != 0 {
		if e.nowSeen == nil {
			e.nowSeen = map[uint32]bool{}
		}
		e.nowSeen[r.UID] = flags&mailbox.Seen != 0
		e.m.AnnounceSeen(r.UID, flags&mailbox.Seen != 0)
	}
	read, stored := *r, flags
	if !e.v.ownSeen {
		stored = flags&^mailbox.Seen | r.Flags&mailbox.Seen
	}
	r.Flags = r.Flags&^mailbox.SystemMask | stored
	r.User = user
	if e.err = e.m.RewriteFrom(&read, r); e.err != nil {
		return false
	}
	e.changed = append(e.changed, change{r.UID, flags, user, r.Modseq})
	return true
}

// told is the changes of which the client is told: with Silent only those of
// messages that somebody else has changed, too.
func (e *editor) told() []change {
	o := e.v.o.Client
	if !e.c.Silent || !o.Rev2 || o.Condstore {
		return e.changed
	}
	return slices.DeleteFunc(e.changed, func(c change) bool {
		e.v.touch(c.uid)
		_, pending := slices.BinarySearchFunc(e.v.changed, c.uid, func(c change, uid uint32) int { return cmp.Compare(c.uid, uid) })
		return !pending
	})
}

// apply returns the flags that a message has after the change. A Replace
// keeps those that the user may not change.
func (e *editor) apply(f mailbox.Flags, u mailbox.UserFlags) (mailbox.Flags, mailbox.UserFlags) {
	switch e.c.Operation {
	case Add:
		return f | e.c.Flags, u.Or(e.user)
	case Remove:
		return f &^ e.c.Flags, u.AndNot(e.user)
	}
	f = f&^e.mask | e.c.Flags
	if e.v.rights.Has(acl.Write) {
		u = e.user
	}
	return f, u
}

// storeSeen writes the seen database.
func (e *editor) storeSeen(ctx context.Context) error {
	h := e.m.Header()
	set := e.seenUIDs()
	return e.v.o.Seen.Update(ctx, e.v.seenUser, e.v.ref.UniqueID, func(st *seen.State) {
		st.LastRead, st.LastChange = now(), int64(h.LastAppend)
		st.LastUID = max(st.LastUID, e.v.recentUID)
		for _, r := range st.Seen.Remove(1, e.v.lastUID) { // this view cannot know them
			set = set.Add(r.First, r.Last)
		}
		st.Seen = set
	})
}

// seenUIDs is the new set: neighbours in the view make one range, also if
// UIDs between them are missing, as Cyrus writes it.
func (e *editor) seenUIDs() seen.UIDs {
	var set seen.UIDs
	last := false
	for _, uid := range e.v.uids {
		is, ok := e.nowSeen[uid]
		if !ok {
			is = e.v.seen.Has(uid)
		}
		switch {
		case is && last:
			set[len(set)-1].Last = uid
		case is:
			set = append(set, seen.Range{First: uid, Last: uid})
		}
		last = is
	}
	return set
}

// Expunge removes the messages that are \Deleted: all, or, with uids, only
// those in that set. It returns how many, and the HIGHESTMODSEQ afterwards. Of
// many messages it does one part after the other: after an error those before
// it are gone.
//
// Source: index_expunge in Cyrus imap/index.c.
func (v *View) Expunge(ctx context.Context, uids imapwire.SeqSet) (n int, modseq uint64, err error) {
	if v.o.Examine || !v.rights.Has(acl.Expunge) {
		return 0, 0, errs.New(errs.Denied, "view.Expunge", string(v.ref.Name), nil)
	}
	for from := uint32(1); ; {
		gone, next, highest, err := v.expungeSome(ctx, uids, from)
		if err != nil {
			return 0, 0, err
		}
		if n += gone; gone > 0 {
			modseq = highest
		}
		if from = next; from == 0 {
			return n, modseq, nil
		}
	}
}

// expungeSome is a part of Expunge, from a sequence number on. It returns how
// many messages are gone, and where to go on, 0 = that is all.
func (v *View) expungeSome(ctx context.Context, uids imapwire.SeqSet, from uint32) (n int, next uint32, modseq uint64, err error) {
	m, err := v.opened(ctx, mailbox.Write)
	if err != nil {
		return 0, 0, 0, err
	}
	defer m.Close()
	if err := v.sync(ctx, m); err != nil {
		return 0, 0, 0, err
	}
	if m.Header().Deleted == 0 {
		return 0, 0, 0, nil
	}
	m.Announce(v.cause(false))
	var failed error
	s := scan{v: v}
	err = v.walk(m, after(v.All(), from-1), func(seq uint32, r *mailbox.Record) bool {
		if !r.Live() || r.Flags&mailbox.Deleted == 0 || (uids != nil && !uids.Contains(r.UID)) {
			return true
		}
		if len(s.gone) == v.atOnce() {
			next = seq
			return false
		}
		failed = m.Expunge(r, v.o.SessionID)
		v.delay(r.Modseq)
		s.gone = append(s.gone, r.UID)
		return failed == nil
	})
	if err = firstError(err, failed); err != nil || s.gone == nil {
		return 0, 0, 0, err
	}
	if err := m.Commit(ctx); err != nil {
		return 0, 0, 0, err
	}
	n = len(s.gone)
	s.finish()
	h := m.Header()
	v.note(m, &h)
	return n, next, h.HighestModseq, nil
}

// ResolveUIDs makes a set of UIDs one for Expunge.
func (v *View) ResolveUIDs(set imapwire.SeqSet) imapwire.SeqSet {
	last := uint32(0)
	if v.told > 0 {
		last = v.uids[v.told-1]
	}
	if set.IsSaved() {
		set = v.saved
	}
	set = set.Resolve(last)
	if set == nil {
		set = imapwire.SeqSet{}
	}
	return set
}

// Flag returns the system flag with a name in any case, and false for none.
func Flag(name string) (mailbox.Flags, bool) {
	for _, f := range systemFlags {
		if strings.EqualFold(f.text, name) {
			return f.flag, true
		}
	}
	return 0, false
}
