// Package sasl is the server's side of authentication: which mechanisms
// are offered when, and what a client's answers amount to.
package sasl
