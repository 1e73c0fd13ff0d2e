//go:build reference

package reference

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gocyrus/test/corpus"
	"gocyrus/test/server"
)

// asking is an annotator that keeps what it is asked and answers by the
// subject of the message.
const asking = `#!/bin/sh
exec 9>>%[1]s/lock; flock 9
n=$(cat %[1]s/count 2>/dev/null || echo 0); echo $((n+1)) > %[1]s/count
read size
head -c "$size" > %[1]s/$n.asked
file=$(sed -n 's/^(FILENAME "\([^"]*\)".*/\1/p' %[1]s/$n.asked | head -1)
case "$(grep -m1 -i '^Subject: about' "$file")" in
*plain*) echo '(+FLAGS \Flagged +FLAGS (work $Label1))' ;;
*mixed*) echo '(ANNOTATION (/comment (value.shared "noted")) -FLAGS \Seen)' ;;
*folded*|*dots*) echo '(+FLAGS (\Seen \Deleted))' ;;
*report*) echo '(WHAT is)' ;;
*nested*) echo '(ANNOTATION (/altsubject (value.priv "mine") (value.shared "all")) +FLAGS other)' ;;
*spam*) exit 3 ;;
*) echo '()' ;;
esac
`

// TestAnnotator has an annotator asked by a real Cyrus and by ours, for
// deliveries and for APPEND: it hears the same, and what it says has the
// same effect.
func TestAnnotator(t *testing.T) {
	run := func(real bool) []string {
		dir, err := os.MkdirTemp("", "annotator")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		program := filepath.Join(dir, "ask")
		if err := os.WriteFile(program, fmt.Appendf(nil, asking, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		s := server.New(t, server.Options{Users: []string{"cyrus", "user1"}, Shared: true, Bare: true,
			Config: []string{"annotation_callout: " + program, "serverinfo: off"}})
		secrets(t, s, "cyrus", "user1")
		asCyrus(t, s)
		var out []string
		work := func() {
			s.MakeUsers("user1")
			c := s.Login("user1")
			c.Must("CREATE INBOX/open")
			c.Must("SETACL INBOX/open anyone p")
			for _, m := range corpus.Mails() {
				if strings.Contains("plain mixed folded dots report nested spam multiparts unended-mime bare-lf no-body boundary-never-met", m.Name) && m.Text != "" {
					out = append(out, mask(lmtpTo(t, s, "<a@b>", "user1", strings.ReplaceAll(m.Text, "\r\n.", "\r\n.."))))
				}
				if m.Name == "plain" || m.Name == "dots" {
					out = append(out, mask(lmtpTo(t, s, "<a@b>", "user1+open", strings.ReplaceAll(m.Text, "\r\n.", "\r\n.."))))
				}
				if m.Name == "mixed" || m.Name == "nested" || m.Name == "spam" {
					c.Must(fmt.Sprintf("APPEND INBOX (\\Seen \\Answered key) {%d+}\r\n%s", len(m.Text), m.Text))
				}
			}
			c.Must(fmt.Sprintf("APPEND INBOX (\\Seen) ANNOTATION (/comment (value.priv \"mine\" value.shared \"ours\")) {%d+}\r\n%s", len(corpus.Mails()[0].Text), corpus.Mails()[0].Text))
			for _, box := range []string{"INBOX", "INBOX/open"} {
				c.Must("SELECT " + box)
				out = append(out, c.Must("FETCH 1:* (UID FLAGS ANNOTATION (/* (value.shared value.priv)))")...)
			}
			c.Close()
		}
		if real {
			cyrusServes(t, s, work)
		} else {
			s.Run()
			work()
			s.Stop(20 * time.Second)
		}
		for i := 0; ; i++ {
			b, err := os.ReadFile(fmt.Sprintf("%s/%d.asked", dir, i))
			if err != nil {
				break
			}
			text := regexp.MustCompile(`FILENAME "[^"]*"`).ReplaceAllString(string(b), "FILENAME x")
			for _, re := range []string{`"\w{3}, \d+ \w{3} \d{4} [^"]*"`, `GUID \w{40}`, `HEADERSIZE \d+`, `OFFSET \d+`, `"<cmu-lmtpd[^"]*"`} {
				text = regexp.MustCompile(re).ReplaceAllString(text, "N")
			}
			out = append(out, strings.ReplaceAll(text, "\r", ""))
		}
		return out
	}
	want, got := run(true), run(false)
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 40 {
		t.Errorf("%d lines (-Cyrus +ours)\n%s", len(want), diff)
	}
}
