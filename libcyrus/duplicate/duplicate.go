// Package duplicate remembers which mails were delivered.
package duplicate

// Store is those of a site.
type Store struct{}
