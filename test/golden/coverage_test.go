package golden

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/test/transcript"
)

// A standing is where a session is when it sends a command, and whose it is.
type standing string

// everywhere is the standings in which each command has to be recorded.
var everywhere = []standing{
	"not logged in",
	"user", "user, selected", "user, read-only",
	"admin", "admin, selected", "admin, read-only",
}

// notCyrus is the commands that the recorded server has not: there is nothing
// to compare them with.
var notCyrus = []string{"cancelupdate", "esearch", "notify", "replace"}

// TestEveryCommand looks whether there are recordings of every command of
// imapd in every standing.
func TestEveryCommand(t *testing.T) {
	seen := map[string]map[standing]bool{}
	files, err := filepath.Glob("imap/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, name := range files {
		d, err := transcript.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		follow(d, seen)
	}
	for _, command := range imapCommands(t) {
		for _, at := range everywhere {
			if !seen[command][at] {
				t.Errorf("there is no recording of %s, %s", strings.ToUpper(command), at)
			}
		}
	}
}

// imapCommands is the names in imapd's table of commands, without those that
// Cyrus has not.
func imapCommands(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile("../../imapd/commands.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "var commands = map[string]command{\n")
	table, _, closed := strings.Cut(table, "\n}")
	if !ok || !closed {
		t.Fatal("commands.go has no table of commands")
	}
	for _, m := range regexp.MustCompile(`(?m)^\t"([a-z]+)":`).FindAllStringSubmatch(table, -1) {
		if !slices.Contains(notCyrus, m[1]) && !strings.HasPrefix(m[1], "xconv") {
			names = append(names, m[1])
		}
	}
	if len(names) < 50 {
		t.Fatalf("the table of commands has %d names", len(names))
	}
	return names
}

// sent is the tag, the name and the first argument of a command.
var sent = regexp.MustCompile(`^([a-z][a-z0-9.]*) ([A-Za-z]+)(?: (\S+))?`)

// follow notes in which standing each command of a dialog is sent, from what
// the server answered before.
func follow(d *transcript.Transcript, seen map[string]map[standing]bool) {
	type client struct {
		user, mode             string // "", "user" or "admin"; "", "selected" or "read-only"
		tag, command, argument string // the last one
	}
	clients := map[int]*client{}
	for _, s := range d.Steps {
		c := clients[s.Conn]
		if c == nil {
			c = &client{}
			clients[s.Conn] = c
		}
		line := string(s.Data)
		switch s.Kind {
		case transcript.Send:
			m := sent.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			c.tag, c.command, c.argument = m[1], strings.ToLower(m[2]), m[3]
			at := standing("not logged in")
			if c.user != "" {
				at = standing(c.user)
				if c.mode != "" {
					at += standing(", " + c.mode)
				}
			}
			if seen[c.command] == nil {
				seen[c.command] = map[standing]bool{}
			}
			seen[c.command][at] = true
		case transcript.Reply:
			rest, ok := strings.CutPrefix(line, c.tag+" ")
			if !ok || c.tag == "" {
				continue
			}
			done := strings.HasPrefix(rest, "OK")
			switch {
			case done && c.command == "login":
				c.user = map[bool]string{true: "admin", false: "user"}[c.argument == "cyrus"]
			case done && c.command == "unauthenticate":
				c.user, c.mode = "", ""
			case c.command == "select" || c.command == "examine":
				if !strings.HasPrefix(rest, "BAD") {
					c.mode = ""
				}
				if strings.HasPrefix(rest, "OK [READ-ONLY]") {
					c.mode = "read-only"
				} else if done {
					c.mode = "selected"
				}
			case done && (c.command == "close" || c.command == "unselect"):
				c.mode = ""
			}
		}
	}
}
