package seen

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/test/data"
)

var ctx = context.Background()

func open(fsys disk.FS, layout *mboxname.Layout, home mboxname.Home) *Store {
	log := slog.New(slog.DiscardHandler)
	return New(Options{FS: fsys, Locks: lock.NewTable(fsys, log), Layout: layout, Log: log, Kind: "twoskip", Home: home})
}

// inboxes says where the users of a test live.
func inboxes(ids map[string]string) mboxname.Home {
	return func(_ context.Context, user string) (string, bool, error) { return ids[user], false, nil }
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

func TestUIDs(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "1": "1", "1:3": "1:3", "3:1": "1:3", "1,2,3": "1:3", "5,1:2,3": "1:3,5", "1:5,2:3": "1:5",
		"4294967295,1:4294967294": "1:4294967295",
	} {
		u, err := ParseUIDs(in)
		if err != nil || u.String() != want {
			t.Errorf("%q: %q, %v", in, u, err)
		}
	}
	for _, in := range []string{"0", "1:", ":1", "1:0", "x", "1,,2", "4294967296", "1:*", "-1"} {
		if u, err := ParseUIDs(in); err == nil {
			t.Errorf("%q: %q", in, u)
		}
	}
	u, _ := ParseUIDs("1:10,20:30")
	for uid, want := range map[uint32]bool{1: true, 10: true, 11: false, 25: true, 31: false, 0: false} {
		if u.Has(uid) != want {
			t.Errorf("Has(%d)", uid)
		}
	}
	if got := u.Remove(5, 22).String(); got != "1:4,23:30" {
		t.Error(got)
	}
	if got := u.Add(11, 19).String(); got != "1:30" {
		t.Error(got)
	}
	if got := u.Add(5, 4).String(); got != "1:10,20:30" || u.String() != got {
		t.Error(got)
	}
}

func FuzzUIDs(f *testing.F) {
	f.Add("1:3,7", uint32(2), uint32(5))
	f.Fuzz(func(t *testing.T, s string, a, b uint32) {
		u, err := ParseUIDs(s)
		if err != nil {
			return
		}
		if again, err := ParseUIDs(u.String()); err != nil || again.String() != u.String() {
			t.Errorf("%q -> %q -> %q", s, u, again)
		}
		if a == 0 || a > b {
			return
		}
		if v := u.Add(a, b); !v.Has(a) || !v.Has(b) {
			t.Errorf("%q + %d:%d = %q", u, a, b, v)
		}
		if v := u.Remove(a, b); v.Has(a) || v.Has(b) || v.Add(a, b).String() != u.Add(a, b).String() {
			t.Errorf("%q - %d:%d = %q", u, a, b, v)
		}
	})
}

func TestState(t *testing.T) {
	for _, v := range []string{"1 1795435623 4 1795435622 1,3", "1 0 0 0 ", "1 5 4 3 1:7"} {
		s, err := decode([]byte(v))
		if err != nil || string(s.encode()) != v {
			t.Errorf("%q -> %q, %v", v, s.encode(), err)
		}
	}
	for _, v := range []string{"", "2 0 0 0 ", "1 0 0", "1 x 0 0 ", "1 0 -1 0 ", "1 0 0 0 0"} {
		if s, err := decode([]byte(v)); err == nil {
			t.Errorf("%q: %+v", v, s)
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add([]byte("1 1795435623 4 1795435622 1,3"))
	f.Fuzz(func(t *testing.T, v []byte) {
		s, err := decode(v)
		if err != nil {
			return
		}
		if again, err := decode(s.encode()); err != nil || !bytes.Equal(again.encode(), s.encode()) {
			t.Errorf("%q -> %q", v, s.encode())
		}
	})
}

// TestSample has what bob and carol have read of alice's mailboxes, from a
// real Cyrus; each value is written back byte for byte.
func TestSample(t *testing.T) {
	root := data.Unpack(t, data.ByID)
	ids := map[string]string{"bob": "omh7hek6a04oirtv85f0ynjq", "carol": "8tr9gh9k58re3fzyfxlzonpi"}
	s := open(disk.OS(), &mboxname.Layout{ConfigDir: root + "/conf"}, inboxes(ids))
	defer s.Close()
	const projects = "4ud6hgwusp3cdrnqak4aih0u"
	for user, want := range map[string]string{"bob": "1,3", "carol": "2,4", "cyrus": ""} {
		st, err := s.Get(ctx, user, projects)
		if err != nil || st.Seen.String() != want {
			t.Errorf("%s: %+v, %v", user, st, err)
		}
		path, err := s.Path(ctx, user)
		if err != nil {
			t.Fatal(err)
		}
		err = s.pool.Read(path, func(db cyrusdb.DB) error {
			return db.Scan(ctx, nil, func(k, v []byte) (bool, error) {
				if st, err := decode(v); err != nil || !bytes.Equal(st.encode(), v) {
					t.Errorf("%s %s: %q -> %q, %v", user, k, v, st.encode(), err)
				}
				return true, nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestStore(t *testing.T) {
	s := open(newMem(t), plain, inboxes(map[string]string{"a": "id1"}))
	defer s.Close()
	if st, err := s.Get(ctx, "a", "box"); err != nil || st.LastUID != 0 || st.Seen != nil {
		t.Errorf("nothing yet: %+v, %v", st, err)
	}
	if err := s.Remove(ctx, "a", "box"); err != nil {
		t.Error(err)
	}
	for i := uint32(1); i <= 3; i++ {
		err := s.Update(ctx, "a", "box", func(st *State) { st.Seen, st.LastUID = st.Seen.Add(i, i), i })
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Set(ctx, "a", "other", State{LastRead: 7}); err != nil {
		t.Fatal(err)
	}
	if st, err := s.Get(ctx, "a", "box"); err != nil || st.Seen.String() != "1:3" || st.LastUID != 3 {
		t.Errorf("%+v, %v", st, err)
	}
	n := 0
	if err := s.Each(ctx, "a", func(string, State) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	if err := s.Remove(ctx, "a", "box"); err != nil {
		t.Error(err)
	}
	if st, err := s.Get(ctx, "a", "box"); err != nil || st.Seen != nil {
		t.Errorf("removed: %+v, %v", st, err)
	}
	if err := s.Each(ctx, "nobody", func(string, State) error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestFaults fails each operation of an update in turn.
func TestFaults(t *testing.T) {
	home := inboxes(map[string]string{"a": "id1"})
	for i := 0; ; i++ {
		m := newMem(t)
		if err := open(m, plain, home).Set(ctx, "a", "box", State{LastUID: 1}); err != nil {
			t.Fatal(err)
		}
		err := open(disk.FailAt(m, i), plain, home).Set(ctx, "a", "box", State{LastUID: 2})
		for _, d := range []*disk.Mem{m, m.Crash(uint64(i))} {
			st, gerr := open(d, plain, home).Get(ctx, "a", "box")
			if gerr != nil || st.LastUID != 2 && (err == nil || st.LastUID != 1) {
				t.Errorf("fault %d: Set = %v; then %+v, %v", i, err, st, gerr)
			}
		}
		if err == nil {
			return
		}
		if !errors.Is(err, disk.ErrInjected) {
			t.Fatalf("fault %d: %v", i, err)
		}
	}
}
