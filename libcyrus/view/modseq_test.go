package view

import (
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/mailbox"
)

// TestResyncWhileExpunged expunges a message between the opening of a mailbox
// and the answer to QRESYNC: the client has been told how many messages there
// are, this one among them, and hears that it is gone when it loses its number.
func TestResyncWhileExpunged(t *testing.T) {
	for _, dropped := range []bool{false, true} {
		e := newEnv(t)
		e.fill(4)
		a := e.open("alice", false)
		known := Resync{UIDValidity: a.sel.UIDValidity, Modseq: 1}
		a.store("1,3", FlagChange{Operation: Add, Flags: mailbox.Deleted})
		a.uidExpunge(t, "1")
		b := e.open("alice", false)
		b.o.Client = &Client{Condstore: true, QResync: true}
		a.uidExpunge(t, "3")
		if dropped {
			o := mailbox.CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}
			if _, _, err := e.store.Cleanup(ctx, inbox, o); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Resync(ctx, b.w, &known); err != nil {
			t.Fatal(err)
		}
		got := b.sent()
		if !strings.Contains(got, "VANISHED (EARLIER) 1|") || b.sel.Exists != 3 {
			t.Errorf("dropped %v: %d messages, %q", dropped, b.sel.Exists, got)
		}
		b.Report(b.w, true, true)
		if got := b.sent(); got != "* VANISHED 3" {
			t.Errorf("dropped %v: then %q", dropped, got)
		}
	}
}

// uidExpunge expunges messages for good.
func (s *session) uidExpunge(t *testing.T, uids string) {
	t.Helper()
	if _, _, err := s.Expunge(ctx, s.ResolveUIDs(set(uids))); err != nil {
		t.Fatal(err)
	}
}
