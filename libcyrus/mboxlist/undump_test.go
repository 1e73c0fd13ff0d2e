package mboxlist_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/seen"
	"gocyrus/libcyrus/site"
)

// dumpOf is the files of a dump, by their names.
type dumpOf map[string][]byte

// aDump is that of an INBOX with three messages, the first of which is that of
// every furnished mailbox.
func aDump(t testing.TB) dumpOf {
	t.Helper()
	s := newSite(t, "")
	d := &dialog{s: s, who: user("bob")}
	for range 3 {
		if err := d.append("user.bob"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.List.Subscribe(ctx, user("bob"), "user.bob"); err != nil {
		t.Fatal(err)
	}
	if err := s.Seen.Set(ctx, "bob", "abc", seen.State{LastUID: 7}); err != nil {
		t.Fatal(err)
	}
	e, err := s.List.Lookup(ctx, "user.bob")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	files := map[string]string{"cyrus.header": m.Files().Header, "cyrus.index": m.Files().Index}
	err = m.Each(1, func(r *mailbox.Record) bool {
		files[fmt.Sprint(r.UID, ".")] = m.MessagePath(r)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if files["SEEN"], err = s.Seen.Path(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	if files["SUBS"], err = s.Subs.Path(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	out := dumpOf{"SIEVE-x.bc": []byte("byte code")}
	for name, path := range files {
		if out[name], err = disk.ReadFile(s.FS, path); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// receive puts the files of a dump into an Incoming.
func (d dumpOf) receive(s *site.Site) (*mailbox.Incoming, error) {
	in, err := s.Store.Receive("default")
	if err != nil {
		return nil, err
	}
	for name, data := range d {
		if err := in.Put(name, bytes.NewReader(data), int64(len(data))); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// undumpAlice is an operation for TestCrash: what a dump of bob's INBOX has
// goes to alice's.
func undumpAlice(dump dumpOf) func(s *site.Site) error {
	return func(s *site.Site) error {
		in, err := dump.receive(s)
		if err != nil {
			return err
		}
		limits := quota.NoLimits()
		limits[quota.Storage] = 10
		return s.List.Undump(ctx, admin, "user.alice", in, mboxlist.Dumped{
			Limits:      &limits,
			Annotations: []annot.Row{{Key: annot.Key{Entry: "/comment"}, Value: []byte("new")}},
			Active:      "x.bc",
		})
	}
}

// TestCrashUndump is TestCrash for an UNDUMP.
func TestCrashUndump(t *testing.T) {
	t.Parallel()
	dump := aDump(t)
	for conf, text := range map[string]string{"by id": "", "by name": "mailbox_legacy_dirs: yes\n", "conversed": "conversations: yes\n"} {
		t.Run(conf, func(t *testing.T) {
			t.Parallel()
			step := 12
			switch {
			case *every:
				step = 1
			case raced:
				step = 36
			case conf == "by id":
				step = 2
			}
			crash(t, text, undumpAlice(dump), step)
		})
	}
}

// TestUndump: everything that came with a dump is there, and the stage
// directory is empty.
func TestUndump(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	dump := aDump(t)
	if err := s.List.Subscribe(ctx, user("alice"), "user.bob"); err == nil {
		t.Error("alice may not look up bob's INBOX") // the list is replaced in any case
	}
	if err := undumpAlice(dump)(s); err != nil {
		t.Fatal(err)
	}
	e, err := s.List.Lookup(ctx, "user.alice")
	if err != nil {
		t.Fatal(err)
	}
	if got := pictureBox(t, s, e, 0); !strings.Contains(got, "***") {
		t.Errorf("mailbox: %q", got)
	}
	if st, err := s.Seen.Get(ctx, "alice", "abc"); err != nil || st.LastUID != 7 {
		t.Errorf("seen: %+v, %v", st, err)
	}
	if names, err := s.Subs.List(ctx, "alice"); err != nil || !slices.Equal(names, []mboxname.Name{"user.alice"}) {
		t.Errorf("subscriptions: %q, %v", names, err) // INBOX, whosever it is
	}
	if v, ok, err := s.Annot.Get(ctx, annot.Scope{MailboxID: e.UniqueID, Owner: "alice"}, annot.Key{Entry: "/comment"}); err != nil || !ok || string(v) != "new" {
		t.Errorf("annotation: %q, %v", v, err)
	}
	if r, err := s.Quota.Get(ctx, "user.alice"); err != nil || r.Limit[quota.Storage] != 10 || r.Used[quota.Message] != 3 {
		t.Errorf("quota root: %+v, %v", r, err)
	}
	dir := s.Layout.UserSieveDir("alice", e.UniqueID, false)
	if to, err := s.FS.Readlink(dir + "/defaultbc"); err != nil || to != "x.bc" {
		t.Errorf("active script: %q, %v", to, err)
	}
	if left, err := s.FS.ReadDir(filepath.Clean("/spool/stage.")); err != nil || len(left) > 0 {
		t.Errorf("stage directory: %v, %v", left, err)
	}
}

// TestUndumpRefused: what does not belong together, or is not an admin's,
// changes nothing.
func TestUndumpRefused(t *testing.T) {
	t.Parallel()
	dump := aDump(t)
	limits := quota.NoLimits()
	for name, c := range map[string]struct {
		change func(d dumpOf)
		d      mboxlist.Dumped
		who    mboxlist.Actor
		kind   errs.Kind
	}{
		"index of nothing":     {change: func(d dumpOf) { d["cyrus.index"] = nil }, kind: errs.BadArgument},
		"short index":          {change: func(d dumpOf) { d["cyrus.index"] = d["cyrus.index"][:300] }, kind: errs.BadArgument},
		"no index":             {change: func(d dumpOf) { delete(d, "cyrus.index") }, kind: errs.BadArgument},
		"damaged index":        {change: func(d dumpOf) { d["cyrus.index"][170]++ }, kind: errs.BadArgument},
		"no header":            {change: func(d dumpOf) { delete(d, "cyrus.header") }, kind: errs.BadArgument},
		"damaged header":       {change: func(d dumpOf) { d["cyrus.header"][0]++ }, kind: errs.BadArgument},
		"other message":        {change: func(d dumpOf) { d["2."][3]++ }, kind: errs.BadArgument},
		"longer message":       {change: func(d dumpOf) { d["2."] = append(d["2."], 'x') }, kind: errs.BadArgument},
		"message missing":      {change: func(d dumpOf) { delete(d, "2.") }, kind: errs.BadArgument},
		"seen is no database":  {change: func(d dumpOf) { d["SEEN"] = []byte("abc") }, kind: errs.BadArgument},
		"subs are no database": {change: func(d dumpOf) { d["SUBS"] = []byte("\x00\x01") }, kind: errs.BadArgument},
		"no active script":     {d: mboxlist.Dumped{Active: "y.bc"}, kind: errs.BadArgument},
		"a user":               {who: user("alice"), kind: errs.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "")
			mine := dumpOf{}
			for name, data := range dump {
				mine[name] = bytes.Clone(data)
			}
			if c.change != nil {
				c.change(mine)
			}
			in, err := mine.receive(s)
			if err != nil {
				t.Fatal(err)
			}
			if c.who.User == "" {
				c.who = admin
			}
			c.d.Limits = &limits
			if err := s.List.Undump(ctx, c.who, "user.alice", in, c.d); !errs.Is(err, c.kind) {
				t.Errorf("%v", err)
			}
			e, err := s.List.Lookup(ctx, "user.alice")
			if err != nil {
				t.Fatal(err)
			}
			if got := pictureBox(t, s, e, 0); strings.Contains(got, "*") {
				t.Errorf("mailbox: %q", got)
			}
			if names, err := s.Subs.List(ctx, "alice"); err != nil || len(names) > 0 {
				t.Errorf("subscriptions: %q, %v", names, err)
			}
			for _, dir := range []string{"/spool/stage.", "/conf/unfinished"} {
				if left, _ := s.FS.ReadDir(dir); len(left) > 0 {
					t.Errorf("%s: %v", dir, left)
				}
			}
		})
	}
}

// TestUndumpKeeps: a mailbox with mail of its own is left alone.
func TestUndumpKeeps(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	st, err := s.Store.Stage("default")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Remove()
	fmt.Fprint(st, "Subject: mine\r\n\r\nbody\r\n")
	e, err := s.List.Lookup(ctx, "user.alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store.Append(ctx, e.Ref(), []mailbox.AppendMessage{{Staged: st}}, mailbox.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := undumpAlice(aDump(t))(s); !errs.Is(err, errs.BadArgument) {
		t.Errorf("%v", err)
	}
	if got := pictureBox(t, s, e, 0); strings.Count(got, "*") != 1 {
		t.Errorf("%q", got)
	}
}

// TestDumpedFile: which names mean what, and that none leads elsewhere.
func TestDumpedFile(t *testing.T) {
	for _, c := range []struct {
		name   string
		inbox  bool
		as     string
		active bool
		ok     bool
	}{
		{"cyrus.header", false, "cyrus.header", false, true},
		{"cyrus.index", true, "cyrus.index", false, true},
		{"cyrus.cache", false, "", false, true},
		{"cyrus.foo", false, "", false, false},
		{"12.", false, "12.", false, true},
		{"012.", false, "", false, false},
		{"0.", false, "", false, false},
		{"4294967295.", false, "4294967295.", false, true},
		{"4294967296.", false, "", false, false},
		{".", false, "", false, false},
		{"..", true, "", false, false},
		{"../1.", true, "", false, false},
		{"", true, "", false, false},
		{"SEEN", true, "SEEN", false, true},
		{"SEEN", false, "", false, false},
		{"DAV", true, "", false, true},
		{"SIEVE-a b.bc", true, "SIEVE-a b.bc", false, true},
		{"SIEVED-a.bc", true, "SIEVE-a.bc", true, true},
		{"SIEVE-a.script", true, "SIEVE-a.script", false, true},
		{"SIEVE-a", true, "SIEVE-a", false, false},
		{"SIEVE-.bc", true, "SIEVE-.bc", false, false},
		{"SIEVE-../a.bc", true, "SIEVE-../a.bc", false, false},
		{"SIEVE-a/b.bc", true, "SIEVE-a/b.bc", false, false},
		{"SIEVED-../../a.bc", true, "SIEVE-../../a.bc", true, false},
		{"undump.json", true, "", false, false},
	} {
		as, active, ok := mboxlist.DumpedFile(c.name, c.inbox)
		if ok != c.ok || ok && (as != c.as || active != c.active) {
			t.Errorf("%q: %q, %v, %v", c.name, as, active, ok)
		}
	}
}

// TestUndumpSecrets: those of a dump are added to a user's.
func TestUndumpSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	for _, u := range []string{"alice", "bob"} {
		if _, err := s.MboxKeys.Make(ctx, u, mboxname.Name("user."+u)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := s.MboxKeys.Get(ctx, "bob", "user.bob")
	if err != nil {
		t.Fatal(err)
	}
	path, err := s.MboxKeys.Path(ctx, "bob")
	if err != nil {
		t.Fatal(err)
	}
	data, err := disk.ReadFile(s.FS, path)
	if err != nil {
		t.Fatal(err)
	}
	in, err := dumpOf{"MBOXKEY": data}.receive(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.List.Undump(ctx, admin, "user.alice", in, mboxlist.Dumped{}); err != nil {
		t.Fatal(err)
	}
	own, err := s.MboxKeys.Get(ctx, "alice", "user.alice")
	got, err2 := s.MboxKeys.Get(ctx, "alice", "user.bob")
	if err != nil || err2 != nil || len(own) == 0 || !bytes.Equal(got, want) {
		t.Errorf("%x, %x (not %x), %v, %v", own, got, want, err, err2)
	}
	if _, kind, err := cyrusdb.OpenAny(s.FS, s.Locks, path); err != nil || kind == "" {
		t.Errorf("%q, %v", kind, err)
	}
}
