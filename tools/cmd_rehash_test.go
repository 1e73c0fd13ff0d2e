package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/data"
)

// TestRehash changes the hash of a spool with names in all forms, looks
// whether everything is found, and changes it back.
func TestRehash(t *testing.T) {
	conf, root := sampleConf(t, data.Legacy, shared)
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	files := func() string {
		var b strings.Builder
		for _, dir := range []string{"spool", "spool2", "archive", "sieve", "conf/user", "conf/quota", "conf/domain"} {
			_ = filepath.WalkDir(filepath.Join(root, dir), func(path string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					b.WriteString(path + "\n")
				}
				return nil
			})
		}
		return b.String()
	}
	examine := func() string {
		out := call("", "mbexamine", "-C", conf).out + call("", "quota", "-C", conf).out
		return masking(`Path to mailbox: .*`, "").re.ReplaceAllString(out, "")
	}
	contents := examine() // after an unclean boot of the machine this makes counters that are missing
	before := files()
	for _, step := range []struct{ flags, hash, full string }{
		{"-f", "true", "no"}, {"-i", "no", "no"}, {"-i -F", "no", "yes"}, {"-I -F", "true", "yes"},
	} {
		args := append([]string{"rehash", "-v"}, strings.Fields(step.flags)...)
		look := call("", append(args, "-n", conf)...)
		now := files()
		r := call("", append(args, conf)...)
		if r.status != 0 || r.err != "" || look.status != 0 || !strings.Contains(r.out, "rename ") {
			t.Fatalf("%s: %+v", step.flags, r)
		}
		if files() == now {
			t.Errorf("%s: nothing has moved", step.flags)
		}
		for line := range strings.Lines(look.out) {
			if done := strings.Replace(line, "skipped", "done", 1); strings.Contains(line, "rename ") && !strings.Contains(r.out, done) {
				t.Errorf("-n says %s", line)
			}
		}
		lines := strings.Replace(string(text), "fulldirhash: yes", "fulldirhash: "+step.full, 1)
		lines = strings.Replace(lines, "hashimapspool: true", "hashimapspool: "+step.hash, 1)
		if err := os.WriteFile(conf, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := examine(); got != contents {
			t.Errorf("%s: mailboxes or quota roots are not what they were: %s", step.flags, difference(contents, got))
		}
		if r := call("", "rehash", "-v", conf); r.status != 0 || strings.Contains(r.out, "rename ") {
			t.Errorf("%s: a second time: %+v", step.flags, r)
		}
	}
	if after := files(); after != before {
		t.Errorf("back again: %s", difference(before, after))
	}
}

func TestRehashRefuses(t *testing.T) {
	conf, root := sampleConf(t, data.Legacy, shared)
	for _, args := range []string{"", "-h", "-x x", "-n"} {
		if r := call("", append([]string{"rehash"}, strings.Fields(args)...)...); r.status != exMinusOne || !strings.Contains(r.err, "usage: rehash") {
			t.Errorf("%s: %+v", args, r)
		}
	}
	for _, d := range []string{"l/alice.sub", "alice.sub"} {
		if err := os.MkdirAll(filepath.Join(root, "conf/user", d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	r := call("", "rehash", conf)
	if r.status != exMinusOne || !strings.HasPrefix(r.err, "FOUND BOTH ") {
		t.Errorf("two of one name: %+v", r)
	}
}
