package suite

import (
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestToolsInOwnMode runs admin commands beside a server whose databases
// are in pebble: they work on what stands behind the markers.
func TestToolsInOwnMode(t *testing.T) {
	s := server.Start(t, server.Options{})
	user := userOf(0)
	k := s.Login(user)
	k.Must("CREATE INBOX/Work")
	k.Append("INBOX/Work", "From: x@example.org\r\nSubject: one\r\n\r\ntext\r\n")
	list := filepath.Join(s.Dir, "conf", "mailboxes.db")

	if got := s.Tool("", "cyr_dbtool", list, "twoskip", "show", "Nuser\x1f"+user+"\x1fWork"); !strings.HasPrefix(got, "Nuser\x1f"+user+"\x1fWork\t%(T e I ") {
		t.Errorf("cyr_dbtool show: %q", got)
	}
	if got := s.Tool("", "cyr_dbtool", list, "twoskip", "consistent"); got != "Yes, consistent\n" {
		t.Errorf("cyr_dbtool consistent: %q", got)
	}
	dump := s.Tool("", "ctl_mboxlist", "-d")
	if got := s.Tool(dump, "ctl_mboxlist", "-u"); got != "" {
		t.Errorf("ctl_mboxlist -u: %q", got)
	}
	if got := s.Tool("", "ctl_mboxlist", "-d", "-f", list); strings.Count(got, "\n") != strings.Count(dump, "\n") {
		t.Errorf("loaded:\n%s\ndumped:\n%s", got, dump)
	}
	if got := s.Tool("", "ctl_mboxlist", "-v"); got != "" {
		t.Errorf("ctl_mboxlist -v: %q", got)
	}

	k.Must("SELECT INBOX/Work")
	k.Must(`STORE 1 +FLAGS (\Deleted)`)
	k.Must("EXPUNGE")
	box := "user/" + user + "/Work"
	if got := s.Tool("", "unexpunge", "-a", "-d", "-v", box); !strings.Contains(got, "Unexpunged "+box+": 1 => 2\nrestored 1 expunged messages\n") {
		t.Errorf("unexpunge: %q", got)
	}
	if lines := strings.Join(k.Must("NOOP"), ""); !strings.Contains(lines, "* 1 EXISTS") {
		t.Errorf("after unexpunge: %q", lines)
	}
	if got := s.Tool("", "reconstruct", "-r", "user/"+user); !strings.Contains(got, box+"\n") || strings.Contains(got, "uid") {
		t.Errorf("reconstruct: %q", got)
	}
	s.Tool("", "quota", "-f")

	s.Tool("", "cyr_deny", user)
	if _, _, err := k.Do("NOOP"); err == nil {
		if _, _, err = k.Do("NOOP"); err == nil {
			t.Error("session goes on after cyr_deny")
		}
	}
	s.Tool("", "cyr_deny", "-a", user)
	s.Login(user).Close()
}
