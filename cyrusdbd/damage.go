package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"gocyrus/libcyrus/cyrusdb"
)

// explain says what to do about databases that do not open. What will be no
// better at the next attempt is a *cyrusdb.ModeError.
func explain(dir string, err error) error {
	if !damaged(err) {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return &cyrusdb.ModeError{Text: fmt.Sprintf("the databases in %s are damaged: %v: put them back from a backup, or make the mailbox list anew with reconstruct -m, which loses annotations of mailboxes", dir, err)}
}

// damaged reports whether the files of a database are at fault, not the
// system under them: not all that pebble finds wrong is marked as corruption.
func damaged(err error) bool {
	var errno syscall.Errno
	return errors.Is(err, pebble.ErrCorruption) || errors.Is(err, fs.ErrNotExist) || !errors.As(err, &errno)
}
