//go:build reference

package reference

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestSplitConversations has threads go on after conversations_max_thread
// messages: each message is in the conversation in which the real server puts
// it, and what is written down for that is the same. Then both work on in turns.
func TestSplitConversations(t *testing.T) {
	site := func() *server.Site {
		s := server.New(t, server.Options{Shared: true, Config: append([]string{"conversations_max_thread: 3"}, withConversations...)})
		secrets(t, s, "user1", "user2", "other", "cyrus")
		asCyrus(t, s)
		return s
	}
	ours, real := site(), site()
	ours.Run()
	ours.MakeUsers("user1", "user2")
	got := longThread(t, ours)
	stop(t, ours)
	var want []string
	cyrusServes(t, real, func() {
		real.MakeUsers("user1", "user2")
		want = longThread(t, real)
	})
	same(t, "threads", want, got)
	for _, s := range []*server.Site{ours, real} {
		soundConversations(t, s, "other", "user2")
	}
	for _, u := range []string{"other", "user2"} {
		same(t, "conversations of "+u, splitDump(t, real, u), splitDump(t, ours, u))
	}
	if a, b := goesOn(t, real, "other"), goesOn(t, ours, "other"); len(a) < 2 || !slices.Equal(a, b) {
		t.Errorf("conversations go on differently:\n%s\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	cyrusServes(t, ours, func() { got = goOn(t, ours, 40) })
	ours.Run()
	got = append(got, goOn(t, ours, 50)...)
	stop(t, ours)
	real.Run()
	want = goOn(t, real, 40)
	stop(t, real)
	cyrusServes(t, real, func() { want = append(want, goOn(t, real, 50)...) })
	same(t, "threads of both", want, got)
	soundConversations(t, ours, "other", "user2")
	soundConversations(t, real, "other", "user2")
}

// threadsOf is what FETCH says of the conversations in a mailbox.
func threadsOf(c *server.IMAP, box string) (lines []string) {
	c.Must("SELECT " + box)
	for _, l := range c.Must("FETCH 1:* (CID THREADID BASECID)") {
		if strings.Contains(l, " FETCH (") {
			lines = append(lines, box+" "+strings.TrimSpace(l))
		}
	}
	return lines
}

// answer appends message n, which answers others.
func answer(c *server.IMAP, box, flags string, n int, subject string, to ...int) {
	m := mailOf(n, subject, to...)
	c.Must(fmt.Sprintf("APPEND %s (%s) \"%2d-Feb-2024 12:00:00 +0000\" {%d+}\r\n%s", box, flags, 1+n%28, len(m), m))
}

func longThread(t *testing.T, s *server.Site) (seen []string) {
	t.Helper()
	c := s.Login("user1")
	c.Must("CREATE INBOX/Work")
	answer(c, "INBOX", "", 1, "Plans")
	for n := 2; n <= 8; n++ {
		answer(c, "INBOX", "", n, "Re: Plans", n-1)
	}
	answer(c, "INBOX", `\Draft`, 9, "Re: Plans", 2)   // which goes on elsewhere twice over
	answer(c, "INBOX/Work", "", 1, "Plans")           // known, in a full one
	answer(c, "INBOX/Work", "", 5, "Re: Plans", 4)    // known, split
	answer(c, "INBOX/Work", "", 10, "Re: Plans", 5)   // answers one that is in two
	answer(c, "INBOX/Work", "", 11, "other matters")  // begins one
	answer(c, "INBOX/Work", "", 12, "new things", 11) // another subject
	c.Must("SELECT INBOX")
	c.Must("COPY 1,4,7:8 INBOX/Work")
	c.Must("MOVE 5 INBOX/Work")
	c.Must(`STORE 1:3 +FLAGS (\Deleted)`)
	c.Must("EXPUNGE")
	answer(c, "INBOX", "", 13, "Re: Plans", 2)
	answer(c, "INBOX", "", 14, "Re: Plans", 13)
	c.Must("SETACL INBOX user2 lrs")
	seen = append(threadsOf(c, "INBOX"), threadsOf(c, "INBOX/Work")...)
	c.Close()
	b := s.Login("user2")
	b.Must("SELECT user/user1")
	b.Must("COPY 1:* INBOX")
	seen = append(seen, threadsOf(b, "INBOX")...)
	b.Close()
	a := s.Login("cyrus")
	a.Must("RENAME user/user1 user/other")
	for _, l := range a.Must(`LIST "" user/other*`) {
		seen = append(seen, strings.TrimSpace(l))
	}
	a.Close()
	o := s.Login("other")
	defer o.Close()
	answer(o, "INBOX", "", 15, "Re: Plans", 14)
	return append(seen, threadsOf(o, "INBOX")...)
}

// goOn continues the thread.
func goOn(t *testing.T, s *server.Site, n int) []string {
	t.Helper()
	c := s.Login("other")
	defer c.Close()
	for i := range 5 {
		answer(c, "INBOX", "", n+i, "Re: Plans", 14+i, 1)
	}
	return append(threadsOf(c, "INBOX"), threadsOf(c, "INBOX/Work")...)
}

// modseqMask hides the modseq at the end of a conversation: that of the first
// message counts what else took one, such as the mailbox for splits.
var modseqMask = regexp.MustCompile(`^(B.*) \d+\)$`)

func splitDump(t *testing.T, s *server.Site, user string) []string {
	t.Helper()
	lines := dumped(t, s, user)
	for i := range lines {
		lines[i] = modseqMask.ReplaceAllString(lines[i], "$1 MODSEQ)")
	}
	return lines
}

// goesOn is what annotations say of a user's split conversations.
func goesOn(t *testing.T, s *server.Site, user string) (lines []string) {
	t.Helper()
	names := folderNames(t, s)
	text, code := tool(t, s, "cyr_dbtool", s.Dir+"/conf/annotations.db", "twoskip", "show")
	if code != 0 {
		t.Fatal(text)
	}
	value := regexp.MustCompile(`[0-9a-f]{16}$`)
	for line := range strings.Lines(text) {
		id, rest, _ := strings.Cut(line, "\x00")
		_, after, ok := strings.Cut(rest, "newcid/")
		if name := names[id]; ok && strings.HasPrefix(name, "user."+user+".") {
			lines = append(lines, name+" "+after[:16]+" "+value.FindString(strings.SplitN(after[16:], "\x00text/plain", 2)[0]))
		}
	}
	slices.Sort(lines)
	return lines
}
