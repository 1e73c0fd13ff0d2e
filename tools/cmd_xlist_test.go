package main

import (
	"strings"
	"testing"

	"gocyrus/test/data"
)

func TestXlist(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, lines: "xlist-memos: New\n", masks: []mask{
		masking(`(?m)^cyrus/cvt_xlist_specialuse\[.*\n`, ""), // Cyrus's log
		masking(`"mtime": "\d+"`, `"mtime": "TIME"`),
	}}
	r.replay("cvt_xlist_specialuse")
}

func TestXlistNothing(t *testing.T) {
	s := newStore(t, "")
	r := call("", "cvt_xlist_specialuse", "-C", s.path, "*")
	if r.status != 0 || !strings.HasPrefix(r.err, "no xlist- settings in "+s.path) {
		t.Errorf("%+v", r)
	}
}
