package quota

import (
	"context"

	"gocyrus/libcyrus/mboxname"
)

// Store is the quota roots of a site.
type Store struct{}

// Get returns a root; without it the error is of kind errs.QuotaNotFound.
func (s *Store) Get(ctx context.Context, root mboxname.Name) (*Root, error) { panic("not written yet") }

// FindRoot returns the root that covers n: the longest prefix of the name
// that is one, then the root of its domain; "" if there is none, and for
// deleted mailboxes.
func (s *Store) FindRoot(ctx context.Context, n mboxname.Name) (mboxname.Name, error) {
	panic("not written yet")
}

// Check returns an error of kind errs.OverQuota if a change by diff would
// take the root over a limit. A root that does not exist has room.
func (s *Store) Check(ctx context.Context, root mboxname.Name, diff Usage) error {
	panic("not written yet")
}

// Update changes what is used of a root by diff, durably, and whatever the
// limits. mailbox is where the change happens. Without the root nothing is done.
func (s *Store) Update(ctx context.Context, root, mailbox mboxname.Name, diff Usage) error {
	panic("not written yet")
}
