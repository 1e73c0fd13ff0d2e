package suite

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gocyrus/libcyrus/sieve"
	"gocyrus/test/server"
)

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

// giveScript makes a script the active one of a user.
func giveScript(t *testing.T, s *server.Site, user, script string) {
	t.Helper()
	writeScript(t, strings.TrimSpace(s.Tool("", "mbpath", "-S", "user/"+user)), "t", script)
}

// writeScript compiles a script into a directory and makes it the active one
// there.
func writeScript(t *testing.T, dir, name, script string) {
	t.Helper()
	compiled, err := sieve.Parse([]byte(script), sieve.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, script)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".new"), compiled.Code(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name+".bc")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "defaultbc")
	_ = os.Remove(link)
	if err := os.Symlink(name+".bc", link); err != nil {
		t.Fatal(err)
	}
}

// TestSieveOutcomes has lmtpd deliver a message for each script of the corpus
// of libcyrus/sieve, and compares where it went, with which flags and header
// fields, and what was mailed, with what a real lmtpd did.
func TestSieveOutcomes(t *testing.T) {
	t.Parallel()
	runs := sieveBlocks(t, "runs.txt")
	messages := map[string]string{}
	for _, m := range sieveBlocks(t, "messages.txt") {
		messages[m[0]] = m[1]
	}
	want := map[string]string{}
	for _, o := range sieveBlocks(t, "outcomes.txt") {
		want[o[0]] = strings.TrimSpace(o[1])
	}
	sink := newSMTPSink(t)
	users := []string{"sieve000", "sieve001"}
	s := server.Start(t, server.Options{Users: append([]string{"cyrus"}, users...), Bare: true, Config: []string{"smtp_backend: host",
		"smtp_host: " + sink.addr + "/noauth", "sieve_vacation_min_response: 1d", "delete_mode: immediate"}})
	admin := s.Login("cyrus")
	size := regexp.MustCompile(`SIZE=\d+`)
	id := regexp.MustCompile(`<sieve-\d+@`)
	for i, run := range runs {
		user := users[i%len(users)]
		if i >= len(users) {
			admin.Must("SETACL user/" + user + " cyrus lrswipkxtecda")
			admin.Must("DELETE user/" + user)
		}
		for _, box := range []string{"", "/a", "/b", "/Junk"} {
			admin.Must(fmt.Sprintf("CREATE user/%s%s", user, box))
		}
		c := s.Login(user)
		c.Must(`SETMETADATA INBOX/Junk (/private/specialuse "\\Junk")`)
		c.Must(`SETMETADATA INBOX/a (/private/comment "x")`)
		giveScript(t, s, user, run[1])
		head := strings.Fields(run[0])
		args := map[string]string{"from": "<sender@example.org>", "message": "plain"}
		for _, a := range head[1:] {
			k, v, _ := strings.Cut(a, "=")
			args[k] = v
		}
		reply := sendLMTP(t, s, args["from"], fmt.Sprintf("Message-ID: <sieve-%d@example.org>\n", i)+messages[args["message"]], user+args["detail"])[0]
		got := sieveOutcome(c, reply, sink.take())
		c.Close()
		got = id.ReplaceAllString(strings.ReplaceAll(strings.ReplaceAll(got, user, "USER"), "\r", ""), "<ID@")
		got = strings.ReplaceAll(got, " BY=+100;R", "") // Cyrus 3.6.1 looks for the misspelt extension DELIVERYBY
		// The length depends on the names of hosts and sessions.
		if diff := cmp.Diff(size.ReplaceAllString(want[head[0]], "SIZE=n"), size.ReplaceAllString(strings.TrimSpace(got), "SIZE=n")); diff != "" {
			t.Errorf("%s: (-Cyrus +ours)\n%s\n%s", run[0], run[1], diff)
		}
	}
}

// sendLMTP delivers a message and returns the whole reply for each recipient.
func sendLMTP(t *testing.T, s *server.Site, from, text string, to ...string) (replies []string) {
	t.Helper()
	c, err := net.Dial("tcp", s.LMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	read := func() (all string) {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
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
			t.Fatalf("RCPT %s: %s", u, got)
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

// sieveOutcome says where a message went: the reply if it is no success, what
// was mailed, and each mailbox that has it with its flags and X- fields.
func sieveOutcome(c *server.IMAP, reply string, mails []string) string {
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

// smtpSink takes all mail and keeps the envelopes and some fields.
type smtpSink struct {
	addr   string
	mu     sync.Mutex
	mails  []string // the commands, and below them some fields
	texts  []string // whole
	refuse bool     // all recipients
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
	mail, text, data := "", "", false
	for r.Scan() {
		line := r.Text()
		verb := strings.ToUpper(line)
		switch {
		case data && line == ".":
			data = false
			s.mu.Lock()
			s.mails, s.texts = append(s.mails, mail), append(s.texts, text)
			s.mu.Unlock()
			fmt.Fprint(c, "250 2.0.0 taken\r\n")
		case data:
			text += line + "\n"
			for _, want := range []string{"Subject:", "From:", "To:", "Auto-Submitted:", "X-Sieve-Action:", "Content-Type:", "In-Reply-To:", "X-New", "gone", "<b>"} {
				if strings.HasPrefix(line, want) && !strings.Contains(line, "boundary=") {
					mail += "\n  " + line
				}
			}
		case strings.HasPrefix(verb, "EHLO"):
			fmt.Fprint(c, "250-sink\r\n250-DSN\r\n250-DELIVERBY\r\n250-8BITMIME\r\n250 SIZE\r\n")
		case strings.HasPrefix(verb, "MAIL"):
			mail, text = line, ""
			fmt.Fprint(c, "250 ok\r\n")
		case verb == "DATA":
			data = true
			fmt.Fprint(c, "354 go\r\n")
		case verb == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		case strings.HasPrefix(verb, "RCPT") && s.refuses():
			fmt.Fprint(c, "550 5.1.1 not here\r\n")
		default:
			if strings.HasPrefix(verb, "RCPT") {
				mail += " " + line
			}
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

func (s *smtpSink) refuses() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse
}

// take returns the mails since the last call.
func (s *smtpSink) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mails
	s.mails, s.texts = nil, nil
	return m
}

// eachMode runs a test in own and in shared mode.
func eachMode(t *testing.T, fn func(t *testing.T, shared bool)) {
	for _, shared := range []bool{false, true} {
		t.Run(map[bool]string{false: "own", true: "shared"}[shared], func(t *testing.T) {
			t.Parallel()
			fn(t, shared)
		})
	}
}

// counts says how many messages are in each of a user's mailboxes, those
// without one left out: "INBOX 1, INBOX/x 2".
func counts(c *server.IMAP) string {
	var out []string
	for _, line := range c.Must(`LIST "" "*"`) {
		_, box, _ := strings.Cut(line, `"/" `)
		box = strings.TrimSpace(box)
		status := strings.Join(c.Must("STATUS "+box+" (MESSAGES)"), "")
		if _, n, _ := strings.Cut(strings.TrimSpace(strings.TrimRight(status, ")\r\n")), "(MESSAGES "); n != "0" {
			out = append(out, strings.Trim(box, `"`)+" "+n)
		}
	}
	return strings.Join(out, ", ")
}

// TestSieveRecipients: one message, many recipients; each one's script runs
// for him alone, and each gets his own reply.
func TestSieveRecipients(t *testing.T) {
	eachMode(t, func(t *testing.T, shared bool) {
		sink := newSMTPSink(t)
		scripts := map[string]string{
			"filer":    `require ["fileinto", "imap4flags", "mailbox"]; fileinto :create :flags "\\Flagged" "INBOX/new";`,
			"edit":     `require "editheader"; addheader "X-Mine" "edit"; keep;`,
			"discard":  `discard;`,
			"reject":   `require "reject"; reject "go away";`,
			"redirect": `require "copy"; redirect :copy "other@example.net";`,
			"none":     "",
			"broken":   `require "fileinto"; fileinto "INBOX/missing";`,
			"thief":    `require "fileinto"; fileinto "user/none";`,
			"vacation": `require "vacation"; vacation :addresses "all@example.org" "away";`,
		}
		var users []string
		for u := range scripts {
			users = append(users, u)
		}
		slices.Sort(users)
		s := server.Start(t, server.Options{Users: append([]string{"cyrus"}, users...), Shared: shared, Config: []string{"smtp_backend: host",
			"smtp_host: " + sink.addr, "auditlog: yes"}})
		for u, script := range scripts {
			if script != "" {
				giveScript(t, s, u, script)
			}
		}
		text := "From: sender@example.org\nTo: all@example.org\nSubject: everybody\nDate: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <all@example.org>\n\nbody\n"
		replies := sendLMTP(t, s, "<sender@example.org>", text, users...)
		for i, u := range users {
			want := "250 2.1.5"
			if u == "reject" {
				want = "550 5.7.1 go away\r\n"
			}
			if !strings.HasPrefix(replies[i], want) {
				t.Errorf("%s: %q, want %q", u, replies[i], want)
			}
		}
		for u, want := range map[string]string{"filer": "INBOX/new 1", "edit": "INBOX 1", "discard": "", "reject": "", "redirect": "INBOX 1", "none": "INBOX 1",
			"broken": "INBOX 1", "thief": "INBOX 1", "vacation": "INBOX 1"} {
			c := s.Login(u)
			if got := counts(c); got != want {
				t.Errorf("%s has %q, want %q", u, got, want)
			}
			if want != "INBOX 1" {
				continue
			}
			c.Must("EXAMINE INBOX")
			got := strings.Join(c.Must("FETCH 1 (FLAGS BODY.PEEK[HEADER])"), "")
			if failed := u == "broken" || u == "thief"; strings.Contains(got, "$SieveFailed") != failed {
				t.Errorf("%s: failed is not %v:\n%s", u, failed, got)
			}
			if strings.Contains(got, "X-Mine: edit") != (u == "edit") {
				t.Errorf("%s: header of another script:\n%s", u, got)
			}
		}
		mails := sink.take()
		slices.Sort(mails)
		if len(mails) != 2 || !strings.HasPrefix(mails[0], "MAIL FROM:<> SIZE=") || !strings.Contains(mails[0], "RCPT TO:<sender@example.org>") ||
			!strings.HasPrefix(mails[1], "MAIL FROM:<sender@example.org> SIZE=") || !strings.Contains(mails[1], "RCPT TO:<other@example.net>") {
			t.Errorf("mails %q", mails)
		}
		for _, line := range []string{"sieve redirected: <all@example.org> to: other@example.net", "sieve discarded: <all@example.org>",
			"sieve LMTP rejected: <all@example.org>", "auditlog: discard sessionid=<", "sieve runtime error for broken id <all@example.org>: Fileinto (INBOX/missing): "} {
			if !strings.Contains(s.Log(), line) {
				t.Errorf("the log has no %q", line)
			}
		}
		// The same again: no second copy, redirect or response.
		sendLMTP(t, s, "<sender@example.org>", text, users...)
		if again := sink.take(); len(again) != 0 {
			t.Errorf("sent again: %q", again)
		}
		for _, u := range []string{"filer", "none", "redirect"} {
			if got := counts(s.Login(u)); !strings.HasSuffix(got, " 1") {
				t.Errorf("%s has %q after the same message again", u, got)
			}
		}
	})
}

// TestSieveTransportFails: what cannot be sent on is kept, and is sent when
// it comes again.
func TestSieveTransportFails(t *testing.T) {
	sink := newSMTPSink(t)
	sink.refuse = true
	s := server.Start(t, server.Options{Config: []string{"smtp_backend: host", "smtp_host: " + sink.addr, "sieve_use_lmtp_reject: no"}})
	giveScript(t, s, "user1", `redirect "other@example.net";`)
	giveScript(t, s, "user2", `require "reject"; reject "go away";`)
	giveScript(t, s, "user3", `require "vacation"; vacation :addresses "all@example.org" "away"; discard;`)
	text := "From: sender@example.org\nTo: all@example.org\nSubject: x\nMessage-ID: <1@example.org>\n\nbody\n"
	users := []string{"user1", "user2", "user3"}
	for i, reply := range sendLMTP(t, s, "<sender@example.org>", text, users...) {
		if got := counts(s.Login(users[i])); !strings.HasPrefix(reply, "250") || got != "INBOX 1" {
			t.Errorf("%s: %q, has %q; want it kept", users[i], reply, got)
		}
	}
	sink.mu.Lock()
	sink.refuse = false
	sink.mu.Unlock()
	sendLMTP(t, s, "<sender@example.org>", text, users...)
	if mails := sink.take(); len(mails) != 3 {
		t.Errorf("mails %q, want a redirect, a rejection and a response", mails)
	}
}

// TestSieveSendmail: the program of option sendmail takes mail in SMTP on its
// standard input; one that fails is no loss.
func TestSieveSendmail(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "sendmail")
	script := "#!/bin/sh\necho \"$0 $*\" >" + dir + "/args\nprintf '220 hi\\r\\n'\nwhile IFS= read -r line; do\n" +
		"echo \"$line\" >>" + dir + "/got\ncase \"$line\" in DATA*) printf '354 go\\r\\n'; d=1;; .*) d=; printf '250 ok\\r\\n';; *) [ \"$d\" ] || printf '250 ok\\r\\n';; esac\ndone\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := server.Start(t, server.Options{Config: []string{"sendmail: " + program}})
	giveScript(t, s, "user1", `redirect "other@example.net";`)
	giveScript(t, s, "user2", `redirect "bad@example.net";`)
	sendLMTP(t, s, "<sender@example.org>", "Subject: x\nMessage-ID: <1@example.org>\n\n..dot\n", "user1")
	var text string
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && !strings.HasSuffix(text, "QUIT\n"); time.Sleep(10 * time.Millisecond) {
		var got []byte
		got, err = os.ReadFile(filepath.Join(dir, "got")) // the program writes it on its own time
		text = strings.ReplaceAll(string(got), "\r", "")
	}
	if err != nil || !strings.Contains(text, "MAIL FROM:<sender@example.org>\nRCPT TO:<other@example.net>\nDATA\nX-Sieve-Action: redirect\nReceived:") ||
		!strings.Contains(text, "\n\n..dot\n.\nQUIT\n") {
		t.Errorf("%v; sendmail got\n%s", err, text)
	}
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	reply := sendLMTP(t, s, "<sender@example.org>", "Subject: x\nMessage-ID: <2@example.org>\n\nbody\n", "user2")
	if got := counts(s.Login("user2")); !strings.HasPrefix(reply[0], "250") || got != "INBOX 1" {
		t.Errorf("without sendmail: %q, has %q", reply, got)
	}
}

// TestSievePlaces: where scripts are found, and what fileinto may make.
func TestSievePlaces(t *testing.T) {
	eachMode(t, func(t *testing.T, shared bool) {
		s := server.Start(t, server.Options{Shared: shared, Config: []string{"postuser: bb", "autocreate_sieve_folders: Auto | Other"}})
		admin := s.Login("cyrus")
		admin.Must("CREATE lists")
		admin.Must("CREATE lists/filed")
		admin.Must("SETACL lists anyone lrsp")
		admin.Must("SETACL lists/filed anyone lrsp")
		admin.Must(`SETMETADATA lists (/shared/vendor/cmu/cyrus-imapd/sieve "team")`)
		global := filepath.Join(s.Dir, "sieve/global")
		writeScript(t, global, "team", `require "fileinto"; if header :contains "subject" "file" { fileinto "lists/filed"; }`)
		writeScript(t, global, "common", `require "fileinto"; if header :contains "subject" "auto" { fileinto "INBOX/Auto"; stop; }`)
		giveScript(t, s, "user1", `require ["include", "fileinto"]; include :global "common"; include :optional :personal "none"; fileinto "INBOX/not-made";`)
		send := func(n int, subject, to string) {
			t.Helper()
			if got := sendLMTP(t, s, "<a@b>", fmt.Sprintf("Subject: %s\nMessage-ID: <%d@b>\n\nbody\n", subject, n), to)[0]; !strings.HasPrefix(got, "250") {
				t.Errorf("%s to %s: %q", subject, to, got)
			}
		}
		send(1, "file this", "bb+lists")
		send(2, "stays", "bb+lists")
		send(3, "auto", "user1")
		send(4, "other", "user1")
		user1 := s.Login("user1")
		if got, want := counts(user1), "INBOX 1, INBOX/Auto 1, lists 1, lists/filed 1"; got != want {
			t.Errorf("user1 sees %q, want %q", got, want)
		}
		if got := strings.Join(user1.Must(`LSUB "" "*"`), ""); !strings.Contains(got, "INBOX/Auto") {
			t.Errorf("not subscribed to what was made: %q", got)
		}
		// A script in the place of the last one counts at once; a broken one
		// loses nothing.
		giveScript(t, s, "user1", `discard;`)
		send(5, "auto", "user1")
		dir := strings.TrimSpace(s.Tool("", "mbpath", "-S", "user/user1"))
		if err := os.WriteFile(filepath.Join(dir, "t.bc"), []byte("CyrSBytecode garbage"), 0o600); err != nil {
			t.Fatal(err)
		}
		send(6, "auto", "user1")
		if got, want := counts(user1), "INBOX 2, INBOX/Auto 1, lists 1, lists/filed 1"; got != want {
			t.Errorf("user1 sees %q, want %q", got, want)
		}
		if !strings.Contains(s.Log(), "sieve script cannot be loaded") {
			t.Error("nothing is logged of a broken script")
		}
	})
}

// TestSieveCopies: :fcc goes only where its owner may insert; the test
// duplicate remembers; a notification reaches notifyd.
func TestSieveCopies(t *testing.T) {
	sink := newSMTPSink(t)
	s := server.Start(t, server.Options{Config: []string{"smtp_backend: host", "smtp_host: " + sink.addr}})
	admin := s.Login("cyrus")
	admin.Must("CREATE secret")
	admin.Must("SETACL secret anyone lr")
	user1, user2 := s.Login("user1"), s.Login("user2")
	user1.Must("CREATE INBOX/Sent")
	vacation := func(box string) string {
		return `require ["vacation", "fcc"]; vacation :addresses "all@example.org" :fcc "` + box + `" "away"; discard;`
	}
	giveScript(t, s, "user1", vacation("INBOX/Sent"))
	giveScript(t, s, "user2", vacation("secret"))
	giveScript(t, s, "user3", `require ["duplicate", "fileinto"]; if duplicate :uniqueid "once" { discard; }`)
	text := "From: sender@example.org\nTo: all@example.org\nSubject: x\nMessage-ID: <%d@example.org>\n\nbody\n"
	sendLMTP(t, s, "<sender@example.org>", fmt.Sprintf(text, 1), "user1", "user2", "user3")
	sendLMTP(t, s, "<sender@example.org>", fmt.Sprintf(text, 2), "user3")
	if got := counts(user1); got != "INBOX/Sent 1" {
		t.Errorf("user1 has %q", got)
	}
	if got := counts(user2); got != "" {
		t.Errorf("user2 sees %q", got)
	}
	if got := counts(s.Login("user3")); got != "INBOX 1" {
		t.Errorf("user3 has %q", got)
	}
	if mails := sink.take(); len(mails) != 2 {
		t.Errorf("mails %q", mails)
	}
}
