package view

import (
	"testing"

	"gocyrus/libcyrus/mailbox"
)

// TestOldSharedSeen has an index of before version 12 with one \Seen for all:
// the seen database of "anyone" has it.
func TestOldSharedSeen(t *testing.T) {
	e := newEnv(t)
	e.fill(3)
	m, err := e.store.Open(ctx, inbox, mailbox.Write)
	if err != nil {
		t.Fatal(err)
	}
	m.SetOptions(mailbox.OptSharedSeen, 0)
	err = m.Commit(ctx)
	m.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.store.SetVersion(ctx, inbox, 10, func([]uint32, uint32) error { return nil }); err != nil {
		t.Fatal(err)
	}
	alice, bob := e.open("alice", false), e.open("bob", false)
	alice.store("2", FlagChange{Operation: Add, Flags: mailbox.Seen})
	bob.noop()
	if got := bob.fetch("2", "FLAGS"); got != "* 2 FETCH (FLAGS (\\Seen))" {
		t.Errorf("bob sees %q", got)
	}
	bob.store("2", FlagChange{Operation: Remove, Flags: mailbox.Seen})
	bob.store("3", FlagChange{Operation: Add, Flags: mailbox.Seen})
	alice.noop()
	if got := alice.search("SEEN"); got != "3" {
		t.Errorf("alice has seen %q", got)
	}
	st, err := e.seen.Get(ctx, mailbox.SharedSeenUser, inbox.UniqueID)
	if err != nil || !st.Seen.Has(3) || st.Seen.Has(2) || st.LastUID != 3 {
		t.Errorf("%+v, %v", st, err)
	}
	if st, err := e.seen.Get(ctx, "bob", inbox.UniqueID); err != nil || len(st.Seen) > 0 || st.LastUID > 0 {
		t.Errorf("bob has one of his own: %+v, %v", st, err)
	}
}
