package suite

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestKillDuringUserMoves renames a user to and fro, and
// kills the worker that does it, again and again: each time exactly one of the
// two users is there afterwards, with all his mailboxes, and at the end every
// message is, the quota is right, and no directory belongs to nobody.
func TestKillDuringUserMoves(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]server.Options{
		"own":    {Config: []string{"allowusermoves: yes"}},
		"shared": {Shared: true, Config: []string{"allowusermoves: yes", "mailbox_legacy_dirs: yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Bare = true
			s := server.Start(t, o)
			s.MakeUsers("user1")
			userMoves(t, s, killRounds)
		})
	}
}

// moved is how many folders the user has besides INBOX.
const moved = 12

func userMoves(t *testing.T, s *server.Site, rounds int) {
	admin := s.Login("cyrus")
	admin.Must("SETQUOTA user/user1 (STORAGE 100000 MESSAGE 10000 X-NUM-FOLDERS 100)")
	admin.Close()
	c := s.Login("user1")
	for i := range moved {
		box := fmt.Sprintf("INBOX/f%d", i)
		c.Must("CREATE " + box)
		c.Append(box, fmt.Sprintf("From: x@example.org\r\nSubject: message of f%d\r\n\r\ntext\r\n", i))
	}
	c.Must("SUBSCRIBE INBOX/f1")
	c.Close()
	from, to := "user1", "user3"
	for round := range rounds {
		a := s.Login("cyrus")
		if _, err := fmt.Fprintf(a, "r RENAME user/%s user/%s\r\n", from, to); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(round*7%60) * time.Millisecond) // any moment will do
		for _, pid := range s.Processes("imapd") {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill() // it may be gone
			}
		}
		a.Close()
		if now := whole(t, s, from, to); now == to {
			from, to = to, from
		}
	}
	for i := range moved {
		c := s.Login(from)
		box := fmt.Sprintf("INBOX/f%d", i)
		c.Must("SELECT " + box)
		if got := strings.Join(c.Must("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]"), ""); strings.Count(got, fmt.Sprintf("message of f%d\r", i)) != 1 {
			t.Errorf("%s: %q", box, got)
		}
		c.Close()
	}
	c = s.Login(from)
	if got := strings.Join(c.Must(`LSUB "" *`), ""); !strings.Contains(got, "INBOX/f1\r\n") {
		t.Errorf("subscriptions: %q", got)
	}
	c.Close()
	if !s.Stop(time.Minute) {
		t.Fatal("master did not stop")
	}
	if out := s.Tool("", "quota", "-f", "-n"); strings.Contains(out, " was ") || !strings.Contains(out, "user/"+from) {
		t.Errorf("quota -f -n: %s", out)
	}
	noStrangers(t, s)
}

// whole waits until one of two users is there with all folders and the other
// is not at all, and returns which.
func whole(t *testing.T, s *server.Site, a, b string) string {
	t.Helper()
	var n [2]int
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c, err := s.TryLogin("cyrus")
		if err != nil {
			continue
		}
		for i, u := range []string{a, b} {
			lines, _, _ := c.Do(`LIST "" user/` + u + "*")
			n[i] = len(lines)
		}
		c.Close()
		switch {
		case n[0] == moved+1 && n[1] == 0:
			return a
		case n[1] == moved+1 && n[0] == 0:
			return b
		}
	}
	t.Fatalf("%s has %d mailboxes and %s %d", a, n[0], b, n[1])
	return ""
}

// noStrangers looks for directories with an index that no mailbox has.
func noStrangers(t *testing.T, s *server.Site) {
	t.Helper()
	dump := s.Tool("", "ctl_mboxlist", "-d")
	err := filepath.WalkDir(filepath.Join(s.Dir, "spool"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cyrus.index" {
			return err
		}
		dir := filepath.Dir(path)
		id, header := filepath.Base(dir), filepath.Join(dir, "cyrus.header")
		data, err := os.ReadFile(header)
		if err != nil {
			return err
		}
		if !strings.Contains(dump, id) && !headerListed(dump, string(data)) {
			t.Errorf("%s belongs to no mailbox", dir)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// headerListed reports whether the name in a header is one in the list.
func headerListed(dump, header string) bool {
	_, rest, _ := strings.Cut(header, " N ")
	name, _, _ := strings.Cut(rest, " ")
	name = strings.Trim(name, ")\n")
	return name != "" && strings.Contains(dump, strings.ReplaceAll(name, "\x1f", "."))
}
