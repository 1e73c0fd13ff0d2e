package view

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/imapwire"
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

// TestChangedSince asks for changes of many messages at once and of each alone,
// which are found in different ways: the answers are the same.
func TestChangedSince(t *testing.T) {
	e := newEnv(t)
	e.fill(fewTargets + 40)
	a, b := e.open("alice", false), e.open("alice", false)
	b.o.Client = &Client{Condstore: true}
	since := a.sel.HighestModseq
	a.store("3,7:9,104", FlagChange{Operation: Add, Flags: mailbox.Flagged})
	a.store("50:60,104", FlagChange{Operation: Add, Flags: mailbox.Deleted})
	a.uidExpunge(t, "50:55")
	b.noop()
	fetch := func(messages string) string {
		f := imapwire.Fetch{Items: imapwire.FetchFlags | imapwire.FetchModseq, ChangedSince: since}
		if _, err := b.Fetch(ctx, b.w, set(messages), &f, false); err != nil {
			t.Fatal(err)
		}
		return b.sent()
	}
	var want []string
	for i := range b.Count() {
		if got := fetch(fmt.Sprint(i + 1)); got != "" {
			want = append(want, got)
		}
	}
	for _, messages := range []string{"1:*", "1:49,50:*"} {
		if got := fetch(messages); got != strings.Join(want, "|") || len(want) != 10 {
			t.Errorf("%s: %q, want %d: %q", messages, got, len(want), want)
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
