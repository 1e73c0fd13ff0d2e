//go:build race

package mboxlist_test

// raced is whether the tests run with the race detector, under which what they
// do takes about ten times as long.
const raced = true
