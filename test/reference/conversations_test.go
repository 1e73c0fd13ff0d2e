//go:build reference

package reference

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// withConversations is the configuration of these tests.
var withConversations = []string{
	"conversations: yes", `conversations_counted_flags: \Draft \Flagged $IsMailingList`,
	"allowusermoves: yes", "conversations_max_guidinfolder: 4",
}

// TestConversations has a site that keeps conversations do all that changes
// them, in shared mode: the real ctl_conversationsdb finds nothing wrong, and
// what the real server writes for the same is the same, but for what names
// and times differ by nature. Then both work on in turns.
func TestConversations(t *testing.T) {
	ours := conversationsSite(t)
	ours.Run()
	ours.MakeUsers("user1", "user2", "user3")
	converse(t, ours)
	stop(t, ours)
	soundConversations(t, ours, "user2", "user3", "other")
	real := conversationsSite(t)
	cyrusServes(t, real, func() {
		real.MakeUsers("user1", "user2", "user3")
		converse(t, real)
	})
	soundConversations(t, real, "user2", "user3", "other")
	same(t, "conversations", dumped(t, real, "other"), dumped(t, ours, "other"))
	cyrusServes(t, ours, func() { more(t, ours) })
	ours.Run()
	more(t, ours)
	stop(t, ours)
	soundConversations(t, ours, "user2", "user3", "other")
	tool(t, ours, "ctl_conversationsdb", "-R", "other")
	soundConversations(t, ours, "other")
}

// conversationsSite is a site in shared mode, not started.
func conversationsSite(t *testing.T) *server.Site {
	t.Helper()
	s := server.New(t, server.Options{Shared: true, Config: withConversations})
	secrets(t, s, "user1", "user2", "user3", "other", "cyrus")
	asCyrus(t, s)
	return s
}

func stop(t *testing.T, s *server.Site) {
	t.Helper()
	if !s.Stop(20 * time.Second) {
		t.Fatal("master did not stop")
	}
}

// mailOf is message n of a thread; to is the Message-IDs that it answers.
func mailOf(n int, subject string, to ...int) string {
	refs := ""
	if len(to) > 0 {
		ids := make([]string, len(to))
		for i, r := range to {
			ids[i] = fmt.Sprintf("<m%d@example.org>", r)
		}
		refs = "References: " + strings.Join(ids, "\r\n ") + "\r\nIn-Reply-To: " + ids[len(ids)-1] + "\r\n"
	}
	return fmt.Sprintf("From: Writer %d <writer%d@example.org>\r\nSubject: %s\r\nDate: Mon, %d Jan 2024 10:00:00 +0000\r\nMessage-ID: <m%d@example.org>\r\n%s"+
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n\r\ntext of %d\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner\r\n--b--\r\n",
		n%3, n%3, subject, 1+n, n, refs, n)
}

// converse is the work of the test.
func converse(t *testing.T, s *server.Site) {
	c := s.Login("user1")
	for _, box := range []string{"Trash", "Sent", "Work", "Work/deep"} {
		c.Must("CREATE INBOX/" + box)
	}
	put := func(box, flags string, n int, subject string, to ...int) {
		m := mailOf(n, subject, to...)
		c.Must(fmt.Sprintf("APPEND %s (%s) \"%2d-Feb-2024 12:00:00 +0000\" {%d+}\r\n%s", box, flags, 1+n, len(m), m))
	}
	put("INBOX", "", 1, "Plans")
	put("INBOX", `\Seen \Flagged`, 2, "Re: Plans", 1)
	put("INBOX/Sent", `\Seen`, 3, "AW: Plans", 1, 2)
	put("INBOX", `\Draft`, 4, "Re: [list] Plans", 3)
	put("INBOX", `$IsMailingList`, 5, "another subject", 1)
	put("INBOX/Trash", "", 6, "Re: Plans", 2)
	put("INBOX/Work", "", 7, "=?utf-8?q?Stra=C3=9Fe_7?=")
	put("INBOX", "", 8, "Plans", 1)
	m := mailOf(1, "Plans")
	c.Must(fmt.Sprintf("APPEND INBOX/Work {%d+}\r\n%s", len(m), m)) // one that is known
	c.Must("SELECT INBOX")
	c.Must("COPY 1:3 INBOX/Work")
	c.Must("COPY 1 INBOX/Trash")
	c.Must("UID MOVE 5 INBOX/Work/deep")
	c.Must(`STORE 1:2 +FLAGS (\Seen $IsMailingList)`)
	c.Must(`STORE 1 -FLAGS (\Seen)`)
	c.Must(`STORE 2 +FLAGS (\Deleted)`)
	c.Must("EXPUNGE")
	c.Must(`STORE 2 -FLAGS (\Draft)`)
	for range 4 { // up to the limit of one folder
		c.Must("COPY 1 INBOX/Sent")
	}
	if _, no, err := c.Do("COPY 1 INBOX/Sent"); err != nil || !strings.HasPrefix(no, "NO ") || !strings.HasSuffix(no, "Too many identical emails") {
		t.Errorf("one copy too many: %q, %v", no, err)
	}
	c.Must(`SETACL INBOX/Work user2 lrswite`)
	c.Must("RENAME INBOX/Work INBOX/Office")
	c.Must("CREATE INBOX/Gone")
	c.Must("COPY 1 INBOX/Gone")
	c.Must("DELETE INBOX/Gone")
	c.Close()
	a := s.Login("cyrus")
	a.Must("SETQUOTA user/user1 (STORAGE 100000)")
	a.Must("SETACL user/user1/Office user3 lrswi")
	a.Must("RENAME user/user1 user/other")
	a.Close()
	for _, u := range []string{"user2", "user3"} {
		deliverLMTP(s, u, u+"-1@example.org")
		deliverLMTP(s, u, u+"-2@example.org")
	}
	b := s.Login("user2")
	b.Must("SELECT INBOX")
	b.Must(`STORE 1 +FLAGS (\Deleted)`)
	b.Must("EXPUNGE")
	b.Must("SELECT user/other/Office")
	b.Must(`STORE 1 +FLAGS (\Flagged)`)
	b.Must("COPY 1 INBOX")
	b.Close()
	o := s.Login("other")
	m = mailOf(9, "Re: Plans", 4)
	o.Must(fmt.Sprintf("APPEND INBOX (\\Answered) \"10-Feb-2024 12:00:00 +0000\" {%d+}\r\n%s", len(m), m))
	o.Close()
}

// more is work on a site that has conversations already.
func more(t *testing.T, s *server.Site) {
	t.Helper()
	c := s.Login("other")
	defer c.Close()
	c.Must("SELECT INBOX")
	c.Must("COPY 1 INBOX/Trash")
	c.Must(`STORE 1:* +FLAGS (\Flagged)`)
	m := mailOf(int(time.Now().Unix()%1000)+20, "Plans", 1)
	c.Must(fmt.Sprintf("APPEND INBOX/Sent {%d+}\r\n%s", len(m), m))
	c.Must(fmt.Sprintf("APPEND INBOX/Office {%d+}\r\n%s", len(m), m))
	c.Must(`STORE 1 +FLAGS (\Deleted)`)
	c.Must("EXPUNGE")
}

// soundConversations has the real tools look at the conversations and the
// rest of users' data.
func soundConversations(t *testing.T, s *server.Site, users ...string) {
	t.Helper()
	for _, u := range users {
		if out, code := tool(t, s, "ctl_conversationsdb", "-A", "-v", u); code != 0 || !strings.Contains(out, u+" is OK") {
			t.Errorf("ctl_conversationsdb -A %s: %d\n%s", u, code, out)
		}
		if out, code := tool(t, s, "ctl_conversationsdb", "-F", u); code != 0 || out != "OK "+u+"\n" {
			t.Errorf("ctl_conversationsdb -F %s: %d\n%s", u, code, out)
		}
	}
	clean(t, s, users...)
}

// masks hide in records of conversations.db what cannot be the same on two
// servers.
var masks = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`^(<.*>\t0 [0-9a-f,]+) \d+$`), "$1 TIME"},
	{regexp.MustCompile(`(\([0-9a-f]{40} \d+) 1[78]\d{8}\)`), "$1 TIME)"},
	// The real one skips more modseqs when a user is renamed.
	{regexp.MustCompile(`^(F .* 0 \()\d+`), "${1}MODSEQ"},
	{regexp.MustCompile(`^(B\w+\t1 \()\d+`), "${1}MODSEQ"},
	{regexp.MustCompile(`\((\d+) \d+ (\d+ \d+ \d+\))`), "($1 MODSEQ $2"},
	{regexp.MustCompile(`DELETED\.(.*)\.[0-9A-F]{8}`), "DELETED.$1"},
}

// dumped is a user's conversations, with masks.
func dumped(t *testing.T, s *server.Site, user string) []string {
	t.Helper()
	text, code := tool(t, s, "ctl_conversationsdb", "-d", user)
	if code != 0 {
		t.Fatalf("ctl_conversationsdb -d %s: %d\n%s", user, code, text)
	}
	names := folderNames(t, s)
	var out []string
	for len(text) > 0 {
		var line string
		line, text = dumpedLine(text)
		if id, rest, ok := strings.Cut(strings.TrimPrefix(line, "F"), "\t"); ok && line[0] == 'F' {
			line = "F " + names[id] + " " + rest
		}
		for _, id := range slices.Sorted(maps.Keys(names)) {
			line = strings.ReplaceAll(line, id, names[id])
		}
		for _, m := range masks {
			line = m.re.ReplaceAllString(line, m.with)
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// dumpedLine takes a record from a dump. That of a G record has a version, a
// cid, two words of flags and a date, all raw; the date is left out.
func dumpedLine(text string) (line, rest string) {
	const value, date = 25, 8
	key, raw, ok := strings.Cut(text, "\t")
	if ok && strings.HasPrefix(key, "G") && !strings.Contains(key, "\n") && len(raw) > value && raw[value] == '\n' {
		return fmt.Sprintf("%s\t%x", key, raw[:value-date]), raw[value+1:]
	}
	line, rest, _ = strings.Cut(text, "\n")
	return line, rest
}

// folderNames is the internal names of mailboxes by unique id.
func folderNames(t *testing.T, s *server.Site) map[string]string {
	t.Helper()
	text, _ := tool(t, s, "ctl_mboxlist", "-d")
	var list map[string]struct{ Uniqueid, Mbtype string }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	names := map[string]string{}
	for name, e := range list {
		if !strings.Contains(e.Mbtype, "d") { // no tombstone
			names[e.Uniqueid] = name
		}
	}
	return names
}

// TestConversationsOfSample works on a spool with conversations that a real
// Cyrus left, whose users have legacy directories, in both modes: the real
// tools find nothing wrong in it afterwards.
func TestConversationsOfSample(t *testing.T) {
	for _, mode := range []string{"shared", "own"} {
		t.Run(mode, func(t *testing.T) {
			s := server.Unpack(t, "sample-legacy", mode == "shared")
			appendConf(t, s, "allowusermoves: yes\n")
			asCyrus(t, s)
			if mode == "shared" {
				auditAll(t, s, "before")
			}
			s.Run()
			workOnSample(t, s)
			stop(t, s)
			s.Tool("", "cyr_expire", "-E", "1", "-X", "0", "-D", "0")
			if mode == "own" {
				s.Tool("", "cyrus", "handback")
				appendConf(t, s, "mboxlist_db: twoskip\nannotation_db: twoskip\nduplicate_db: twoskip\nuserdeny_db: flat\n")
			}
			asCyrus(t, s)
			auditAll(t, s, "after")
			if out := s.Tool("", "ctl_conversationsdb", "-A", "-v", "-r"); strings.Contains(out, "BROKEN") || !strings.Contains(out, "alicia is OK") {
				t.Errorf("our own audit: %s", out)
			}
		})
	}
}

// appendConf adds lines to a site's imapd.conf.
func appendConf(t *testing.T, s *server.Site, lines string) {
	t.Helper()
	f, err := os.OpenFile(s.Conf(), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(lines)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// auditAll has the real tool audit all users.
func auditAll(t *testing.T, s *server.Site, when string) {
	t.Helper()
	if out, code := tool(t, s, "ctl_conversationsdb", "-A", "-v", "-r"); code != 0 || strings.Contains(out, "BROKEN") || !strings.Contains(out, "alice is OK") && !strings.Contains(out, "alicia is OK") {
		t.Errorf("%s: ctl_conversationsdb -A: %d\n%s", when, code, out)
	}
}

func workOnSample(t *testing.T, s *server.Site) {
	t.Helper()
	login := func(user string) *server.IMAP {
		c := s.DialIMAP()
		c.Must("LOGIN " + user + " pw-" + user)
		return c
	}
	c := login("alice")
	c.Must("CREATE INBOX/Trash2")
	c.Must("SELECT INBOX")
	c.Must("COPY 1:* INBOX/Trash2")
	c.Must("COPY 1:* INBOX/Trash2")
	c.Must(`STORE 1:* +FLAGS (\Flagged)`)
	c.Must("MOVE 1 INBOX/Trash2")
	m := mailOf(1, "to be answered")
	c.Must(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m), m))
	m = mailOf(2, "Re: to be answered", 1)
	c.Must(fmt.Sprintf("APPEND INBOX/Trash2 {%d+}\r\n%s", len(m), m))
	c.Must("SELECT INBOX/Trash2")
	c.Must(`STORE 1:3 +FLAGS (\Deleted)`)
	c.Must("EXPUNGE")
	c.Must("RENAME INBOX/Trash2 INBOX/Other")
	c.Must("CREATE INBOX/Gone")
	c.Must("COPY 1:* INBOX/Gone")
	c.Must("DELETE INBOX/Gone")
	c.Close()
	a := login("cyrus")
	a.Must("RENAME user/alice user/alicia")
	a.Must("SETACL user/carol cyrus c")
	a.Must("DELETE user/carol")
	a.Close()
	if err := tryLMTP(s, "bob", "to-bob@example.com"); err != nil {
		t.Error(err)
	}
}
