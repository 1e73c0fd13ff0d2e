// Package subs keeps the lists of subscribed mailboxes.
package subs

// Store is those of a site.
type Store struct{}
