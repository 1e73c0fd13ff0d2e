package mboxlist

import (
	"context"
	"slices"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
)

// Load puts an entry into the list as it is, with its history, in the place
// of what is there; only its Mtime becomes now. Nothing is done on disk.
// It is for entries from a dump (ctl_mboxlist -u).
//
// Source: mboxlist_updatelock in Cyrus imap/mboxlist.c.
func (l *List) Load(ctx context.Context, e *Entry) error {
	if e.Name == "" || !mboxname.ValidID(e.UniqueID) {
		return errs.New(errs.BadArgument, "mboxlist.Load", string(e.Name), nil)
	}
	with := *e
	with.Type = withFlags(e.Type, "", "")
	with.Mtime = l.now()
	return retry(ctx, func() error {
		old, err := l.fetch(ctx, keyOf(e.Name))
		if err != nil {
			return err
		}
		c := l.begin(Actor{})
		c.name(old, &with)
		if err := c.id(ctx, &with, func([]Past) []Past { return slices.Clone(e.History) }); err != nil {
			return err
		}
		return c.commit(ctx)
	})
}

// Unlist takes whatever stands at a name from the list (ctl_mboxlist -x). The
// files stay. What stands at its unique id goes too, unless a mailbox with
// that id lives on. The error is of kind errs.NotFound if there is nothing.
func (l *List) Unlist(ctx context.Context, n mboxname.Name) error {
	return retry(ctx, func() error {
		s, err := l.fetch(ctx, keyOf(n))
		if err != nil {
			return err
		}
		if s.Entry == nil {
			return notFound(n)
		}
		c := l.begin(Actor{})
		c.gone(s)
		if s.UniqueID != "" {
			if err := c.forgetOf(ctx, s.Entry); err != nil {
				return err
			}
		}
		return c.commit(ctx)
	})
}

// forgetOf removes what stands at the unique id of an entry, if it says that
// the id belongs to that name.
func (c *change) forgetOf(ctx context.Context, e *Entry) error {
	id, err := c.l.fetch(ctx, keyOfID(e.UniqueID))
	if err != nil || id.Entry == nil || id.Name != e.Name {
		return err
	}
	c.tx.Require(keyOfID(e.UniqueID), id.raw)
	c.forget(e.UniqueID)
	return nil
}
