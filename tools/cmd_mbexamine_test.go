package main

import (
	"testing"

	"gocyrus/test/data"
)

func TestMbexamine(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, masks: []mask{masking(`(Date: .{50})\t.{50}`, "$1")}}
	r.replay("mbexamine")
}

// TestMbexamineSeq checks -s, which Cyrus's own does not do right.
func TestMbexamineSeq(t *testing.T) {
	s := newStore(t, "")
	s.make("user.a")
	s.add("user.a", 0)
	s.add("user.a", 0)
	for seq, want := range map[string]bool{"2": true, "3": false} {
		r := call("", "mbexamine", "-C", s.path, "-s", seq, "user/a")
		if got := matches(`(?m)^000002> UID:00000002`, r.out); got != want || r.status != 0 {
			t.Errorf("-s %s: %+v", seq, r)
		}
	}
}

func TestUIDOfFile(t *testing.T) {
	for name, want := range map[string]uint32{"1.": 1, "4294967295.": 4294967295, "0.": 0, "01.": 0, "+1.": 0, "1": 0, ".": 0, "stage.": 0, "4294967296.": 0} {
		if got, ok := uidOfFile(name); ok != (want > 0) || ok && got != want {
			t.Errorf("%s: %d, %v", name, got, ok)
		}
	}
}
