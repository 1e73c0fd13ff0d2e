package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/test/data"
)

func TestIpurge(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, masks: []mask{masking(`Expg: .*`, "Expg: TIME")}}
	r.replay("ipurge")
}

// TestDeliveries is about ctl_deliver, cyr_deny and cyr_userseen.
func TestDeliveries(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, masks: []mask{masking(`NOW: \d+`, "NOW: TIME")}}
	r.replay("ctl_deliver")
}

func TestPurgeChosen(t *testing.T) {
	now := time.Unix(100*86400, 0)
	at := func(days int64) mailbox.Stamp { return mailbox.Stamp(now.Unix() - days*86400) }
	old := mailbox.Record{SentDate: at(10), InternalDate: at(1), Size: 500}
	for name, tt := range map[string]struct {
		purge purge
		want  bool
	}{
		"older":           {purge{days: 9, size: -1}, true},
		"as old":          {purge{days: 10, size: -1}, false},
		"exactly":         {purge{days: 10, size: -1, exact: true}, true},
		"not exactly":     {purge{days: 10, size: -1, exact: true, invert: true}, false},
		"newer":           {purge{days: 11, size: -1, invert: true}, true},
		"not newer":       {purge{days: 9, size: -1, invert: true}, false},
		"delivered":       {purge{days: 9, size: -1, delivered: true}, false},
		"larger":          {purge{days: -1, size: 499}, true},
		"one of the two":  {purge{days: 50, size: 499}, true},
		"only if deleted": {purge{days: 9, size: -1, deleted: true}, false},
	} {
		tt.purge.now = now
		if got := tt.purge.chosen(&old); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	old.Flags = mailbox.Flagged
	if p := (purge{now: now, days: 9, size: -1, flagged: true}); p.chosen(&old) {
		t.Error("flagged")
	}
}

// TestDenyEndsSessions answers for a worker.
func TestDenyEndsSessions(t *testing.T) {
	s := newStore(t, "")
	dir := filepath.Join(s.Layout.ConfigDir, "socket")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "ctl.77"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewScanner(conn)
		for in.Scan() {
			if in.Text() == "LIST" {
				fmt.Fprint(conn, "session-1\t9000000\thost [ip]\talice\t\t\nsession-2\t9000001\thost [ip]\tbob\t\t\n")
			} else {
				got <- in.Text()
			}
			fmt.Fprint(conn, "OK 1\n")
		}
	}()
	if r := call("", "cyr_deny", "-C", s.path, "alice"); r.status != 0 || r.err != "" {
		t.Fatalf("%+v", r)
	}
	select {
	case line := <-got:
		if line != "END session session-1" {
			t.Errorf("asked for %q", line)
		}
	case <-time.After(time.Minute):
		t.Error("worker was not asked")
	}
}
