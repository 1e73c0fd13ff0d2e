//go:build reference

package reference

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestCounters has both servers do the same, one command after the other: what
// the user's counters are after each of them, and what quota is shown, is the
// same, with copies of a message counted once.
func TestCounters(t *testing.T) {
	site := func() *server.Site {
		s := server.New(t, server.Options{Shared: true, Config: append([]string{"quota_use_conversations: yes"}, withConversations...)})
		secrets(t, s, "user1", "cyrus")
		asCyrus(t, s)
		return s
	}
	ours, real := site(), site()
	ours.Run()
	ours.MakeUsers("user1")
	have := counted(t, ours)
	stop(t, ours)
	var want []string
	cyrusServes(t, real, func() {
		real.MakeUsers("user1")
		want = counted(t, real)
	})
	if len(have) != len(want) {
		t.Fatalf("%d and %d steps", len(have), len(want))
	}
	// A deletion takes a modseq for the mailbox and one for the quota root, in
	// the other order.
	last := len(have) - 1
	mask := regexp.MustCompile(`(: \[\d+) \d+((?: \d+){7}) \d+((?: \d+){3}) \d+`)
	for _, l := range [][]string{have, want} {
		l[last] = mask.ReplaceAllString(l[last], "$1 N$2 N$3 N")
	}
	for i := range have {
		if have[i] != want[i] {
			t.Errorf("step %d\nhave %s\nwant %s", i, have[i], want[i])
		}
	}
	soundConversations(t, ours, "user1")
	// What is counted anew is the same, also where copies have several dates.
	tool(t, ours, "ctl_conversationsdb", "-R", "user1")
	counts := dumped(t, ours, "user1")
	ours.Tool("", "ctl_conversationsdb", "-R", "user1")
	run(t, "chown", "-R", "cyrus:mail", ours.Dir)
	same(t, "recount", counts, dumped(t, ours, "user1"))
	for _, args := range [][]string{{}, {"-f"}} {
		a, _ := tool(t, real, "quota", args...)
		b, _ := tool(t, ours, "quota", args...)
		if c := ours.Tool("", "quota", args...); a != b || b != c {
			t.Errorf("quota %v\nreal, its data: %s\nreal, our data: %s\nours: %s", args, a, b, c)
		}
	}
}

// counted does the work of TestCounters and returns what it saw.
func counted(t *testing.T, s *server.Site) (seen []string) {
	a := s.Login("cyrus")
	defer a.Close()
	c := s.Login("user1")
	defer c.Close()
	do := func(by *server.IMAP, cmd string) {
		lines := by.Must(cmd)
		word, _, _ := strings.Cut(cmd, "\r\n")
		var quota []string
		for _, l := range lines {
			if strings.HasPrefix(l, "* QUOTA ") {
				quota = append(quota, l)
			}
		}
		seen = append(seen, fmt.Sprintf("%s: %s %v", word, countersOf(t, s), quota))
	}
	day := 0
	put := func(box string, n int) {
		m := mailOf(n, "Plans")
		day++
		do(c, fmt.Sprintf("APPEND %s \"%2d-Feb-2024 12:00:00 +0000\" {%d+}\r\n%s", box, 20-day, len(m), m))
	}
	do(a, "SETQUOTA user/user1 (STORAGE 1000 MESSAGE 100)")
	do(c, "CREATE INBOX/Work")
	do(c, "CREATE INBOX/Work/deep")
	put("INBOX", 1)
	put("INBOX", 2)
	put("INBOX/Work", 1)
	do(c, "GETQUOTAROOT INBOX")
	do(c, "SELECT INBOX")
	do(c, `STORE 1:2 +FLAGS (\Seen)`)
	do(c, "COPY 1:2 INBOX/Work")
	do(c, "MOVE 2 INBOX/Work/deep")
	do(c, `STORE 1 +FLAGS (\Deleted)`)
	do(c, "EXPUNGE")
	do(c, "GETQUOTAROOT INBOX")
	do(c, "SUBSCRIBE INBOX/Work")
	do(c, "SETACL INBOX/Work user2 lrs")
	do(c, "SETACL INBOX/Work anyone lrs")
	do(c, "DELETEACL INBOX/Work user2")
	do(c, `SETMETADATA INBOX/Work (/private/comment "x")`)
	do(c, "RENAME INBOX/Work INBOX/Office")
	do(a, "SETQUOTA user/user1/Office (STORAGE 500)")
	put("INBOX/Office", 3)
	do(a, "GETQUOTA user/user1/Office")
	do(c, "GETQUOTAROOT INBOX/Office")
	do(c, "DELETE INBOX/Office/deep")
	return seen
}

// countersOf is the modseqs in a site's only file of counters of a user.
func countersOf(t *testing.T, s *server.Site) string {
	t.Helper()
	var b []byte
	filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(d.Name(), "counters") && strings.Contains(path, "/user/") {
			b, err = os.ReadFile(path)
		}
		return err
	})
	const end = 8 + 35*8
	if len(b) < end {
		t.Fatalf("counters of %d octets", len(b))
	}
	var out []uint64
	for i := 8; i < end; i += 8 {
		out = append(out, binary.BigEndian.Uint64(b[i:]))
	}
	return fmt.Sprint(out)
}
