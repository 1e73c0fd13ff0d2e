package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/scripts"
)

// put appends a message with a subject.
func (s *store) put(n mboxname.Name, subject string, flags mailbox.Flags) {
	s.Helper()
	e := s.entry(n)
	st, err := s.Store.Stage(e.Partition)
	if err != nil {
		s.Fatal(err)
	}
	defer st.Remove()
	fmt.Fprintf(st, "From: a@example.org\r\nTo: alice@example.org\r\nSubject: %s\r\nMessage-ID: <%s@x>\r\n\r\nbody\r\n", subject, subject)
	_, err = s.Store.Append(s.ctx, e.Ref(), []mailbox.AppendMessage{{Staged: st, Flags: flags, InternalDate: time.Now()}}, mailbox.AppendOptions{})
	if err != nil {
		s.Fatal(err)
	}
}

// shown is UIDs and flags of a mailbox.
func (s *store) shown(n mboxname.Name) string {
	s.Helper()
	m, err := s.Store.Open(s.ctx, s.entry(n).Ref(), mailbox.Read)
	if err != nil {
		s.Fatal(err)
	}
	defer m.Close()
	var out []string
	err = m.Each(1, func(r *mailbox.Record) bool {
		if r.Live() {
			text := fmt.Sprint(r.UID)
			for _, f := range []struct {
				flag   mailbox.Flags
				letter string
			}{{mailbox.Flagged, "F"}, {mailbox.Seen, "S"}, {mailbox.Deleted, "D"}} {
				if r.Flags.Has(f.flag) {
					text += f.letter
				}
			}
			r.User.Each(func(n int) { text += " " + m.Flags()[n] })
			out = append(out, text)
		}
		return true
	})
	if err != nil {
		s.Fatal(err)
	}
	return strings.Join(out, ",")
}

const applied = `require ["fileinto", "copy", "imap4flags", "mailbox", "variables", "reject", "editheader", "include"];
if header :is "subject" "move" { fileinto :flags "\\Flagged mine" "INBOX/work"; }
elsif header :is "subject" "copy" { fileinto :copy "INBOX/work"; }
elsif header :is "subject" "both" { fileinto "INBOX/work"; fileinto :create "INBOX/new"; addheader "X-A" "b"; }
elsif header :is "subject" "flag" { addflag "\\Flagged"; }
elsif header :is "subject" "unflag" { removeflag "\\Seen"; keep; }
elsif header :is "subject" "discard" { discard; }
elsif header :is "subject" "redirect" { redirect "b@example.org"; }
elsif header :is "subject" "reject" { reject "no"; }
elsif header :is "subject" "missing" { fileinto "INBOX/none"; }
elsif header :is "subject" "others" { fileinto "user/bob"; }
elsif header :is "subject" "include" { include "other"; }
`

func TestSieveApply(t *testing.T) {
	for _, c := range []struct {
		args, inbox, work, trash string
		made                     bool
	}{
		{"-n", "1S,2S,3S,4S,5S,6S,7S,8S,9S,10S,11S,12S", "", "", false},
		{"", "2S,4FS,5,6S,7S,8S,9S,10S,12S", "1F mine,2S,3S,4S", "", true},
		{"--discard=delete", "2S,4FS,5,6SD,7S,8S,9S,10S,12S", "1F mine,2S,3S,4S", "", true},
		{"--discard=INBOX/trash", "2S,4FS,5,7S,8S,9S,10S,12S", "1F mine,2S,3S,4S", "1S", true},
	} {
		t.Run(c.args, func(t *testing.T) {
			s := newStore(t, "altnamespace: no\nsieve_maxscripts: 9\n")
			s.make("user.alice", "user.alice.work", "user.alice.trash", "user.bob")
			for _, subject := range []string{"move", "copy", "both", "flag", "unflag", "discard", "redirect", "reject", "missing", "others", "include", "plain"} {
				s.put("user.alice", subject, mailbox.Seen)
			}
			u, err := scripts.Open(s.ctx, s.Site, "alice")
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"main": applied, "other": `require "fileinto"; fileinto "INBOX/work";`} {
				if err := u.Put(s.ctx, name, []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			args := append([]string{"sieve-apply", "-C", s.path, "-s", "main"}, strings.Fields(c.args)...)
			r := call("", append(args, "alice")...)
			if r.status != exFailure || strings.Count(r.err, "stays: ") != 3 ||
				!strings.Contains(r.err, "INBOX 8: stays: Reject can not be used with a stored message\n") {
				t.Errorf("%+v", r)
			}
			for _, line := range []string{`INBOX 1: move to INBOX/work with \flagged mine`, "INBOX 2: copy to INBOX/work",
				"INBOX 3: move to INBOX/work, move to INBOX/new", `INBOX 4: flags (\seen \flagged)`, "INBOX 5: flags ()",
				"INBOX 7: not redirected to b@example.org", "INBOX 11: move to INBOX/work", "INBOX 6: discard: ", "12 messages: "} {
				if !strings.Contains(r.out, line) {
					t.Errorf("no %q in\n%s", line, r.out)
				}
			}
			if got := s.shown("user.alice"); got != c.inbox {
				t.Errorf("INBOX: %q, want %q", got, c.inbox)
			}
			if got := s.shown("user.alice.work"); got != c.work {
				t.Errorf("work: %q, want %q", got, c.work)
			}
			if got := s.shown("user.alice.trash"); got != c.trash {
				t.Errorf("trash: %q, want %q", got, c.trash)
			}
			if got := s.shown("user.bob"); got != "" {
				t.Errorf("bob has %q", got)
			}
			if _, err := s.List.Lookup(s.ctx, "user.alice.new"); (err == nil) != c.made {
				t.Errorf("new: %v", err)
			}
			// Once more nothing is left to move.
			if c.args == "" {
				if r := call("", "sieve-apply", "-C", s.path, "-s", "main", "alice"); !strings.Contains(r.out, "9 messages: 0 moved, 1 copied, 0 flagged, 1 discarded, 3 failed\n") {
					t.Errorf("again: %+v", r)
				}
			}
		})
	}
}

func TestSieveApplyMisused(t *testing.T) {
	s := newStore(t, "")
	s.make("user.alice")
	bad := filepath.Join(t.TempDir(), "bad")
	write(t, bad, "nonsense;")
	for _, c := range []struct {
		args   string
		status int
		err    string
	}{
		{"", exUsage, "usage: "},
		{"-f a -s b alice", exUsage, "usage: "},
		{"nobody", exNoUser, "nobody"},
		{"alice", exDataErr, "alice has no active script"},
		{"-s none alice", exDataErr, "none"},
		{"-f " + bad + " alice", exDataErr, "line 1: syntax error"},
		{"-f " + bad + ".none alice", exDataErr, "no such file"},
	} {
		r := call("", append([]string{"sieve-apply", "-C", s.path}, strings.Fields(c.args)...)...)
		if r.status != c.status || !strings.Contains(r.err, c.err) {
			t.Errorf("%q: %+v", c.args, r)
		}
	}
}

func TestTranslateSieve(t *testing.T) {
	const before = "require [\"fileinto\", \"copy\"];\n" +
		"if true { fileinto \"INBOX.a.b^c\"; fileinto :copy \"user.bob.x\"; }\n" +
		"fileinto \"INBOX\";\nfileinto \"pub.x\"; # INBOX.a.b\n"
	const after = "require [\"fileinto\", \"copy\"];\n" +
		"if true { fileinto \"a/b.c\"; fileinto :copy \"Others/bob/x\"; }\n" +
		"fileinto \"INBOX\";\nfileinto \"Shared/pub/x\"; # INBOX.a.b\n"
	s := newStore(t, "userprefix: Others\nsharedprefix: Shared\n")
	top := filepath.Join(filepath.Dir(s.path), "sieve") // where newStore has it
	s.Layout.SieveDir = top
	s.make("user.alice", "user.zoe")
	u, err := scripts.Open(s.ctx, s.Site, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Put(s.ctx, "main", []byte(before)); err != nil {
		t.Fatal(err)
	}
	write(t, top+"/z/zoe/old.script", before)
	write(t, top+"/z/zoe/same.script", "keep;\n")
	if r := call("", "translatesieve", "-C", s.path, "-u", "-a"); r.status != exFailure || !strings.Contains(r.err, "There's been no change") {
		t.Errorf("%+v", r)
	}
	text := func() string {
		x, err := u.Get(s.ctx, "main")
		if err != nil {
			t.Fatal(err)
		}
		old, err := os.ReadFile(top + "/z/zoe/old.script")
		if err != nil || string(old) != string(x.Text) {
			t.Errorf("the file: %q, %v", old, err)
		}
		return string(x.Text)
	}
	for _, arg := range []string{"-n", "-v"} {
		r := call("", "translatesieve", "-C", s.path, arg)
		if r.status != 0 || !strings.Contains(r.out, "> fileinto \"Shared/pub/x\"; # INBOX.a.b\n") || !strings.HasSuffix(r.out, "done\n") {
			t.Errorf("%+v", r)
		}
		if got, want := text(), map[string]string{"-n": before, "-v": after}[arg]; got != want {
			t.Errorf("%s: %q", arg, got)
		}
	}
}

func TestNameChange(t *testing.T) {
	for _, c := range []struct {
		n         nameChange
		name, now string
	}{
		{nameChange{nowUnix: true}, "INBOX.a", "INBOX/a"},
		{nameChange{nowUnix: true}, "inbox", "inbox"},
		{nameChange{wasUnix: true}, "INBOX/a.b", "INBOX.a^b"},
		{nameChange{nowAlt: true, shared: "S"}, "INBOXES.a", "S.INBOXES.a"},
		{nameChange{nowAlt: true}, "inbox.a", "a"},
		{nameChange{wasUnix: true, nowAlt: true, users: "Other Users"}, "user/bob/x.y", "Other Users.bob.x^y"},
	} {
		if got := c.n.change(c.name); got != c.now {
			t.Errorf("%+v: %q, want %q", c.n, got, c.now)
		}
	}
}
