package suite

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// needed is which rights each command needs on mailbox %s (RFC 4314 section
// 4): with exactly these it is done, without any one of them it is refused.
// before is done first, by the same user.
var needed = []struct {
	rights  string
	before  string
	command string
}{
	{"lr", "", "SELECT %s"},
	{"lr", "", "EXAMINE %s"},
	{"lr", "", "STATUS %s (MESSAGES)"},
	{"lr", "", "GETQUOTAROOT %s"},
	{"la", "", "GETACL %s"},
	{"la", "", "LISTRIGHTS %s user3"},
	{"la", "", "SETACL %s user3 l"},
	{"la", "", "DELETEACL %s user3"},
	{"l", "", "SUBSCRIBE %s"},
	{"li", "", "APPEND %s {6+}\r\na: b\r\n"},
	{"li", "SELECT INBOX", "COPY 1 %s"},
	{"li", "SELECT INBOX", "MOVE 1 %s"},
	{"lk", "", "CREATE %s/below"},
	{"lx", "", "DELETE %s"},
	{"lx", "", "RENAME %s INBOX/mine"},
	{"lrs", "SELECT %s", `STORE 1 +FLAGS (\Seen)`},
	{"lrw", "SELECT %s", `STORE 1 +FLAGS (\Flagged)`},
	{"lrw", "SELECT %s", `STORE 1 +FLAGS ($key)`},
	{"lrt", "SELECT %s", `STORE 1 +FLAGS (\Deleted)`},
	{"lre", "SELECT %s", "EXPUNGE"},
	{"lrte", "SELECT %s", "MOVE 1 INBOX"},
	{"lr", "SELECT %s", "COPY 1 INBOX"},
}

// TestRights gives a user exactly what a command needs, then less; on a
// shared mailbox, on another user's, and by negative rights.
func TestRights(t *testing.T) {
	s := server.Start(t, server.Options{})
	admin, user1, user2 := s.Login("cyrus"), s.Login("user1"), s.Login("user2")
	admin.Must("CREATE shared")
	user2.Append("INBOX", "Subject: x\r\n\r\n")
	n := 0
	for _, row := range needed {
		for _, parent := range []string{"shared", "user/user1"} {
			try := func(label string, grant ...string) string {
				t.Helper()
				n++
				box := fmt.Sprintf("%s/m%d", parent, n)
				admin.Must("CREATE " + box)
				admin.Must("SETACL " + box + " anyone \"\"")
				for _, g := range grant {
					admin.Must("SETACL " + box + " " + g)
				}
				user := user1
				if parent == "shared" {
					user = admin
				}
				admin.Must("SETACL " + box + " cyrus lrswipkxtea")
				user.Append(box, "Subject: x\r\n\r\n")
				user2.Do("UNSELECT")
				user2.Do("DELETE INBOX/mine")
				user2.Append("INBOX", "Subject: x\r\n\r\n")
				if row.before != "" {
					user2.Do(strings.ReplaceAll(row.before, "%s", box))
				}
				_, tagged, err := user2.Do(strings.ReplaceAll(row.command, "%s", box))
				if err != nil {
					t.Fatalf("%s with %s: %v", row.command, label, err)
				}
				return strings.Fields(tagged)[0]
			}
			if got := try(row.rights, "user2 "+row.rights); got != "OK" {
				t.Errorf("%s on %s with %s: %s", row.command, parent, row.rights, got)
			}
			for i := range row.rights {
				r := row.rights[i : i+1]
				less := strings.Replace(row.rights, r, "", 1)
				if r == "l" && row.command != "SUBSCRIBE %s" {
					continue // what is hidden can still be used by who knows it
				}
				if got := try(less, `user2 "`+less+`"`); got == "OK" {
					t.Errorf("%s on %s with %q: %s", row.command, parent, less, got)
				}
				if got := try("-"+r, "user2 lrswipkxtea", "-user2 "+r); got == "OK" {
					t.Errorf("%s on %s without %s by negative rights: %s", row.command, parent, r, got)
				}
			}
		}
	}
}

// TestHidden: a mailbox that a user may not look up is, in every answer, one
// that does not exist.
func TestHidden(t *testing.T) {
	s := server.Start(t, server.Options{})
	admin, user2 := s.Login("cyrus"), s.Login("user2")
	admin.Must("CREATE shared")
	admin.Must("CREATE shared/hidden")
	admin.Must(`SETACL shared/hidden anyone ""`)
	admin.Must("CREATE user/user1/hidden")
	user2.Append("INBOX", "Subject: x\r\n\r\n")
	commands := []string{"CREATE %s", "RENAME INBOX/x %s", "RENAME %s INBOX/y", "MYRIGHTS %s", "LSUB \"\" %s", "LIST \"\" %s", "UNSUBSCRIBE %s", "LIST \"\" %s RETURN (STATUS (MESSAGES))"}
	for _, row := range needed {
		if strings.Contains(row.command, "%s") {
			commands = append(commands, row.command)
		}
	}
	user2.Must("CREATE INBOX/x")
	for _, parent := range []string{"shared", "user/user1"} {
		for _, c := range commands {
			answer := func(name string) string {
				user2.Must("SELECT INBOX")
				untagged, tagged, err := user2.Do(strings.ReplaceAll(c, "%s", name))
				if err != nil {
					t.Fatal(c, err)
				}
				tagged, _, _ = strings.Cut(tagged, "(0.")
				return strings.ReplaceAll(strings.Join(untagged, "")+tagged, name, "NAME")
			}
			if there, not := answer(parent+"/hidden"), answer(parent+"/absent"); there != not {
				t.Errorf("%s below %s: %q, without the mailbox %q", c, parent, there, not)
			}
		}
	}
	if got := strings.Join(user2.Must(`LIST "" *`), ""); strings.Contains(got, "hidden") {
		t.Error(got)
	}
}

// TestDeletedHidden: mailboxes that wait for their final deletion are for
// admins.
func TestDeletedHidden(t *testing.T) {
	s := server.Start(t, server.Options{})
	admin, user2 := s.Login("cyrus"), s.Login("user2")
	for _, c := range []string{"CREATE shared", "CREATE shared/a", "SETACL shared/a user2 lrswipkxtea"} {
		admin.Must(c)
	}
	user2.Must("DELETE shared/a")
	user2.Must("CREATE INBOX/a")
	user2.Must("DELETE INBOX/a")
	gone := admin.Must(`LIST "" DELETED/*`)
	if len(gone) != 2 {
		t.Fatalf("admins see %q", gone)
	}
	if got := strings.Join(user2.Must(`LIST "" *`), ""); strings.Contains(got, "DELETED") {
		t.Error(got)
	}
	for _, l := range gone {
		f := strings.Fields(l)
		if _, tagged, _ := user2.Do("SELECT " + f[len(f)-1]); !strings.HasPrefix(tagged, "NO [NONEXISTENT]") {
			t.Errorf("%s: %s", l, tagged)
		}
	}
}

// TestRightsOfTheList: rights are those of the mailbox list, also where
// cyrus.header still has older ones.
func TestRightsOfTheList(t *testing.T) {
	s := server.Start(t, server.Options{})
	admin, before := s.Login("cyrus"), s.Login("user2")
	admin.Must("CREATE shared")
	admin.Must("SETACL shared cyrus lrswipkxtea")
	admin.Must("SETACL shared user2 lrswte")
	admin.Append("shared", "Subject: x\r\n\r\n")
	var header string
	var old []byte
	err := filepath.WalkDir(filepath.Join(s.Dir, "spool"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "cyrus.header" {
			b, err := os.ReadFile(path)
			if err == nil && strings.Contains(string(b), "user2") && strings.Contains(string(b), "anyone") {
				header, old = path, b
			}
			return err
		}
		return err
	})
	if err != nil || header == "" {
		t.Fatal(header, err)
	}
	before.Must("SELECT shared")
	before.Must(`STORE 1 +FLAGS (\Flagged)`)
	admin.Must("SETACL shared user2 lr")
	if err := os.WriteFile(header, old, 0o600); err != nil {
		t.Fatal(err)
	}
	after := s.Login("user2")
	after.Must("SELECT shared")
	for _, c := range []*server.IMAP{before, after} {
		for _, command := range []string{`STORE 1 -FLAGS (\Flagged)`, `STORE 1 +FLAGS (\Deleted)`, "EXPUNGE"} {
			if _, tagged, _ := c.Do(command); !strings.HasPrefix(tagged, "NO [NOPERM]") {
				t.Errorf("%s: %s", command, tagged)
			}
		}
	}
}
