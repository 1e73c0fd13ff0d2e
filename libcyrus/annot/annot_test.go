package annot

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/test/data"
)

var ctx = context.Background()

func open(t testing.TB, fsys disk.FS, path string) *Store {
	t.Helper()
	s, err := tryOpen(fsys, path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryOpen(fsys disk.FS, path string) (*Store, error) {
	log := slog.New(slog.DiscardHandler)
	locks := lock.NewTable(fsys, log)
	db, err := cyrusdb.Open(fsys, locks, "twoskip", path, cyrusdb.Create)
	if err != nil {
		return nil, err
	}
	return New(Options{DB: db, FS: fsys, Locks: locks, Log: log, Kind: "twoskip"}), nil
}

func newMem(t testing.TB) *disk.Mem {
	t.Helper()
	m := disk.NewMem()
	if err := errors.Join(m.MkdirAll("/conf", 0o755), m.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestValue(t *testing.T) {
	for _, v := range []Value{
		{Data: []byte{}}, {Data: []byte("x")}, {Data: []byte("a\x00b"), Modseq: 7}, {Modseq: 1 << 40, Deleted: true},
		{Data: bytes.Repeat([]byte("y"), 70000)},
	} {
		got, err := decode(v.encode())
		if err != nil || !bytes.Equal(got.Data, v.Data) || got.Modseq != v.Modseq || got.Deleted != v.Deleted {
			t.Errorf("%+v -> %+v, %v", v, got, err)
		}
	}
	for _, b := range []string{"", "1234567", "\x00\x00\x00\x05\x00\x00\x00\x00abc\x00", "\x00\x00\x00\x01\x00\x00\x00\x00ab\x00"} {
		if v, err := decode([]byte(b)); err == nil {
			t.Errorf("%q: %+v", b, v)
		}
	}
	// without modseq and flags, as Cyrus 2.4 wrote it
	if v, err := decode([]byte("\x00\x00\x00\x01\x00\x00\x00\x00x\x00text/plain\x00\x00\x00\x00\x00\x00\x00\x00\x00")); err != nil || string(v.Data) != "x" {
		t.Errorf("old value: %+v, %v", v, err)
	}
}

func FuzzValue(f *testing.F) {
	f.Add(Value{Data: []byte("x"), Modseq: 7}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decode(b)
		if err != nil {
			return
		}
		if again, err := decode(v.encode()); err != nil || !bytes.Equal(again.Data, v.Data) || again.Deleted != v.Deleted {
			t.Errorf("%q -> %+v -> %+v, %v", b, v, again, err)
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add([]byte("id\x00/comment\x00user\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		scope, k, ok := parseKey(b)
		if !ok {
			return
		}
		if s2, k2, ok := parseKey(k.encode(scope)); !ok || s2 != scope || k2 != k {
			t.Errorf("%q -> %q %+v", b, scope, k)
		}
	})
}

// TestSample reads all annotations of a real spool, and writes each value
// back byte for byte.
func TestSample(t *testing.T) {
	root := data.Unpack(t, data.ByID)
	s := open(t, disk.OS(), root+"/conf/annotations.db")
	defer s.Close()
	n := same(t, s.o.DB)
	files, err := filepath.Glob(root + "/spool*/uuid/*/*/*/cyrus.annotations")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		err := s.pool.Read(f, func(db cyrusdb.DB) error {
			n += same(t, db)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if n < 10 {
		t.Errorf("only %d annotations", n)
	}
	for id, want := range map[string]string{"ydbg467stibin6yuo0e149gt": `\Sent`, "5uzq5sidsmqt73eih9ozuj30": `\Junk`} {
		got, ok, err := s.Get(ctx, Scope{id, "alice"}, Key{SpecialUse, "alice"})
		if err != nil || !ok || string(got) != want {
			t.Errorf("%s: %q, %v, %v", id, got, ok, err)
		}
	}
}

// same checks that the records of a database survive decoding, and counts
// them.
func same(t *testing.T, db cyrusdb.DB) (n int) {
	t.Helper()
	err := db.Scan(ctx, nil, func(kb, vb []byte) (bool, error) {
		n++
		scope, k, ok := parseKey(kb)
		v, err := decode(vb)
		if !ok || err != nil || !bytes.Equal(k.encode(scope), kb) || !bytes.Equal(v.encode(), vb) {
			t.Errorf("%q = %q: %v", kb, vb, err)
		}
		return true, nil
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

func TestSite(t *testing.T) {
	s := open(t, newMem(t), "/conf/annotations.db")
	defer s.Close()
	box, server := Scope{"id1", "alice"}, Scope{}
	for _, c := range []struct {
		sc    Scope
		k     Key
		data  string
		delta int64
	}{
		{box, Key{Comment, ""}, "shared", 6},
		{box, Key{Comment, "alice"}, "mine", 4},
		{box, Key{Comment, "bob"}, "his", 3},
		{box, Key{Comment, ""}, "x", -5},
		{server, Key{Comment, ""}, "server", 6},
		{Scope{"id2", ""}, Key{Expire, ""}, "30", 2},
	} {
		if delta, err := s.Set(ctx, c.sc, c.k, []byte(c.data)); err != nil || delta != c.delta {
			t.Errorf("%+v: %d, %v", c, delta, err)
		}
	}
	if _, ok, err := s.Get(ctx, Scope{"id1", "carol"}, Key{Comment, "alice"}); ok || err != nil {
		t.Errorf("a new owner has the old one's value under his name: %v", err)
	}
	if v, ok, err := s.Get(ctx, Scope{"id1", "carol"}, Key{Comment, "carol"}); !ok || string(v) != "mine" || err != nil {
		t.Errorf("%q, %v, %v", v, ok, err)
	}
	got := map[Key]string{}
	if err := s.Each(ctx, box, func(k Key, v []byte) error { got[k] = string(v); return nil }); err != nil || len(got) != 3 || got[Key{Comment, "alice"}] != "mine" {
		t.Errorf("%v, %v", got, err)
	}
	if delta, err := s.Set(ctx, box, Key{Comment, "bob"}, nil); err != nil || delta != -3 {
		t.Errorf("%d, %v", delta, err)
	}
	if _, ok, err := s.Get(ctx, box, Key{Comment, "bob"}); ok || err != nil {
		t.Errorf("removed: %v", err)
	}
	if err := s.Copy(ctx, box, Scope{"id3", "dave"}); err != nil {
		t.Error(err)
	}
	if v, _, err := s.Get(ctx, Scope{"id3", "dave"}, Key{Comment, "dave"}); string(v) != "mine" || err != nil {
		t.Errorf("copied: %q, %v", v, err)
	}
	if err := s.RemoveAll(ctx, "id1"); err != nil {
		t.Error(err)
	}
	if err := s.Each(ctx, box, func(Key, []byte) error { return errors.New("still there") }); err != nil {
		t.Error(err)
	}
	if v, ok, err := s.Get(ctx, server, Key{Comment, ""}); !ok || string(v) != "server" || err != nil {
		t.Errorf("%q, %v, %v", v, ok, err)
	}
	if err := s.RemoveAll(ctx, ""); !errs.Is(err, errs.BadArgument) {
		t.Errorf("RemoveAll of the server: %v", err)
	}
	if _, err := s.Set(ctx, box, Key{"comment", ""}, []byte("x")); !errs.Is(err, errs.BadArgument) {
		t.Errorf("bad entry: %v", err)
	}
}

func TestMessages(t *testing.T) {
	s := open(t, newMem(t), "/conf/annotations.db")
	defer s.Close()
	m := Messages{"/conf/box/cyrus.annotations", "alice"}
	each := func(uid uint32) (n int) {
		t.Helper()
		err := s.MessageEach(ctx, m, uid, func(a Message, modseq uint64) error {
			if a.User == ownerToken || modseq == 0 {
				t.Errorf("%+v, %d", a, modseq)
			}
			n++
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	if each(0) != 0 {
		t.Error("annotations out of nothing")
	}
	delta, err := s.MessageSet(ctx, m, 5, []Message{
		{UID: 1, Key: Key{Comment, "alice"}, Value: []byte("one")}, {UID: 11, Key: Key{Comment, ""}, Value: []byte("two")}, {UID: 1, Key: Key{Comment, "alice"}, Value: []byte("onemore")},
		{UID: 2, Key: Key{Comment, ""}, Value: nil},
	})
	if err != nil || delta != 10 || each(0) != 2 || each(1) != 1 || each(2) != 0 {
		t.Errorf("%d, %v: %d", delta, err, each(0))
	}
	if delta, err = s.MessageSet(ctx, m, 6, []Message{{UID: 1, Key: Key{Comment, "alice"}, Value: nil}}); err != nil || delta != -7 || each(0) != 1 {
		t.Errorf("%d, %v", delta, err)
	}
	marks := 0
	count := func() {
		marks = 0
		err := s.pool.Read(m.Path, func(db cyrusdb.DB) error {
			return db.Scan(ctx, nil, func(_, v []byte) (bool, error) {
				if v, err := decode(v); err == nil && v.Deleted && v.Modseq == 6 {
					marks++
				}
				return true, nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	}
	if count(); marks != 1 {
		t.Errorf("%d marks of removed annotations", marks)
	}
	if err := s.MessageDrop(ctx, m, []uint32{1, 3}); err != nil {
		t.Error(err)
	}
	if count(); marks != 0 || each(0) != 1 {
		t.Errorf("%d marks left, %d annotations", marks, each(0))
	}
	if err := s.MessageDrop(ctx, m, []uint32{0}); err == nil {
		t.Error("all messages dropped")
	}
}

// TestFaults fails each operation of a change in turn: all annotations of
// a call are there, or none.
func TestFaults(t *testing.T) {
	m := Messages{"/conf/cyrus.annotations", ""}
	set := func(s *Store, v string) error {
		_, err := s.MessageSet(ctx, m, 1, []Message{{UID: 1, Key: Key{Comment, ""}, Value: []byte(v)}, {UID: 2, Key: Key{Comment, ""}, Value: []byte(v)}})
		return err
	}
	for i := 0; ; i++ {
		mem := newMem(t)
		if err := set(open(t, mem, "/conf/annotations.db"), "old"); err != nil {
			t.Fatal(err)
		}
		s, err := tryOpen(disk.FailAt(mem, i), "/conf/annotations.db")
		if err == nil {
			err = set(s, "new")
		}
		for _, d := range []*disk.Mem{mem, mem.Crash(uint64(i))} {
			got := ""
			gerr := open(t, d, "/conf/annotations.db").MessageEach(ctx, m, 0, func(a Message, _ uint64) error {
				got += string(a.Value)
				return nil
			})
			if gerr != nil || got != "newnew" && (err == nil || got != "oldold") {
				t.Errorf("fault %d: %v; then %q, %v", i, err, got, gerr)
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
