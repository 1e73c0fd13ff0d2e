package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
)

// hears waits for a line that a client is told without asking.
func hears(t *testing.T, c *server.IMAP, want string) {
	t.Helper()
	for {
		line, err := c.Line()
		if err != nil {
			t.Fatalf("no %q: %v", want, err)
		}
		if strings.Contains(line, want) {
			return
		}
	}
}

// TestNotifyEnds: a client that only waits, in IDLE or after NOTIFY, is told
// why it has to go.
func TestNotifyEnds(t *testing.T) {
	t.Parallel()
	s := server.Start(t, server.Options{Config: []string{"imapidlepoll: 1s"}})
	waiting := func(user string) (both []*server.IMAP) {
		for _, listen := range []string{"NOTIFY SET (selected (MessageNew MessageExpunge)) (personal (MailboxName))", ""} {
			c := s.Login(user)
			c.Must("SELECT INBOX")
			if listen != "" {
				c.Must(listen)
			} else if _, err := fmt.Fprint(c, "i IDLE\r\n"); err != nil {
				t.Fatal(err)
			} else {
				hears(t, c, "+ ")
			}
			both = append(both, c)
		}
		return both
	}
	denied := waiting("user2")
	s.Tool("", "cyr_deny", "user2")
	for _, c := range denied {
		hears(t, c, "* BYE")
	}
	deleted := waiting("user3")
	admin := s.Login("cyrus")
	admin.Must("SETACL user/user3 cyrus lrxa")
	admin.Must("DELETE user/user3")
	for _, c := range deleted {
		hears(t, c, "* BYE")
	}
	all := waiting("user1")
	file := filepath.Join(s.Dir, "conf/msg/shutdown")
	if err := os.WriteFile(file, []byte("closed for today\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		hears(t, c, "* BYE [ALERT] closed for today")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	all = waiting("user1")
	stopped := make(chan bool)
	go func() { stopped <- s.Stop(60 * time.Second) }()
	for _, c := range all {
		hears(t, c, "* BYE")
	}
	<-stopped
}

// TestNotifyFromAllSides: lmtpd, other imapd processes and tools change
// mailboxes at once; a client that has asked for all of it hears how each is in
// the end.
func TestNotifyFromAllSides(t *testing.T) {
	t.Parallel()
	s := server.Start(t, server.Options{Services: []string{
		`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="%[2]s" prefork=2 maxclients=2`,
		`lmtp cmd="lmtpd -C %[1]s/etc/imapd.conf -a" listen="%[3]s"`,
	}})
	c := s.Login("user1")
	const boxes, each = 3, 10
	for i := range boxes {
		c.Must(fmt.Sprintf("CREATE INBOX/b%d", i))
	}
	c.Must("NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))")
	var wg sync.WaitGroup
	for i := range boxes {
		w := s.Login("user1")
		wg.Go(func() {
			defer w.Close()
			for n := range each {
				m := fmt.Sprintf("Subject: %d\r\n\r\nbody\r\n", n)
				if _, tagged, err := w.Do(fmt.Sprintf("APPEND INBOX/b%d {%d+}\r\n%s", i, len(m), m)); err != nil || !strings.HasPrefix(tagged, "OK") {
					t.Errorf("APPEND: %s %v", tagged, err)
				}
			}
		})
	}
	l, err := dialLMTP(s.LMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for n := range each {
		if err := l.send("user1", fmt.Sprintf("<side-%d@writer.example.org>", n)); err != nil {
			t.Fatal(err)
		}
	}
	left := map[string]bool{fmt.Sprintf("* STATUS INBOX (MESSAGES %d ", each): true}
	for i := range boxes {
		left[fmt.Sprintf("* STATUS INBOX/b%d (MESSAGES %d ", i, each)] = true
	}
	for len(left) > 0 {
		line, err := c.Line()
		if err != nil {
			t.Fatalf("not heard: %v: %v", left, err)
		}
		for want := range left {
			if strings.HasPrefix(line, want) {
				delete(left, want)
			}
		}
	}
	wg.Wait()
	a := s.Login("cyrus")
	a.Must("CREATE user/user1/of-admin")
	hears(t, c, `INBOX/of-admin`)
	c.Must("NOOP")
}
