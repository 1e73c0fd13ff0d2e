//go:build !reference

package suite

// killRounds is how often a process is killed during a rename of a user.
const killRounds = 8
