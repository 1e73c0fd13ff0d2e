package suite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestLMTPPartitionAway takes the mail partition away, as when it was not
// mounted: an MTA must try again and not return the mail to its sender.
func TestLMTPPartitionAway(t *testing.T) {
	s := server.Start(t, server.Options{})
	const text = "Subject: waits\n\nbody"
	if rcpt, dot := deliverTo(t, s, "<a@b>", "<user1>", text); !strings.HasPrefix(dot, "250") {
		t.Fatal(rcpt, dot)
	}
	spool := filepath.Join(s.Dir, "spool")
	if err := os.Rename(spool, spool+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(spool, 0o755); err != nil {
		t.Fatal(err)
	}
	if rcpt, dot := deliverTo(t, s, "<a@b>", "<user1>", text); !strings.HasPrefix(rcpt+dot, "250 2.1.5 ok451 4.3.0") {
		t.Errorf("without its partition: %s %s", rcpt, dot)
	}
	if err := os.RemoveAll(spool); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(spool+".away", spool); err != nil {
		t.Fatal(err)
	}
	if rcpt, dot := deliverTo(t, s, "<a@b>", "<user1>", text); !strings.HasPrefix(dot, "250") {
		t.Errorf("afterwards: %s %s", rcpt, dot)
	}
	if got := strings.Join(s.Login("user1").Must("STATUS INBOX (MESSAGES)"), ""); !strings.Contains(got, "MESSAGES 2)") {
		t.Error(got)
	}
}

// TestLMTPRecipientGone deletes the first recipient between RCPT and DATA.
func TestLMTPRecipientGone(t *testing.T) {
	s := server.Start(t, server.Options{Config: []string{"delete_mode: immediate"}})
	admin := s.Login("cyrus")
	admin.Must("SETACL user/user1 cyrus x")
	in, err := dialLMTP(s.LMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	say := func(line, want string) {
		t.Helper()
		if err := in.say(line, want); err != nil {
			t.Fatal(err)
		}
	}
	say("MAIL FROM:<a@b>", "250")
	say("RCPT TO:<user1>", "250")
	say("RCPT TO:<user2>", "250")
	admin.Must("DELETE user/user1")
	say("DATA", "354")
	say("Subject: x\r\n\r\nbody\r\n.", "550")
	if err := in.expect("250"); err != nil {
		t.Error(err)
	}
}

// TestLMTPDenied: user_deny.db keeps mail out for a while.
func TestLMTPDenied(t *testing.T) {
	s := server.New(t, server.Options{Shared: true})
	if err := os.WriteFile(filepath.Join(s.Dir, "conf/user_deny.db"), []byte("user1\t2\tlmtp\tno mail\nuser2\t2\timap\tno\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Run()
	s.MakeUsers("user1", "user2")
	if rcpt, _ := deliverTo(t, s, "<a@b>", "<user1>", ""); rcpt != "451 4.2.1 Delivery to mailbox is disabled" {
		t.Error(rcpt)
	}
	if _, dot := deliverTo(t, s, "<a@b>", "<user2>", "Subject: x\n\n"); !strings.HasPrefix(dot, "250") {
		t.Error(dot)
	}
}

// TestMoveWhenFull: who is over quota can still move mail to the trash, but
// not copy it.
func TestMoveWhenFull(t *testing.T) {
	s := server.Start(t, server.Options{})
	s.Login("cyrus").Must("SETQUOTA user/user1 (STORAGE 10)")
	c := s.Login("user1")
	c.Must("CREATE INBOX/Trash")
	for range 2 {
		c.Append("INBOX", "Subject: x\r\n\r\n"+strings.Repeat("y", 5000)+"\r\n")
	}
	c.Must("SELECT INBOX")
	if _, tagged, _ := c.Do("COPY 1 INBOX/Trash"); !strings.HasPrefix(tagged, "NO") {
		t.Error(tagged)
	}
	c.Must("MOVE 1 INBOX/Trash")
	if got := strings.Join(c.Must("STATUS INBOX/Trash (MESSAGES)"), ""); !strings.Contains(got, "MESSAGES 1)") {
		t.Error(got)
	}
}
