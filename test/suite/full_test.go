package suite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/test/server"
)

// limitFiles bounds the size of the files that the workers of a service may
// write; ^0 is no limit. A write beyond it fails as on a full disk.
func limitFiles(t *testing.T, s *server.Site, program string, size uint64) {
	t.Helper()
	for _, pid := range s.Processes(program) {
		if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFull lets no file of the workers grow: each change is refused with a
// temporary failure, nothing is damaged, and all goes on when there is room.
func TestFull(t *testing.T) {
	for _, size := range []uint64{0, 3000} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, %d", mode(shared), size), func(t *testing.T) { fillUp(t, size, shared) })
		}
	}
}

const letter = "From: f@example.org\r\nSubject: room\r\n\r\ntext\r\n"

func fillUp(t *testing.T, size uint64, shared bool) {
	s := server.Start(t, server.Options{Shared: shared})
	setUp(s)
	k := s.Login("user1")
	defer k.Close()
	k.Must("SELECT INBOX")
	for range 3 {
		k.Append("INBOX", letter+strings.Repeat("Some text.\r\n", 200))
	}
	k.Must("NOOP")
	c, err := dialLMTP(s.LMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.send("user1", "<before@writer.example.org>"); err != nil {
		t.Fatal(err)
	}
	limitFiles(t, s, "imapd", size)
	limitFiles(t, s, "lmtpd", size)

	big := letter + strings.Repeat("Some text.\r\n", 2000)
	refused := 0
	for _, command := range []string{
		fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(big), big),
		`STORE 1 +FLAGS (\Flagged $New)`,
		"COPY 1:2 INBOX/Copies",
		"CREATE INBOX/More",
		"RENAME INBOX/Copies INBOX/Other",
		`STORE 2 +FLAGS (\Deleted)`,
		"EXPUNGE",
		"SUBSCRIBE INBOX/Copies",
	} {
		_, tagged, err := k.Do(command)
		if err != nil || !strings.HasPrefix(tagged, "OK") && !strings.HasPrefix(tagged, "NO ") {
			t.Fatalf("%.20s: %q, %v", command, tagged, err)
		}
		if strings.HasPrefix(tagged, "NO ") {
			refused++
			t.Logf("%.20s: %s", command, tagged)
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	for range 3 {
		err := c.say("RSET", "250")
		if err == nil {
			err = c.letter("user1", big)
		}
		if err == nil || !strings.Contains(err.Error(), `"451 4.3.1 `) && !strings.Contains(err.Error(), `"452 4.3.1 `) {
			t.Errorf("LMTP: %v, want 451 4.3.1", err)
		}
	}
	k.Must("FETCH 1:* (FLAGS BODY.PEEK[])") // whatever happens, it can be read

	limitFiles(t, s, "imapd", unix.RLIM_INFINITY)
	limitFiles(t, s, "lmtpd", unix.RLIM_INFINITY)
	if err := c.say("RSET", "250"); err != nil {
		t.Fatal(err)
	}
	if err := c.send("user1", "<after@writer.example.org>"); err != nil {
		t.Errorf("LMTP when there is room again: %v", err)
	}
	k.Must(`STORE 1 +FLAGS (\Flagged $New)`)
	k.Must("CREATE INBOX/Again")
	k.Must("COPY 1 INBOX/Again")
	found := stored(t, s)["user1"]
	if found["<before@writer.example.org>"] != 1 || found["<after@writer.example.org>"] != 1 {
		t.Errorf("found %v", found)
	}
	touch(s)
	time.Sleep(100 * time.Millisecond)
	checkStore(t, s)
	checkQuota(t, s)
}
