package suite

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// dumped reads the answer to DUMP: names and contents, one after the other.
func dumped(t *testing.T, c *server.IMAP, mailbox string) map[string][]byte {
	t.Helper()
	if _, err := io.WriteString(c, "dump DUMP "+mailbox+"\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	head := regexp.MustCompile(`\{(\d+)\}\r\n$`)
	var pieces [][]byte
	for {
		line, err := c.R.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "dump OK") {
			break
		}
		if strings.HasPrefix(line, "dump NO") || strings.HasPrefix(line, "dump BAD") {
			t.Fatal(line)
		}
		if m := head.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			b := make([]byte, n)
			if _, err := io.ReadFull(c.R, b); err != nil {
				t.Fatal(err)
			}
			pieces = append(pieces, b)
		}
	}
	files := map[string][]byte{}
	for i := 0; i+1 < len(pieces); i += 2 {
		files[string(pieces[i])] = pieces[i+1]
	}
	return files
}

// TestDump compares what DUMP sends with the files that there are.
func TestDump(t *testing.T) {
	s := server.Start(t, server.Options{})
	c := s.Login("user1")
	defer c.Close()
	c.Append("INBOX", letter)
	c.Append("INBOX", letter+"more\r\n")
	c.Must("SUBSCRIBE INBOX")
	admin := s.Login("cyrus")
	defer admin.Close()
	got := dumped(t, admin, "user/user1")
	dir := strings.TrimSpace(s.Tool("", "mbpath", "user/user1"))
	for _, name := range []string{"cyrus.header", "cyrus.index", "cyrus.cache", "1.", "2."} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got[name], want) {
			t.Errorf("%s: %d octets, want %d, %v", name, len(got[name]), len(want), err)
		}
	}
	if !strings.Contains(string(got["SUBS"]), "INBOX\t") {
		t.Errorf("subscriptions: %q", got["SUBS"])
	}
}

// TestReconstructCommand loses an index, and lets an admin have it made anew.
func TestReconstructCommand(t *testing.T) {
	s := server.Start(t, server.Options{})
	admin := s.Login("cyrus")
	defer admin.Close()
	admin.Must("SETQUOTA user/user1 (STORAGE 1000)")
	c := s.Login("user1")
	c.Append("INBOX", letter)
	c.Must("LOGOUT")
	c.Close()
	dir := strings.TrimSpace(s.Tool("", "mbpath", "user/user1"))
	if err := os.Remove(filepath.Join(dir, "cyrus.index")); err != nil {
		t.Fatal(err)
	}
	admin.Must("RECONSTRUCT user/user1 RECURSIVE")
	c = s.Login("user1")
	defer c.Close()
	c.Must("SELECT INBOX")
	if got := strings.Join(c.Must("FETCH 1:* RFC822.SIZE"), ""); !strings.Contains(got, strconv.Itoa(len(letter))) {
		t.Errorf("after RECONSTRUCT: %q", got)
	}
	if got := strings.Join(c.Must("GETQUOTAROOT INBOX"), ""); strings.Contains(got, "STORAGE 0 ") && len(letter) >= 1024 {
		t.Errorf("after RECONSTRUCT: %q", got)
	}
}

// TestScan looks for a text in the mailboxes that a user may read.
func TestScan(t *testing.T) {
	s := server.Start(t, server.Options{})
	other := s.Login("user2")
	defer other.Close()
	other.Must("CREATE INBOX/open")
	other.Must("SETACL INBOX/open user1 lr")
	other.Must("CREATE INBOX/shown")
	other.Must("SETACL INBOX/shown user1 l")
	const found = "Subject: x\r\n\r\na needle in it\r\n"
	for _, box := range []string{"INBOX", "INBOX/open", "INBOX/shown"} {
		other.Append(box, found)
	}
	c := s.Login("user1")
	defer c.Close()
	c.Must("CREATE INBOX/mine")
	c.Append("INBOX/mine", found)
	c.Append("INBOX", letter)
	got := strings.Join(c.Must(`SCAN "" * needle`), "")
	want := "* LIST (\\HasNoChildren) \"/\" INBOX/mine\r\n* LIST (\\HasNoChildren) \"/\" user/user2/open\r\n"
	if got != want {
		t.Errorf("SCAN: %q, want %q", got, want)
	}
	if got := c.Must(`SCAN "" * "not there"`); len(got) != 0 {
		t.Errorf("SCAN: %q", got)
	}
	if got := c.Must("STATUS INBOX (RECENT)"); got[0] != "* STATUS INBOX (RECENT 1)\r\n" {
		t.Errorf("SCAN takes the recent messages: %q", got)
	}
}
