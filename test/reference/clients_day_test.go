//go:build reference

package reference

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gocyrus/test/server"
)

// A day is what each client does, as a user of its own who has the messages
// m1 to m5 in his INBOX. It logs in; lists; makes the folders Day and Gone and
// subscribes Day; puts a message "made" into Day with \Seen and \Flagged; reads
// m1; finds m3 by its subject and sets \Flagged and \Answered; copies m1 into
// Day, moves m2 there; removes m4; waits for new mail, m6, where it can; removes
// Gone. Afterwards the mailboxes, the subscriptions and the files on the disk are
// what that makes.

// aDay is a message that is there in the morning.
func aDay(n int) string {
	return fmt.Sprintf("From: sender@example.org\r\nTo: you@example.org\r\nDate: Mon, 2 Nov 2026 0%d:00:00 +0000\r\nSubject: m%d\r\nMessage-ID: <m%d@example.org>\r\n\r\nText of message %d\r\n", n, n, n, n)
}

const madeByClient = "From: you@example.org\r\nTo: other@example.org\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\nSubject: made\r\nMessage-ID: <made@example.org>\r\n\r\nWritten today\r\n"

// days is the clients.
var days = []struct {
	name string
	do   func(t *testing.T, s *server.Site)
}{
	{"imaplib", func(t *testing.T, s *server.Site) { dayScript(t, s, "imaplib", "python3", "day.py") }},
	{"imaptalk", func(t *testing.T, s *server.Site) { dayScript(t, s, "imaptalk", "perl", "day-talk.pl") }},
	{"imapclient", func(t *testing.T, s *server.Site) { dayScript(t, s, "imapclient", "perl", "day-client.pl") }},
	{"imapfilter", dayOfImapfilter},
	{"curl", dayOfCurl},
	{"goimap", dayOfGoIMAP},
	{"mutt", func(t *testing.T, s *server.Site) { dayOfMutt(t, s, "mutt") }},
	{"neomutt", func(t *testing.T, s *server.Site) { dayOfMutt(t, s, "neomutt") }},
	{"mbsync", dayOfMbsync},
	{"offlineimap", dayOfOfflineIMAP},
}

// TestClientsDay lets each client do a day's work.
func TestClientsDay(t *testing.T) {
	for _, d := range days {
		t.Run(d.name, func(t *testing.T) {
			s := server.Start(t, server.Options{Users: []string{d.name}})
			c := s.Login(d.name)
			for n := 1; n <= 5; n++ {
				c.Append("INBOX", aDay(n))
			}
			c.Must("LOGOUT")
			c.Close()
			d.do(t, s)
			afterDay(t, s, d.name)
		})
	}
}

var envelopeSubject = regexp.MustCompile(`UID (\d+) FLAGS \(([^)]*)\).*ENVELOPE \((?:NIL|"[^"]*") "([^"]*)"`)

// afterDay compares mailboxes, subscriptions and files with what they must be.
func afterDay(t *testing.T, s *server.Site, user string) {
	t.Helper()
	c := s.Login(user)
	defer c.Close()
	want := map[string]map[string][]string{
		"INBOX":     {"m1": nil, "m3": {`\Answered`, `\Flagged`}, "m5": nil},
		"INBOX/Day": {"m1": nil, "m2": nil, "made": {`\Flagged`, `\Seen`}},
	}
	for box, messages := range want {
		c.Must("EXAMINE " + box)
		got := map[string]bool{}
		for _, line := range c.Must("UID FETCH 1:* (UID FLAGS ENVELOPE)") {
			m := envelopeSubject.FindStringSubmatch(flagsFirst(line))
			if m == nil || strings.Contains(m[2], `\Deleted`) {
				continue
			}
			uid, flags, subject := m[1], strings.Fields(m[2]), m[3]
			if subject == "m6" {
				continue // came while the client waited
			}
			need, ok := messages[subject]
			if !ok || got[subject] {
				t.Errorf("%s: %s has the message %q, or has it twice", user, box, subject)
			}
			got[subject] = true
			for _, f := range need {
				if !slices.Contains(flags, f) {
					t.Errorf("%s: %s: %q has the flags %q, not %s", user, box, subject, flags, f)
				}
			}
			onDisk(t, s, user, box, uid, subject)
		}
		if len(got) != len(messages) {
			t.Errorf("%s: %s has %v", user, box, got)
		}
	}
	if got := strings.Join(c.Must(`LIST "" *`), ""); strings.Contains(got, "Gone") || !strings.Contains(got, "Day") {
		t.Errorf("%s: LIST: %q", user, got)
	}
	if got := strings.Join(c.Must(`LSUB "" *`), ""); !strings.Contains(got, "INBOX/Day") {
		t.Errorf("%s: LSUB: %q", user, got)
	}
}

// flagsFirst is a FETCH reply in the order that envelopeSubject knows.
func flagsFirst(line string) string {
	uid := regexp.MustCompile(`UID \d+`).FindString(line)
	flags := regexp.MustCompile(`FLAGS \([^)]*\)`).FindString(line)
	envelope := regexp.MustCompile(`ENVELOPE .*`).FindString(line)
	return uid + " " + flags + " " + envelope
}

// onDisk looks whether the file of a message holds it.
func onDisk(t *testing.T, s *server.Site, user, box, uid, subject string) {
	t.Helper()
	name := "user/" + user + strings.TrimPrefix(box, "INBOX")
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(s.Tool("", "mbpath", name)), uid+"."))
	if err != nil || !strings.Contains(string(data), "Subject: "+subject+"\r\n") {
		t.Errorf("%s: %s, UID %s, %q: %v %q", user, box, uid, subject, err, tail(string(data)))
	}
}

// dayScript runs a program of testdata with host, port and user; it prints "new
// mail?" when it waits for mail.
func dayScript(t *testing.T, s *server.Site, user, interpreter, file string) {
	t.Helper()
	host, port, _ := strings.Cut(s.IMAP, ":")
	cmd := exec.Command(interpreter, filepath.Join("testdata", file), host, port, user)
	waiting(t, s, user, cmd)
}

// waiting runs a client and delivers a message when it says that it waits.
func waiting(t *testing.T, s *server.Site, user string, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := time.AfterFunc(2*time.Minute, func() { cmd.Process.Kill() })
	defer end.Stop()
	buf := make([]byte, 4096)
	for asked := false; ; {
		n, err := out.Read(buf)
		said.Write(buf[:n])
		if !asked && strings.Contains(said.String(), "new mail?") {
			asked = true
			s.Tool(strings.ReplaceAll(aDay(6), "\r\n", "\n"), "deliver", user)
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v\n%s", cmd, err, said.String())
	}
}

func dayOfImapfilter(t *testing.T, s *server.Site) {
	host, port, _ := strings.Cut(s.IMAP, ":")
	cmd := exec.Command("imapfilter", "-c", filepath.Join("testdata", "day.lua"))
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "IMAPHOST="+host, "IMAPPORT="+port)
	waiting(t, s, "imapfilter", cmd)
}

func dayOfCurl(t *testing.T, s *server.Site) {
	url := "imap://" + s.IMAP
	curl := func(args ...string) string {
		t.Helper()
		return string(run(t, "curl", append([]string{"-sS", "-u", "curl:pass"}, args...)...))
	}
	if got := curl(url + "/"); !strings.Contains(got, "INBOX") {
		t.Errorf("LIST: %q", got)
	}
	for _, command := range []string{"CREATE INBOX/Day", "CREATE INBOX/Gone", "SUBSCRIBE INBOX/Day"} {
		curl(url, "-X", command)
	}
	file := filepath.Join(t.TempDir(), "made")
	if err := os.WriteFile(file, []byte(madeByClient), 0o600); err != nil {
		t.Fatal(err)
	}
	curl("-T", file, url+"/INBOX%2FDay")
	curl(url+"/INBOX%2FDay", "-X", `STORE 1 +FLAGS.SILENT (\Seen \Flagged)`)
	if got := curl(url + "/INBOX;UID=1"); got != aDay(1) {
		t.Errorf("m1: %q", got)
	}
	if got := curl(url + "/INBOX?SUBJECT%20m3"); strings.TrimSpace(got) != "* SEARCH 3" {
		t.Errorf("SEARCH: %q", got)
	}
	for _, command := range []string{`STORE 3 +FLAGS (\Flagged \Answered)`, "COPY 1 INBOX/Day", `STORE 4 +FLAGS (\Deleted)`, "MOVE 2 INBOX/Day", "EXPUNGE"} {
		curl(url+"/INBOX", "-X", command)
	}
	curl(url, "-X", "DELETE INBOX/Gone")
}

func dayOfGoIMAP(t *testing.T, s *server.Site) {
	news := make(chan uint32, 100)
	c, err := imapclient.DialInsecure(s.IMAP, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(m *imapclient.UnilateralDataMailbox) {
			if m.NumMessages != nil {
				news <- *m.NumMessages
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Login("goimap", "pass").Wait())
	must(c.Create("INBOX/Day", nil).Wait())
	must(c.Create("INBOX/Gone", nil).Wait())
	must(c.Subscribe("INBOX/Day").Wait())
	boxes, err := c.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true}}).Collect()
	must(err)
	if len(boxes) != 3 || boxes[0].Status == nil || *boxes[0].Status.NumMessages != 5 {
		t.Errorf("LIST: %+v", boxes)
	}
	a := c.Append("INBOX/Day", int64(len(madeByClient)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen, imap.FlagFlagged}})
	_, err = a.Write([]byte(madeByClient))
	must(err)
	must(a.Close())
	_, err = a.Wait()
	must(err)
	_, err = c.Select("INBOX", &imap.SelectOptions{CondStore: true}).Wait()
	must(err)
	got, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{Envelope: true, Flags: true, UID: true, ModSeq: true, BodySection: []*imap.FetchItemBodySection{{}}}).Collect()
	must(err)
	if len(got) != 1 || string(got[0].BodySection[0].Bytes) != aDay(1) || got[0].Envelope.Subject != "m1" || got[0].ModSeq == 0 {
		t.Errorf("m1: %+v", got)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "m3"}}}, nil).Wait()
	must(err)
	if uids := found.AllUIDs(); len(uids) != 1 || uids[0] != 3 {
		t.Fatalf("SEARCH: %v", uids)
	}
	add := func(uid imap.UID, flags ...imap.Flag) {
		must(c.Store(imap.UIDSetNum(uid), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: flags}, nil).Close())
	}
	add(3, imap.FlagFlagged, imap.FlagAnswered)
	_, err = c.Copy(imap.UIDSetNum(1), "INBOX/Day").Wait()
	must(err)
	_, err = c.Move(imap.UIDSetNum(2), "INBOX/Day").Wait()
	must(err)
	add(4, imap.FlagDeleted)
	must(c.UIDExpunge(imap.UIDSetNum(4)).Close())
	idle, err := c.Idle()
	must(err)
	s.Tool(strings.ReplaceAll(aDay(6), "\r\n", "\n"), "deliver", "goimap")
	for end := time.After(time.Minute); ; {
		select {
		case n := <-news:
			if n != 4 {
				continue
			}
		case <-end:
			t.Error("no new mail in IDLE")
		}
		break
	}
	must(idle.Close())
	must(idle.Wait())
	must(c.Delete("INBOX/Gone").Wait())
	must(c.Logout().Wait())
}
