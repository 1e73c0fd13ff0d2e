// Package sieverun has the Sieve scripts of libcyrus/sieve run by an lmtpd, ours
// or a real one, and says what became of the messages.
package sieverun

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// Blocks reads a file of libcyrus/sieve/testdata: blocks, each behind a line
// "--- NAME REST".
func Blocks(tb testing.TB, name string) [][2]string {
	tb.Helper()
	root, err := server.Root()
	if err != nil {
		tb.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, Data, name))
	if err != nil {
		tb.Fatal(err)
	}
	var out [][2]string
	for _, block := range strings.Split("\n"+string(b), "\n--- ")[1:] {
		head, text, _ := strings.Cut(block, "\n")
		out = append(out, [2]string{head, strings.TrimSuffix(text, "\n") + "\n"})
	}
	return out
}

// Data is where the scripts, messages and outcomes are, below the root of
// the repository.
const Data = "libcyrus/sieve/testdata"

// Users are those that get the messages, in turn.
var Users = []string{"sieve000", "sieve001"}

// Options is the site that Run wants; mails go to a Sink at that address.
func Options(sink string) server.Options {
	return server.Options{Users: append([]string{"cyrus"}, Users...), Bare: true, Config: []string{"smtp_backend: host",
		"smtp_host: " + sink + "/noauth", "sieve_vacation_min_response: 1d", "delete_mode: immediate"}}
}

// A Result is what became of one message.
type Result struct {
	Name, Script string
	Outcome      string // as in outcomes.txt
}

// Run has a message delivered to a user for each script of runs.txt, which
// give makes the active one.
func Run(tb testing.TB, s *server.Site, sink *Sink, give func(user, script string)) (all []Result) {
	messages := map[string]string{}
	for _, m := range Blocks(tb, "messages.txt") {
		messages[m[0]] = m[1]
	}
	id := regexp.MustCompile(`<sieve-\d+@`)
	admin := s.Login("cyrus")
	defer admin.Close()
	for i, run := range Blocks(tb, "runs.txt") {
		user := Users[i%len(Users)]
		if i >= len(Users) {
			admin.Must("SETACL user/" + user + " cyrus lrswipkxtecda")
			admin.Must("DELETE user/" + user)
		}
		for _, box := range []string{"", "/a", "/b", "/Junk"} {
			admin.Must(fmt.Sprintf("CREATE user/%s%s", user, box))
		}
		c := s.Login(user)
		c.Must(`SETMETADATA INBOX/Junk (/private/specialuse "\\Junk")`)
		c.Must(`SETMETADATA INBOX/a (/private/comment "x")`)
		give(user, run[1])
		head := strings.Fields(run[0])
		args := map[string]string{"from": "<sender@example.org>", "message": "plain"}
		for _, a := range head[1:] {
			k, v, _ := strings.Cut(a, "=")
			args[k] = v
		}
		reply := Send(tb, s, args["from"], fmt.Sprintf("Message-ID: <sieve-%d@example.org>\n", i)+messages[args["message"]], user+args["detail"])[0]
		got := outcome(c, reply, sink.Take())
		c.Close()
		got = id.ReplaceAllString(strings.ReplaceAll(strings.ReplaceAll(got, user, "USER"), "\r", ""), "<ID@")
		all = append(all, Result{head[0], run[1], got})
	}
	return all
}

// Send delivers a message and returns the whole reply for each recipient.
func Send(tb testing.TB, s *server.Site, from, text string, to ...string) (replies []string) {
	tb.Helper()
	c, err := net.Dial("tcp", s.LMTP)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	read := func() (all string) {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				tb.Fatal(err)
			}
			if all += line; line[3] != '-' {
				return all
			}
		}
	}
	read()
	say := func(format string, args ...any) string {
		fmt.Fprintf(c, format+"\r\n", args...)
		return read()
	}
	say("LHLO test")
	say("MAIL FROM:%s", from)
	for _, u := range to {
		if got := say("RCPT TO:<%s>", u); !strings.HasPrefix(got, "250") {
			tb.Fatalf("RCPT %s: %s", u, got)
		}
	}
	say("DATA")
	fmt.Fprint(c, strings.ReplaceAll(text, "\n", "\r\n")+".\r\n")
	for range to {
		replies = append(replies, read())
	}
	say("QUIT")
	return replies
}

// outcome says where a message went: the reply if it is no success, what
// was mailed, and each mailbox that has it with its flags and X- fields.
func outcome(c *server.IMAP, reply string, mails []string) string {
	var out strings.Builder
	if !strings.HasPrefix(reply, "250") {
		fmt.Fprintf(&out, "lmtp %s", reply)
	}
	for _, m := range mails {
		fmt.Fprintf(&out, "smtp %s\n", m)
	}
	fields := []string{"X-V", "X-W:", "X-X:", "X-Y:", "X-New", "X-Num", "X-Multi", "X-Enc2", "Subject:"}
	for _, line := range c.Must(`LIST "" "*"`) {
		_, box, _ := strings.Cut(line, `"/" `)
		if box = strings.TrimSpace(box); strings.Contains(line, `\Noselect`) {
			continue
		}
		c.Must("EXAMINE " + box)
		for _, line := range c.Must("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER])") {
			if _, flags, ok := strings.Cut(line, "FLAGS ("); ok {
				flags, _, _ = strings.Cut(flags, ")")
				list := slices.DeleteFunc(strings.Fields(flags), func(s string) bool { return s == `\Recent` })
				slices.Sort(list)
				fmt.Fprintf(&out, "in %s [%s]\n", strings.Trim(box, `"`), strings.Join(list, " "))
			}
			for _, h := range strings.Split(strings.ReplaceAll(line, "\r", ""), "\n") {
				if slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(h, f) }) && !strings.HasPrefix(h, "Subject: Hello World") {
					fmt.Fprintf(&out, "  %s\n", h)
				}
			}
		}
	}
	return out.String()
}
