package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gocyrus/libcyrus/sieve"
	"gocyrus/test/server"
	"gocyrus/test/sieverun"
)

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
	want := map[string]string{}
	for _, o := range sieverun.Blocks(t, "outcomes.txt") {
		want[o[0]] = strings.TrimSpace(o[1])
	}
	sink := sieverun.NewSink(t)
	s := server.Start(t, sieverun.Options(sink.Addr))
	size := regexp.MustCompile(`SIZE=\d+`)
	for _, r := range sieverun.Run(t, s, sink, func(user, script string) { giveScript(t, s, user, script) }) {
		got := strings.ReplaceAll(r.Outcome, " BY=+100;R", "") // Cyrus 3.6.1 looks for the misspelt extension DELIVERYBY
		// The length depends on the names of hosts and sessions.
		if diff := cmp.Diff(size.ReplaceAllString(want[r.Name], "SIZE=n"), size.ReplaceAllString(strings.TrimSpace(got), "SIZE=n")); diff != "" {
			t.Errorf("%s: (-Cyrus +ours)\n%s\n%s", r.Name, r.Script, diff)
		}
	}
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
		sink := sieverun.NewSink(t)
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
			"smtp_host: " + sink.Addr, "auditlog: yes", "chatty: yes"}})
		for u, script := range scripts {
			if script != "" {
				giveScript(t, s, u, script)
			}
		}
		text := "From: sender@example.org\nTo: all@example.org\nSubject: everybody\nDate: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <all@example.org>\n\nbody\n"
		replies := sieverun.Send(t, s, "<sender@example.org>", text, users...)
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
		mails := sink.Take()
		slices.Sort(mails)
		if len(mails) != 2 || !strings.HasPrefix(mails[0], "MAIL FROM:<> SIZE=") || !strings.Contains(mails[0], "RCPT TO:<sender@example.org>") ||
			!strings.HasPrefix(mails[1], "MAIL FROM:<sender@example.org> SIZE=") || !strings.Contains(mails[1], "RCPT TO:<other@example.net>") {
			t.Errorf("mails %q", mails)
		}
		for _, line := range []string{"command: ", "sieve redirected: <all@example.org> to: other@example.net", "sieve discarded: <all@example.org>",
			"sieve LMTP rejected: <all@example.org>", "auditlog: discard sessionid=<", "sieve runtime error for broken id <all@example.org>: Fileinto (INBOX/missing): "} {
			if !strings.Contains(s.Log(), line) {
				t.Errorf("the log has no %q", line)
			}
		}
		// The same again: no second copy, redirect or response.
		sieverun.Send(t, s, "<sender@example.org>", text, users...)
		if again := sink.Take(); len(again) != 0 {
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
	sink := sieverun.NewSink(t)
	sink.Refuse(true)
	s := server.Start(t, server.Options{Config: []string{"smtp_backend: host", "smtp_host: " + sink.Addr, "sieve_use_lmtp_reject: no"}})
	giveScript(t, s, "user1", `redirect "other@example.net";`)
	giveScript(t, s, "user2", `require "reject"; reject "go away";`)
	giveScript(t, s, "user3", `require "vacation"; vacation :addresses "all@example.org" "away"; discard;`)
	text := "From: sender@example.org\nTo: all@example.org\nSubject: x\nMessage-ID: <1@example.org>\n\nbody\n"
	users := []string{"user1", "user2", "user3"}
	for i, reply := range sieverun.Send(t, s, "<sender@example.org>", text, users...) {
		if got := counts(s.Login(users[i])); !strings.HasPrefix(reply, "250") || got != "INBOX 1" {
			t.Errorf("%s: %q, has %q; want it kept", users[i], reply, got)
		}
	}
	sink.Refuse(false)
	sieverun.Send(t, s, "<sender@example.org>", text, users...)
	if mails := sink.Take(); len(mails) != 3 {
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
	server.Script(t, program, script, 0o755)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := server.Start(t, server.Options{Config: []string{"sendmail: " + program}})
	giveScript(t, s, "user1", `redirect "other@example.net";`)
	giveScript(t, s, "user2", `redirect "bad@example.net";`)
	sieverun.Send(t, s, "<sender@example.org>", "Subject: x\nMessage-ID: <1@example.org>\n\n..dot\n", "user1")
	var text string
	var err error
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end) && !strings.HasSuffix(text, "QUIT\n"); time.Sleep(10 * time.Millisecond) {
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
	reply := sieverun.Send(t, s, "<sender@example.org>", "Subject: x\nMessage-ID: <2@example.org>\n\nbody\n", "user2")
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
			if got := sieverun.Send(t, s, "<a@b>", fmt.Sprintf("Subject: %s\nMessage-ID: <%d@b>\n\nbody\n", subject, n), to)[0]; !strings.HasPrefix(got, "250") {
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
	sink := sieverun.NewSink(t)
	s := server.Start(t, server.Options{Config: []string{"smtp_backend: host", "smtp_host: " + sink.Addr}})
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
	sieverun.Send(t, s, "<sender@example.org>", fmt.Sprintf(text, 1), "user1", "user2", "user3")
	sieverun.Send(t, s, "<sender@example.org>", fmt.Sprintf(text, 2), "user3")
	if got := counts(user1); got != "INBOX/Sent 1" {
		t.Errorf("user1 has %q", got)
	}
	if got := counts(user2); got != "" {
		t.Errorf("user2 sees %q", got)
	}
	if got := counts(s.Login("user3")); got != "INBOX 1" {
		t.Errorf("user3 has %q", got)
	}
	if mails := sink.Take(); len(mails) != 2 {
		t.Errorf("mails %q", mails)
	}
}
