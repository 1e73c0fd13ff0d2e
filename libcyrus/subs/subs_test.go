package subs

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/test/data"
)

var ctx = context.Background()

func open(fsys disk.FS, layout *mboxname.Layout, ids map[string]string) *Store {
	log := slog.New(slog.DiscardHandler)
	return New(Options{FS: fsys, Locks: lock.NewTable(fsys, log), Layout: layout, Log: log, Kind: "flat",
		Home: func(_ context.Context, user string) (string, bool, error) { return ids[user], ids[user] == "", nil }})
}

func newMem(t *testing.T) *disk.Mem {
	t.Helper()
	m := disk.NewMem()
	if err := errors.Join(m.MkdirAll("/conf", 0o755), m.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return m
}

var plain = &mboxname.Layout{ConfigDir: "/conf"}

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		user string
		n    mboxname.Name
		key  string
	}{
		{"alice", "user.alice", "NINBOX"},
		{"alice", "user.alice.a^b.c", "NINBOX\x1fa.b\x1fc"},
		{"alice", "user.alicex", "Nuser\x1falicex"},
		{"alice", "user.bob.x", "Nuser\x1fbob\x1fx"},
		{"alice", "shared.team", "Nshared\x1fteam"},
		{"erin@other.test", "other.test!user.erin.x", "NINBOX\x1fx"},
		{"erin@other.test", "other.test!shared", "Nother.test\x1dshared"},
	} {
		if got := string(key(c.user, c.n)); got != c.key {
			t.Errorf("%s %s: %q, want %q", c.user, c.n, got, c.key)
		}
		if got := name(c.user, c.key); got != c.n {
			t.Errorf("%s %q: %s, want %s", c.user, c.key, got, c.n)
		}
	}
	for _, k := range []string{"", "N", versionKey, "user.x"} {
		if got := name("alice", k); got != "" {
			t.Errorf("%q: %s", k, got)
		}
	}
	if got := name("alice", "NINBOXES"); got != "INBOXES" {
		t.Error(got)
	}
}

func FuzzName(f *testing.F) {
	f.Add("NINBOX\x1fa.b")
	f.Fuzz(func(t *testing.T, k string) {
		n := name("alice", k)
		if n == "" || mboxname.DefaultRules().Valid(n) != nil {
			return
		}
		if again := name("alice", string(key("alice", n))); again != n {
			t.Errorf("%q -> %q -> %q", k, n, again)
		}
	})
}

// TestSample changes a real list and leaves it as Cyrus would.
func TestSample(t *testing.T) {
	root := data.Unpack(t, data.ByID)
	s := open(disk.OS(), &mboxname.Layout{ConfigDir: root + "/conf"}, map[string]string{"alice": "97v3vdf2pl2vwd9g0yyim5wh"})
	defer s.Close()
	want := []mboxname.Name{"shared", "shared.&AUEA8w-d&AXo-", "user.alice", "user.alice.&ZeVnLIqe-", "user.alice.Filed", "user.alice.Projects"}
	got, err := s.List(ctx, "alice")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	path, err := s.Path(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do   func(context.Context, string, mboxname.Name) (bool, error)
		n    mboxname.Name
		want bool
	}{
		{s.Add, "user.alice.new", true}, {s.Add, "user.alice.new", false}, {s.Add, "user.alice", false},
		{s.Remove, "user.alice.new", true}, {s.Remove, "user.alice.new", false},
	} {
		if changed, err := step.do(ctx, "alice", step.n); changed != step.want || err != nil {
			t.Errorf("%s: %v, %v", step.n, changed, err)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("%q became %q, %v", before, after, err)
	}
	for n, want := range map[mboxname.Name]bool{"user.alice": true, "user.alice.x": false} {
		if has, err := s.Has(ctx, "alice", n); has != want || err != nil {
			t.Errorf("%s: %v, %v", n, has, err)
		}
	}
}

// TestNew has the file that a first subscription makes.
func TestNew(t *testing.T) {
	m := newMem(t)
	s := open(m, plain, map[string]string{"alice": "abc"})
	defer s.Close()
	if l, err := s.List(ctx, "alice"); err != nil || len(l) > 0 {
		t.Errorf("%q, %v", l, err)
	}
	if _, err := s.Remove(ctx, "nobody", "x"); err != nil {
		t.Error(err)
	}
	if _, err := s.Add(ctx, "alice", "user.alice.x"); err != nil {
		t.Fatal(err)
	}
	b, err := disk.ReadFile(m, "/conf/user/uuid/a/b/abc/sub.db")
	if want := "\x1fVER\x1f\t2\nNINBOX\x1fx\t\n"; err != nil || string(b) != want {
		t.Errorf("%q, %v", b, err)
	}
}

// TestUpgrade reads a list of Cyrus 3.4.
func TestUpgrade(t *testing.T) {
	m := newMem(t)
	const path = "/conf/user/a/alice.sub"
	if err := errors.Join(m.MkdirAll("/conf/user/a", 0o755), disk.Replace(m, path, []byte("shared\t\nuser.alice\t\nuser.alice.a^b\t\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s := open(m, plain, nil)
	defer s.Close()
	want := []mboxname.Name{"shared", "user.alice", "user.alice.a^b"}
	for range 2 {
		if got, err := s.List(ctx, "alice"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, %v", got, err)
		}
	}
	b, err := disk.ReadFile(m, path)
	if want := "\x1fVER\x1f\t2\nNINBOX\t\nNINBOX\x1fa.b\t\nNshared\t\n"; err != nil || string(b) != want {
		t.Errorf("%q, %v", b, err)
	}
}

// TestFaults fails each operation of a change, and of the conversion of an
// old list, in turn.
func TestFaults(t *testing.T) {
	const path = "/conf/user/a/alice.sub"
	for _, old := range []string{"\x1fVER\x1f\t2\nNINBOX\t\n", "user.alice\t\n"} {
		for i := 0; ; i++ {
			m := newMem(t)
			err := errors.Join(m.MkdirAll("/conf/user/a", 0o755), m.SyncDir("/conf"), m.SyncDir("/conf/user"), disk.ReplaceSync(m, path, []byte(old), 0o600))
			if err != nil {
				t.Fatal(err)
			}
			_, err = open(disk.FailAt(m, i), plain, nil).Add(ctx, "alice", "shared")
			for _, d := range []*disk.Mem{m, m.Crash(uint64(i))} {
				got, gerr := open(d, plain, nil).List(ctx, "alice")
				all := slices.Equal(got, []mboxname.Name{"shared", "user.alice"})
				if gerr != nil || !all && (err == nil || !slices.Equal(got, []mboxname.Name{"user.alice"})) {
					t.Errorf("fault %d: Add = %v; then %q, %v", i, err, got, gerr)
				}
			}
			if err == nil {
				break
			}
			if !errors.Is(err, disk.ErrInjected) {
				t.Fatalf("fault %d: %v", i, err)
			}
		}
	}
}
