package main

import (
	"regexp"
	"strings"
	"testing"

	"gocyrus/test/data"
)

// touched hides what cannot be the same twice.
var touched = []mask{
	masking(`(?m)^  1: .* => Thu, 01 Jan 1970 .*\n`, ""), // of an index of version 10
	masking(`LASTUPD :\d+`, "LASTUPD :TIME"),
	masking(`MODSEQ:\d+`, "MODSEQ:N"),
}

func TestMbtool(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, masks: touched}
	r.replay("mbtool")
}

// TestMbtoolReid checks that a new unique id is everywhere: in the list, in
// cyrus.header, and at the annotations. Cyrus's own changes cyrus.header only.
func TestMbtoolReid(t *testing.T) {
	conf, root := sampleConf(t, data.Legacy, shared)
	id := func() string {
		r := call("", "ctl_mboxlist", "-C", conf, "-d")
		return regexp.MustCompile(`"user.alice.Projects": .*"uniqueid": "(\w+)"`).FindStringSubmatch(r.out)[1]
	}
	annots := func() string {
		return call("", "cyr_dbtool", "-C", conf, root+"/conf/annotations.db", "twoskip", "show").out
	}
	old := id()
	before := annots()
	if strings.Count(before, old) == 0 {
		t.Fatalf("the mailbox has no annotations:\n%q", before)
	}
	r := call("", "mbtool", "-C", conf, "-r", "user/alice/Projects")
	if r.status != 0 || r.out != "Working on user/alice/Projects...\n" || r.err != "" {
		t.Fatalf("%+v", r)
	}
	is := id()
	if is == old || len(is) != 24 {
		t.Errorf("id %s, was %s", is, old)
	}
	if after := annots(); strings.Contains(after, old) || strings.Count(after, is) != strings.Count(before, old) {
		t.Errorf("annotations: %q", after)
	}
	if db := call("", "cyr_dbtool", "-C", conf, root+"/conf/mailboxes.db", "twoskip", "show").out; strings.Contains(db, old) || !strings.Contains(db, "I"+is) {
		t.Error("the list still has the old id, or has not the new one")
	}
	if r := call("", "mbexamine", "-C", conf, "user/alice/Projects"); !strings.Contains(r.out, "Unique ID: "+is+"\n") {
		t.Errorf("cyrus.header:\n%s", r.out)
	}
}
