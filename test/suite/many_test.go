package suite

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	testCancel(t, s, c)
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

// testCancel has a FETCH cancelled whose client reads nothing yet, so that it
// cannot end by itself.
func testCancel(t *testing.T, s *server.Site, c *server.IMAP) {
	const items = "ENVELOPE BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] RFC822.HEADER"
	fmt.Fprintf(c, "c FETCH 1:* (%s)\r\n", items)
	if _, err := c.Line(); err != nil { // it runs
		t.Fatal(err)
	}
	sockets, err := filepath.Glob(filepath.Join(s.Dir, "conf/socket/ctl.*"))
	if err != nil || len(sockets) == 0 {
		t.Fatal(sockets, err)
	}
	told := 0
	for _, path := range sockets {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprint(conn, "CANCEL user user1\n")
		var n int
		if _, err := fmt.Fscanf(conn, "OK %d\n", &n); err != nil {
			t.Error(path, err)
		}
		told += n
		conn.Close()
	}
	if told != 1 {
		t.Errorf("%d sessions were told to cancel", told)
	}
	for {
		line, err := c.Line()
		if err != nil {
			t.Fatal(err)
		}
		if tagged, ok := strings.CutPrefix(line, "c "); ok {
			if !strings.HasPrefix(tagged, "NO Command cancelled by user") {
				t.Error(tagged)
			}
			break
		}
	}
	c.Must("FETCH 1 (FLAGS)") // it was this command alone
}

// highest is the most memory that a process has needed, in KiB.
func highest(pid int) (kib int) {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, rest, ok := strings.Cut(string(data), "VmHWM:"); ok {
		fmt.Sscan(rest, &kib)
	}
	return kib
}
