package quota

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/quotalegacy"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/test/data"
)

var ctx = context.Background()

func open(fsys disk.FS, base string, full bool) *Store {
	log := slog.New(slog.DiscardHandler)
	db := quotalegacy.Open(fsys, lock.NewTable(fsys, log), quotalegacy.Layout{Base: base, FullHash: full, Domains: true})
	return New(db, "DELETED", log)
}

func newStore(t *testing.T) (*Store, *disk.Mem) {
	t.Helper()
	m := disk.NewMem()
	if err := errors.Join(m.MkdirAll("/conf", 0o755), m.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return open(m, "/conf", false), m
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		value string
		used  Usage
		limit Limits
		back  string // "" = the same
	}{
		{"%(S (109577 10240) M (49 1000) AS (0 100) NF (14 50) MODSEQ 79)", Usage{109577, 49, 0, 14}, Limits{10240, 1000, 100, 50}, ""},
		{"%(S (0) M (1) AS (0) NF (2) MODSEQ 3)", Usage{0, 1, 0, 2}, NoLimits(), ""},
		{"%(S (2) M (5 100) AS (0) NF (4) MODSEQ 0)", Usage{2, 5, 0, 4}, Limits{-1, 100, -1, -1}, ""},
		{"%(S (2) M (5) AS (0) NF (4) SCAN %(MBOX user.a S 1 M 2 AS 3 NF 4) MODSEQ 1)", Usage{2, 5, 0, 4}, NoLimits(), ""},
		{"1024 5", Usage{1024}, Limits{5, -1, -1, -1}, "%(S (1024 5) M (0) AS (0) NF (0) MODSEQ 0)"},
		{"1024 5 2048 M 7 8", Usage{1024, 7}, Limits{5, 8, -1, -1}, "%(S (1024 5) M (7 8) AS (0) NF (0) MODSEQ 0)"},
		{"%(S ())", Usage{}, NoLimits(), "%(S (0) M (0) AS (0) NF (0) MODSEQ 0)"},
	} {
		r, err := decode("user.a", []byte(c.value))
		if err != nil || r.Used != c.used || r.Limit != c.limit {
			t.Errorf("%s: %+v, %v", c.value, r, err)
			continue
		}
		if c.back == "" {
			c.back = c.value
		}
		if got := string(r.encode()); got != c.back {
			t.Errorf("%s becomes %s", c.value, got)
		}
	}
	for _, v := range []string{"", "1", "x 1", "1 x", "1 2 Z 3 4", "1 2 M 3", "%(", "-1 5"} {
		if r, err := decode("user.a", []byte(v)); err == nil {
			t.Errorf("%q: %+v", v, r)
		}
	}
}

func FuzzValue(f *testing.F) {
	f.Add([]byte("%(S (109577 10240) M (49 1000) AS (0 100) NF (14 50) MODSEQ 79)"))
	f.Add([]byte("1024 5 2048 M 7 8"))
	f.Fuzz(func(t *testing.T, v []byte) {
		r, err := decode("user.a", v)
		if err != nil {
			return
		}
		again, err := decode("user.a", r.encode())
		if err != nil || again.Used != r.Used || again.Limit != r.Limit || again.Modseq != r.Modseq {
			t.Errorf("%q -> %q: %+v, %v", v, r.encode(), again, err)
		}
	})
}

func TestRoom(t *testing.T) {
	r := &Root{Used: Usage{5120, 10, 0, 3}, Limit: Limits{5, 10, Unlimited, 2}}
	for _, c := range []struct {
		res   Resource
		delta int64
		ok    bool
	}{
		{Storage, 0, true}, {Storage, 1, false}, {Storage, -1, true},
		{Message, 0, true}, {Message, 1, false},
		{AnnotStorage, 1 << 40, true},
		{NumFolders, 0, false}, {NumFolders, -1, true},
	} {
		if err := r.Room(c.res, c.delta); (err == nil) != c.ok || err != nil && !errs.Is(err, errs.OverQuota) {
			t.Errorf("%s %+d: %v", c.res, c.delta, err)
		}
	}
	if err := r.RoomFor(Usage{0, 0, 5, 0}); err != nil {
		t.Errorf("what does not grow is refused: %v", err)
	}
}

// TestSamples reads and rewrites the quota roots of a real Cyrus.
func TestSamples(t *testing.T) {
	for sample, full := range map[string]bool{data.ByID: false, data.Legacy: true} {
		root := data.Unpack(t, sample)
		s := open(disk.OS(), root+"/conf", full)
		all, err := s.Below(ctx, "")
		if err != nil || len(all) != 6 {
			t.Fatalf("%d roots, %v", len(all), err)
		}
		for _, r := range all {
			v, err := s.db.Get(ctx, []byte(r.Name))
			if err != nil || !bytes.Equal(bytes.TrimRight(v, "\n"), r.encode()) {
				t.Errorf("%s: %q becomes %q, %v", r.Name, v, r.encode(), err)
			}
		}
		for n, want := range map[mboxname.Name]mboxname.Name{
			"user.alice": "user.alice", "user.alice.Projects.P1": "user.alice", "user.alice.Archive.x": "user.alice.Archive",
			"user.alicex": "", "other.test!user.erin.Ordner": "other.test!user.erin", "other.test!shared": "",
			"DELETED.user.alice.x.6B042C65": "", "shared.team": "shared",
		} {
			if got, err := s.FindRoot(ctx, n); got != want || err != nil {
				t.Errorf("root of %s: %q, %v", n, got, err)
			}
		}
		below, err := s.Below(ctx, "user.alice")
		if err != nil || len(below) != 2 {
			t.Errorf("below user.alice: %d, %v", len(below), err)
		}
	}
}

func TestStore(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.Get(ctx, "user.a"); !errs.Is(err, errs.QuotaNotFound) {
		t.Errorf("no root: %v", err)
	}
	if err := s.Update(ctx, "user.a", "user.a", Usage{1}); err != nil {
		t.Errorf("update of no root: %v", err)
	}
	if err := s.Check(ctx, "user.a", Usage{1}); err != nil {
		t.Errorf("no root has no room: %v", err)
	}
	limit := NoLimits()
	limit[Storage], limit[Message] = 1, 2
	for i, want := range []bool{true, false} {
		if created, err := s.SetLimits(ctx, "user.a", limit); created != want || err != nil {
			t.Errorf("SetLimits %d: %v, %v", i, created, err)
		}
	}
	if err := s.Check(ctx, "user.a", Usage{1024, 2}); err != nil {
		t.Error(err)
	}
	if err := s.Check(ctx, "user.a", Usage{1025, 0}); !errs.Is(err, errs.OverQuota) {
		t.Errorf("one octet too many: %v", err)
	}
	if err := s.CheckDelivery(ctx, "user.a", true, 1025); !errs.Is(err, errs.OverQuota) {
		t.Errorf("lmtp_strict_quota: %v", err)
	}
	if err := s.CheckDelivery(ctx, "user.a", false, 1025); err != nil {
		t.Errorf("not over yet: %v", err)
	}
	if err := s.Update(ctx, "user.a", "user.a", Usage{1025, 1}); err != nil {
		t.Error(err)
	}
	if err := s.CheckDelivery(ctx, "user.a", false, 1); !errs.Is(err, errs.OverQuota) {
		t.Errorf("over already: %v", err)
	}
	if err := s.Update(ctx, "user.a", "user.a", Usage{-5000, 1}); err != nil {
		t.Error(err)
	}
	r, err := s.Get(ctx, "user.a")
	if err != nil || r.Used != (Usage{0, 2}) || r.Modseq != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := s.Delete(ctx, "user.a"); err != nil {
		t.Error(err)
	}
	if err := s.Delete(ctx, "user.a"); !errs.Is(err, errs.QuotaNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := s.SetLimits(ctx, "", limit); !errs.Is(err, errs.BadName) {
		t.Errorf("root without a name: %v", err)
	}
}

func TestDomainRoot(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.SetLimits(ctx, "dom!", NoLimits()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.FindRoot(ctx, "dom!user.x.y"); got != "dom!" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := s.FindRoot(ctx, "user.x"); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestParallel changes one root from many goroutines: nothing is lost.
func TestParallel(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.SetLimits(ctx, "user.a", NoLimits()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if err := s.Update(ctx, "user.a", "user.a", Usage{3, 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if r, err := s.Get(ctx, "user.a"); err != nil || r.Used != (Usage{240, 80}) {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestRecount changes mailboxes while they are counted.
func TestRecount(t *testing.T) {
	s, _ := newStore(t)
	if _, err := s.SetLimits(ctx, "user.a", NoLimits()); err != nil {
		t.Fatal(err)
	}
	update := func(n mboxname.Name, u Usage) {
		t.Helper()
		if err := s.Update(ctx, "user.a", n, u); err != nil {
			t.Fatal(err)
		}
	}
	update("user.a", Usage{999, 9}) // wrong by much
	c, err := s.Recount(ctx, "user.a")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Add(ctx, "user.a", Usage{10, 1}); err != nil {
		t.Fatal(err)
	}
	update("user.a", Usage{5, 1})    // counted already
	update("user.a.x", Usage{50, 5}) // not counted yet: Add has it
	if err := c.Add(ctx, "user.a.x", Usage{150, 15}); err != nil {
		t.Fatal(err)
	}
	was, is, err := c.End(ctx)
	if err != nil || was != (Usage{1054, 15}) || is != (Usage{165, 17}) {
		t.Errorf("%v, %v, %v", was, is, err)
	}
	if c, err = s.Recount(ctx, "user.a"); err != nil {
		t.Fatal(err)
	}
	if was, is, err = c.Look(ctx); err != nil || was != (Usage{165, 17}) || is != (Usage{}) {
		t.Errorf("Look: %v, %v, %v", was, is, err)
	}
	if r, err := s.Get(ctx, "user.a"); err != nil || r.Used != (Usage{165, 17}) || r.scan != nil {
		t.Errorf("after Look: %+v, %v", r, err)
	}
}

// TestFaults fails each operation of an update in turn: the root has the
// old use or the new one.
func TestFaults(t *testing.T) {
	for i := 0; ; i++ {
		_, m := newStore(t)
		if _, err := open(m, "/conf", false).SetLimits(ctx, "user.a", NoLimits()); err != nil {
			t.Fatal(err)
		}
		err := open(disk.FailAt(m, i), "/conf", false).Update(ctx, "user.a", "user.a", Usage{7, 1})
		for _, d := range []*disk.Mem{m, m.Crash(uint64(i))} {
			r, gerr := open(d, "/conf", false).Get(ctx, "user.a")
			if gerr != nil {
				t.Fatalf("fault %d: %v", i, gerr)
			}
			if r.Used != (Usage{7, 1}) && (err == nil || r.Used != Usage{}) {
				t.Errorf("fault %d: Update = %v; then %v", i, err, r.Used)
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

func TestNames(t *testing.T) {
	var got []string
	for r := range Resource(Resources) {
		got = append(got, fmt.Sprint(r, r.Unit()))
		if back, ok := ByName(r.String()); !ok || back != r {
			t.Errorf("%s: %v", r, back)
		}
	}
	if !slices.Equal(got, []string{"STORAGE 1024", "MESSAGE 1", "X-ANNOTATION-STORAGE 1024", "X-NUM-FOLDERS 1"}) {
		t.Errorf("%q", got)
	}
	if _, ok := ByName("FOO"); ok {
		t.Error("FOO")
	}
	if (Usage{1, 2}).Add(Usage{1}.Neg()) != (Usage{0, 2}) {
		t.Error("Add")
	}
}

var _ cyrusdb.DB = (*quotalegacy.DB)(nil)
