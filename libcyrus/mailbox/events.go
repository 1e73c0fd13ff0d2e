package mailbox

import (
	"cmp"
	"io"

	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/message"
)

// news is the events of a mailbox: they are collected while it is locked, and
// sent when its locks are released. Without a Store's Events it stays empty.
type news struct {
	cause    event.Cause
	arrivals []*event.Event // of this commit, which has not succeeded yet
	placed   uint32         // messages that arrive with it, so far
	unseen   uint32         // of these
	seen     map[uint32]bool
	ready    []*event.Event // to be sent
}

// Announce says who makes the changes that follow, and that they are told as
// events; without it only MailboxModseq is.
func (m *Mailbox) Announce(c event.Cause) {
	if m.store.o.Events != nil {
		m.news.cause = c
	}
}

// AnnounceSeen tells that a user for whom \Seen is kept elsewhere has seen a
// message now, or no longer: for the events of this commit.
func (m *Mailbox) AnnounceSeen(uid uint32, seen bool) {
	if !m.store.o.Events.Wants(event.FlagsSet | event.FlagsClear) {
		return
	}
	if m.news.seen == nil {
		m.news.seen = map[uint32]bool{}
	}
	m.news.seen[uid] = seen
}

// told is what an event tells of the mailbox.
func (m *Mailbox) told() *event.Mailbox {
	h := &m.hdr
	b := &event.Mailbox{
		Name: m.ref.Name, UniqueID: m.head.uniqueID, UIDValidity: h.UIDValidity, Type: m.head.typ, ACL: m.head.acl,
		Exists: h.Exists, Unseen: h.Unseen, UIDNext: h.LastUID + 1,
	}
	if b.Type == "" {
		b.Type = m.ref.letters()
	}
	return b
}

// collect makes the events of a commit that has succeeded.
func (m *Mailbox) collect() {
	n := m.store.o.Events
	if n == nil {
		return
	}
	w, c := &m.news, &m.changes
	var about []*event.Event
	if w.cause.Expunge != 0 {
		about = m.changedMessages()
	}
	if w.cause.First {
		w.ready = append(w.ready, about...)
	}
	if m.hdr.HighestModseq != c.old.HighestModseq && n.Wants(event.MailboxModseq) {
		box := m.told()
		if c.renamed {
			box.Name = c.from
		}
		w.ready = append(w.ready, &event.Event{Type: event.MailboxModseq, Session: cmp.Or(w.cause.Session, m.session), Mailbox: box})
	}
	if !w.cause.First {
		w.ready = append(w.ready, about...)
	}
	w.ready = append(w.ready, w.arrivals...)
	w.arrivals, w.placed, w.unseen, w.seen = nil, 0, 0, nil
}

// sendEvents hands over what was collected.
func (m *Mailbox) sendEvents() {
	for _, e := range m.news.ready {
		m.store.o.Events.Send(e)
	}
	m.news.ready = nil
}

// changedMessages is the events of rewritten records: expunged ones are told
// together, and so are flags that were set, and those that were cleared.
//
// Source: index_store in Cyrus imap/index.c.
func (m *Mailbox) changedMessages() []*event.Event {
	n, w := m.store.o.Events, &m.news
	box := m.told()
	about := func(t event.Type) *event.Event {
		return &event.Event{Type: t, User: w.cause.User, Session: w.cause.Session, Mailbox: box, NoID: w.cause.NoID}
	}
	set, clear, gone := about(event.FlagsSet), about(event.FlagsClear), about(w.cause.Expunge)
	ids := n.WantsExtra(event.FlagsSet|w.cause.Expunge, "vnd.cmu.midset")
	var buf CacheBuffer
	defer buf.Free()
	told := func(e *event.Event, r *Record) {
		msg := event.Message{UID: r.UID, Modseq: r.Modseq}
		if ids {
			if cache, _, err := m.CacheBytes(r, &buf); err == nil {
				msg.ID = messageID(cache)
			}
		}
		e.UIDs = append(e.UIDs, msg)
	}
	for i := range m.changes.records {
		was, is := &m.changes.records[i].old, &m.changes.records[i].new
		if !was.Live() {
			continue
		}
		if !is.Live() {
			told(gone, is)
			continue
		}
		wasFlags, isFlags := was.Flags&SystemMask, is.Flags&SystemMask
		if seen, ok := w.seen[is.UID]; ok {
			wasFlags, isFlags = wasFlags&^Seen, isFlags&^Seen
			if seen {
				isFlags |= Seen
			} else {
				wasFlags |= Seen
			}
		}
		if m.tellFlags(set, isFlags&^wasFlags, is.User.AndNot(was.User)) {
			told(set, is)
		}
		if m.tellFlags(clear, wasFlags&^isFlags, was.User.AndNot(is.User)) {
			told(clear, is)
		}
	}
	return inOrder(set, clear, gone)
}

// inOrder leaves out events about nothing. What clears \Seen goes first: it
// changes how many are unseen (mboxevent_notify in Cyrus imap/mboxevent.c).
func inOrder(set, clear, gone *event.Event) (all []*event.Event) {
	for _, f := range clear.Flags {
		if f == `\Seen` {
			set, clear = clear, set
			break
		}
	}
	for _, e := range []*event.Event{set, clear} {
		if len(e.Flags) > 0 && len(e.UIDs) > 0 {
			all = append(all, e)
		}
	}
	if len(gone.UIDs) > 0 {
		all = append(all, gone)
	}
	return all
}

// eventFlags is the system flags in the order in which events name them.
var eventFlags = []struct {
	flag        Flags
	name, lower string
}{
	{Deleted, `\Deleted`, `\deleted`}, {Answered, `\Answered`, `\answered`}, {Flagged, `\Flagged`, `\flagged`},
	{Draft, `\Draft`, `\draft`}, {Seen, `\Seen`, `\seen`},
}

// tellFlags adds flags to those of an event, except excluded ones, and reports
// whether there were any, excluded or not.
func (m *Mailbox) tellFlags(e *event.Event, f Flags, u UserFlags) (any bool) {
	n := m.store.o.Events
	add := func(name string) {
		any = true
		for _, have := range e.Flags {
			if have == name {
				return
			}
		}
		if !n.Excluded(name) {
			e.Flags = append(e.Flags, name)
		}
	}
	for _, s := range eventFlags {
		if f&s.flag != 0 {
			add(s.name)
		}
	}
	u.Each(func(i int) {
		if i < len(m.head.flags) && m.head.flags[i] != "" {
			add(m.head.flags[i])
		}
	})
	return any
}

// announceArrivals makes the events of an append: one for each message, or
// one for all copies. They are sent if the commit succeeds.
func (b *batch) announceArrivals(r *appendRequest) {
	m := b.m
	w, n := &m.news, m.store.o.Events
	if n == nil {
		return
	}
	w.cause.Session = cmp.Or(w.cause.Session, r.o.SessionID) // of several the first
	copies := r.o.old != nil
	var e *event.Event
	for i := range r.placed {
		rec := &r.placed[i].rec
		w.placed++
		if rec.Flags&Seen == 0 {
			w.unseen++
		}
		if !n.Wants(r.o.Event) {
			continue
		}
		if e == nil || !copies {
			e = &event.Event{Type: r.o.Event, User: r.o.User, Session: r.o.SessionID, Old: r.o.old}
			w.arrivals = append(w.arrivals, e)
		}
		e.Mailbox = m.told()
		e.Mailbox.Exists = m.changes.old.Exists + w.placed
		e.Mailbox.Unseen = m.changes.old.Unseen + w.unseen
		e.Mailbox.UIDNext = rec.UID + 1
		msg := m.tellArrival(rec, &r.items[i])
		if copies {
			msg.OldUID = r.o.oldUIDs[i]
		} else {
			e.Flags = arrivalFlags(rec, r.items[i].keywords)
		}
		e.UIDs = append(e.UIDs, msg)
	}
}

// arrivalFlags is the flags of a new message; Cyrus writes those of the system
// in lower case here.
func arrivalFlags(rec *Record, keywords []string) (names []string) {
	for _, s := range eventFlags {
		if rec.Flags&s.flag != 0 {
			names = append(names, s.lower)
		}
	}
	return append(names, keywords...)
}

// tellArrival is what an event tells of a new message: what costs something
// only if it is wanted.
func (m *Mailbox) tellArrival(rec *Record, it *item) event.Message {
	n := m.store.o.Events
	msg := event.Message{UID: rec.UID, Modseq: rec.Modseq, Size: rec.Size, CID: rec.CID, GUID: rec.GUID}
	const arrivals = event.MessageAppend | event.MessageNew | event.MessageCopy | event.MessageMove
	if n.WantsExtra(arrivals, "vnd.cmu.midset") {
		msg.ID = messageID(it.cache)
	}
	if n.WantsExtra(arrivals, "vnd.cmu.envelope", "bodyStructure") {
		if c, _, err := message.ParseCache(it.cache, message.CacheVersion); err == nil {
			msg.Envelope = string(c.Item(message.ItemEnvelope))
			msg.BodyStructure = string(c.Item(message.ItemBodyStructure))
		}
	}
	if start, end := n.ContentRange(int64(rec.Size), int64(rec.HeaderSize)); end > start {
		msg.Content = m.content(rec, start, end)
	}
	return msg
}

// content reads a piece of a message's file; "" if it can't be read.
func (m *Mailbox) content(rec *Record, start, end int64) string {
	f, err := m.store.o.FS.Open(m.messagePath(rec))
	if err != nil {
		m.store.o.Log.Error("event: a message cannot be read", "mailbox", m.ref.Name, "uid", rec.UID, "error", err)
		return ""
	}
	defer f.Close()
	b := make([]byte, end-start)
	if n, err := f.ReadAt(b, start); err != nil && err != io.EOF {
		m.store.o.Log.Error("event: a message cannot be read", "mailbox", m.ref.Name, "uid", rec.UID, "error", err)
		b = b[:n]
	}
	return string(b)
}

// tellOriginals says for the event of a copy where its messages come from.
func (a *AppendOptions) tellOriginals(o *CopyOptions, from []Record) {
	if o.old == nil {
		return
	}
	a.old, a.User, a.Event = o.old, o.User, event.MessageCopy
	if o.Move {
		a.Event = event.MessageMove
	}
	for i := range from {
		a.oldUIDs = append(a.oldUIDs, from[i].UID)
	}
}
