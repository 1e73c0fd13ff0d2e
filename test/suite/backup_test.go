package suite

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gocyrus/test/server"
)

// bothModes runs a test on a site of each mode.
func bothModes(t *testing.T, test func(t *testing.T, o server.Options)) {
	for name, shared := range map[string]bool{"own": false, "shared": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, server.Options{Shared: shared})
		})
	}
}

// TestBackupUnderLoad takes snapshots while mail comes in and flags change,
// and kills one in the middle. They are whole, and a site that is restored
// from the first has all mail that was acknowledged before it began.
func TestBackupUnderLoad(t *testing.T) {
	bothModes(t, func(t *testing.T, o server.Options) {
		s := server.Start(t, o)
		w := startWriters(s, 4)
		stop := changeFlags(t, s)
		before := enough(t, w, 30)
		dir := filepath.Join(s.Dir, "backup")
		s.Tool("", "cyrus", "backup", dir)
		for i := range 4 {
			killedBackup(t, s, dir, time.Duration(2+8*i)*time.Millisecond)
		}
		out := s.Tool("", "cyrus", "backup", "-v", "--keep", "30d", dir)
		if !strings.Contains(out, "3 mailboxes") {
			t.Errorf("backup -v: %s", out)
		}
		stop()
		w.finish()
		all, err := filepath.Glob(dir + "/2*Z")
		if err != nil || len(all) < 2 {
			t.Fatalf("%v, %v", all, err)
		}
		if left, err := filepath.Glob(dir + "/.*.partial"); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		if out := s.Tool("", "cyrus", "backup", "--verify", dir); strings.Count(out, ": whole, 3 mailboxes") != len(all) {
			t.Errorf("verify: %s", out)
		}
		to := server.New(t, o)
		to.Tool("", "cyrus", "restore", all[0], "all")
		to.Run()
		checkNothingLost(t, to, before)
		to.Tool("", "reconstruct", "-n", "-r", "user")
	})
}

// enough waits until so many messages were acknowledged, and returns them.
func enough(t *testing.T, w *writers, n int) map[string]string {
	t.Helper()
	for at := time.Now(); time.Since(at) < 2*time.Minute; time.Sleep(10 * time.Millisecond) {
		w.mu.Lock()
		have := maps.Clone(w.acked)
		w.mu.Unlock()
		if len(have) >= n {
			return have
		}
	}
	t.Fatal("no mail flows")
	return nil
}

// changeFlags goes on changing flags of user1's messages until stop.
func changeFlags(t *testing.T, s *server.Site) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := s.TryLogin("user1")
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.Do("SELECT INBOX")
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if _, tagged, err := c.Do(fmt.Sprintf(`UID STORE 1:10 FLAGS (\Flagged word%d)`, i%5)); err != nil || !strings.HasPrefix(tagged, "OK") {
				t.Errorf("STORE: %s, %v", tagged, err)
				return
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// killedBackup begins a backup and kills it after d, unless it was faster.
func killedBackup(t *testing.T, s *server.Site, dir string, d time.Duration) {
	t.Helper()
	cmd := exec.Command(filepath.Join(server.Bin(t), "cyrus"), "backup", "-C", s.Conf(), dir)
	cmd.Env = append(os.Environ(), "CYRUS_USER=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(d)
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Logf("after %v: %v", d, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Logf("after %v: %v", d, err)
	}
}

// seenBy is what a user is told of mailboxes and messages, but for what
// restoring changes on purpose.
func seenBy(s *server.Site, user string, boxes ...string) []string {
	c := s.Login(user)
	defer c.Close()
	var out []string
	for _, b := range boxes {
		for _, command := range []string{
			"GETQUOTAROOT " + b, "GETACL " + b, "MYRIGHTS " + b, "STATUS " + b + " (MESSAGES UNSEEN UIDVALIDITY)",
		} {
			_, tagged, err := c.Do(command)
			if err == nil && strings.HasPrefix(tagged, "OK") {
				out = append(out, c.Must(command)...)
			}
		}
		c.Must("EXAMINE " + b)
		out = append(out, c.Must("UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[] EMAILID)")...)
	}
	return append(out, c.Must(`LSUB "" "*"`)...)
}

// TestRestoreDeletedUser deletes a user and brings him back, while the server
// runs: with UIDs, flags, dates, rights, quota, subscriptions, and what he
// and others have seen.
func TestRestoreDeletedUser(t *testing.T) {
	bothModes(t, func(t *testing.T, o server.Options) {
		s := server.Start(t, o)
		admin := s.Login("cyrus")
		defer admin.Close()
		admin.Must("SETQUOTA user/user1 (STORAGE 5000 MESSAGE 100)")
		admin.Must("SETACL user/user1 cyrus lrswipkxtecda")
		one := s.Login("user1")
		for _, cmd := range []string{
			"CREATE INBOX/Work", "CREATE INBOX/Work/Old", "SUBSCRIBE INBOX/Work", "SUBSCRIBE INBOX", "SETACL INBOX/Work user2 lrs",
		} {
			one.Must(cmd)
		}
		for i := range 6 {
			one.Append("INBOX/Work", fmt.Sprintf("Subject: %d\r\nMessage-ID: <%d@x>\r\n\r\ntext\r\n", i, i))
			one.Append("INBOX", fmt.Sprintf("Subject: inbox %d\r\n\r\ntext\r\n", i))
		}
		one.Must("SELECT INBOX/Work")
		one.Must(`STORE 2:3 +FLAGS (\Answered \Seen $Label1 work)`)
		one.Must(`STORE 1 +FLAGS (\Deleted)`)
		one.Must("EXPUNGE")
		two := s.Login("user2")
		two.Must("SUBSCRIBE user/user1/Work")
		two.Must("SELECT user/user1/Work")
		two.Must(`STORE 1,4 +FLAGS (\Seen)`)
		one.Close()
		two.Must("UNSELECT")
		boxes := []string{"INBOX", "INBOX/Work", "INBOX/Work/Old"}
		want, theirs := seenBy(s, "user1", boxes...), seenBy(s, "user2", "user/user1/Work")

		dir := filepath.Join(s.Dir, "backup")
		s.Tool("", "cyrus", "backup", dir)
		admin.Must("DELETE user/user1")
		if lines := admin.Must(`LIST "" "user/user1*"`); len(lines) != 0 {
			t.Fatalf("still there: %q", lines)
		}
		if out := s.Tool("", "cyrus", "restore", "-n", dir, "user", "user1"); !strings.Contains(out, "3 mailboxes would be made, 11 messages") {
			t.Errorf("dry run: %s", out)
		}
		if out := s.Tool("", "cyrus", "restore", dir, "user", "user1"); !strings.Contains(out, "3 mailboxes made, 11 messages restored, 0 were there") {
			t.Errorf("restore: %s", out)
		}
		if got := seenBy(s, "user1", boxes...); !slices.Equal(got, want) {
			t.Errorf("user1 is told\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(want, ""))
		}
		if got := seenBy(s, "user2", "user/user1/Work"); !slices.Equal(got, theirs) {
			t.Errorf("user2 is told\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(theirs, ""))
		}
		if out := s.Tool("", "cyrus", "restore", dir, "user", "user1"); !strings.Contains(out, "0 mailboxes made, 0 messages restored, 11 were there") {
			t.Errorf("twice: %s", out)
		}
		restoredWhileIdle(t, s, dir)
		two.Close()
	})
}

// restoredWhileIdle brings back a message that was expunged for good: a
// client that is idle is told at once.
func restoredWhileIdle(t *testing.T, s *server.Site, dir string) {
	t.Helper()
	c := s.Login("user1")
	defer c.Close()
	c.Must("SELECT INBOX")
	c.Must(`STORE 1:2 +FLAGS (\Deleted)`)
	c.Must("EXPUNGE")
	s.Tool("", "cyr_expire", "-E", "1", "-X", "0")
	fmt.Fprint(c, "i IDLE\r\n")
	if line, err := c.Line(); err != nil || line[0] != '+' {
		t.Fatalf("IDLE: %s, %v", line, err)
	}
	s.Tool("", "cyrus", "restore", dir, "mailbox", "user/user1", "2")
	line, err := c.Line()
	for err == nil && !strings.HasSuffix(line, " EXISTS\r\n") {
		line, err = c.Line()
	}
	if line != "* 5 EXISTS\r\n" || err != nil {
		t.Errorf("the idle client is told %q, %v", line, err)
	}
	fmt.Fprint(c, "DONE\r\n")
}
