package suite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestBadInput sends what no client should, in one session, much of it: each
// command has its answer, and the session goes on.
func TestBadInput(t *testing.T) {
	s := server.Start(t, server.Options{})
	c := s.Login("user1")
	defer c.Close()
	c.Append("INBOX", letter)
	c.Must("SELECT INBOX")
	keywords := make([]string, 10000)
	for i := range keywords {
		keywords[i] = fmt.Sprintf("keyword%d", i)
	}
	for _, tt := range []struct{ send, want string }{
		{"FETCH 4294967295:1,*:* (UID)", "OK"},
		{"UID FETCH 4294967295:1,*:* (UID)", "OK"},
		{"SEARCH 4294967295:1,*:*", "OK"},
		{"FETCH " + strings.Repeat("1:*,", 20000) + "1 (UID)", "OK"},
		{"FETCH " + strings.Repeat("1,", 20000) + "x (UID)", "BAD"},
		{"FETCH 4294967296 (UID)", "NO"},
		{"STORE 1 +FLAGS (" + strings.Join(keywords, " ") + ")", "NO"},
		{"SEARCH " + strings.Repeat("KEYWORD "+keywords[9999]+" ", 10000) + "ALL", "OK"},
		{"SEARCH " + strings.Repeat("(", 100000), "BAD"},
		{"SEARCH " + strings.Repeat("NOT ", 100000) + "ALL", "BAD"},
		{"SEARCH " + strings.Repeat("OR ALL ", 100000) + "ALL", "BAD"},
		{"FETCH 1 " + strings.Repeat("(", 100000), "BAD"},
		{"FETCH 1 BODY[" + strings.Repeat("1.", 10000) + "1]", "BAD"},
		{"FETCH 1 (" + strings.Repeat("FLAGS ", 100000) + "UID)", "OK"},
		{"LIST (" + strings.Repeat("(", 100000), "BAD"},
		{`LIST "" (` + strings.Repeat("* ", 20000) + "*)", "BAD"},
		{`LIST "" ` + strings.Repeat("%*", 10000), "OK"},
		{"STATUS INBOX (" + strings.Repeat("MESSAGES ", 10000) + "RECENT)", "OK"},
		{"ID (" + strings.Repeat(`"a" "b" `, 10000) + ")", "BAD"},
		{"THREAD REFERENCES UTF-8 " + strings.Repeat("(", 10000), "BAD"},
		{"SETMETADATA INBOX (" + strings.Repeat("/private/comment NIL ", 10000) + ")", "BAD"},
		{"ENABLE " + strings.Repeat("X ", 10000) + "X", "OK"},
		{"CREATE INBOX/" + strings.Repeat("a/", 5000) + "a", "NO"},
		{"CREATE \"INBOX/" + strings.Repeat("a", 5000) + "\"", "NO"},
		{"SEARCH SUBJECT \"a\x00b\"", "OK"},
		{"SEARCH SUBJECT {3+}\r\na\x00b", "OK"},
		{"NO\x00OP", "BAD"},
		{"LIST \"\" a\rb", "BAD"},
		{"STORE 1 +FLAGS (a\xff)", "BAD"},
		{"LIST \"\" \xff\xfe", "OK"},
		{"APPEND INBOX {5+}\r\nab\x00de", "NO"},
		{"APPEND INBOX {0+}\r\n", "NO"},
		{"APPEND INBOX {99999999999999999999}", "BAD"},
		{"APPEND INBOX {-1}", "BAD"},
		{"APPEND INBOX {1", "BAD"},
		{"APPEND INBOX {10+}\r\nlonger than it says", "NO"},
		{"LOGIN {3+}\r\nabc{3+}\r\nabc", "BAD"},
		{"UID UID UID UID", "BAD"},
		{"GENURLAUTH {9+}\r\na\r\n* BYE\r INTERNAL", "NO"},
		{"APPEND INBOX CATENATE (URL {8+}\r\na\r\n* BYE)", "NO"},
	} {
		shown := tt.send[:min(len(tt.send), 60)]
		_, tagged, err := c.Do(tt.send)
		if err != nil {
			t.Fatalf("%q: %v", shown, err)
		}
		if !strings.HasPrefix(tagged, tt.want+" ") {
			t.Errorf("%q: %.200s, want %s", shown, tagged, tt.want)
		}
		if untagged, tagged, err := c.Do("NOOP"); err != nil || len(untagged) > 0 || !strings.HasPrefix(tagged, "OK") {
			t.Fatalf("NOOP after %q: %s, %v", shown, tagged, err)
		}
	}
	// What is not wanted of a literal is no command.
	stage := filepath.Join(s.Dir, "spool/stage.")
	if err := errors.Join(os.RemoveAll(stage), os.WriteFile(stage, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	text := "Subject: x\r\n\r\nz CREATE INBOX/made\r\n"
	if _, tagged, err := c.Do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(text), text)); err != nil || !strings.HasPrefix(tagged, "NO ") {
		t.Fatalf("APPEND that cannot be received: %s, %v", tagged, err)
	}
	if got := c.Must("LIST \"\" INBOX/made"); len(got) > 0 {
		t.Errorf("a message was taken for commands: %q", got)
	}
	if err := os.Remove(stage); err != nil {
		t.Fatal(err)
	}
	if got := c.Must("UID SEARCH ALL"); len(got) != 1 || got[0] != "* SEARCH 1\r\n" {
		t.Errorf("the mailbox holds %q", got)
	}
}

// TestBadInputEnds sends what ends a session: a line without end, a literal
// larger than any that is taken, and nothing but nonsense.
func TestBadInputEnds(t *testing.T) {
	s := server.Start(t, server.Options{})
	for name, text := range map[string]string{
		"word":     "a SELECT " + strings.Repeat("x", 1<<20),
		"quoted":   `a SELECT "` + strings.Repeat("x", 1<<20),
		"line":     "a SEARCH " + strings.Repeat("SEEN ", 4<<20),
		"literal":  "a SELECT {1000000+}\r\n",
		"nonsense": strings.Repeat("a XYZZY\r\n", 1000),
		"tags":     strings.Repeat("*\r\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.Login("user1")
			defer c.Close()
			go io.WriteString(c, text) // the server does not read all of it
			for {
				if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				line, err := c.R.ReadString('\n')
				if strings.HasPrefix(line, "* BYE ") {
					return
				}
				if err != nil {
					t.Fatalf("no BYE: %q, %v", line, err)
				}
			}
		})
	}
}
