package suite

import (
	"crypto/hmac"
	"crypto/sha1"
	"fmt"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestVulnerabilities tries what Cyrus 3.6.1 let its users do and later
// versions forbid. CVE-2026-47082 (:fcc) is tried by TestSieveCopies,
// CVE-2024-34055 (memory for endless arguments) by TestHostile.
func TestVulnerabilities(t *testing.T) {
	s := server.Start(t, server.Options{})
	admin, owner, other := s.Login("cyrus"), s.Login("user1"), s.Login("user2")
	owner.Must("CREATE INBOX/secret")
	owner.Append("INBOX/secret", letter)
	answer := func(c *server.IMAP, command string) string {
		t.Helper()
		untagged, tagged, err := c.Do(command)
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		return strings.Join(untagged, "") + tagged
	}
	url := func(user, mailbox string) string {
		return fmt.Sprintf("imap://%s@reference.example.org/%s/;uid=1;urlauth=anonymous", user, mailbox)
	}
	// fetched is what a URL shows to somebody.
	fetched := func(c *server.IMAP, signed string) bool {
		t.Helper()
		return strings.Contains(answer(c, "URLFETCH "+signed), "Subject:")
	}

	t.Run("CVE-2026-47084: LOCALDELETE and its like ask for rights", func(t *testing.T) {
		for _, command := range []string{"LOCALDELETE user/user1/secret", "LOCALCREATE user/user1/mine", "DELETE user/user1/secret"} {
			if got := answer(other, command); !strings.HasPrefix(got, "NO ") {
				t.Errorf("%s: %s", command, got)
			}
		}
		owner.Must("SELECT INBOX/secret")
	})

	t.Run("CVE-2026-47086 and -47087: signed URLs are worth what their signer may read", func(t *testing.T) {
		sign := `GENURLAUTH "` + url("user2", "user/user1/secret") + `" INTERNAL`
		if got := answer(other, sign); !strings.HasPrefix(got, "BAD ") { // as of a mailbox that is not there
			t.Errorf("signed without the right to read: %s", got)
		}
		owner.Must("SETACL INBOX/secret user2 lr")
		signed := strings.TrimSpace(strings.TrimPrefix(other.Must(sign)[0], "* GENURLAUTH "))
		if !fetched(owner, signed) {
			t.Fatalf("%s: %s", signed, answer(owner, "URLFETCH "+signed))
		}
		owner.Must("DELETEACL INBOX/secret user2")
		if fetched(owner, signed) {
			t.Error("a URL shows what its signer may not read any more")
		}
	})

	t.Run("CVE-2026-47085: nothing is signed with an empty key", func(t *testing.T) {
		rump := url("user3", "INBOX")
		s.Login("user3").Append("INBOX", letter)
		h := hmac.New(sha1.New, nil)
		h.Write([]byte(rump))
		if fetched(other, fmt.Sprintf(`"%s:internal:%x"`, rump, h.Sum([]byte{0}))) {
			t.Error("a URL that anybody can sign shows a message of a user who has no key")
		}
	})

	t.Run("CVE-2026-47081: XAPPLEPUSHSERVICE tells nothing", func(t *testing.T) {
		command := `XAPPLEPUSHSERVICE aps-version 2 aps-account-id a aps-device-token b aps-subtopic com.apple.mobilemail mailboxes (%s)`
		there, not := answer(other, fmt.Sprintf(command, "user/user1/secret")), answer(other, fmt.Sprintf(command, "user/user1/none"))
		if there != not || !strings.HasPrefix(there, "BAD") {
			t.Errorf("%s; of a mailbox that is not there %s", there, not)
		}
	})

	t.Run("CVE-2026-47089: LISTRIGHTS is for administrators of the mailbox", func(t *testing.T) {
		owner.Must("SETACL INBOX/secret user2 lrs")
		if got := answer(other, "LISTRIGHTS user/user1/secret user3"); !strings.HasPrefix(got, "NO ") {
			t.Error(got)
		}
		admin.Must("LISTRIGHTS user/user1/secret user3")
	})

	t.Run("CVE-2026-47088: comments that do not end", func(t *testing.T) {
		for _, field := range []string{"Content-Type: text/plain; (a(b(", "Content-Type: text/plain (\\", "Content-Type: (" + strings.Repeat("(", 5000), "Content-Disposition: attachment; (\\", "Content-Transfer-Encoding: ((8bit"} {
			owner.Append("INBOX", "Subject: x\r\n"+field+"\r\n\r\nbody\r\n")
			owner.Must("SELECT INBOX")
			if got := answer(owner, "FETCH * (BODYSTRUCTURE BODY[1])"); !strings.Contains(got, "body\r\n") {
				t.Errorf("%.40s: %s", field, got)
			}
		}
	})
}
