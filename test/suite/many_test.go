package suite

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// manyMemory is what a worker may need, in KiB, for any command about the
// messages of TestManyMessages. It needs some 40 MiB; a MOVE that held all of
// them would take 130 more.
const manyMemory = 90 << 10

// TestManyMessages has commands about 32,768 messages: their memory is
// bounded.
func TestManyMessages(t *testing.T) {
	t.Parallel()
	s := server.Start(t, server.Options{})
	c := s.Login("user1")
	defer c.Close()
	for i := range 4 { // more links than a file may have would be copies
		c.Append("INBOX", fmt.Sprintf("Subject: Re: %d\r\nMessage-ID: <%d@example.org>\r\n\r\nx\r\n", i, i))
	}
	c.Must("SELECT INBOX")
	const all = 32768
	for n := 4; n < all; n *= 2 {
		c.Must("COPY 1:* INBOX")
		c.Must("NOOP")
	}
	c.Must("CREATE INBOX/other")
	for _, tt := range []struct {
		command string
		lines   int // at least
	}{
		{"STORE 1:* +FLAGS (\\Flagged)", all},
		{"SORT (SUBJECT REVERSE DATE) UTF-8 ALL", 1},
		{"THREAD REFERENCES UTF-8 ALL", 1},
		{"UID SEARCH RETURN (SAVE) FLAGGED", 0},
		{"FETCH $ (UID)", all},
		{"MOVE 1:* INBOX/other", all + 1},
		{"SELECT INBOX/other", 1},
		{"STORE 1:* +FLAGS (\\Deleted)", all},
		{"EXPUNGE", all},
	} {
		if got := c.Must(tt.command); len(got) < tt.lines {
			t.Errorf("%s: %d lines, want %d", tt.command, len(got), tt.lines)
		}
		for _, pid := range s.Processes("imapd") {
			if kib := highest(pid); kib > manyMemory {
				t.Fatalf("%s: %d KiB", tt.command, kib)
			}
		}
	}
	if got := strings.Join(c.Must("STATUS INBOX/other (MESSAGES)"), ""); !strings.Contains(got, "MESSAGES 0") {
		t.Error(got)
	}
}

// highest is the most memory that a process has needed, in KiB.
func highest(pid int) (kib int) {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, rest, ok := strings.Cut(string(data), "VmHWM:"); ok {
		fmt.Sscan(rest, &kib)
	}
	return kib
}
