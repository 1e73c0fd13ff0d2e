package counters

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"log/slog"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
)

var ctx = context.Background()

// old is a file of an older version, with field i as i+1.
func old(version, n int) []byte {
	b := be.AppendUint32(nil, 7)
	b = be.AppendUint32(b, uint32(version))
	for i := range n {
		b = be.AppendUint64(b, uint64(i+1))
	}
	b = be.AppendUint32(b, 99)
	return be.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func TestVersions(t *testing.T) {
	for v, n := range counts {
		if n == 0 {
			continue
		}
		c, err := decode(old(v, n))
		if err != nil || c.UIDValidity != 99 || c.Generation != 7 || c.Modseqs[n-1] != uint64(n) || n < fields && c.Modseqs[n] != 0 {
			t.Errorf("version %d: %+v, %v", v, c, err)
		}
		again, err := decode(c.encode())
		if err != nil || again != c {
			t.Errorf("version %d: %+v, %v", v, again, err)
		}
	}
	for _, b := range [][]byte{{1}, old(10, 35), old(9, 34), old(9, 35)[:290], append(old(9, 35)[:50], old(9, 35)[51:]...)} {
		if c, err := decode(b); err == nil {
			t.Errorf("%x: %+v", b, c)
		}
	}
}

func FuzzCounters(f *testing.F) {
	f.Add(old(1, 5))
	f.Add(old(9, 35))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decode(b)
		if err != nil {
			return
		}
		if again, err := decode(c.encode()); err != nil || again != c {
			t.Errorf("%x: %+v, %v", b, again, err)
		}
	})
}

func TestCount(t *testing.T) {
	var c Counters
	if n := c.Next(Mail, Folder, 0); n != 1 || c.Modseqs[5] != 1 {
		t.Errorf("%d %+v", n, c)
	}
	if n := c.Next(Mail, 0, 10); n != 11 || c.Modseqs[5] != 1 || c.Modseqs[1] != 11 {
		t.Errorf("%d %+v", n, c)
	}
	if n := c.NextOf(Quota, 3); n != 12 || c.Modseqs[Quota] != 12 {
		t.Errorf("%d %+v", n, c)
	}
	c.Raise(Sieve, Removal|Folder, 5)
	if c.Modseqs[Highest] != 12 || c.Modseqs[32] != 5 || c.Modseqs[34] != 5 {
		t.Errorf("%+v", c)
	}
	if v := c.NextUIDValidity(40); v != 41 || c.NextUIDValidity(3) != 42 {
		t.Error(v)
	}
	for n, want := range map[mboxname.Name]Kind{
		"user.x": Mail, "user.x.#calendars.y": Calendar, "user.x.#sieve": Sieve, "shared.#calendars": Mail, "d!user.x.#addressbooks": AddressBook,
	} {
		if k := KindOf(n, "e"); k != want {
			t.Errorf("%s: %d", n, k)
		}
	}
}

func newStore(fsys disk.FS) *Store {
	log := slog.New(slog.DiscardHandler)
	return New(Options{
		FS: fsys, Locks: lock.NewTable(fsys, log), Layout: &mboxname.Layout{ConfigDir: "/conf", DeletedPrefix: "DELETED"}, Log: log,
		Home: func(_ context.Context, user string) (string, bool, error) { return "id0" + user, user == "old", nil },
	})
}

func newMem(t *testing.T) *disk.Mem {
	m := disk.NewMem()
	if err := errors.Join(m.MkdirAll("/conf", 0o755), m.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPaths(t *testing.T) {
	s := newStore(newMem(t))
	for n, want := range map[mboxname.Name]string{
		"user.fred": "/conf/user/uuid/i/d/id0fred/counters.db", "user.fred.a": "/conf/user/uuid/i/d/id0fred/counters.db",
		"DELETED.user.fred.a.65000000": "/conf/user/uuid/i/d/id0fred/counters.db", "shared.x": "/conf/shared.counters",
		"user.old": "/conf/user/o/old.counters", "d.org!shared": "/conf/domain/d/d.org/shared.counters",
	} {
		if got, err := s.Path(ctx, n); err != nil || got != want {
			t.Errorf("%s: %s, %v", n, got, err)
		}
	}
}

func TestUpdate(t *testing.T) {
	m := newMem(t)
	s := newStore(m)
	for i := range 3 {
		err := s.Update(ctx, "user.fred", func(c *Counters) { c.Next(Mail, 0, 0) })
		if c, rerr := s.Read(ctx, "user.fred.x"); err != nil || rerr != nil || c.Modseqs[1] != uint64(i+1) || c.Generation != uint32(i+1) {
			t.Errorf("%+v, %v, %v", c, err, rerr)
		}
	}
	path, _ := s.Path(ctx, "user.fred")
	before, _ := disk.ReadFile(m, path)
	if err := s.Update(ctx, "user.fred", func(*Counters) {}); err != nil {
		t.Fatal(err)
	}
	if after, _ := disk.ReadFile(m, path); !bytes.Equal(before, after) {
		t.Error("written without a change")
	}
	if err := disk.Replace(m, path, []byte("not counters at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(ctx, "user.fred", func(c *Counters) { c.Next(Mail, 0, 50) }); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Read(ctx, "user.fred"); err != nil || c.Modseqs[0] != 51 {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestFaults lets each operation of Update fail in turn.
func TestFaults(t *testing.T) {
	for i, row := 0, 0; row < 5; i++ {
		m := newMem(t)
		if err := newStore(m).Update(ctx, "user.fred", func(c *Counters) { c.Next(Mail, 0, 9) }); err != nil {
			t.Fatal(err)
		}
		err := newStore(disk.FailAt(m, i)).Update(ctx, "user.fred", func(c *Counters) { c.Next(Mail, 0, 0) })
		if row++; err != nil {
			row = 0
		}
		for _, d := range []*disk.Mem{m, m.Crash(uint64(i))} {
			c, rerr := newStore(d).Read(ctx, "user.fred")
			if n := c.Modseqs[0]; rerr != nil || n != 11 && (err == nil || n != 10) {
				t.Errorf("fault %d: %v; then %d, %v", i, err, n, rerr)
			}
		}
	}
}
