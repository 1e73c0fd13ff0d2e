package suite

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestTakeOver starts on what Cyrus before 3.6 has left: master's START entry
// takes it over. Clients then find what they find in the same spool of 3.6.
func TestTakeOver(t *testing.T) {
	was := server.Unpack(t, "sample-legacy", true)
	was.Run()
	want := look(t, was)
	for _, shared := range []bool{true, false} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			s := server.Unpack(t, "sample-old", shared)
			if _, err := s.Try("", "cyrus", "takeover", "-M", filepath.Join(s.Dir, "etc/cyrus.conf"), "-p", filepath.Join(s.Dir, "run/master.pid"), "--check"); err != nil {
				t.Errorf("takeover --check: %v", err)
			}
			s.Run()
			got := look(t, s)
			for _, l := range got {
				if !slices.Contains(want, l) {
					t.Errorf("new: %s", l)
				}
			}
			for _, l := range want {
				if !slices.Contains(got, l) {
					t.Errorf("gone: %s", l)
				}
			}
			if len(want) < 60 {
				t.Errorf("only %d answers", len(want))
			}
		})
	}
}

// look is what clients find in a sample that does not depend on the version
// of Cyrus that wrote it: modseqs, \Recent, and limits of the quota that are
// not of storage do.
func look(t *testing.T, s *server.Site) []string {
	t.Helper()
	var out []string
	say := func(who string, lines []string) {
		for _, l := range lines {
			l = regexp.MustCompile(` ?\\Recent ?| ?\[(HIGHESTMODSEQ|MAILBOXID)[^\r\n]*| MESSAGE [^)]*`).ReplaceAllString(l, "")
			if !strings.Contains(l, "RECENT") && !strings.HasPrefix(l, "* OK") {
				out = append(out, who+" "+strings.TrimRight(l, "\r\n"))
			}
		}
	}
	for _, who := range []string{"alice", "bob", "carol", "first.last"} {
		c := s.DialIMAP()
		c.Must(fmt.Sprintf("LOGIN %s pw-%s", who, who))
		list := c.Must(`LIST "" *`)
		say(who, list)
		say(who, c.Must(`LSUB "" *`))
		say(who, c.Must("GETQUOTAROOT INBOX"))
		for _, l := range list {
			name := l[strings.LastIndex(l, `" `)+2:]
			name = strings.TrimRight(name, "\r\n")
			say(who, c.Must("MYRIGHTS "+name))
			_, tagged, err := c.Do("EXAMINE " + name)
			if err != nil || !strings.Contains(tagged, " OK ") {
				continue
			}
			box := who + " " + name
			say(box, c.Must("FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE)"))
		}
		c.Close()
	}
	return out
}
