// Package userdeny keeps the list of users who may not log in.
package userdeny

// Store is those of a site.
type Store struct{}
