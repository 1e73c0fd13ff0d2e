//go:build reference

package reference

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// annotatedSite is a site for ours and the real server.
func annotatedSite(t *testing.T) *server.Site {
	t.Helper()
	s := server.New(t, server.Options{Shared: true, Config: []string{"annotation_allow_undefined: yes"}})
	secrets(t, s, "user1", "user2", "cyrus")
	asCyrus(t, s)
	return s
}

// annotate makes annotations of all kinds, and does to mailboxes and
// messages what carries or drops them.
func annotate(s *server.Site) {
	admin := s.Login("cyrus")
	defer admin.Close()
	admin.Must("SETQUOTA user/user1 (STORAGE 10000 X-ANNOTATION-STORAGE 100)")
	admin.Must(`SETMETADATA "" (/shared/comment "server" /private/comment "of cyrus" /shared/motd "today")`)
	c := s.Login("user1")
	defer c.Close()
	for _, line := range []string{
		"CREATE INBOX/a", "CREATE INBOX/b", "CREATE INBOX/c (USE (\\Drafts))", "CREATE INBOX/gone",
		`SETMETADATA INBOX/a (/shared/comment "shared" /private/comment "private" /private/specialuse "\\Junk" /shared/own/entry "x")`,
		`SETMETADATA INBOX/a (/shared/vendor/cmu/cyrus-imapd/expire "3" /private/vendor/cmu/cyrus-imapd/sortorder "7")`,
		`SETMETADATA INBOX/b (/shared/vendor/cmu/cyrus-imapd/sharedseen "true" /shared/vendor/cmu/cyrus-imapd/pop3newuidl "false")`,
		`SETMETADATA INBOX/b (/shared/vendor/cmu/cyrus-imapd/pop3showafter "Mon, 02 Mar 2026 10:11:12 +0000" /shared/comment "soon changed")`,
		`SETMETADATA INBOX/b (/shared/comment "longer than it was before")`,
		`SETMETADATA INBOX/gone (/shared/comment "goes with it")`,
		"DELETE INBOX/gone", "SETACL INBOX/a user2 lrswipn",
	} {
		c.Must(line)
	}
	for range 4 {
		c.Must("APPEND INBOX/a ANNOTATION (/comment (value.priv \"of the append\")) {23+}\r\nSubject: mail\r\n\r\nText\r\n\r\n")
	}
	for _, line := range []string{
		"SELECT INBOX/a",
		`STORE 1:3 ANNOTATION (/comment (value.shared "all" value.priv "mine") /altsubject (value.priv "other"))`,
		`STORE 2 ANNOTATION (/comment (value.shared NIL) /own/x (value.shared "much longer than before"))`,
		`STORE 3 +FLAGS (\Deleted)`, "EXPUNGE", "COPY 1:2 INBOX/b", "MOVE 1 INBOX/c", "RENAME INBOX/b INBOX/d",
	} {
		c.Must(line)
	}
	other := s.Login("user2")
	defer other.Close()
	other.Must(`SETMETADATA user/user1/a (/private/comment "of user2")`)
	other.Must("SELECT user/user1/a")
	other.Must(`STORE 1 ANNOTATION (/comment (value.shared "by user2" value.priv "his"))`)
	other.Must("COPY 1 INBOX")
}

// annotations asks for all annotations.
func annotations(s *server.Site, user string) []string {
	c := s.Login(user)
	defer c.Close()
	all := c.Must(`GETMETADATA (DEPTH infinity) "" (/shared /private)`)
	for _, line := range c.Must(`LIST "" "*" RETURN (SPECIAL-USE)`) {
		name := strings.TrimSpace(line[strings.LastIndex(line, `"/" `)+4:])
		all = append(all, c.Must("GETMETADATA (DEPTH infinity) "+name+" (/shared /private)")...)
		if user == "cyrus" {
			continue // he may not read
		}
		if examined := strings.Join(c.Must("EXAMINE "+name), ""); !strings.Contains(examined, "* 0 EXISTS\r\n") {
			all = append(all, examined)
			all = append(all, c.Must(`FETCH 1:* (UID MODSEQ ANNOTATION ("*" "*"))`)...)
			all = append(all, c.Must(`SEARCH ANNOTATION "/*" value "m"`)...)
		}
		all = append(all, c.Must("GETQUOTAROOT "+name)...)
	}
	return all
}

// steady takes out of lines what varies.
func steady(lines []string) []string {
	for i := range lines {
		lines[i] = unsteady.ReplaceAllString(lines[i], "$1")
	}
	return lines
}

// TestAnnotations has ours make annotations. The checkers of the real Cyrus
// find nothing wrong, and the real server gives the same answers.
func TestAnnotations(t *testing.T) {
	s := annotatedSite(t)
	s.Run()
	s.MakeUsers("user1", "user2")
	annotate(s)
	// A shared mailbox, where the real server ends.
	admin := s.Login("cyrus")
	admin.Must("CREATE board")
	admin.Must(`SETMETADATA board (/shared/comment "for all" /private/comment "for one")`)
	admin.Close()
	users := []string{"user1", "user2", "cyrus"}
	all := func() (said []string) {
		for _, u := range users {
			said = append(said, linesOf(steady(annotations(s, u)))...)
		}
		return said
	}
	ours := all()
	stop(t, s)
	clean(t, s, "user1", "user2")
	noQuotaFault(t, s)
	if out, status := tool(t, s, "mbexamine", "user/user1/a"); status != 0 || !strings.Contains(out, "Annotations Size: 85 bytes") {
		t.Errorf("mbexamine: %d\n%s", status, out)
	}
	out, status := tool(t, s, "cyr_dbtool", filepath.Join(s.Dir, "conf/annotations.db"), "twoskip", "consistent")
	if status != 0 || !strings.Contains(out, "Yes") {
		t.Errorf("annotations.db: status %d\n%s", status, out)
	}
	cyrusServes(t, s, func() { sameAnswers(t, all(), ours) })
}

// TestAnnotationsAreTheSame has ours and the real server do the same, each on
// a site of its own: what they store is the same.
func TestAnnotationsAreTheSame(t *testing.T) {
	ours, real := annotatedSite(t), annotatedSite(t)
	ours.Run()
	ours.MakeUsers("user1", "user2")
	annotate(ours)
	said := map[*server.Site][]string{ours: annotations(ours, "user1")}
	stop(t, ours)
	cyrusServes(t, real, func() {
		real.MakeUsers("user1", "user2")
		annotate(real)
		said[real] = annotations(real, "user1")
	})
	byNature := regexp.MustCompile(`(/uniqueid|/synccrcs)" "[^"]*"|UIDVALIDITY \d+|MAILBOXID \([^)]*\)`)
	for _, lines := range said {
		for i := range steady(lines) {
			lines[i] = byNature.ReplaceAllString(lines[i], "$1")
		}
	}
	sameAnswers(t, linesOf(said[real]), linesOf(said[ours]))
}

// linesOf splits answers that have several lines.
func linesOf(answers []string) []string {
	return strings.SplitAfter(strings.Join(answers, ""), "\r\n")
}

// cyradmLines are commands of cyradm that show and change annotations.
const cyradmLines = `info
setinfo comment "hello"
setinfo admin a@b
setinfo motd today
info
cm user/user9
mboxcfg user/user9 expire 3
mboxcfg user/user9 comment "a mailbox"
mboxcfg user/user9 sharedseen true
mboxcfg user/user9 squat yes
mboxcfg user/user9 squat true
mboxcfg user/user9 pop3showafter "Mon, 02 Mar 2026 10:11:12 +0000"
mboxcfg user/user9 nosuch 1
info user/user9
mboxcfg user/user9 expire none
info user/user9
setinfo motd none
info
`

// cyradm runs the commands on a server and returns what it prints.
func cyradm(t *testing.T, s *server.Site) string {
	t.Helper()
	cmd := exec.Command("cyradm", "-u", "cyrus", "-w", "pass", "--port", port(s.IMAP), "127.0.0.1")
	cmd.Stdin = strings.NewReader(cyradmLines)
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("cyradm: %v\n%s", err, out)
	}
	out = octet.ReplaceAll(out, nil)
	return regexp.MustCompile(`((?:freespace|most|total|lastupdate|uniqueid): ).*`).ReplaceAllString(string(out), "$1")
}

// octet is where a syntax error is, which only ours says.
var octet = regexp.MustCompile(` \(octet \d+: .*\)`)

// TestCyradm compares what cyradm's info, setinfo and mboxcfg say.
func TestCyradm(t *testing.T) {
	ours, real := annotatedSite(t), annotatedSite(t)
	ours.Run()
	got := cyradm(t, ours)
	stop(t, ours)
	var want string
	cyrusServes(t, real, func() { want = cyradm(t, real) })
	sameAnswers(t, strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n"))
	if strings.Count(got, "\n") < 100 {
		t.Errorf("that is too little:\n%s", got)
	}
}
