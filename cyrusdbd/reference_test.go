//go:build reference

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReferenceStopsAtMarkers: no program of the real Cyrus takes a site in
// own mode for an empty one. It stops, mostly with status 75, and
// changes nothing.
func TestReferenceStopsAtMarkers(t *testing.T) {
	dir, err := os.MkdirTemp("", "marker")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	own := newSiteIn(t, dir)
	for _, d := range []string{"conf/quota/a", "conf/proc", "conf/lock", "spool/a/user/alice", "sieve"} {
		os.MkdirAll(filepath.Join(dir, d), 0o755)
	}
	cmd := own.run()
	cmd.Process.Kill()
	cmd.Wait()
	own.write("conf/quota/a/user.alice", "%(S (100 1000))\n")
	own.write("spool/a/user/alice/1.", "From: a\r\n\r\nb\r\n")
	if out, err := exec.Command("chown", "-R", "cyrus:mail", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	os.Chmod(dir, 0o755)
	conf := own.read("imapd.conf") + strings.Join(sharedMode, "\n") + "\nadmins: cyrus\nhashimapspool: yes\nsievedir: " + dir + "/sieve\n"
	if err := os.WriteFile(dir+"/shared.conf", []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	names := []string{"conf/mailboxes.db", "conf/annotations.db", "conf/deliver.db", "conf/user_deny.db", "conf/quota/a/user.alice", "spool/a/user/alice/1."}
	before := map[string]string{}
	for _, n := range names {
		before[n] = own.read(n)
	}
	for _, c := range [][]string{
		{"ctl_mboxlist", "-d"}, {"ctl_mboxlist", "-v"}, {"quota", "-f"}, {"quota"}, {"reconstruct", "-r", "user.alice"},
		{"cyr_expire", "-E", "1"}, {"mbpath", "user.alice"}, {"ctl_cyrusdb", "-r"}, {"unexpunge", "-l", "user.alice"}, {"ipurge", "-d", "1"},
	} {
		cmd := exec.Command("/usr/lib/cyrus/bin/"+c[0], append([]string{"-C", dir + "/shared.conf"}, c[1:]...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		want := 75
		if c[0] == "cyr_expire" {
			want = 1 // it has looked at deliver.db first
		}
		if !errors.As(err, &exit) || exit.ExitCode() != want {
			t.Errorf("%q: %v, %s", c, err, bytes.TrimSpace(out))
		}
		for _, n := range names {
			if got := own.read(n); got != before[n] {
				t.Errorf("%q changed %s: %q", c, n, got)
			}
		}
	}
}
