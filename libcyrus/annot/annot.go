// Package annot keeps annotations of the server, of mailboxes and of messages.
package annot

// Store is those of a site.
type Store struct{}
