package suite

import (
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestSessionsOfTheGone deletes and renames users, and a mailbox for good: all
// sessions that were there end with BYE, whichever worker has them; the
// others go on.
func TestSessionsOfTheGone(t *testing.T) {
	s := server.Start(t, server.Options{
		Config: []string{"delete_mode: immediate", "allowusermoves: yes"},
		Services: []string{
			`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="%[2]s" prefork=3 maxclients=2`,
			`lmtp cmd="lmtpd -C %[1]s/etc/imapd.conf -a" listen="%[3]s"`,
		},
	})
	admin := s.Login("cyrus")
	admin.Must("SETACL user/user1 cyrus lrswipkxtecda")
	admin.Must("SETACL user/user1 user2 lr")
	ended := func(c *server.IMAP, what string) {
		t.Helper()
		if line, err := c.Line(); err != nil || !strings.HasPrefix(line, "* BYE ") {
			t.Errorf("%s: %q, %v", what, line, err)
		}
	}
	owner := s.Login("user1")
	owner.Must("CREATE INBOX/x")
	var there []*server.IMAP
	for range 3 {
		c := s.Login("user1")
		c.Must("SELECT INBOX/x")
		there = append(there, c)
	}
	owner.Must("SELECT INBOX/x")
	owner.Must("DELETE INBOX/x")
	for _, c := range there {
		ended(c, "the mailbox is deleted")
	}
	owner.Must("SELECT INBOX") // who deleted it goes on

	guest, idle := s.Login("user2"), s.Login("user1")
	guest.Must("SELECT user/user1")
	admin.Must("DELETE user/user1")
	ended(owner, "the user is deleted")
	ended(idle, "the user is deleted")
	ended(guest, "the mailbox of another is deleted")

	second, third := s.Login("user2"), s.Login("user3")
	admin.Must("RENAME user/user2 user/user4")
	ended(second, "the user has another name")
	third.Must("SELECT INBOX")
}
