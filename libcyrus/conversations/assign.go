package conversations

import (
	"cmp"
	"fmt"
	"slices"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/syslog"
)

// assign gives a new message its conversation, if it has none, and returns
// that: with the message's subject and Message-IDs, without its counts. One
// that continues a conversation which has Options.MaxThread messages begins
// another one, in which the thread goes on; Base is the first of them.
//
// Source: message_update_conversations in Cyrus imap/message.c.
func (t *Txn) assign(m *Message, cache *message.Cache) (*conversation, error) {
	names, matches, subject, err := t.related(cache)
	if err != nil {
		return nil, err
	}
	mayGoOn, err := t.choose(m, matches)
	if err != nil {
		return nil, err
	}
	conv, err := t.conversation(m.CID)
	if err != nil {
		return nil, err
	}
	if conv != nil && mayGoOn && !t.Whole && t.store.full(conv) {
		if conv, err = t.split(m); err != nil {
			return nil, err
		}
	}
	if m.Base != 0 {
		m.Flags |= Split
	}
	if conv == nil {
		conv = &conversation{version: newVersion}
	}
	if conv.subject == nil && m.Flags&draft == 0 {
		conv.subject = &subject
	}
	for _, id := range names {
		if err := t.addMsgid(id, cmp.Or(m.Base, m.CID)); err != nil {
			return nil, err
		}
	}
	return conv, nil
}

// choose finds the conversation of a message that has none: that of a copy of
// it, of what it answers, or a new one. mayGoOn says that it is there because
// the message answers something: then that may have gone on elsewhere.
func (t *Txn) choose(m *Message, matches []uint64) (mayGoOn bool, err error) {
	if m.CID != 0 {
		return false, nil
	}
	if m.CID, err = t.copyOf(m.GUID); err != nil || m.CID != 0 {
		return false, err
	}
	if len(matches) == 0 {
		m.CID = newCID(m.GUID)
		return false, nil
	}
	m.CID = slices.Max(matches)
	next, err := t.next(m.CID)
	if err == nil && next != 0 {
		m.Base, m.CID = m.CID, next
	}
	return true, err
}

// split begins a new conversation with a message whose own is full.
func (t *Txn) split(m *Message) (*conversation, error) {
	if !t.store.o.Splits.Ready(t.ctx, t.user) {
		return nil, errs.New(errs.Internal, "conversations.Update", t.user, ErrNoSplits)
	}
	was := m.CID
	m.CID = newCID(m.GUID)
	m.Base = cmp.Or(m.Base, was)
	t.splits[m.Base] = m.CID
	t.store.o.Log.Log(t.ctx, syslog.LevelNotice, fmt.Sprintf("splitting conversation for %s %d base:%016x was:%016x now:%016x", t.user, m.UID, m.Base, was, m.CID))
	return t.conversation(m.CID)
}

// next is the conversation that goes on for another one, 0 if none does.
func (t *Txn) next(cid uint64) (uint64, error) {
	if t.store.o.Splits == nil {
		return 0, nil
	}
	if n := t.splits[cid]; n != 0 {
		return n, nil
	}
	return t.store.o.Splits.Next(t.ctx, t.user, cid)
}

// full reports whether a conversation has all the messages that it may have.
func (s *Store) full(c *conversation) bool {
	return s.o.Splits != nil && c.exists >= s.o.MaxThread
}

// newCID is the id of a conversation that begins with a message.
func newCID(g GUID) uint64 {
	const secret = 0x91f3d9e10b690b12 // so that nobody takes it for the GUID
	return max(be.Uint64(g[:])^secret, 1)
}

// copyOf is the conversation of another copy of a message, 0 without one.
func (t *Txn) copyOf(g GUID) (cid uint64, err error) {
	found := false
	err = t.each("G"+g.String(), func(key string, v []byte) error {
		if found || len(key) == 1+40 {
			return nil
		}
		p, err := parsePlace([]byte(key), v)
		if err == nil && p.part == "" {
			cid, found = p.cid, true
		}
		return nil
	})
	return cid, err
}

// related returns the Message-IDs that a message has and names, the
// conversations of those that it belongs to, and its subject.
//
// Source: extract_convdata in Cyrus imap/message.c.
func (t *Txn) related(cache *message.Cache) (names []string, matches []uint64, subject string, err error) {
	env := parseEnvelope(cache.Item(message.ItemEnvelope))
	headers := cache.Item(message.ItemHeaders)
	raw := subjectOf(cache.Item(message.ItemSubject))
	subject = normalSubject(raw)
	old := oldSubject(raw)
	if !validInReplyTo(env.inReplyTo) {
		env.inReplyTo = ""
	}
	// The last one says that messages belong together whatever the subject.
	const sure = 3
	for i, text := range []string{field(headers, "references"), env.inReplyTo, env.msgid, field(headers, "x-me-message-id")} {
		msgids(text, func(id string) {
			id = lower(id)
			if err != nil || slices.Contains(names, id) || !validMsgid(id) {
				return
			}
			names = append(names, id)
			var m msgid
			if m, err = t.msgid(id); err != nil {
				return
			}
			for _, cid := range m.cids {
				var conv *conversation
				if conv, err = t.conversation(cid); err != nil {
					return
				}
				if conv == nil || i == sure || conv.subject == nil || *conv.subject == subject || *conv.subject == old {
					matches = append(matches, cid)
				}
			}
		})
	}
	return names, matches, subject, err
}

// msgid reads what is known of a Message-ID. One that cannot be understood is
// as good as none.
func (t *Txn) msgid(id string) (m msgid, err error) {
	v, err := t.get(id)
	if err != nil || v == nil {
		return m, err
	}
	m, err = parseMsgid(v)
	if err != nil {
		t.store.o.Log.Error("IOERROR: Message-ID in conversations.db cannot be read", "user", t.user, "key", id, "value", fmt.Sprintf("%.80q", v))
		return msgid{}, nil
	}
	return m, nil
}

// addMsgid records that a Message-ID is named in a conversation.
func (t *Txn) addMsgid(id string, cid uint64) error {
	m, err := t.msgid(id)
	if err != nil || slices.Contains(m.cids, cid) {
		return err
	}
	m.cids = append(m.cids, cid)
	m.stamp = t.store.now()
	t.put(id, m.encode())
	return nil
}
