package main

import (
	"strings"
	"testing"

	"gocyrus/test/data"
)

func TestCtlConversationsdb(t *testing.T) {
	r := &recording{t: t, sample: data.Legacy, masks: []mask{
		// The real one forgets the Message-IDs of the conversation with the
		// lowest id.
		masking(`Expired [01] entries of`, "Expired N entries of"),
	}}
	r.replay("ctl_conversationsdb")
}

// TestConversationsDumped puts a dump in the place of the database that it came from.
func TestConversationsDumped(t *testing.T) {
	conf, _ := sampleConf(t, data.Legacy, shared)
	dump := call("", "cyrus", "ctl_conversationsdb", "-C", conf, "-d", "alice")
	if dump.status != 0 || strings.Count(dump.out, "\nB") < 5 || strings.Count(dump.out, "\nG") < 50 {
		t.Fatalf("%d %s %.300s", dump.status, dump.err, dump.out)
	}
	if r := call("nothing", "cyrus", "ctl_conversationsdb", "-C", conf, "-u", "alice"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	if r := call("", "cyrus", "ctl_conversationsdb", "-C", conf, "-A", "alice"); !strings.Contains(r.out, "alice is BROKEN (") {
		t.Errorf("without a record: %+v", r)
	}
	if r := call(dump.out, "cyrus", "ctl_conversationsdb", "-C", conf, "-u", "alice"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	if again := call("", "cyrus", "ctl_conversationsdb", "-C", conf, "-d", "alice"); again.out != dump.out {
		t.Error("a dump that was loaded is another")
	}
	if r := call("", "cyrus", "ctl_conversationsdb", "-C", conf, "-A", "-v", "alice"); !strings.Contains(r.out, "alice is OK") {
		t.Errorf("loaded again: %+v", r)
	}
	off, _ := sampleConf(t, data.ByID, shared)
	if r := call("", "cyrus", "ctl_conversationsdb", "-C", off, "-A", "alice"); r.status != exConfig {
		t.Errorf("without conversations: %+v", r)
	}
}
