package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/mailbox"
	"gocyrus/test/data"
)

func TestReconstruct(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, masks: []mask{masking(`chk_cyrus/[^ ]*`, "chk_cyrus")}}
	r.replay("reconstruct")
}

// TestReconstructSound checks that sound mailboxes stay as they are, to the
// octet.
func TestReconstructSound(t *testing.T) {
	r := &recording{t: t, sample: data.ByID}
	r.fresh()
	read := func() map[string]string {
		all := map[string]string{}
		for _, pattern := range []string{"spool/uuid/*/*/*/*", "spool2/uuid/*/*/*/*", "conf/quota/*/*"} {
			names, err := filepath.Glob(filepath.Join(r.root, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				b, err := os.ReadFile(n)
				if err != nil {
					t.Fatal(err)
				}
				all[strings.TrimPrefix(n, r.root)] = string(b)
			}
		}
		return all
	}
	// The first look repairs the two that Cyrus has left with wrong counters.
	call("", "reconstruct", "-C", r.conf(), "-q")
	before := read()
	res := call("", "reconstruct", "-C", r.conf(), "-G")
	if res.status != 0 || res.err != "" || strings.Contains(res.out, "uid") {
		t.Errorf("%+v", res)
	}
	after := read()
	for name := range after {
		if before[name] != after[name] && !strings.Contains(name, "/quota/") {
			t.Errorf("%s changed", name)
		}
	}
	if len(before) != len(after) || len(after) < 50 {
		t.Errorf("%d files, then %d", len(before), len(after))
	}
}

// TestReconstructContents damages a message, and loses one and finds another.
func TestReconstructContents(t *testing.T) {
	s := newStore(t, "")
	s.make("user.a")
	for range 3 {
		s.add("user.a", 0)
	}
	e := s.entry("user.a")
	dir, err := s.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "2."))
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Replace(text, []byte("body"), []byte("BODY"), 1)
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("2.", damaged)
	write("odd.txt", nil)
	write("4.", text)
	if err := os.Remove(filepath.Join(dir, "1.")); err != nil {
		t.Fatal(err)
	}
	odd := "user.a odd file " + dir + "/odd.txt\nrun reconstruct with -O to remove odd files\n"
	for _, tt := range []struct{ args, want string }{
		{"-n", odd + "user.a uid 1 not found\nuser.a uid 4 found - adding\nuser/a\n"},
		{"-n -s", odd + "user.a uid 1 not found\nuser.a uid 4 found - adding\nuser/a\n"},
		{"-n -G", odd + "user.a uid 1 not found\nuser.a uid 2 guid mismatch\nuser.a uid 4 found - adding\nuser/a\n"},
		{"-G", odd + "user.a uid 1 not found\nuser.a uid 2 guid mismatch\nrun reconstruct with -R to fix or -U to remove\nuser.a uid 4 found - adding\nuser/a\n"},
		{"-G -o", "user.a uid 2 guid mismatch\nrun reconstruct with -R to fix or -U to remove\nuser/a\n"},
	} {
		r := call("", append(append([]string{"reconstruct", "-C", s.path}, strings.Fields(tt.args)...), "user/a")...)
		if r.status != 0 || r.err != "" || r.out != tt.want {
			t.Errorf("%s: %+v\nwant %s", tt.args, r, tt.want)
		}
	}
	if h := s.header("user.a"); h.Exists != 3 || h.LastUID != 4 {
		t.Errorf("%d messages, last uid %d", h.Exists, h.LastUID)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "4.")); err != nil || !bytes.Equal(got, text) {
		t.Errorf("found message: %q, %v", got, err)
	}
}

// TestReconstructRediscovered finds the file of a UID that is gone for
// good: it must not come back under that UID.
func TestReconstructRediscovered(t *testing.T) {
	s := newStore(t, "")
	s.make("user.a")
	for range 2 {
		s.add("user.a", 0)
	}
	e := s.entry("user.a")
	dir, err := s.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "1."))
	if err != nil {
		t.Fatal(err)
	}
	s.expunge("user.a", 1)
	if _, _, err := s.Store.Cleanup(context.Background(), e.Ref(), mailbox.CleanupOptions{ExpungedBefore: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "1."), text, 0o600); err != nil {
		t.Fatal(err)
	}
	r := call("", "reconstruct", "-C", s.path, "user/a")
	if r.status != 0 || r.out != "user.a uid 1 rediscovered - appending\nuser/a\n" {
		t.Errorf("%+v", r)
	}
	if h := s.header("user.a"); h.Exists != 2 || h.LastUID != 3 {
		t.Errorf("%d messages, last uid %d", h.Exists, h.LastUID)
	}
	if _, err := os.Stat(filepath.Join(dir, "1.")); !os.IsNotExist(err) {
		t.Errorf("old file: %v", err)
	}
}
