package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// list is the path of the mailbox list of a store.
func (s *store) list() string { return filepath.Join(s.Layout.ConfigDir, "mailboxes.db") }

// TestReconstructUnreadableList makes the list anew with -m when it cannot be
// read: all mailboxes are in it again with their rights and ids, and what was
// there is kept.
func TestReconstructUnreadableList(t *testing.T) {
	text := strings.Repeat("no list at all\n", 40)
	for name, spoil := range map[string]func(b []byte) []byte{
		"other text":   func([]byte) []byte { return []byte(text) },
		"half a list":  func(b []byte) []byte { return b[:len(b)/2] },
		"header gone":  func(b []byte) []byte { return append(bytes.Repeat([]byte{0}, 64), b[64:]...) },
		"records gone": func(b []byte) []byte { return append(b[:64:64], bytes.Repeat([]byte{0xff}, len(b)-64)...) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, "")
			s.make("user.a", "user.a.x", "news")
			s.add("user.a.x", 0, "kw")
			was := []*mboxlist.Entry{s.entry("user.a"), s.entry("user.a.x"), s.entry("news")}
			s.Close()
			b, err := os.ReadFile(s.list())
			if err != nil {
				t.Fatal(err)
			}
			spoiled := spoil(b)
			if err := os.WriteFile(s.list(), spoiled, 0o600); err != nil {
				t.Fatal(err)
			}
			half := name == "half a list" // what is left of it is rescued by whoever opens it
			if r := call("", "reconstruct", "-C", s.path, "-n", "-m"); !half && (r.status != 0 || !strings.Contains(r.out, "the mailbox list cannot be used")) {
				t.Errorf("-n: %+v", r)
			}
			if now, err := os.ReadFile(s.list()); err != nil || !half && !bytes.Equal(now, spoiled) {
				t.Errorf("-n has changed the list (%v)", err)
			}
			r := call("", "reconstruct", "-C", s.path, "-m")
			if r.status != 0 || r.err != "" || !half && !strings.Contains(r.out, "3 mailboxes found") {
				t.Errorf("-m: %+v", r)
			}
			kept := ""
			for _, line := range strings.Split(r.out, "\n") {
				if path, ok := strings.CutPrefix(line, "kept "); ok {
					kept = path
				}
			}
			if now, err := os.ReadFile(kept); !half && (err != nil || !bytes.Equal(now, spoiled)) {
				t.Errorf("kept %q: %v", kept, err)
			}
			fresh := storeAt(t, s.path)
			for _, e := range was {
				now := fresh.entry(e.Name)
				if now.UniqueID != e.UniqueID || now.UIDValidity != e.UIDValidity || now.ACL.String() != e.ACL.String() || now.Partition != e.Partition || now.Type != e.Type {
					t.Errorf("%+v, was %+v", now, e)
				}
			}
			if h := fresh.header("user.a.x"); h.Exists != 1 {
				t.Errorf("%+v", h)
			}
			if r := call("", "reconstruct", "-C", s.path); r.status != 0 || r.out != "user/a\nuser/a/x\nnews\n" {
				t.Errorf("afterwards: %+v", r)
			}
		})
	}
}

// TestReconstructACL has other rights in the list than in cyrus.header: those
// of the header come into force, with -M those of the list, with -n none.
func TestReconstructACL(t *testing.T) {
	for _, c := range []struct {
		args string
		list bool // the list's are right
		look bool
	}{{"", false, false}, {"-n", false, true}, {"-M", true, false}, {"-n -M", true, true}} {
		t.Run(c.args, func(t *testing.T) {
			s := newStore(t, "")
			s.make("user.a", "user.a.x")
			e := s.entry("user.a.x")
			header := e.ACL.String()
			other := *e
			other.ACL = acl.ParseList("a\tlrswipkxtecda\tb\tlrs\t")
			if err := s.List.Load(s.ctx, &other); err != nil {
				t.Fatal(err)
			}
			args := append(append([]string{"reconstruct", "-C", s.path}, strings.Fields(c.args)...), "user/a/x")
			if r := call("", args...); r.status != 0 || r.err != "" {
				t.Errorf("%+v", r)
			}
			want := header
			if c.list {
				want = other.ACL.String()
			}
			list, file := s.entry("user.a.x").ACL.String(), s.headerACL("user.a.x")
			if c.look {
				if list != other.ACL.String() || file != header {
					t.Errorf("changed: list %q, header %q", list, file)
				}
				return
			}
			if list != want || file != want {
				t.Errorf("list %q, header %q, want %q", list, file, want)
			}
		})
	}
}

// headerACL is the rights in a mailbox's cyrus.header.
func (s *store) headerACL(n mboxname.Name) string {
	s.Helper()
	return mailbox.Look(disk.OS(), s.Layout, s.entry(n).Ref()).ACL
}

// TestReconstructExchanged exchanges two files of messages: without -G it is
// found if their sizes differ.
func TestReconstructExchanged(t *testing.T) {
	for _, c := range []struct {
		second, args, want string
	}{
		{"a longer subject", "-n", "user.a uid 1 guid mismatch\nuser.a uid 2 guid mismatch\nuser/a\n"},
		{"a longer subject", "", "user.a uid 1 guid mismatch\nrun reconstruct with -R to fix or -U to remove\nuser.a uid 2 guid mismatch\nrun reconstruct with -R to fix or -U to remove\nuser/a\n"},
		{"a longer subject", "-R", "user.a uid 1 guid mismatch\nuser.a uid 1 marking for uid upgrade\nuser.a uid 2 guid mismatch\nuser.a uid 2 marking for uid upgrade\n" +
			"user.a uid 1 rediscovered - appending\nuser.a uid 2 rediscovered - appending\nuser/a\n"},
		{"owt", "", "user/a\n"}, // the same size
		{"owt", "-G -n", "user.a uid 1 guid mismatch\nuser.a uid 2 guid mismatch\nuser/a\n"},
	} {
		s := newStore(t, "")
		s.make("user.a")
		s.put("user.a", "one", 0)
		s.put("user.a", c.second, 0)
		e := s.entry("user.a")
		dir, err := s.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range [][2]string{{"1.", "x"}, {"2.", "1."}, {"x", "2."}} {
			if err := os.Rename(filepath.Join(dir, step[0]), filepath.Join(dir, step[1])); err != nil {
				t.Fatal(err)
			}
		}
		r := call("", append(append([]string{"reconstruct", "-C", s.path}, strings.Fields(c.args)...), "user/a")...)
		if r.status != 0 || r.err != "" || r.out != c.want {
			t.Errorf("%s %q: %+v\nwant %s", c.second, c.args, r, c.want)
		}
	}
}

// TestReconstructTwinsByID gives two mailboxes one unique id where directories
// have the names of ids: with -I the second begins empty, and the messages stay
// the first's. With -n nothing changes.
func TestReconstructTwinsByID(t *testing.T) {
	s := newStore(t, "")
	s.make("user.a", "user.a.x")
	s.add("user.a", 0)
	a, x := s.entry("user.a"), s.entry("user.a.x")
	key := "N" + strings.ReplaceAll("user.a.x", ".", "\x1f")
	value := strings.TrimSuffix(call("", "cyr_dbtool", "-C", s.path, s.list(), "twoskip", "get", key).out, "\n")
	in := "SET \"" + key + "\" \"" + strings.ReplaceAll(value, x.UniqueID, a.UniqueID) + "\"\n"
	if r := call(in, "cyr_dbtool", "-C", s.path, s.list(), "twoskip", "batch"); r.status != 0 || r.err != "" {
		t.Fatalf("%+v", r)
	}
	const clash = "Wrong uniqueid! user.a (should be user.a.x)\n"
	for _, args := range []string{"", "-n -I"} {
		r := call("", append(append([]string{"reconstruct", "-C", s.path}, strings.Fields(args)...), "user/a/x")...)
		if r.status != 1 || r.out != clash || s.entry("user.a.x").UniqueID != a.UniqueID {
			t.Errorf("%s: %+v", args, r)
		}
	}
	r := call("", "reconstruct", "-C", s.path, "-I", "user/a/x")
	now := s.entry("user.a.x")
	if r.status != 0 || !strings.HasPrefix(r.out, clash+"uniqueid clash with user.a - changed user.a.x (") || now.UniqueID == a.UniqueID {
		t.Errorf("%+v, now %+v", r, now)
	}
	if h := s.header("user.a"); h.Exists != 1 {
		t.Errorf("the first: %+v", h)
	}
	if h := s.header("user.a.x"); h.Exists != 0 {
		t.Errorf("the second: %+v", h)
	}
	s.add("user.a.x", 0)
	if r := call("", "reconstruct", "-C", s.path, "-r", "user/a"); r.status != 0 || r.out != "user/a\nuser/a/x\n" {
		t.Errorf("afterwards: %+v", r)
	}
}
