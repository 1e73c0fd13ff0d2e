package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/data"
)

// sampleConf unpacks a sample and adds lines to its imapd.conf.
func sampleConf(t *testing.T, sample, lines string) (conf, root string) {
	t.Helper()
	root = data.Unpack(t, sample)
	conf = filepath.Join(root, "etc/imapd.conf")
	b, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, append(b, lines...), 0o600); err != nil {
		t.Fatal(err)
	}
	return conf, root
}

// TestTakeoverCheck runs the check on what Cyrus has left, and checks that
// nothing changes.
func TestTakeoverCheck(t *testing.T) {
	berkeley := strings.Repeat("\x00", 12) + "\x62\x31\x05\x00" + strings.Repeat("\x00", 4000)
	old := "(uniqueid k6cjsl4wr9m0611qz80nklk1) 0 default alice\tlrswip\t"
	for _, x := range []struct {
		name, sample, conf string
		files              map[string]string
		status             int
		want               []string
	}{
		{"by id", data.ByID, shared, nil, 0, []string{"shared: ", "of Cyrus 3.6\n", "of version 17", "will work\n"}},
		{"legacy", data.Legacy, shared, nil, 0, []string{"31, 5 deleted ones"}},
		{"own", data.Legacy, "", nil, 0, []string{"own: ", "db.pebble"}},
		{
			"flat", data.Legacy, shared, map[string]string{
				"mailboxes.db":   "$RACL\t\nuser.alice\t" + strings.ReplaceAll(old, "\t", "\xff\x89") + "\nuser.bad\tx\nuser.x\t0 default \n",
				"annotations.db": "user.alice\xff\x80/comment\xff\x80\xff\x80\tvalue\n",
			}, 0,
			[]string{"flat, becomes twoskip", "before 3.6: is converted", "2, 0 deleted ones", "0 are taken from cyrus.header, 1 are new", "1 get new keys", `"user.bad"`, "1 mailboxes have no index that can be read, 1 no"},
		},
		{"berkeley", data.Legacy, shared, map[string]string{"mailboxes.db": berkeley}, exDataErr, []string{"PROBLEM", "mailboxes.db", "cvt_cyrusdb", "will not work: 1 problems"}},
		{"deliver", data.Legacy, "", map[string]string{"deliver.db": berkeley}, exDataErr, []string{"PROBLEM", "move it away"}},
		{"mixture", data.Legacy, "mboxlist_db: twoskip\n", nil, exDataErr, []string{"PROBLEM", "must all be pebble"}},
		{"quota", data.Legacy, shared + "quota_db: twoskip\n", nil, exDataErr, []string{"PROBLEM", "quota_db: twoskip"}},
		{"sql", data.Legacy, strings.Replace(shared, "mboxlist_db: twoskip", "mboxlist_db: sql", 1), nil, exDataErr, []string{"PROBLEM", "type sql"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			conf, root := sampleConf(t, x.sample, x.conf)
			for name, text := range x.files {
				if err := os.WriteFile(filepath.Join(root, "conf", name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			args := takeoverArgs(t, conf)
			before := treeOf(t, root)
			r := call("", args...)
			if r.status != x.status || r.err != "" {
				t.Errorf("status %d, %s", r.status, r.err)
			}
			for _, w := range x.want {
				if !strings.Contains(r.out, w) {
					t.Errorf("%q is not in\n%s", w, r.out)
				}
			}
			if treeOf(t, root) != before {
				t.Error("something was changed")
			}
		})
	}
}

// TestTakeoverOtherHash checks a configuration that looks for all mailboxes in
// other directories.
func TestTakeoverOtherHash(t *testing.T) {
	conf, _ := sampleConf(t, data.Old, shared)
	b, err := os.ReadFile(conf)
	if err == nil {
		err = os.WriteFile(conf, []byte(strings.Replace(string(b), "hashimapspool: true", "hashimapspool: no", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := call("", takeoverArgs(t, conf)...)
	if r.status != exDataErr || !strings.Contains(r.out, "PROBLEM         no mailbox has an index that can be read") {
		t.Errorf("%+v", r)
	}
}

// takeoverArgs is the command line of a check, with a cyrus.conf without ports.
func takeoverArgs(t *testing.T, conf string) []string {
	t.Helper()
	dir := filepath.Dir(conf)
	if err := os.WriteFile(filepath.Join(dir, "cyrus.conf"), []byte("START {\n}\nSERVICES {\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"takeover", "-C", conf, "-M", filepath.Join(dir, "cyrus.conf"), "-p", filepath.Join(dir, "master.pid"), "--check"}
}

// treeOf is the names, sizes and times of all files.
func treeOf(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			b.WriteString(path + fi.ModTime().String() + string(rune(fi.Size())) + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTakeoverUse(t *testing.T) {
	for _, args := range []string{"", "-x --check", "--check more"} {
		r := call("", append([]string{"takeover"}, strings.Fields(args)...)...)
		if r.status != exUsage || !strings.HasSuffix(r.err, takeoverUse) {
			t.Errorf("%s: %+v", args, r)
		}
	}
}

// TestRecoverTakesOver runs ctl_cyrusdb -r on a list from before 3.6.
func TestRecoverTakesOver(t *testing.T) {
	conf, root := sampleConf(t, data.Legacy, shared)
	list := filepath.Join(root, "conf/mailboxes.db")
	old := "user.alice\t0 default alice\xff\x89lrswip\xff\x89\nuser.bob\t%(A %(bob lrswip) P default)\n"
	if err := os.WriteFile(list, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		r := call("", "ctl_cyrusdb", "-C", conf, "-r")
		if r.status != 0 || strings.Contains(r.log, `msg="mailbox list taken over" mailboxes=2 `) != (i == 0) {
			t.Errorf("run %d: %+v", i, r)
		}
	}
	if b, err := os.ReadFile(list + ".OLD"); string(b) != old {
		t.Errorf("the original: %q, %v", b, err)
	}
	if r := call("", "ctl_mboxlist", "-C", conf, "-d"); !strings.Contains(r.out, "k6cjsl4wr9m0611qz80nklk1") || !strings.Contains(r.out, "ervqi5sir9zh87ib8jv9t966") {
		t.Errorf("list: %+v", r)
	}
}
