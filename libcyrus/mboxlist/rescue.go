package mboxlist

import (
	"bytes"
	"context"
	"slices"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// Stored is what stands at a unique id, with its history, whatever is at its
// name by now: reconstruct compares the two. errs.NotFound if there is
// nothing, errs.BadFormat if it cannot be read.
func (l *List) Stored(ctx context.Context, id string) (*Entry, error) {
	s, err := l.fetch(ctx, keyOfID(id))
	if err == nil && s.Entry == nil {
		return nil, errs.New(errs.NotFound, "mboxlist.Stored", id, nil)
	}
	return s.Entry, err
}

// NewID gives a mailbox another unique id, because another mailbox has its
// one too, and returns it. The other keeps everything that is kept by the id;
// annotations are copied. A mailbox with a directory by its id becomes a new,
// empty one, as the files are the other's.
func (l *List) NewID(ctx context.Context, e *Entry) (string, error) {
	next := *e
	next.UniqueID, next.Mtime, next.History = mailbox.NewUniqueID(), l.now(), nil
	if !e.Has(LegacyDirs) {
		root, err := l.o.Quota.FindRoot(ctx, e.Name)
		if err != nil {
			return "", err
		}
		o := mailbox.CreateOptions{ACL: e.ACL.String(), QuotaRoot: root, MinValidity: e.UIDValidity + 1, Options: l.o.NewOptions}
		_, err = l.o.Store.Create(ctx, next.Ref(), o, func(c mailbox.Created) error {
			next.UIDValidity, next.CreatedModseq, next.FolderModseq = c.UIDValidity, c.Modseq, c.Modseq
			return l.replace(ctx, e, &next)
		})
		return next.UniqueID, err
	}
	if err := l.o.Store.AssignID(ctx, next.Ref()); err != nil {
		return "", err
	}
	owner := e.Name.OwnerOf(l.o.Names.DeletedPrefix)
	from, to := annot.Scope{MailboxID: e.UniqueID, Owner: owner}, annot.Scope{MailboxID: next.UniqueID, Owner: owner}
	if err := l.o.Annot.Copy(ctx, from, to); err != nil {
		return "", err
	}
	return next.UniqueID, l.replace(ctx, e, &next)
}

// replace puts an entry with another id at a name. What stands at the old id
// stays.
func (l *List) replace(ctx context.Context, e, next *Entry) error {
	return retry(ctx, func() error {
		old, err := l.fetch(ctx, keyOf(e.Name))
		if err != nil {
			return err
		}
		c := l.begin(Actor{})
		c.name(old, next)
		if err := c.id(ctx, next, nil); err != nil {
			return err
		}
		return c.commit(ctx)
	})
}

// Records is the list of some mailboxes as it stands in its database, by
// key, with the reverse index if the site has one. Entries that share a
// name or id with an earlier one are left out.
func (l *List) Records(entries []*Entry) []cyrusdb.KV {
	values := map[string][]byte{}
	put := func(k string, v []byte) {
		if _, twice := values[k]; !twice {
			values[k] = v
		}
	}
	if l.o.ReverseACLs {
		put(raclShared, []byte{})
	}
	for _, e := range entries {
		if _, twice := values[string(keyOf(e.Name))]; twice {
			continue
		}
		put(string(keyOf(e.Name)), e.encode())
		if e.UniqueID != "" {
			put(string(keyOfID(e.UniqueID)), e.encodeID())
		}
		if l.o.ReverseACLs {
			for _, k := range l.raclKeys(e) {
				put(k, []byte{})
			}
		}
	}
	out := make([]cyrusdb.KV, 0, len(values))
	for k, v := range values {
		out = append(out, cyrusdb.KV{Key: []byte(k), Value: v})
	}
	slices.SortFunc(out, func(a, b cyrusdb.KV) int { return bytes.Compare(a.Key, b.Key) })
	return out
}

// Salvage reads what can be read of a list that is damaged: the entries by
// name, each with the history that its id has. It returns no error: what
// stops the reading is the end.
func Salvage(ctx context.Context, db cyrusdb.DB) map[mboxname.Name]*Entry {
	names := map[mboxname.Name]*Entry{}
	ids := map[string]*Entry{}
	_ = db.Scan(ctx, nil, func(k, v []byte) (bool, error) {
		e, err := decode(k, v)
		if err != nil || len(k) == 0 {
			return true, nil
		}
		if k[0] == idKey {
			ids[e.UniqueID] = e
		} else if storable(e.Name) {
			names[e.Name] = e
		}
		return true, nil
	})
	for _, e := range ids {
		if have := names[e.Name]; have != nil && have.UniqueID == e.UniqueID {
			have.History = e.History
		} else if have == nil && e.Exists() && storable(e.Name) {
			names[e.Name] = e
		}
	}
	return names
}

// Sound reads the whole list. The error names the first thing that cannot be
// read.
func (l *List) Sound(ctx context.Context) error {
	return l.db.Scan(ctx, nil, func(k, v []byte) (bool, error) {
		if len(k) == 0 || k[0] != nameKey && k[0] != idKey {
			return true, nil
		}
		if _, err := decode(k, v); err != nil {
			return false, errs.New(errs.BadFormat, "mboxlist.Sound", string(k), err)
		}
		return true, nil
	})
}
