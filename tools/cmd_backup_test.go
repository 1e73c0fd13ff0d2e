package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/test/data"
)

// TestBackupRestore goes through the options of both commands.
func TestBackupRestore(t *testing.T) {
	t.Parallel()
	conf, _ := sampleConf(t, data.ByID, "mboxlist_db: twoskip\nannotation_db: twoskip\nduplicate_db: twoskip\nuserdeny_db: flat\n")
	dir := t.TempDir() + "/b"
	for i, tt := range []struct {
		args   string
		status int
		out    string // in the output
		err    string // in standard error; "" is nothing
	}{
		{"backup DIR", exOK, "", ""},
		{"backup -v --keep 5 DIR", exOK, "35 mailboxes, ", ""},
		{"backup --list DIR", exOK, "35 mailboxes, ", ""},
		{"backup --verify DIR", exOK, ": whole, 35 mailboxes", ""},
		{"backup -v --keep 1 --copy DIR", exOK, ": removed\n", ""},
		{"backup --verify DIR/nothing", exNoInput, "", "DIR/nothing: no such file or directory"},
		{"backup", exUsage, "", "usage: cyrus backup"},
		{"backup --list --copy DIR", exUsage, "", "usage: cyrus backup"},
		{"backup --keep 0 DIR", exUsage, "", "--keep 0: at least one is kept\nusage:"},
		{"backup --keep never DIR", exUsage, "", "--keep never: "},
		{"backup --nonsense DIR", exUsage, "", "unrecognized option '--nonsense'\nusage:"},
		{"backup CONF", exTempFail, "", "CONF/lock: not a directory"},
		{"restore -n DIR user alice", exOK, "user/alice: 0 messages would be restored", ""},
		{"restore -v DIR mailbox user/alice 1:2 --into user/bob/Found", exOK, "user/bob/Found: made\nuser/bob/Found: 2 messages restored, 0 were there\n", ""},
		{"restore DIR mailbox user/alice 1:2 --into user/bob/Found", exOK, "0 mailboxes made, 0 messages restored, 2 were there already", ""},
		{"restore -r --at 1s DIR mailbox user/alice --into user/bob/All", exOK, " messages restored, 0 were there already\n", ""},
		{"restore DIR all", exOK, "0 mailboxes made, ", ""},
		{"restore DIR user nobody", exNoInput, "", "the user has no mailbox in the snapshot 2"},
		{"restore DIR mailbox user/alice/Nothing", exNoInput, "", "user/alice/Nothing: Mailbox does not exist: there is no such mailbox in the snapshot"},
		{"restore CONF user alice", exTempFail, "", "not a directory"},
		{"restore --at yesterday DIR user alice", exUsage, "", "--at yesterday: not a time such as"},
		{"restore --guid 12 DIR mailbox user/alice", exUsage, "", "--guid 12: not the 40 hex digits"},
		{"restore DIR mailbox user/alice one", exUsage, "", "one: bad set of UIDs"},
		{"restore DIR", exUsage, "", "usage: cyrus restore"},
		{"restore -r DIR user alice", exUsage, "", "usage: cyrus restore"},
		{"restore --since 2d DIR all", exUsage, "", "usage: cyrus restore"},
		{"restore DIR alice bob", exUsage, "", "usage: cyrus restore"},
	} {
		line := strings.NewReplacer("DIR", dir, "CONF", conf)
		args := strings.Fields(line.Replace(tt.args))
		r := call("", append([]string{"cyrus", args[0], "-C", conf}, args[1:]...)...)
		if r.status != tt.status || !strings.Contains(r.out, tt.out) || !strings.Contains(r.err, line.Replace(tt.err)) || tt.err == "" && r.err != "" {
			t.Errorf("%d: %s: %+v", i, tt.args, r)
		}
	}
	damaged(t, conf, dir)
}

// damaged verifies and lists a snapshot that is not whole.
func damaged(t *testing.T, conf, dir string) {
	t.Helper()
	lists, err := filepath.Glob(dir + "/2*/conf/mailboxes.db")
	if err != nil || len(lists) != 1 {
		t.Fatal(lists, err)
	}
	if err := os.Truncate(lists[0], 10); err != nil {
		t.Fatal(err)
	}
	r := call("", "cyrus", "backup", "-C", conf, "--verify", dir)
	if r.status != exDataErr || !strings.Contains(r.err, "mailboxes.db: Mailbox has an invalid format: the file has 10 octets, not ") || !strings.HasSuffix(r.err, ": 1 faults\n") {
		t.Errorf("damaged: %+v", r)
	}
	if err := os.Truncate(filepath.Dir(filepath.Dir(lists[0]))+"/manifest", 10); err != nil {
		t.Fatal(err)
	}
	r = call("", "cyrus", "backup", "-C", conf, "--list", dir)
	if r.status != exDataErr || !strings.Contains(r.out, "  damaged: ") {
		t.Errorf("damaged: %+v", r)
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", 3600))
	for s, want := range map[string]string{
		"2026-11-22": "2026-11-21T23:00:00Z", "2026-11-22 10:30": "2026-11-22T09:30:00Z", "2026-11-22T10:30:05": "2026-11-22T09:30:05Z",
		"2026-11-22T10:30:05Z": "2026-11-22T10:30:05Z", "20261122T103005Z": "2026-11-22T10:30:05Z", "3h": "2026-11-23T08:00:00Z", "2d": "2026-11-21T11:00:00Z",
	} {
		if got, err := parseTime(s, now); err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "3", "x", "2026-13-01", "-3h"} {
		if got, err := parseTime(s, now); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestSizeText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 octets", 1023: "1023 octets", 1536: "1.5 KiB", 5 << 30: "5.0 GiB"} {
		if got := sizeText(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
