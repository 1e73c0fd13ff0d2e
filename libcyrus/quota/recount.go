package quota

import (
	"context"

	"gocyrus/libcyrus/mboxname"
)

// Recount counts anew what is used of a root while the mailboxes below it go
// on changing. What was counted so far is kept with the root, so that each
// Update knows on which side of the count it happens, as with "quota -f" of
// Cyrus.
//
//	r, err := s.Recount(ctx, root)
//	for each mailbox of the root, in ascending order of the bytes of its name:
//		with its index locked: err = r.Add(ctx, name, use)
//	was, is, err := r.End(ctx)
type Recount struct {
	s    *Store
	root mboxname.Name
}

// Recount begins to count. The caller holds the lock $QUOTACHANGE until the
// end. A count that ends early does no harm.
func (s *Store) Recount(ctx context.Context, root mboxname.Name) (*Recount, error) {
	err := s.change(ctx, root, func(r *Root) { r.scan = &scan{} })
	return &Recount{s, root}, err
}

// Add counts a mailbox. Its use must not change during the call.
func (c *Recount) Add(ctx context.Context, mailbox mboxname.Name, use Usage) error {
	return c.s.change(ctx, c.root, func(r *Root) {
		if r.scan == nil {
			r.scan = &scan{}
		}
		r.scan.Mailbox = string(mailbox)
		r.scan.Used = r.scan.Used.Add(use)
	})
}

// Again forgets what was counted so far.
func (c *Recount) Again(ctx context.Context) error {
	return c.s.change(ctx, c.root, func(r *Root) { r.scan = &scan{} })
}

// End replaces what was thought to be used by what was counted.
func (c *Recount) End(ctx context.Context) (was, is Usage, err error) { return c.end(ctx, true) }

// Look is End, but leaves what is thought to be used as it is ("quota -n").
func (c *Recount) Look(ctx context.Context) (was, is Usage, err error) { return c.end(ctx, false) }

func (c *Recount) end(ctx context.Context, replace bool) (was, is Usage, err error) {
	err = c.s.change(ctx, c.root, func(r *Root) {
		was, is = r.Used, r.Used
		if r.scan != nil {
			is = r.scan.Used
		}
		if replace {
			r.Used = is
		}
		r.scan = nil
	})
	return was, is, err
}
