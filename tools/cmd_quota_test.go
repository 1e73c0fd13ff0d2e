package main

import (
	"os"
	"path/filepath"
	"testing"

	"gocyrus/test/data"
)

func TestQuota(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, masks: []mask{masking(`MODSEQ \d+`, "MODSEQ N")}}
	r.replay("quota")
}

// TestQuotaLook checks that -n changes no mailbox. (Cyrus's does.)
func TestQuotaLook(t *testing.T) {
	s := newStore(t, "")
	s.make("user.a")
	if _, err := s.Quota.SetLimits(s.ctx, "user.a", [4]int64{1, -1, -1, -1}); err != nil {
		t.Fatal(err)
	}
	s.add("user.a", 0)
	moved := "user.a: quota root (none) --> user.a\n"
	used := "user.a: STORAGE usage was 0, now 80\nuser.a: MESSAGE usage was 0, now 1\nuser.a: X-NUM-FOLDERS usage was 0, now 1\n"
	for _, tt := range []struct{ arg, want string }{{"-n", moved + used}, {"-q", moved}} {
		if r := call("", "quota", "-C", s.path, "-f", "-q", tt.arg); r.status != 0 || r.err != tt.want || r.out != "" {
			t.Errorf("%s: %+v", tt.arg, r)
		}
	}
	if r := call("", "quota", "-C", s.path, "-f", "-q"); r.err != "" {
		t.Errorf("again: %+v", r)
	}
	root, err := s.Quota.Get(s.ctx, "user.a")
	if err != nil || root.Used != [4]int64{80, 1, 0, 1} {
		t.Errorf("%+v, %v", root, err)
	}
}

// TestQuotaSync checks that -Z waits for the file of each mailbox.
func TestQuotaSync(t *testing.T) {
	s := newStore(t, "")
	s.make("user.a")
	if _, err := s.Quota.SetLimits(s.ctx, "user.a", [4]int64{1, -1, -1, -1}); err != nil {
		t.Fatal(err)
	}
	signal := filepath.Join(s.Layout.ConfigDir, "quota-sync", "user.a")
	if err := os.MkdirAll(filepath.Dir(signal), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := call("", "quota", "-C", s.path, "-f", "-Z", "-q"); r.status != 0 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(signal); !os.IsNotExist(err) {
		t.Errorf("file is left: %v", err)
	}
}
