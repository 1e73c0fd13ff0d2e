package mailbox

import (
	"bytes"
	"context"
	"time"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/quota"
)

// AnnotateBox changes annotations of the mailbox itself that are kept in the
// site's database. Each value that is not what it was takes a modseq, is
// counted and has to find room in the quota; if it may not be changed
// (annot.Change.Allowed) the error is of kind errs.Denied. It reports whether
// anything is different. Mode Write.
//
// Source: write_entry in Cyrus imap/annotate.c.
func (m *Mailbox) AnnotateBox(ctx context.Context, changes []annot.Change) (bool, error) {
	have := map[annot.Key][]byte{}
	err := m.store.o.Annotations.Each(ctx, m.annotScope(), func(k annot.Key, v []byte) error {
		have[k] = bytes.Clone(v)
		return nil
	})
	if err != nil {
		return false, err
	}
	c := &m.changes
	changed := false
	for _, x := range changes {
		old := have[x.Key]
		if bytes.Equal(old, x.Value) {
			continue
		}
		if !x.Allowed {
			return false, errs.New(errs.Denied, "mailbox.AnnotateBox", string(m.ref.Name), nil)
		}
		m.NextModseq()
		delta := int64(len(x.Value) - len(old))
		m.AddAnnotationUse(delta)
		if err := m.roomForAnnotations(ctx, delta); err != nil {
			return false, err
		}
		have[x.Key], changed = x.Value, true
		row := annot.Row{Key: x.Key, Value: x.Value}
		if len(row.Value) == 0 {
			row.Value = nil
		}
		c.box = append(c.box, row)
	}
	return changed, nil
}

// roomForAnnotations asks the quota root whether there is room for the
// change so far, of which the last part was delta.
func (m *Mailbox) roomForAnnotations(ctx context.Context, delta int64) error {
	if m.store.o.Quota == nil || m.head.quotaRoot == "" || delta <= 0 {
		return nil
	}
	var want quota.Usage
	want[quota.AnnotStorage] = m.changes.usage[quota.AnnotStorage]
	return m.store.o.Quota.Check(ctx, m.head.quotaRoot, want)
}

// annotScope is where the site's database has the annotations of the
// mailbox.
func (m *Mailbox) annotScope() annot.Scope {
	return annot.Scope{MailboxID: m.head.uniqueID, Owner: m.owner()}
}

// BoxAnnotations returns the annotations of the mailbox itself, in the order
// of their keys.
func (m *Mailbox) BoxAnnotations(ctx context.Context) (rows []annot.Row, err error) {
	err = m.store.o.Annotations.Each(ctx, m.annotScope(), func(k annot.Key, v []byte) error {
		rows = append(rows, annot.Row{Key: k, Value: bytes.Clone(v)})
		return nil
	})
	return rows, err
}

// MessageAnnotations returns the annotations of a message, in the order of
// their keys. Those of a mailbox are read once.
func (m *Mailbox) MessageAnnotations(ctx context.Context, uid uint32) ([]Annotation, error) {
	if !m.changes.began {
		m.changes.old.AnnotUsed = m.hdr.AnnotUsed
	}
	return m.annotsOf(ctx, uid)
}

// AnnotateMessage changes annotations of a message, as AnnotateBox does for
// the mailbox. The message gets a new modseq whether something changes or not,
// after one for each value of the first entry that does. r has the record
// afterwards. Mode Write.
//
// Source: index_store_annotation in Cyrus imap/index.c.
func (m *Mailbox) AnnotateMessage(ctx context.Context, r *Record, changes []annot.Change) error {
	m.begin()
	have, err := m.annotsOf(ctx, r.UID)
	if err != nil {
		return err
	}
	c := &m.changes
	next := have
	for i := range changes {
		x := &changes[i]
		if bytes.Equal(valueOf(next, x.Key), x.Value) {
			continue
		}
		if !x.Allowed {
			return errs.New(errs.Denied, "mailbox.AnnotateMessage", string(m.ref.Name), nil)
		}
		if x.Entry == changes[0].Entry {
			m.NextModseq()
		}
		if x.Entry == annotBaseThread && r.Flags&SplitConversation == 0 {
			continue // there is nothing that it could be the base of
		}
		a := Annotation{UID: r.UID, Key: x.Key, Value: x.Value, Modseq: m.hdr.HighestModseq}
		if len(a.Value) == 0 {
			a.Value = nil
		}
		next = withAnnotation(next, a)
		c.annots = append(c.annots, a)
	}
	before := c.usage[quota.AnnotStorage]
	m.count(r, have, -1)
	m.count(r, next, 1)
	if err := m.roomForAnnotations(ctx, c.usage[quota.AnnotStorage]-before); err != nil {
		return err
	}
	c.messages[r.UID] = next
	c.annotsMod = m.hdr.HighestModseq
	return m.Rewrite(r)
}

// annotDisplayName is the name that JMAP shows of a mailbox.
const annotDisplayName = annot.Vendor + "displayname"

// annotBaseThread is the thread from which a conversation was split.
const annotBaseThread = annot.Vendor + "basethrid"

// number prepares the annotations of a new message. Each takes a modseq
// behind that of the message.
//
// Source: write_entry in Cyrus imap/annotate.c.
func (m *Mailbox) number(as []Annotation, uid uint32) {
	for i := range as {
		a := &as[i]
		if a.UID = uid; !a.Quiet {
			m.NextModseq()
		}
		a.Modseq = m.hdr.HighestModseq
	}
}

// IndexTime is when the index was written last.
func (m *Mailbox) IndexTime() (time.Time, error) {
	fi, err := m.file.Stat()
	if err != nil {
		return time.Time{}, fsError("mailbox.IndexTime", m.ref.Name, err)
	}
	return fi.ModTime(), nil
}

// valueOf returns the value with a key, nil if there is none.
func valueOf(as []Annotation, k annot.Key) []byte {
	for i := range as {
		if as[i].Key == k {
			return as[i].Value
		}
	}
	return nil
}
