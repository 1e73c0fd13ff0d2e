package mboxkey

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
)

var ctx = context.Background()

func open(fs disk.FS) *Store {
	return New(Options{
		FS: fs, Locks: lock.NewTable(fs, slog.New(slog.DiscardHandler)), Layout: &mboxname.Layout{ConfigDir: "/conf"}, Kind: "twoskip",
		Home: func(context.Context, string) (string, bool, error) { return "abcdefgh", false, nil },
	})
}

func TestKeys(t *testing.T) {
	m := disk.NewMem()
	s := open(m)
	defer s.Close()
	get := func(n mboxname.Name) []byte {
		k, err := s.Get(ctx, "user1", n)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if get("user.user1") != nil {
		t.Error("a key before it is made")
	}
	if err := errors.Join(s.Remove(ctx, "user1", "user.user1"), s.RemoveAll(ctx, "user1")); err != nil {
		t.Errorf("remove what is not there: %v", err)
	}
	a, err := s.Make(ctx, "user1", "user.user1")
	if err != nil || len(a) != keyLen || bytes.Equal(a, make([]byte, keyLen)) {
		t.Fatalf("Make = %x, %v", a, err)
	}
	again, err := s.Make(ctx, "user1", "user.user1")
	if err != nil || !bytes.Equal(a, again) || !bytes.Equal(a, get("user.user1")) {
		t.Errorf("made again: %x, %v, want %x", again, err, a)
	}
	b, err := s.Make(ctx, "user1", "user.user1.a^b")
	if err != nil || bytes.Equal(a, b) {
		t.Errorf("of another mailbox: %x, %v", b, err)
	}
	if err := s.Remove(ctx, "user1", "user.user1"); err != nil || get("user.user1") != nil || get("user.user1.a^b") == nil {
		t.Errorf("after Remove: %v", err)
	}
	if c, err := s.Make(ctx, "user1", "user.user1"); err != nil || bytes.Equal(a, c) {
		t.Errorf("a key comes back: %v", err)
	}
	if err := s.RemoveAll(ctx, "user1"); err != nil || get("user.user1") != nil || get("user.user1.a^b") != nil {
		t.Errorf("after RemoveAll: %v", err)
	}
}

// TestRecords reads what Cyrus wrote (bytes of a real mboxkey.db), and
// records that nobody may sign with.
func TestRecords(t *testing.T) {
	m := disk.NewMem()
	s := open(m)
	defer s.Close()
	path, err := s.Path(ctx, "user1")
	if err != nil || path != "/conf/user/uuid/a/b/abcdefgh/mboxkey.db" {
		t.Fatalf("%s, %v", path, err)
	}
	for _, c := range []struct {
		record string
		want   string
	}{
		{"\x00\x01\x23\xe3\x88\x41\x6c\xbc\x62\x4e\x89\xde\x67\x82\x88\x8c\x00\xec", "\x23\xe3\x88\x41\x6c\xbc\x62\x4e\x89\xde\x67\x82\x88\x8c\x00\xec"},
		{"\x00\x01", ""}, {"\x00\x02abc", ""}, {"x", ""}, {"", ""},
	} {
		err := s.pool.Use(path, cyrusdb.Create, func(db cyrusdb.DB) error {
			var tx cyrusdb.Tx
			tx.Put([]byte("user.user1"), []byte(c.record))
			return db.Commit(ctx, tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(ctx, "user1", "user.user1")
		if string(got) != c.want || (c.want == "") != errs.Is(err, errs.BadFormat) {
			t.Errorf("%q: %q, %v", c.record, got, err)
		}
		if _, err := s.Make(ctx, "user1", "user.user1"); (err != nil) != (c.want == "") {
			t.Errorf("%q: Make: %v", c.record, err)
		}
	}
}

// TestFaults makes each operation on the disk fail in turn: the secret that a
// user was given is there afterwards, also after a power cut, and one that
// was taken away does not come back.
func TestFaults(t *testing.T) {
	for i := 0; ; i++ {
		m := disk.NewMem()
		s := open(m)
		if _, err := s.Make(ctx, "user1", "user.user1"); err != nil {
			t.Fatal(err)
		}
		s.Close()
		f := open(disk.FailAt(m, i))
		made, makeErr := f.Make(ctx, "user1", "user.user1.a")
		removeErr := f.Remove(ctx, "user1", "user.user1")
		f.Close()
		after := open(m.Crash(uint64(i)))
		got, err := after.Get(ctx, "user1", "user.user1.a")
		if err != nil || makeErr == nil && !bytes.Equal(got, made) {
			t.Errorf("fault %d: Make: %v; then %x, %v, want %x", i, makeErr, got, err, made)
		}
		got, err = after.Get(ctx, "user1", "user.user1")
		if err != nil || removeErr == nil && got != nil {
			t.Errorf("fault %d: Remove: %v; then %x, %v", i, removeErr, got, err)
		}
		after.Close()
		if makeErr == nil && removeErr == nil {
			return
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x00\x01abc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if secret, err := decode(b, "x"); err == nil && len(secret) == 0 {
			t.Errorf("%q is an empty secret", b)
		}
	})
}
