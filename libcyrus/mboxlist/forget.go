package mboxlist

import (
	"context"

	"gocyrus/libcyrus/mboxname"
)

// Forget removes an entry that is no mailbox from the list: a tombstone
// that is old enough, or a reservation that a crash has left. What stands
// at its unique id goes too, unless a mailbox with that id lives on. The
// error is of kind errs.NotFound for anything else at that name.
func (l *List) Forget(ctx context.Context, n mboxname.Name) error {
	return retry(ctx, func() error {
		s, err := l.fetch(ctx, keyOf(n))
		if err != nil {
			return err
		}
		if s.Entry == nil || !s.Has(Tombstone) && !s.Has(Reserved) {
			return notFound(n)
		}
		c := l.begin(Actor{})
		c.gone(s)
		if s.UniqueID != "" {
			if err := c.forgetDead(ctx, s.UniqueID); err != nil {
				return err
			}
		}
		return c.commit(ctx)
	})
}
