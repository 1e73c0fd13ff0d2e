package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
	"gocyrus/test/sieverun"
)

// eventScripts are scripts for IMAP events, by name.
var eventScripts = map[string]string{
	"flags": `require ["imapsieve", "imap4flags", "environment", "variables"];
		if environment :is "imap.cause" "APPEND" { addflag "appended"; }
		elsif environment :is "imap.cause" "COPY" { addflag "copied"; }
		elsif environment :contains "imap.changedflags" "\\Flagged" { addflag "flagging"; }
		if allof (environment :is "imap.user" "user1", environment :is "imap.mailbox" "INBOX/flags",
			environment :is "phase" "post", environment :is "location" "MS") { addflag "here"; }
		if environment :matches "imap.email" "user1@*" { addflag "mine"; }
		if environment :matches "imap.mailbox" "*/*" { addflag "in-${2}"; }`,
	"file":    `require ["fileinto", "imap4flags"]; if header :contains "subject" "away" { fileinto :flags "filed" "INBOX/Work"; }`,
	"copy":    `require ["fileinto", "copy"]; fileinto :copy "INBOX/Work";`,
	"discard": `discard;`,
	"broken":  `require "fileinto"; fileinto "INBOX/missing";`,
	"vacate":  `require "vacation"; vacation :addresses "user1@example.org" "away";`,
	"thief":   `require "fileinto"; fileinto "user/user2";`,
	"loop":    `require ["fileinto", "copy"]; fileinto :copy "INBOX/Ring";`,
	"send":    `redirect "other@example.net";`,
	"ring":    `require ["include"]; include "ring";`,
	"seen":    `require ["imap4flags", "environment"]; if environment :contains "imap.changedflags" "\\Seen" { addflag "read"; }`,
	"edit":    `require ["editheader", "fileinto", "copy"]; addheader "X-Seen" "by script"; deleteheader "Subject"; fileinto "INBOX/Ring"; redirect :copy "edited@example.net"; keep;`,
	"from":    `require "envelope"; if envelope "from" "nobody" { keep; } else { discard; }`,
}

// imapsieveSite is a site with imapsieve on, and the scripts for user1.
func imapsieveSite(t *testing.T, shared bool, config ...string) *server.Site {
	t.Helper()
	s := server.Start(t, server.Options{Shared: shared, Config: append([]string{"imapsieve: yes", "sieve_maxscripts: 50", "smtp_backend: host",
		"sieve_utf8fileinto: no"}, config...)})
	dir := strings.TrimSpace(s.Tool("", "mbpath", "-S", "user/user1"))
	for name, text := range eventScripts {
		in := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		s.Tool("", "sievec", in, filepath.Join(dir, name+".bc"))
	}
	return s
}

// listing is the UIDs of a mailbox with their flags.
func listing(c *server.IMAP, box string) string {
	c.Must("EXAMINE " + box)
	var out []string
	for _, l := range c.Must("UID FETCH 1:* (FLAGS)") {
		if i := strings.Index(l, "FLAGS ("); i >= 0 {
			flags, rest, _ := strings.Cut(l[i+len("FLAGS ("):], ")")
			flags = strings.TrimSpace(strings.ReplaceAll(flags, `\Recent`, ""))
			uid := rest
			if _, u, ok := strings.Cut(l, "UID "); ok {
				uid = strings.TrimRight(strings.Fields(u)[0], ")")
			}
			out = append(out, strings.TrimSpace(uid+" "+flags))
		}
	}
	return strings.Join(out, ", ")
}

const eventMail = "Return-Path: <a@example.org>\r\nFrom: a@example.org\r\nTo: user1@example.org\r\nSubject: go away\r\n\r\nbody\r\n"

// TestIMAPSieve has scripts run on APPEND, REPLACE, COPY, MOVE and STORE (RFC
// 6785).
func TestIMAPSieve(t *testing.T) {
	eachMode(t, func(t *testing.T, shared bool) {
		sink := sieverun.NewSink(t)
		s := imapsieveSite(t, shared, "smtp_host: "+sink.Addr)
		c := s.Login("user1")
		if words := strings.Join(c.Must("CAPABILITY"), ""); !strings.Contains(words, " IMAPSIEVE=sieve://") {
			t.Errorf("capabilities %s", words)
		}
		for name := range eventScripts {
			c.Must("CREATE INBOX/" + name)
			c.Must(fmt.Sprintf("SETMETADATA INBOX/%s (/shared/imapsieve/script %q)", name, name))
		}
		c.Must("CREATE INBOX/Work")
		c.Must("CREATE INBOX/Ring")
		c.Must(`SETMETADATA INBOX/Ring (/shared/imapsieve/script "loop")`)
		for _, step := range []struct{ do, box, want, work string }{
			{"APPEND flags", "flags", "1 appended here mine in-flags", ""},
			{"COPY flags", "flags", "1 appended here mine in-flags, 2 here mine in-flags copied", ""},
			{"MOVE flags", "flags", "1 appended here mine in-flags, 2 here mine in-flags copied, 3 here mine in-flags copied", ""},
			{"FLAG flags", "flags", `1 \Flagged appended here mine in-flags flagging, 2 here mine in-flags copied, 3 here mine in-flags copied`, ""},
			{"APPEND seen", "seen", "1", ""},
			{"FETCH seen", "seen", `1 \Seen read`, ""},
			{"REPLACE flags 2", "flags", `1 \Flagged appended here mine in-flags flagging, 3 here mine in-flags copied, 4 appended here mine in-flags`, ""},
			{"APPEND file", "file", `1 \Deleted`, "1 filed"},
			{"COPY copy", "copy", "1", "1 filed, 2"},
			{"APPEND discard", "discard", `1 \Deleted`, "1 filed, 2"},
			{"APPEND broken", "broken", "1", "1 filed, 2"},
			{"APPEND vacate", "vacate", "1", "1 filed, 2"},
			{"APPEND from", "from", "1", "1 filed, 2"},
			{"APPEND thief", "thief", "1", "1 filed, 2"},
			{"APPEND ring", "ring", "1", "1 filed, 2"},
			{"APPEND loop", "Ring", "1", "1 filed, 2"}, // what scripts do is no event
			{"APPEND send", "send", `1 \Deleted`, "1 filed, 2"},
		} {
			words := strings.Fields(step.do)
			do, box := words[0], "INBOX/"+words[1]
			switch do {
			case "REPLACE": // a new message, as APPEND
				c.Must("SELECT " + box)
				c.Must(fmt.Sprintf("UID REPLACE %s %s {%d+}\r\n%s", words[2], box, len(eventMail), eventMail))
			case "APPEND":
				c.Append(box, eventMail)
			case "FETCH":
				c.Must("SELECT " + box)
				c.Must("FETCH 1 BODY[TEXT]")
			case "COPY", "MOVE":
				c.Append("INBOX", eventMail)
				c.Must("SELECT INBOX")
				c.Must(do + " * " + box)
			case "FLAG":
				c.Must("SELECT " + box)
				if got := strings.Join(c.Must(`UID STORE 1 +FLAGS (\Flagged)`), "|"); !strings.Contains(got, `\Flagged`) {
					t.Errorf("STORE: %s", got)
				}
			}
			if got := listing(c, "INBOX/"+step.box); got != step.want {
				t.Errorf("%s: %q, want %q", step.do, got, step.want)
			}
			if got := listing(c, "INBOX/Work"); got != step.work {
				t.Errorf("%s: Work has %q, want %q", step.do, got, step.work)
			}
		}
		if mails := sink.Take(); len(mails) != 1 || !strings.Contains(mails[0], "RCPT TO:<other@example.net>") {
			t.Errorf("mails %q", mails)
		}
		// Headers are edited in what is filed and sent elsewhere, not in what stays.
		c.Append("INBOX/edit", eventMail)
		const edited = "X-Seen: by script\r\nReturn-Path: <a@example.org>\r\nFrom: a@example.org\r\nTo: user1@example.org\r\n\r\nbody\r\n"
		if mails := sink.Take(); len(mails) != 1 || !strings.Contains(mails[0], "SIZE=127 RCPT TO:<edited@example.net>") || strings.Contains(mails[0], "Subject") {
			t.Errorf("edited mails %q", mails)
		}
		for box, want := range map[string]string{"edit": eventMail, "Ring": edited} {
			c.Must("EXAMINE INBOX/" + box)
			if got := strings.Join(c.Must("FETCH * BODY.PEEK[]"), ""); !strings.Contains(got, want) {
				t.Errorf("%s has %q, want %q", box, got, want)
			}
		}
		for _, line := range []string{"sieve runtime error for user1 mailbox user.user1.broken: ", "user.user1.vacate: Vacation can not be used with a stored message",
			"sieve runtime error for user1 mailbox user.user1.thief: ", "Recursive Include",
			"user.user1.from: Envelope can not be tested of a stored message"} {
			if !strings.Contains(s.Log(), line) {
				t.Errorf("the log has no %q", line)
			}
		}
	})
}

// TestIMAPSieveRights: in a mailbox of somebody else no script of his or of
// the one who comes runs, only a global one.
func TestIMAPSieveRights(t *testing.T) {
	t.Parallel()
	s := imapsieveSite(t, false)
	owner, admin, guest := s.Login("user1"), s.Login("cyrus"), s.Login("user2")
	owner.Must(`SETMETADATA INBOX (/shared/imapsieve/script "copy")`)
	owner.Must("CREATE INBOX/Work")
	owner.Must("SETACL INBOX user2 lrswipkxte")
	owner.Must("SETACL INBOX/Work user2 lrswipkxte")
	guest.Append("user/user1", eventMail)
	if got := listing(owner, "INBOX/Work"); got != "" {
		t.Errorf("a guest has run the owner's script: %q", got)
	}
	if !strings.Contains(s.Log(), "imapsieve: no script") {
		t.Error("the log does not tell")
	}
	if _, tagged, _ := guest.Do(`SETMETADATA "" (/shared/imapsieve/script "discard")`); !strings.HasPrefix(tagged, "NO") {
		t.Errorf("a user names the script of the server: %s", tagged)
	}
	dir := filepath.Join(filepath.Dir(strings.TrimSpace(s.Tool("", "mbpath", "-S", "user/user1"))), "../../../global")
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte(`require "imap4flags"; addflag "global";`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.Tool("", "sievec", in, filepath.Join(dir, "all.bc"))
	admin.Must(`SETMETADATA "" (/shared/imapsieve/script "all")`)
	guest.Append("INBOX", eventMail)
	if got := listing(guest, "INBOX"); got != "1 global" {
		t.Errorf("the server's script: %q", got)
	}
	owner.Append("INBOX", eventMail)
	if got := listing(owner, "INBOX/Work"); got != "1" {
		t.Errorf("the owner's script: %q", got)
	}
	// A name that nothing has keeps the server's script away; without a name of
	// its own, as which an empty one counts, the mailbox has that.
	for _, step := range []struct{ value, want string }{{`"none"`, "1, 2, 3"}, {`""`, "1, 2, 3, 4 global"}, {"NIL", "1, 2, 3, 4 global, 5 global"}} {
		owner.Must("SETMETADATA INBOX (/shared/imapsieve/script " + step.value + ")")
		owner.Append("INBOX", eventMail)
		if got := listing(owner, "INBOX"); got != step.want {
			t.Errorf("script %s: %q, want %q", step.value, got, step.want)
		}
	}
}

// TestIMAPSieveOff: nothing of it is there unless it is asked for.
func TestIMAPSieveOff(t *testing.T) {
	t.Parallel()
	s := server.Start(t, server.Options{})
	c := s.Login("user1")
	if words := strings.Join(c.Must("CAPABILITY"), ""); strings.Contains(words, "IMAPSIEVE") {
		t.Errorf("capabilities %s", words)
	}
	if _, tagged, _ := c.Do(`SETMETADATA INBOX (/shared/imapsieve/script "x")`); strings.HasPrefix(tagged, "OK") {
		t.Errorf("its annotation: %s", tagged)
	}
}

// TestSpamLearning has a program learn from messages that go into \Junk and
// out of it; one that hangs, or fails, holds nobody up.
func TestSpamLearning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, program := filepath.Join(dir, "out"), filepath.Join(dir, "learn")
	script := "#!/bin/sh\nread line\ncase $3 in *Bad*) echo broken >&2; exit 1;; esac\nprintf '%s %s %s: %s\\n' \"$1\" \"$2\" \"$3\" \"$line\" >>" + out + "\n"
	server.Script(t, program, script, 0o755)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := server.Start(t, server.Options{Config: []string{"spam_learn_program: " + program}})
	c := s.Login("user1")
	for _, box := range []string{`INBOX/Spam (USE (\Junk))`, `INBOX/Bin (USE (\Trash))`, "INBOX/Good", "INBOX/Bad"} {
		c.Must("CREATE " + box)
	}
	for range 4 {
		c.Append("INBOX", "Subject: one\r\n\r\n\r\n")
	}
	c.Must("SELECT INBOX")
	c.Must("COPY 1 INBOX/Good")
	c.Must("MOVE 1:4 INBOX/Spam")
	c.Must("SELECT INBOX/Spam")
	c.Must("MOVE 1 INBOX/Bin")
	c.Must("MOVE 1 INBOX/Bad")
	c.Must("COPY 1 INBOX/Good")
	want := strings.Repeat("spam user1 INBOX/Spam: Subject: one\r\n", 4) + "ham user1 INBOX/Good: Subject: one\r\n"
	deadline := time.Now().Add(time.Minute)
	for {
		b, _ := os.ReadFile(out)
		if string(b) == want && strings.Contains(s.Log(), "spam_learn_program failed") && strings.Contains(s.Log(), "broken") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("learned %q, want %q", b, want)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
