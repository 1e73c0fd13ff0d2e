//go:build reference

package site

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/test/data"
)

var record = flag.Bool("record", false, "make test/data/sample-old.tar.gz anew")

// real runs a program of the real Cyrus on a spool.
func real(t *testing.T, root, tool string, args ...string) string {
	t.Helper()
	s := &Site{Layout: &mboxname.Layout{ConfigDir: root + "/conf"}, Config: load(t, root)}
	return cyrus(t, s, tool, args...)
}

func load(t *testing.T, root string) *config.Config {
	t.Helper()
	c, err := config.Load(filepath.Join(root, "etc/imapd.conf"), "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestMakeOldSample makes the sample of a site that Cyrus before 3.6 has left:
// index files of all versions come from the real reconstruct, the rest is
// written in the forms of that time. With -record it replaces the stored one.
func TestMakeOldSample(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "sample-old")
	data.UnpackInto(t, data.Legacy, root)
	real(t, root, "mbpath", "user/alice") // gives the spool to the Cyrus user
	for v, box := range oldVersions {
		if out := real(t, root, "reconstruct", "-V", fmt.Sprint(v), box); !strings.Contains(out, fmt.Sprintf("to %d", v)) {
			t.Errorf("version %d of %s: %s", v, box, out)
		}
	}
	age(t, root)
	flat := root + "/conf/list.flat"
	if err := os.Rename(root+"/conf/mailboxes.db", flat); err != nil {
		t.Fatal(err)
	}
	real(t, root, "cvt_cyrusdb", flat, "flat", root+"/conf/mailboxes.db", "skiplist")
	conf := root + "/etc/imapd.conf"
	text, err := os.ReadFile(conf)
	if err == nil {
		err = os.WriteFile(conf, bytes.ReplaceAll(text, []byte(root), []byte("@ROOT@")), 0o600)
	}
	if err = errors.Join(err, os.Remove(flat), os.RemoveAll(root+"/conf/lock")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(top, "sample-old.tar.gz")
	if *record {
		out = filepath.Join(data.Dir(), "sample-old.tar.gz")
	}
	cmd := exec.Command("tar", "-C", top, "--sort=name", "--owner=0", "--group=0", "-czf", out, "sample-old")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
}

// oldVersions is which mailbox gets which index version. Below version 12
// nothing is expunged and nothing archived: Cyrus would forget that.
var oldVersions = map[int]string{
	6: "user/alice/Archive", 7: "user/alice/Drafts", 8: "user/alice/Projects", 9: "user/bob", 10: "user/first.last",
	12: "user/alice", 13: "user/carol", 14: "shared", 15: "shared/team", 16: "user/alice/Sent",
}

// age writes list, annotations, headers, subscriptions and a quota root as
// Cyrus before 3.6 did. The list becomes a flat file.
func age(t *testing.T, root string) {
	t.Helper()
	fsys := disk.OS()
	ids, list := map[string]string{}, map[string]string{"$RACL$S$anyone$shared": ""}
	for k, v := range records(t, root+"/conf/mailboxes.db") {
		if k[0] != 'N' {
			continue
		}
		n := string(mboxname.FromDB(k[1:]))
		m := regexp.MustCompile(`^%\(T (\S+) I (\S+) (.*)\)$`).FindStringSubmatch(v)
		typ := strings.TrimPrefix(strings.ReplaceAll(m[1], "l", ""), "e")
		if typ != "" {
			typ = " T " + typ
		}
		if !strings.Contains(typ, "d") {
			ids[m[2]] = n
		}
		list[n] = fmt.Sprintf("%%(I %s %s%s)", m[2], m[3], typ)
	}
	list["user.carol"] = "0 default carol\tlrswipkxtecdan\t"
	list["user.carol.X"] = "(uniqueid 95qj420n2fi7bohdkasdjoq2) 0 default carol\tlrswipkxtecdan\t"
	list["user.alice.Drafts"] = regexp.MustCompile(`I \S+ `).ReplaceAllString(list["user.alice.Drafts"], "")
	list["user.alice.Empty"] = regexp.MustCompile(`I \S+ `).ReplaceAllString(list["user.alice.Empty"], "")
	write(t, "flat", root+"/conf/mailboxes.db", list)

	annots := map[string]string{}
	for k, v := range records(t, root+"/conf/annotations.db") {
		scope, rest, _ := strings.Cut(k, "\x00")
		if scope != "" {
			scope = ids[scope]
		}
		annots[scope+"\x00"+strings.Replace(rest, "/specialuse\x00[.OwNeR.]", "/specialuse\x00alice", 1)] = v
	}
	write(t, "twoskip", root+"/conf/annotations.db", annots)

	headers, err := filepath.Glob(root + "/spool/L/user/alice/*/cyrus.header")
	if err != nil || len(headers) < 5 {
		t.Fatalf("headers: %v, %v", headers, err)
	}
	for _, h := range headers {
		ageHeader(t, h)
	}
	subs := map[string]string{}
	for k := range records(t, root+"/conf/user/L/alice.sub") {
		if rest, ok := strings.CutPrefix(k, "NINBOX"); ok {
			k = "Nuser\x1falice" + rest
		}
		if k[0] == 'N' {
			subs[string(mboxname.FromDB(k[1:]))] = ""
		}
	}
	write(t, "flat", root+"/conf/user/L/alice.sub", subs)
	roots, err := filepath.Glob(root + "/conf/quota/*/user.alice")
	if err != nil || len(roots) != 1 {
		t.Fatalf("quota roots: %v, %v", roots, err)
	}
	b, err := disk.ReadFile(fsys, roots[0])
	m := regexp.MustCompile(`S \((\d+) (\d+)\)`).FindSubmatch(b)
	if err != nil || m == nil {
		t.Fatalf("%s, %v", b, err)
	}
	if err := os.WriteFile(roots[0], fmt.Appendf(nil, "%s\n%s\n", m[1], m[2]), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ageHeader writes cyrus.header in the form of three lines; that of Empty
// without an id.
func ageHeader(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	magic, rest, _ := strings.Cut(string(b), "%(")
	find := func(re string) string {
		if m := regexp.MustCompile(re).FindStringSubmatch(rest); m != nil {
			return m[1]
		}
		return ""
	}
	id := find(` I (\S+)`)
	if strings.Contains(path, "/Empty/") {
		id = ""
	}
	acl := strings.ReplaceAll(find(` A %\(([^)]*)\)`), " ", "\t") + "\t"
	flags := strings.ReplaceAll(find(` U \(([^)]*)\)`), "NIL", "")
	text := magic + find(` Q (\S+)`) + "\t" + id + "\n" + flags + "\n" + acl + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func records(t *testing.T, path string) map[string]string {
	t.Helper()
	fsys := disk.OS()
	db, _, err := cyrusdb.OpenAny(fsys, lock.NewTable(fsys, nil), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	out := map[string]string{}
	if err := db.Scan(context.Background(), nil, func(k, v []byte) (bool, error) { out[string(k)] = string(v); return true, nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func write(t *testing.T, kind, path string, records map[string]string) {
	t.Helper()
	err := cyrusdb.WriteFile(context.Background(), disk.OS(), kind, path, func(fn cyrusdb.ScanFunc) error {
		for _, k := range slices.Sorted(maps.Keys(records)) {
			if _, err := fn([]byte(k), []byte(records[k])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTakeOverLikeCyrus takes the old sample over, and lets the real
// ctl_cyrusdb take over another copy of it. What comes out must be the same
// but for what Cyrus loses: the mailbox that has no id at all.
func TestTakeOverLikeCyrus(t *testing.T) {
	ours, theirs := data.Unpack(t, data.Old), data.Unpack(t, data.Old)
	real(t, theirs, "ctl_cyrusdb", "-r")
	var log bytes.Buffer
	c := sharedConfig(t, ours)
	if done, err := TakeOver(context.Background(), disk.OS(), c, slog.New(slog.NewTextHandler(&log, nil)), nil); !done || err != nil {
		t.Fatalf("%v, %v\n%s", done, err, log.String())
	}
	for _, name := range []string{"mailboxes.db", "annotations.db"} {
		got, want := records(t, ours+"/conf/"+name), records(t, theirs+"/conf/"+name)
		for k, v := range got {
			if strings.Contains(k+v, "Empty") || name == "annotations.db" && k[0] == 0 {
				continue
			}
			w, ok := want[k]
			if mask(v) != mask(w) || !ok {
				t.Errorf("%s: %q is %q, Cyrus has %q, %v", name, k, v, w, ok)
			}
			delete(want, k)
		}
		for k, v := range want {
			t.Errorf("%s: %q is missing, Cyrus has %q", name, k, v)
		}
	}
	for _, db := range []string{"mailboxes.db", "annotations.db"} {
		if out := real(t, ours, "cyr_dbtool", "-n", ours+"/conf/"+db, "twoskip", "consistent"); !strings.Contains(out, "Yes, consistent") {
			t.Errorf("%s: %s", db, out)
		}
	}
	before := len(records(t, ours+"/conf/mailboxes.db"))
	real(t, ours, "ctl_cyrusdb", "-r")
	if after := len(records(t, ours+"/conf/mailboxes.db")); after != before {
		t.Errorf("Cyrus's ctl_cyrusdb -r makes %d records of %d", after, before)
	}
	was, is := real(t, theirs, "reconstruct", "-n", "*"), real(t, ours, "reconstruct", "-n", "*")
	if n := news(was, is); n != "" {
		t.Errorf("reconstruct -n: %s", n)
	}
	s, err := Open(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	compareDump(t, s)
	if e, err := s.List.Lookup(context.Background(), "user.alice.Empty"); err != nil || !e.Has(mboxlist.LegacyDirs) {
		t.Errorf("the one that Cyrus loses: %+v, %v", e, err)
	}
}

// mask hides when an entry was changed.
func mask(v string) string { return regexp.MustCompile(`\bM \d+`).ReplaceAllString(v, "M") }
