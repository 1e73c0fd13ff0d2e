package main

import (
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// forget takes a mailbox out of the list; its files stay.
func (s *store) forget(names ...mboxname.Name) {
	s.Helper()
	for _, n := range names {
		e := s.entry(n)
		for _, k := range []string{"N" + strings.ReplaceAll(string(n), ".", "\x1f"), "I" + e.UniqueID} {
			if r := call("", "cyr_dbtool", "-C", s.path, filepath.Join(s.Layout.ConfigDir, "mailboxes.db"), "twoskip", "delete", k); r.status != 0 {
				s.Fatalf("%+v", r)
			}
		}
	}
}

// TestReconstructLost takes mailboxes out of the list in each layout, and
// finds them again with each of the options for that.
func TestReconstructLost(t *testing.T) {
	for layout, lines := range map[string]string{"by id": "", "by name": "mailbox_legacy_dirs: yes\n"} {
		for _, c := range []struct {
			args, want string
			look, made bool // nothing changes; the mailbox is made anew
		}{
			{args: "-n -f user/a", want: "user/a\ndiscovered user.a.x\n", look: true},
			{args: "-f user/a", want: "user/a\ndiscovered user.a.x\nuser/a/x\ndiscovered user.a.x.y\nuser/a/x/y\n"},
			{args: "-x -f user/a", want: "user/a\ndiscovered user.a.x\nuser.a.x uid 1 found - adding\nuser.a.x uid 2 found - adding\nuser/a/x\ndiscovered user.a.x.y\nuser/a/x/y\n", made: true},
			{args: "-p default user/a/x", want: "user/a/x\n"},
			{args: "-x -p default user/a/x", want: "user.a.x uid 1 found - adding\nuser.a.x uid 2 found - adding\nuser/a/x\n", made: true},
			{args: "-n -P DIR", want: "created mbentry for user.a.x (ID)\n", look: true},
			{args: "-P DIR", want: "created mbentry for user.a.x (ID)\n"},
			{args: "-P DIR/cyrus.header", want: "created mbentry for user.a.x (ID)\n"},
			{args: "-n -d user/a", want: "created mbentry for user.a.x (ID)\ncreated mbentry for user.a.x.y (ID)\nuser/a\n", look: true},
			{args: "-d user/a", want: "created mbentry for user.a.x (ID)\ncreated mbentry for user.a.x.y (ID)\nuser/a\n"},
			{args: "-n -m", want: "created mbentry for user.a.x (ID)\ncreated mbentry for user.a.x.y (ID)\n", look: true},
			{args: "-m", want: "created mbentry for user.a.x (ID)\ncreated mbentry for user.a.x.y (ID)\n"},
			{args: "-m -q", want: ""},
		} {
			t.Run(layout+" "+c.args, func(t *testing.T) {
				s := newStore(t, lines)
				s.make("user.a", "user.a.x", "user.a.x.y")
				s.add("user.a.x", 0, "kw")
				s.add("user.a.x", 0)
				e := s.entry("user.a.x")
				y := s.entry("user.a.x.y")
				dir, err := s.Layout.MailboxDir(e.Partition, e.Name, e.UniqueID, e.Has(mboxlist.LegacyDirs))
				if err != nil {
					t.Fatal(err)
				}
				s.forget("user.a.x", "user.a.x.y")
				args := strings.Fields(strings.ReplaceAll(c.args, "DIR", dir))
				r := call("", append([]string{"reconstruct", "-C", s.path}, args...)...)
				got := strings.NewReplacer(e.UniqueID, "ID", y.UniqueID, "ID").Replace(r.out)
				if r.status != 0 || r.err != "" || got != c.want {
					t.Errorf("%+v, want %q", r, c.want)
				}
				now, err := s.List.Lookup(t.Context(), "user.a.x")
				if c.look {
					if err == nil {
						t.Errorf("there is %+v", now)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if now.ACL.String() != e.ACL.String() || now.Partition != e.Partition || now.Type != e.Type || !c.made && (now.UniqueID != e.UniqueID || now.UIDValidity != e.UIDValidity) {
					t.Errorf("%+v, was %+v", now, e)
				}
				if h := s.header("user.a.x"); h.Exists != 2 || h.LastUID != 2 || h.UIDValidity != now.UIDValidity {
					t.Errorf("%+v, list %+v", h, now)
				}
			})
		}
	}
}

// TestReconstructTwins gives two mailboxes one unique id: with -I the second
// gets one of its own, and keeps its messages where directories have names.
func TestReconstructTwins(t *testing.T) {
	s := newStore(t, "mailbox_legacy_dirs: yes\n")
	s.make("user.a", "user.a.x")
	s.add("user.a", 0)
	s.add("user.a.x", 0)
	a, x := s.entry("user.a"), s.entry("user.a.x")
	twin := *x
	twin.UniqueID = a.UniqueID
	key := "N" + strings.ReplaceAll("user.a.x", ".", "\x1f")
	db := filepath.Join(s.Layout.ConfigDir, "mailboxes.db")
	value := strings.TrimSuffix(call("", "cyr_dbtool", "-C", s.path, db, "twoskip", "get", key).out, "\n")
	in := "SET \"" + key + "\" \"" + strings.ReplaceAll(value, x.UniqueID, a.UniqueID) + "\"\n"
	if r := call(in, "cyr_dbtool", "-C", s.path, db, "twoskip", "batch"); r.status != 0 || r.err != "" {
		t.Fatalf("%+v", r)
	}
	if r := call("", "reconstruct", "-C", s.path, "user/a/x"); r.status != 1 || r.out != "Wrong uniqueid! user.a (should be user.a.x)\n" {
		t.Errorf("%+v", r)
	}
	r := call("", "reconstruct", "-C", s.path, "-I", "user/a/x")
	now := s.entry("user.a.x")
	want := "Wrong uniqueid! user.a (should be user.a.x)\nuniqueid clash with user.a - changed user.a.x (" + a.UniqueID + " => " + now.UniqueID + ")\nuser/a/x\n"
	if r.status != 0 || r.out != want || now.UniqueID == a.UniqueID {
		t.Errorf("%+v, want %q", r, want)
	}
	if h := s.header("user.a.x"); h.Exists != 1 {
		t.Errorf("%+v", h)
	}
	if r := call("", "reconstruct", "-C", s.path, "-r", "user/a"); r.status != 0 || r.out != "user/a\nuser/a/x\n" {
		t.Errorf("afterwards: %+v", r)
	}
}
