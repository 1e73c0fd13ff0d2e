// Package seen keeps what users have read of mailboxes that are not theirs.
package seen

// Store is those of a site.
type Store struct{}
