package main

import (
	"strings"
	"testing"

	"gocyrus/libcyrus/mboxname"
	"gocyrus/test/data"
)

// TestCyrdump compares with Cyrus's, but for the Content-IDs: those of 3.6.1
// are the UIDs of the messages that follow.
func TestCyrdump(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, lines: "servername: mail.example.com\n", masks: []mask{
		masking(`dump-\d+-\d+-\d+`, "dump-PID-TIME-NUMBER"),
		masking(`(?m)^Content-ID: \d+$`, "Content-ID: UID"),
		masking(`invalid option`, "invalid option"),
	}}
	r.replay("cyrdump")
}

func TestCyrdumpIDs(t *testing.T) {
	s := newStore(t, "")
	s.make("user.a")
	s.add("user.a", 0)
	s.add("user.a", 0)
	r := call("", "cyrdump", "-C", s.path, "user/a")
	if !strings.Contains(r.out, "\nContent-ID: 1\n") || !strings.Contains(r.out, "\nContent-ID: 2\n") || r.status != 0 {
		t.Errorf("%+v", r)
	}
}

func TestURLName(t *testing.T) {
	for name, want := range map[mboxname.Name]string{
		"user.alice": "user.alice", "other.test!x": "other.test!x", "a b^c": "a%20b%5Ec",
		"user.&ZeVnLIqe-": "user.%E6%97%A5%E6%9C%AC%E8%AA%9E", "bad&": "bad%26",
	} {
		if got := urlName(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
