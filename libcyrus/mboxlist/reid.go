package mboxlist

import (
	"context"
	"errors"
	"slices"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// ErrByID means that the directory of a mailbox has the name of its unique
// id, which therefore cannot change. The error that wraps it is of kind
// errs.NotSupported.
var ErrByID = errors.New("the mailbox lies in a directory by unique id")

// Reid gives a mailbox with a directory by name another unique id, and
// returns it. Its annotations go along; what users other than the owner have
// seen does not, as Cyrus keeps that by unique id.
//
//	step                            if it stops after this
//	cyrus.header has the new id     the list is true; another Reid makes yet another
//	annotations are copied          the copy belongs to nobody
//	the list has the new id         done; the old annotations belong to nobody
//
// Source: do_reid in Cyrus imap/mbtool.c.
func (l *List) Reid(ctx context.Context, who Actor, n mboxname.Name) (id string, err error) {
	err = retry(ctx, func() error {
		id, err = l.reid(ctx, who, n)
		return err
	})
	return id, err
}

func (l *List) reid(ctx context.Context, who Actor, n mboxname.Name) (string, error) {
	old, err := l.fetch(ctx, keyOf(n))
	if err != nil {
		return "", err
	}
	if old.Entry == nil || !old.Exists() {
		return "", notFound(n)
	}
	if !old.Has(LegacyDirs) {
		return "", errs.New(errs.NotSupported, "mboxlist.Reid", string(n), ErrByID)
	}
	past, err := l.fetch(ctx, keyOfID(old.UniqueID))
	if err != nil {
		return "", err
	}
	e := *old.Entry
	e.UniqueID, e.Mtime = mailbox.NewUniqueID(), l.now()
	if err := l.o.Store.AssignID(ctx, e.Ref()); err != nil {
		return "", err
	}
	owner := n.OwnerOf(l.o.Names.DeletedPrefix)
	from, to := annot.Scope{MailboxID: old.UniqueID, Owner: owner}, annot.Scope{MailboxID: e.UniqueID, Owner: owner}
	if err := l.o.Annot.Copy(ctx, from, to); err != nil {
		return "", err
	}
	c := l.begin(who)
	c.name(old, &e)
	history := func(h []Past) []Past {
		if past.Entry == nil {
			return h
		}
		return slices.Clone(past.History)
	}
	if err := c.id(ctx, &e, history); err != nil {
		return "", err
	}
	if err := c.forgetOf(ctx, old.Entry); err != nil {
		return "", err
	}
	if err := c.commit(ctx); err != nil {
		return "", err
	}
	return e.UniqueID, l.o.Annot.RemoveAll(ctx, old.UniqueID)
}
