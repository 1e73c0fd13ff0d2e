package view

import (
	"bytes"
	"context"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
)

// AnnotationChange is the arguments of STORE ANNOTATION.
type AnnotationChange struct {
	Sets           []annot.Set
	UnchangedSince uint64 // as in FlagChange
	Conditional    bool
}

// StoreAnnotations changes annotations of messages, all or none. It returns
// those (by UID with uid, else by sequence number) that were left alone
// because of UnchangedSince. The client is told by Report that the messages
// have changed.
//
// Source: index_store in Cyrus imap/index.c.
func (v *View) StoreAnnotations(ctx context.Context, set imapwire.SeqSet, uid bool, c AnnotationChange) (modified imapwire.SeqSet, err error) {
	if v.o.Examine {
		return nil, errs.New(errs.Denied, "view.StoreAnnotations", string(v.ref.Name), nil)
	}
	m, err := v.opened(ctx, mailbox.Write)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := v.sync(ctx, m); err != nil {
		return nil, err
	}
	t := v.resolve(set, uid, len(v.uids))
	if len(t) == 0 {
		return nil, nil
	}
	changes, err := v.o.Annotations.Check(annot.OfMessage, c.Sets, annot.Actor{User: v.o.User, Rights: v.rights, Admin: v.o.Admin})
	if err != nil {
		return nil, err
	}
	var changed []change
	var failed error
	err = v.walk(m, t, func(seq uint32, r *mailbox.Record) bool {
		if !r.Live() {
			return true
		}
		if c.Conditional && r.Modseq > c.UnchangedSince {
			if uid {
				seq = r.UID
			}
			modified = modified.Add(seq)
			return true
		}
		failed = m.AnnotateMessage(ctx, r, changes)
		changed = append(changed, change{r.UID, v.flags(r), r.User, r.Modseq})
		return failed == nil
	})
	if err = firstError(err, failed); err != nil || len(changed) == 0 {
		return modified, err
	}
	if err := m.Commit(ctx); err != nil {
		return nil, err
	}
	v.addChanges(changed)
	h := m.Header()
	v.note(m, &h)
	return modified, nil
}

// annotations reads annotations of a message of the open mailbox.
func (v *View) annotations(m *mailbox.Mailbox, uid uint32, q annot.Query) ([]annot.Answer, error) {
	return v.o.Annotations.Answer(annot.OfMessage, q, v.o.User, &ofMessage{v, m, uid})
}

// ofMessage finds annotations of a message.
type ofMessage struct {
	v   *View
	m   *mailbox.Mailbox
	uid uint32
}

// Rows returns what is stored.
func (o *ofMessage) Rows() ([]annot.Row, error) {
	as, err := o.m.MessageAnnotations(context.Background(), o.uid)
	rows := make([]annot.Row, len(as))
	for i, a := range as {
		rows[i] = annot.Row{Key: a.Key, Value: a.Value}
	}
	return rows, err
}

// MayRead reports whether the user may read annotations (RFC 5257 section
// 3.4).
func (o *ofMessage) MayRead(*annot.Definition) bool {
	return o.v.o.Admin || o.v.rights.Has(acl.Read)
}

// Computed returns nothing: all values are stored.
func (o *ofMessage) Computed(*annot.Definition) ([]byte, bool, error) { return nil, false, nil }

// annotations prints the ANNOTATION item of a message.
func (o *out) annotations(as []annot.Answer) {
	o.b = append(o.b, "ANNOTATION ("...)
	for i := range as {
		if i > 0 {
			o.b = append(o.b, ' ')
		}
		o.b = append(imapwire.AppendAString(o.b, as[i].Entry), " ("...)
		for j, x := range as[i].Attrs {
			if j > 0 {
				o.b = append(o.b, ' ')
			}
			o.b = append(imapwire.AppendAString(o.b, x.Name), ' ')
			o.b = appendValue(o.b, x.Value)
		}
		o.b = append(o.b, ')')
	}
	o.b = append(o.b, ") "...)
}

// appendValue prints a value, NIL if there is none.
func appendValue(b, value []byte) []byte {
	if len(value) == 0 {
		return append(b, "NIL"...)
	}
	return imapwire.AppendString(b, string(value))
}

// annotation makes the query for a value in annotations (RFC 5257 section
// 4.5). Octets are compared, as in Cyrus.
func (c *compiler) annotation(k *imapwire.SearchKey) *query {
	q := annot.Query{Entries: []string{k.Field}, Attrs: annot.ParseAttrs([]string{k.Attribute})}
	text := []byte(k.Text)
	return &query{ofCache, func(m *candidate) bool {
		as, err := m.v.annotations(m.m, m.r.UID, q)
		if err != nil {
			m.lost(err)
		}
		m.cost++
		for i := range as {
			for _, x := range as[i].Attrs {
				if bytes.Contains(x.Value, text) {
					return true
				}
			}
		}
		return false
	}}
}
