package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/message"
)

// CopyPair is the UID of a message and that of its copy.
type CopyPair struct{ Source, Copy uint32 }

// CopyOptions says how Copy works. The zero value copies no flags.
type CopyOptions struct {
	SessionID string
	// Move expunges the originals.
	Move bool
	// Flags is which system flags are copied, Keywords whether user flags
	// are: what the rights on the destination allow.
	Flags    Flags
	Keywords bool
	// Seen, if not nil, tells whether the user has seen a message of the
	// source: if his \Seen flags of the source are not in its index. It
	// is called with the source locked.
	Seen func(uid uint32) bool
	// FlagLimit is as in AppendOptions.
	FlagLimit int
	// User is who copies, for the event; "" makes none.
	User string

	old *event.Mailbox // the source
}

// Copy copies messages, given by ascending UID, from one mailbox to another
// (or the same): all of those that exist, or none. It returns the
// destination's UIDVALIDITY and the UIDs in the order of the source; no
// pairs if none of the messages exists. With Move the originals are
// expunged when the copies last: a crash between leaves both.
//
// The two mailboxes are never locked at the same time, so that two copies in
// opposite directions cannot wait for each other. However many messages there
// are, it takes the memory of copyAtOnce of them and 12 octets for each.
func (s *Store) Copy(ctx context.Context, src Ref, uids []uint32, dst Ref, o CopyOptions) (uint32, []CopyPair, error) {
	if len(uids) > s.copyAtOnce {
		return s.copyMany(ctx, src, uids, dst, o)
	}
	var items []item
	var from []Record
	root, err := s.gather(ctx, src, uids, &o, func(it *item, r *Record) {
		items, from = append(items, *it), append(from, *r)
	})
	if err != nil || len(items) == 0 {
		return 0, nil, err
	}
	how := o.appendOptions(root)
	how.tellOriginals(&o, from)
	done, err := s.append(ctx, dst, items, how)
	if err != nil {
		return 0, nil, err
	}
	pairs := make([]CopyPair, len(done))
	for i := range done {
		pairs[i] = CopyPair{from[i].UID, done[i].UID}
	}
	if o.Move {
		err = s.expungeOriginals(context.WithoutCancel(ctx), src, from, &o)
	}
	return done[0].UIDValidity, pairs, err
}

// appendOptions is how copies from a mailbox with that quota root are appended.
func (o *CopyOptions) appendOptions(root mboxname.Name) AppendOptions {
	how := AppendOptions{SessionID: o.SessionID, FlagLimit: o.FlagLimit, copied: root}
	if o.Move {
		how.from = root
	}
	return how
}

// gather reads what is needed of the messages to be copied, and returns their
// quota root. take is called for each that exists, with its original.
func (s *Store) gather(ctx context.Context, src Ref, uids []uint32, o *CopyOptions, take func(*item, *Record)) (root mboxname.Name, err error) {
	m, err := s.Open(ctx, src, Read)
	if err != nil {
		return "", err
	}
	defer m.Close()
	if s.o.Events != nil && o.User != "" {
		o.old = m.told()
	}
	var buf CacheBuffer
	defer buf.Free()
	hint := uint32(0)
	for _, uid := range uids {
		r, ok, err := m.FindUID(uid, hint)
		if err != nil {
			return "", err
		}
		if !ok || !r.Live() {
			continue
		}
		hint = r.Recno + 1
		it, err := m.copyItem(ctx, &r, &buf, o)
		if err != nil {
			return "", err
		}
		take(&it, &r)
	}
	return m.head.quotaRoot, nil
}

// copyItem is a message as it is to be appended elsewhere.
func (m *Mailbox) copyItem(ctx context.Context, r *Record, buf *CacheBuffer, o *CopyOptions) (item, error) {
	cache, version, err := m.CacheBytes(r, buf)
	if err == nil && version < message.CacheVersion {
		cache, err = m.parsedCache(r)
	}
	if err != nil {
		return item{}, err
	}
	it := item{source: m.messagePath(r), cache: slices.Clone(cache), rec: *r}
	flags := r.Flags
	if o.Seen != nil {
		flags &^= Seen
		if o.Seen(r.UID) {
			flags |= Seen
		}
	}
	it.rec.Flags = flags&SystemMask&o.Flags | flags&SplitConversation
	it.rec.User = UserFlags{}
	if o.Keywords {
		r.User.Each(func(n int) {
			if n < len(m.head.flags) && m.head.flags[n] != "" {
				it.keywords = append(it.keywords, m.head.flags[n])
			}
		})
	}
	it.rec.CacheVersion, it.rec.CacheCRC = message.CacheVersion, checksum(cache)
	it.rec.CID = 0
	if m.hdr.Version < 12 { // what such a record lacks
		msg, err := m.parse(r)
		if err != nil {
			return item{}, err
		}
		fillRecord(&it.rec, msg, r.InternalDate.Time())
	}
	if m.store.o.AuditLog {
		it.messageID = messageID(cache)
	}
	it.annots, err = m.copiedAnnotations(ctx, r.UID)
	return it, err
}

// startModseq sets the first modseq of a new message: a copy keeps that of its
// original, unless that comes later.
func (r *Record) startModseq() {
	if r.CreatedModseq == 0 || r.CreatedModseq > r.Modseq {
		r.CreatedModseq = r.Modseq
	}
}

// copiedAnnotations returns the annotations that a copy of a message gets: as
// in Cyrus, private ones of all users too, which only they can read. Those
// that may be on one message only are left out.
//
// Source: rename_cb in Cyrus imap/annotate.c.
func (m *Mailbox) copiedAnnotations(ctx context.Context, uid uint32) ([]Annotation, error) {
	m.changes.old.AnnotUsed = m.hdr.AnnotUsed
	all, err := m.annotsOf(ctx, uid)
	var out []Annotation
	for _, a := range all {
		if a.Entry != annot.Snoozed && a.Entry != annotDisplayName {
			a.Modseq = 0
			out = append(out, a)
		}
	}
	return out, err
}

// messageID is the last string of the envelope in a cache record, for the
// audit log.
func messageID(cache []byte) string {
	c, _, err := message.ParseCache(cache, message.CacheVersion)
	if err != nil {
		return ""
	}
	env := c.Item(message.ItemEnvelope)
	end := len(env) - 1
	if end < 1 || env[end] != ')' || env[end-1] != '"' {
		return ""
	}
	start := end - 2
	for start > 0 && env[start] != '"' {
		start--
	}
	return string(env[start+1 : end-1])
}

// moveTries is how often the source of a MOVE is waited for: whoever is told
// that it has failed tries again, and has more copies.
const moveTries = 6

// expungeMoved expunges the originals of a MOVE.
func (s *Store) expungeMoved(ctx context.Context, src Ref, from []Record, o *CopyOptions) error {
	m, err := s.Open(ctx, src, Write)
	if err != nil {
		return fmt.Errorf("the messages are copied, but: %w", err)
	}
	defer m.Close()
	if o.User != "" {
		m.Announce(event.Cause{User: o.User, Session: o.SessionID, Expunge: event.MessageExpunge})
	}
	for i := range from {
		r, ok, err := m.FindUID(from[i].UID, from[i].Recno)
		if err != nil {
			return err
		}
		if !ok {
			continue // somebody else has expunged it, and it is cleaned up
		}
		if r.GUID != from[i].GUID {
			return errs.New(errs.NoSuchMessage, "mailbox.Copy", string(src.Name), errors.New("the source was replaced meanwhile"))
		}
		if err := m.Expunge(&r, o.SessionID); err != nil {
			return err
		}
	}
	return m.Commit(ctx)
}
