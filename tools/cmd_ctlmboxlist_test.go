package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/data"
)

func TestCtlMboxlist(t *testing.T) {
	r := &recording{t: t, sample: data.ByID, masks: []mask{masking(`"mtime": "\d{5,}"`, `"mtime": "TIME"`)}}
	r.replay("ctl_mboxlist")
}

func TestCtlMboxlistUse(t *testing.T) {
	path, _ := conf(t, shared)
	for _, args := range []string{"", "-d -u", "-u -p x", "-v -x", "-d -L", "-d -w", "-d -f a -f b", "-u -y"} {
		r := call("", append([]string{"ctl_mboxlist", "-C", path}, strings.Fields(args)...)...)
		if r.status != exFailure || r.err != ctlMboxlistUse || r.out != "" {
			t.Errorf("%s: %+v", args, r)
		}
	}
	if r := call("", "ctl_mboxlist", "-C", path, "-m"); r.status != 69 || r.err != "fatal error: couldn't get mupdate server name\n" {
		t.Errorf("-m: %+v", r)
	}
	path, _ = conf(t, shared+"mupdate_server: mupdate.example.com\n")
	if r := call("", "ctl_mboxlist", "-C", path, "-m", "-a", "-w", "-i"); r.status != exFailure || r.err != "couldn't connect to mupdate server\n" {
		t.Errorf("-m with a server: %+v", r)
	}
}

// TestCtlMboxlistVerify removes one directory and makes one that is too much.
func TestCtlMboxlistVerify(t *testing.T) {
	for _, sample := range []string{data.ByID, data.Legacy} {
		r := &recording{t: t, sample: sample}
		r.fresh()
		verify := func() string {
			t.Helper()
			res := call("", "ctl_mboxlist", "-C", r.conf(), "-v")
			if res.status != 0 || res.err != "" {
				t.Errorf("%+v", res)
			}
			return strings.ReplaceAll(res.out, r.root, "")
		}
		if sample == data.Legacy { // its list is still of an older Cyrus
			if res := call("", "ctl_cyrusdb", "-C", r.conf(), "-r"); res.status != 0 {
				t.Fatalf("%+v", res)
			}
		}
		if got := verify(); got != "" {
			t.Errorf("%s: %s", sample, got)
		}
		dir := strings.TrimSpace(call("", "mbpath", "-C", r.conf(), "user/bob").out)
		gone := filepath.Join(filepath.Dir(dir), "0x")
		if err := os.Rename(filepath.Join(dir, "cyrus.header"), filepath.Join(dir, "header")); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(gone, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(gone, "cyrus.header"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		name := "0x"
		if sample == data.Legacy {
			name = "user.0x"
		}
		want := "'user.bob' has a DB entry but no directory on partition 'default'\n" +
			"'" + name + "' has a directory '" + strings.TrimPrefix(gone, r.root) + "' but no DB entry\n"
		if got := verify(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", sample, got, want)
		}
	}
}

func TestUndumpErrors(t *testing.T) {
	s := newStore(t, "")
	for in, want := range map[string]string{
		"{\n\"user.x\": ": "parse error at line 2: unexpected EOF\n",
		"[]":              "", // Cyrus looks for members by name
		"{} {}":           "parse error at line 1: end of file expected\n",
		`{"a": 1}`:        "missing uidvalidity for a\nmissing createdmodseq for a\nmissing foldermodseq for a\nmissing mbtype for a\nmissing mbtype for a\n",
		`{"` + strings.Repeat("a", 490) + `": {}}`:                               "mailbox name too long: " + strings.Repeat("a", 490) + "\n",
		`{"a": {"partition": "` + strings.Repeat("a", 64) + `", "mbtype": "e"}}`: "missing uidvalidity for a\nmissing createdmodseq for a\nmissing foldermodseq for a\npartition too long for a\n",
	} {
		if r := call(in, "ctl_mboxlist", "-C", s.path, "-u"); r.status != 0 || r.err != want {
			t.Errorf("%.40s: %+v", in, r)
		}
	}
}

func TestLegacyEntry(t *testing.T) {
	e, err := legacyEntry("user.n\t0 server!default n\tlrs\ta\tr\t>uidn 1 2 3 4 \\Junk")
	if err != nil || e.Name != "user.n" || e.Server != "server" || e.Partition != "default" || e.Type != "e" ||
		e.UniqueID != "uidn" || e.UIDValidity != 2 || e.FolderModseq != 3 || e.CreatedModseq != 4 || e.ACL.String() != "n\tlrs\ta\tr\t" {
		t.Errorf("%+v, %v", e, err)
	}
	for line, want := range map[string]string{
		"nonsense":                               "no partition found",
		"a\t4 default a\tl\t>i 1 2 3 4":          "type 4 is not known",
		"a\t0 default a\tl\t":                    "unique id or numbers are missing",
		strings.Repeat("a", 490) + "\t0 p >":     "mailbox name too long",
		"a\t0 " + strings.Repeat("p", 64) + " >": "partition name too long",
	} {
		if _, err := legacyEntry(line); err == nil || err.Error() != want {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func FuzzReadJSON(f *testing.F) {
	f.Add(`{"a": {"b": ["c", 1, null, true, {}]}, "a": "x"}`)
	f.Fuzz(func(t *testing.T, s string) {
		v, err := readJSON(strings.NewReader(s))
		if err != nil {
			if err.line < 1 {
				t.Errorf("line %d", err.line)
			}
			return
		}
		if o, ok := v.(*orderedJSON); ok {
			o.get("a")
		}
	})
}
