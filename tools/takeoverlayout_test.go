package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/data"
)

// TestTakeOverLayouts takes the old site over from spools of each kind of
// hash, with metadata beside the messages and on a partition of its own, and
// with either way of making new directories: everything is found, as in the
// one that Cyrus has left.
func TestTakeOverLayouts(t *testing.T) {
	examine := func(conf string) string {
		out := call("", "mbexamine", "-C", conf).out + call("", "quota", "-C", conf).out + call("", "ctl_mboxlist", "-C", conf, "-d").out
		out = masking(`Path to mailbox: .*|"mtime": "\d+"|LASTUPD :\d+`, "").re.ReplaceAllString(out, "")
		return out
	}
	conf, _ := sampleConf(t, data.Old, shared)
	if r := call("", "ctl_cyrusdb", "-C", conf, "-r"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	want := examine(conf)
	if n := strings.Count(want, "Examining "); n < 30 {
		t.Fatalf("only %d mailboxes", n)
	}
	for _, tt := range []struct {
		hash, full, newDirs string
		meta                bool
	}{
		{"true", "no", "yes", false}, {"no", "no", "yes", false}, {"no", "yes", "no", false}, {"true", "yes", "no", true}, {"no", "no", "no", true},
	} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			conf, root := sampleConf(t, data.Old, shared)
			text, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.NewReplacer("fulldirhash: yes", "fulldirhash: "+tt.full, "hashimapspool: true", "hashimapspool: "+tt.hash,
				"mailbox_legacy_dirs: yes", "mailbox_legacy_dirs: "+tt.newDirs).Replace(string(text))
			if tt.meta {
				lines += "metapartition-default: " + root + "/meta\nmetapartition_files: header index cache annotations\n"
			}
			if err := os.WriteFile(conf, []byte(lines), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := call("", "rehash", conf); r.status != 0 {
				t.Fatalf("%+v", r)
			}
			if tt.meta {
				moveMeta(t, filepath.Join(root, "spool"), filepath.Join(root, "meta"))
			}
			check := call("", takeoverArgs(t, conf)...)
			if check.status != 0 || !strings.Contains(check.out, "the take-over will work\n") {
				t.Errorf("%+v", check)
			}
			for range 2 {
				if r := call("", "ctl_cyrusdb", "-C", conf, "-r"); r.status != 0 {
					t.Fatalf("%+v", r)
				}
			}
			if got := examine(conf); got != want {
				t.Error(difference(want, got))
			}
		})
	}
}

// moveMeta moves what is not messages to the same place below another root.
func moveMeta(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), "cyrus.") {
			return err
		}
		dst := filepath.Join(to, strings.TrimPrefix(path, from))
		if err := os.MkdirAll(filepath.Dir(dst), 0o700); err != nil {
			return err
		}
		return os.Rename(path, dst)
	})
	if err != nil {
		t.Fatal(err)
	}
}
