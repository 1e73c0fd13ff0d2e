//go:build reference

package reference

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

const dated = "Date: Mon, 23 Nov 2026 10:00:00 +0100\r\n"

// twice is mail whose id or date is written in some odd way.
var twice = []struct{ name, text string }{
	{"plain", dated + "Message-ID: <twice-1@example.org>\r\n\r\nbody\r\n"},
	{"no brackets", dated + "Message-ID: twice-2@example.org\r\n\r\nbody\r\n"},
	{"blanks", dated + "Message-ID:   <twice-3@example.org>  \t\r\n\r\nbody\r\n"},
	{"folded", "Date: Mon, 23 Nov 2026\r\n\t10:00:00 +0100 (CET)\r\nMessage-ID:\r\n <twice-4@example.org>\r\n\r\nbody\r\n"},
	{"comment", dated + "Message-ID: <twice-5@example.org> (made by hand)\r\n\r\nbody\r\n"},
	{"resent", dated + "Message-ID: <twice-6@example.org>\r\nResent-Message-ID: <twice-6r@example.org>\r\nResent-Date: Mon, 23 Nov 2026 11:00:00 +0100\r\n\r\nbody\r\n"},
	{"two ids", dated + "Message-ID: <twice-7@example.org>\r\nMessage-ID: <twice-7b@example.org>\r\n\r\nbody\r\n"},
	{"two dates", dated + "Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nMessage-ID: <twice-8@example.org>\r\n\r\nbody\r\n"},
	{"odd date", "Date:  no  date \r\nMessage-ID: <twice-9@example.org>\r\n\r\nbody\r\n"},
	{"8-bit", dated + "Message-ID: <twice-10\xe4@example.org>\r\n\r\nbody\r\n"},
	{"another date", "Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nMessage-ID: <twice-1@example.org>\r\n\r\nbody\r\n"},
	{"resent before", dated + "Message-ID: <twice-6@example.org>\r\n\r\nbody\r\n"},
	{"quoted", dated + "Message-ID: <\"twice 13\"@example.org>\r\n\r\nbody\r\n"},
}

// deliverTwice delivers all of twice.
func deliverTwice(t *testing.T, s *server.Site) {
	t.Helper()
	for _, m := range twice {
		if got := lmtp(t, s, "<a@example.org>", m.text); !strings.HasPrefix(got, "250") {
			t.Errorf("%s: %s", m.name, got)
		}
	}
}

// delivery is what deliver.db knows, without times and UIDs.
func delivery(t *testing.T, s *server.Site) []string {
	t.Helper()
	out, code := tool(t, s, "cyr_dbtool", s.Dir+"/conf/deliver.db", "twoskip", "show")
	if code != 0 {
		t.Fatal(out)
	}
	var keys []string
	for line := range strings.Lines(out) {
		key, _, _ := strings.Cut(line, "\t")
		if !strings.Contains(key, ".sieve.") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// TestDuplicates delivers the same mail through both servers to one spool:
// what the one has delivered the other does not, and ours makes no other
// marks than the real one.
func TestDuplicates(t *testing.T) {
	s := server.New(t, server.Options{Shared: true})
	secrets(t, s, "user1", "cyrus")
	asCyrus(t, s)
	count := func() string {
		c := s.Login("user1")
		defer c.Close()
		return strings.Join(c.Must("STATUS INBOX (MESSAGES)"), "")
	}
	s.Run()
	s.MakeUsers("user1")
	deliverTwice(t, s)
	first := count()
	deliverTwice(t, s)
	// Only "resent before" has been there: its Message-ID is that of "resent".
	if again := count(); again != first || !strings.Contains(first, fmt.Sprintf("MESSAGES %d)", len(twice)-1)) {
		t.Errorf("%q, and again: %q", first, again)
	}
	if !s.Stop(20 * time.Second) {
		t.Fatal("master did not stop")
	}
	marks := delivery(t, s)
	cyrusServes(t, s, func() {
		deliverTwice(t, s)
		if again := count(); again != first {
			t.Errorf("the real Cyrus delivers what ours had: %q, before %q", again, first)
		}
	})
	if now := delivery(t, s); !slices.Equal(now, marks) {
		t.Errorf("marks\n%q\nof the real Cyrus after ours\n%q", marks, now)
	}
}
