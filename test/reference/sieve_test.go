//go:build reference

package reference

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
)

// recordSieve writes libcyrus/sieve/testdata/outcomes.txt, with which the
// tests of libcyrus/sieve compare.
var recordSieve = flag.Bool("record-sieve", false, "write what a real lmtpd does with the Sieve scripts of libcyrus/sieve/testdata/runs.txt")

const sieveData = "../../libcyrus/sieve/testdata/"

// sieveBlocks reads a file of blocks, each behind a line "--- NAME REST".
func sieveBlocks(t *testing.T, name string) [][2]string {
	t.Helper()
	b, err := os.ReadFile(sieveData + name)
	if err != nil {
		t.Fatal(err)
	}
	var out [][2]string
	for _, block := range strings.Split("\n"+string(b), "\n--- ")[1:] {
		head, text, _ := strings.Cut(block, "\n")
		out = append(out, [2]string{head, strings.TrimSuffix(text, "\n") + "\n"})
	}
	return out
}

// sieveUsers is the number of users that the scripts take turns with.
const sieveUsers = 2

// TestSieveOutcomes has a real lmtpd deliver a message to a user for each
// script, and looks where it went.
func TestSieveOutcomes(t *testing.T) {
	sink := newSMTPSink(t)
	runs := sieveBlocks(t, "runs.txt")
	messages := map[string]string{}
	for _, m := range sieveBlocks(t, "messages.txt") {
		messages[m[0]] = m[1]
	}
	var users []string
	for i := range sieveUsers {
		users = append(users, fmt.Sprintf("sieve%03d", i))
	}
	s := server.New(t, server.Options{Users: append([]string{"cyrus"}, users...), Shared: true, Bare: true, Config: []string{
		"smtp_backend: host", "smtp_host: " + sink.addr + "/noauth", "sieve_vacation_min_response: 1d", "delete_mode: immediate"}})
	secrets(t, s, append([]string{"cyrus"}, users...)...)
	asCyrus(t, s)
	var out bytes.Buffer
	cyrusServes(t, s, func() {
		admin := s.Login("cyrus")
		for i, run := range runs {
			user := users[i%sieveUsers]
			if i >= sieveUsers {
				admin.Must("SETACL user/" + user + " cyrus lrswipkxtecda")
				admin.Must("DELETE user/" + user)
			}
			for _, box := range []string{"", "/a", "/b", "/Junk"} {
				admin.Must(fmt.Sprintf("CREATE user/%s%s", user, box))
			}
			prepareSieve(t, s, user, run[1])
			head := strings.Fields(run[0])
			fmt.Fprintf(&out, "--- %s\n", head[0])
			args := map[string]string{"from": "<sender@example.org>", "message": "plain"}
			for _, a := range head[1:] {
				k, v, _ := strings.Cut(a, "=")
				args[k] = v
			}
			reply := sendLMTP(t, s, args["from"], user+args["detail"],
				fmt.Sprintf("Message-ID: <sieve-%d@example.org>\n", i)+messages[args["message"]])
			out.WriteString(outcome(s, user, reply, sink.take()))
		}
		admin.Close()
	})
	got := strings.ReplaceAll(out.String(), "\r", "")
	for _, u := range users {
		got = strings.ReplaceAll(got, u, "USER")
	}
	got = regexp.MustCompile(`<sieve-\d+@`).ReplaceAllString(got, "<ID@")
	if *recordSieve {
		if err := os.WriteFile(sieveData+"outcomes.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(sieveData + "outcomes.txt")
	if err != nil || got != string(want) {
		t.Errorf("%v; got:\n%s", err, got)
	}
}

// prepareSieve compiles a script with the real sievec and makes it active.
func prepareSieve(t *testing.T, s *server.Site, user, script string) {
	t.Helper()
	c := s.Login(user)
	c.Must(`SETMETADATA INBOX/Junk (/private/specialuse "\\Junk")`)
	c.Must(`SETMETADATA INBOX/a (/private/comment "x")`)
	c.Close()
	dir, code := tool(t, s, "mbpath", "-S", "user/"+user)
	dir = strings.TrimSpace(dir)
	if code != 0 {
		t.Fatalf("mbpath: %s", dir)
	}
	in := filepath.Join(s.Dir, "script")
	if err := os.WriteFile(in, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	shell := fmt.Sprintf("mkdir -p %[1]s && %[2]s/sievec -C %[3]s %[4]s %[1]s/t.bc && ln -sf t.bc %[1]s/defaultbc", dir, cyrusBin, s.Conf(), in)
	if b, err := exec.Command("setpriv", "--reuid=cyrus", "--regid=mail", "--init-groups", "sh", "-c", shell).CombinedOutput(); err != nil {
		t.Fatalf("sievec: %v\n%s\n%s", err, b, script)
	}
}

// sendLMTP delivers a message and returns the reply for the recipient.
func sendLMTP(t *testing.T, s *server.Site, from, to, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.LMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	reply := ""
	for _, step := range []string{"", "LHLO test", "MAIL FROM:" + from, "RCPT TO:<" + to + ">", "DATA",
		strings.ReplaceAll(text, "\n", "\r\n") + ".", "QUIT"} {
		if step != "" {
			fmt.Fprint(c, step+"\r\n")
		}
		all := ""
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("LMTP, after %.40q: %v", step, err)
			}
			all += line
			if line[3] != '-' {
				break
			}
		}
		if strings.HasSuffix(step, ".") {
			reply = all
		}
	}
	return reply
}

// outcome says where a message went: the reply if it is no success, what
// was mailed, and each mailbox that has it with its flags and X- fields.
func outcome(s *server.Site, user, reply string, mails []string) string {
	var out strings.Builder
	if !strings.HasPrefix(reply, "250") {
		fmt.Fprintf(&out, "lmtp %s", reply)
	}
	for _, m := range mails {
		fmt.Fprintf(&out, "smtp %s\n", m)
	}
	c := s.Login(user)
	defer c.Close()
	for _, line := range c.Must(`LIST "" "*"`) {
		_, box, _ := strings.Cut(line, `"/" `)
		box = strings.TrimSpace(box)
		if strings.Contains(line, `\Noselect`) {
			continue
		}
		c.Must("EXAMINE " + box)
		for _, line := range c.Must("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER])") {
			if _, flags, ok := strings.Cut(line, "FLAGS ("); ok {
				flags, _, _ = strings.Cut(flags, ")")
				list := slices.DeleteFunc(strings.Fields(flags), func(s string) bool { return s == `\Recent` })
				slices.Sort(list)
				fmt.Fprintf(&out, "in %s [%s]\n", strings.Trim(box, `"`), strings.Join(list, " "))
				continue
			}
			for _, h := range strings.Split(strings.ReplaceAll(line, "\r", ""), "\n") {
				for _, want := range []string{"X-V", "X-W:", "X-X:", "X-Y:", "X-New", "X-Num", "X-Multi", "X-Enc2", "Subject:"} {
					if strings.HasPrefix(h, want) && !strings.HasPrefix(h, "Subject: Hello World") {
						fmt.Fprintf(&out, "  %s\n", h)
					}
				}
			}
		}
	}
	return out.String()
}

// smtpSink takes all mail and keeps the envelopes and some fields.
type smtpSink struct {
	addr  string
	mu    sync.Mutex
	mails []string
}

func newSMTPSink(t *testing.T) *smtpSink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &smtpSink{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *smtpSink) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "220 sink ESMTP\r\n")
	r := bufio.NewScanner(c)
	mail, data := "", false
	for r.Scan() {
		line := r.Text()
		verb := strings.ToUpper(line)
		switch {
		case data && line == ".":
			data = false
			s.mu.Lock()
			s.mails = append(s.mails, mail)
			s.mu.Unlock()
			fmt.Fprint(c, "250 2.0.0 taken\r\n")
		case data:
			for _, want := range []string{"Subject:", "From:", "To:", "Auto-Submitted:", "X-Sieve-Action:", "Content-Type:", "In-Reply-To:", "X-New", "gone", "<b>"} {
				if strings.HasPrefix(line, want) && !strings.Contains(line, "boundary=") {
					mail += "\n  " + line
				}
			}
		case strings.HasPrefix(verb, "EHLO"):
			fmt.Fprint(c, "250-sink\r\n250-DSN\r\n250-DELIVERBY\r\n250-8BITMIME\r\n250 SIZE\r\n")
		case strings.HasPrefix(verb, "MAIL"):
			mail = line
			fmt.Fprint(c, "250 ok\r\n")
		case verb == "DATA":
			data = true
			fmt.Fprint(c, "354 go\r\n")
		case verb == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			if strings.HasPrefix(verb, "RCPT") {
				mail += " " + line
			}
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

// take returns the mails since the last call.
func (s *smtpSink) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mails
	s.mails = nil
	return m
}
