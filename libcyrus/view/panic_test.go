package view

import (
	"context"
	"testing"
	"time"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
)

// TestPanicReleasesLocks: a session that ends by a panic in the middle of a
// FETCH must not keep the mailbox from others.
func TestPanicReleasesLocks(t *testing.T) {
	e := newEnv(t)
	e.fill(3)
	a := e.open("alice", false)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		p := plan{Fetch: &imapwire.Fetch{}, set: set("1"), file: func(uint16) bool { panic("test") }}
		_ = a.fetchBatch(ctx, a.w, &p, true)
	}()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	m, err := e.store.Open(ctx, inbox, mailbox.Exclusive)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}
