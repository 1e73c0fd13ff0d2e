//go:build reference

package reference

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"gocyrus/test/server"
)

const mail = "From: Alice <alice@example.org>\r\nTo: bob@example.org\r\nSubject: %s\r\nMessage-ID: <%s@example.org>\r\n" +
	"Date: Mon, 23 Nov 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\npreamble\r\n--b\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n--b\r\n" +
	"Content-Type: application/octet-stream; name=\"x.bin\"\r\nContent-Disposition: attachment; filename=\"x.bin\"\r\n" +
	"Content-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b--\r\n"

// use does what mail clients do, on whichever server runs. round keeps
// names and Message-IDs apart.
func use(s *server.Site, round string) {
	// A Cyrus cannot delete two mailboxes of one name within a second; ours
	// takes the next second's name if it must.
	time.Sleep(2 * time.Second)
	c := s.Login("user1")
	defer c.Close()
	for i := range 5 {
		c.Append("INBOX", fmt.Sprintf(mail, fmt.Sprintf("%s number %d", round, i), fmt.Sprintf("%s-%d", round, i)))
	}
	c.Must("CREATE INBOX/" + round)
	c.Must("CREATE INBOX/" + round + "/Deep/er")
	c.Must("SUBSCRIBE INBOX/" + round)
	c.Must("SELECT INBOX")
	c.Must("UID STORE 1:* +FLAGS (\\Seen)")
	c.Must("STORE 2 +FLAGS ($" + round + " \\Flagged)")
	c.Must("COPY 1:3 INBOX/" + round)
	c.Must("STORE 1 +FLAGS (\\Deleted)")
	c.Must("EXPUNGE")
	c.Must("CREATE INBOX/gone")
	c.Must("DELETE INBOX/gone")
	c.Must("CREATE INBOX/old")
	c.Append("INBOX/old", fmt.Sprintf(mail, "in old", round+"-old"))
	c.Must("RENAME INBOX/old INBOX/new" + round)
	c.Must("SETACL INBOX/" + round + " user2 lrs")
	deliverLMTP(s, "user1", round)
	other := s.Login("user2")
	defer other.Close()
	other.Must("SELECT user/user1/" + round)
	other.Must("STORE 1 +FLAGS (\\Seen)")
}

// TestTakingTurns lets the real Cyrus and ours serve the same spool in
// turns, in shared mode: each gives the answers of the other, and the real
// checkers find nothing.
func TestTakingTurns(t *testing.T) {
	s := server.New(t, server.Options{Shared: true})
	secrets(t, s, "user1", "user2", "user3", "cyrus")
	asCyrus(t, s)
	var real, ours []string
	cyrusServes(t, s, func() {
		s.MakeUsers("user1", "user2", "user3")
		use(s, "first")
		answers(s, "user1") // takes \Recent away
		real = answers(s, "user1")
	})
	s.Run()
	sameAnswers(t, real, answers(s, "user1"))
	use(s, "second")
	answers(s, "user1")
	ours = answers(s, "user1")
	if !s.Stop(20 * time.Second) {
		t.Fatal("master did not stop")
	}
	clean(t, s, "user1", "user2")
	cyrusServes(t, s, func() {
		sameAnswers(t, answers(s, "user1"), ours)
		use(s, "third")
		real = answers(s, "user1")
	})
	s.Run()
	sameAnswers(t, real, answers(s, "user1"))
}

// TestRealToolsStopInOwnMode runs the real Cyrus's tools on a site in own
// mode: each stops, and not a byte changes. But ctl_cyrusdb -c copies files
// without looking into them, and ends well.
func TestRealToolsStopInOwnMode(t *testing.T) {
	s := server.New(t, server.Options{})
	asCyrus(t, s)
	s.Run()
	s.MakeUsers("user1", "user2", "user3")
	use(s, "own")
	if !s.Stop(20 * time.Second) {
		t.Fatal("master did not stop")
	}
	before := snapshot(t, s)
	for _, args := range [][]string{
		{"ctl_mboxlist", "-d"}, {"ctl_mboxlist", "-v"}, {"reconstruct", "-r", "user/user1"}, {"quota", "-f"},
		{"ctl_cyrusdb", "-r"}, {"ctl_cyrusdb", "-c"}, {"cyr_expire", "-E", "1", "-X", "0", "-D", "0"}, {"mbpath", "user/user1"},
		{"unexpunge", "-l", "user/user1"}, {"ipurge", "-d", "1"}, {"mbexamine", "user/user1"},
	} {
		out, status := tool(t, s, args[0], args[1:]...)
		if status == 0 && !slices.Equal(args, []string{"ctl_cyrusdb", "-c"}) {
			t.Errorf("%v ends with status 0:\n%s", args, tail(out))
		}
		for name, data := range snapshot(t, s) {
			if !bytes.Equal(before[name], data) {
				t.Errorf("%v changed %s", args, name)
			}
		}
	}
}

var noData = regexp.MustCompile(`/(socket|lock|db\.backup[12])/|/db/skipstamp$`)

// snapshot is every file of configdirectory and spool that holds data. The
// time stamp that every program of Cyrus may renew, and the copies that
// ctl_cyrusdb -c makes, are none.
func snapshot(t *testing.T, s *server.Site) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, dir := range []string{"conf", "spool"} {
		err := filepath.Walk(filepath.Join(s.Dir, dir), func(path string, fi os.FileInfo, err error) error {
			if err != nil || !fi.Mode().IsRegular() || noData.MatchString(path) {
				return err
			}
			data, err := os.ReadFile(path)
			files[path] = data
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
