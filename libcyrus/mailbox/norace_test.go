//go:build !race

package mailbox

// raced is whether the tests run with the race detector, under which what they
// do takes about ten times as long.
const raced = false
