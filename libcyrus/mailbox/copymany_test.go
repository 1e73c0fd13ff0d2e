package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox/mailboxtest"
)

var work = Ref{Name: "user.alice.Work", UniqueID: "bb0123456789012345678901", Partition: "default"}

// TestCopyMany copies in pieces, within a mailbox too, and moves.
func TestCopyMany(t *testing.T) {
	for name, e := range map[string]*env{"disk": newEnv(t, disk.OS(), t.TempDir()), "memory": memEnv(t), "conversations": conversedEnv(t, disk.NewMem())} {
		t.Run(name, func(t *testing.T) {
			e.s.copyAtOnce = 3
			someMail(8)(e)
			e.create(work)
			e.mustAppend(work, 20)
			m := e.open(inbox, Write)
			r, _ := m.Record(5)
			n, _ := m.AddFlag("kw", ClientUserFlags)
			r.Flags |= Flagged
			r.User.Set(n)
			if err := errors.Join(m.Rewrite(&r), m.Commit(ctx)); err != nil {
				t.Fatal(err)
			}
			m.Close()
			o := CopyOptions{Flags: SystemMask, Keywords: true}
			_, pairs, err := e.s.Copy(ctx, inbox, []uint32{1, 2, 3, 4, 5, 7, 8, 99}, work, o)
			if want := []CopyPair{{1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {7, 7}, {8, 8}}; err != nil || !slices.Equal(pairs, want) {
				t.Fatalf("%v, %v", pairs, err)
			}
			rep := e.check(work)
			if live := rep.Live(); len(live) != 8 || string(live[7].Content) != text(8) || Flags(live[5].Flags) != Flagged || len(live[5].Keywords) != 1 {
				t.Errorf("%+v", rep.Messages)
			}
			if _, pairs, err = e.s.Copy(ctx, work, []uint32{1, 2, 3, 4, 5, 6, 7, 8}, work, o); err != nil || len(pairs) != 8 {
				t.Fatalf("%v, %v", pairs, err)
			}
			if n := len(e.check(work).Live()); n != 16 {
				t.Errorf("%d messages", n)
			}
			o.Move = true
			if _, pairs, err = e.s.Copy(ctx, inbox, []uint32{1, 2, 3, 4, 5, 6, 7, 8}, work, o); err != nil || len(pairs) != 8 {
				t.Fatalf("%v, %v", pairs, err)
			}
			if a, b := len(e.check(inbox).Live()), len(e.check(work).Live()); a != 0 || b != 24 {
				t.Errorf("%d and %d messages", a, b)
			}
		})
	}
}

// TestCopyManyRefused: a copy of which a later piece does not fit, or that is
// cancelled, leaves nothing.
func TestCopyManyRefused(t *testing.T) {
	e := newEnv(t, disk.OS(), t.TempDir())
	e.s.copyAtOnce = 2
	someMail(8)(e)
	e.create(work)
	e.mustAppend(work, 20)
	uids := []uint32{1, 2, 3, 4, 5, 6, 7, 8}
	e.quota.limit = 3 << 10
	for range 4 { // more than fits
		if _, _, err := e.s.Copy(ctx, inbox, uids, work, CopyOptions{}); err != nil {
			if !errs.Is(err, errs.OverQuota) {
				t.Fatal(err)
			}
			break
		}
	}
	e.quota.limit = 0
	before := len(e.check(work).Live())
	entries, err := e.fs.ReadDir(e.dir(work))
	if err != nil || len(entries) != before+3 { // cyrus.header, index and cache
		t.Errorf("%d files of %d messages, %v", len(entries), before, err)
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if _, _, err := e.s.Copy(stopped, inbox, uids, work, CopyOptions{}); err == nil {
		t.Error("a copy that was cancelled is done")
	}
	if _, _, err := e.s.Copy(ctx, inbox, uids, work, CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := len(e.check(work).Live()); n != before+8 {
		t.Errorf("%d messages, want %d", n, before+8)
	}
}

// TestCopyManyFaults: all copies or none are there, and of a move each
// message at least once.
func TestCopyManyFaults(t *testing.T) {
	t.Parallel()
	(&faultTest{
		setup: func(e *env) {
			someMail(3)(e)
			e.create(work)
		},
		do: func(e *env, ack func()) error {
			e.s.copyAtOnce = 2
			_, _, err := e.s.Copy(ctx, inbox, []uint32{1, 2, 3}, work, CopyOptions{Move: true})
			return err
		},
		mailbox: work,
		see: func(e *env, r *mailboxtest.Report, acked bool) error {
			switch n := len(r.Live()); {
			case n == 0 && !acked:
				return has(e.check(inbox), 1, 3)
			case acked && len(e.check(inbox).Live()) > 0:
				return errors.New("originals are left")
			}
			return has(r, 1, 3)
		},
	}).run(t)
}

// TestSpool: what comes out of a spool is what went into it.
func TestSpool(t *testing.T) {
	e := memEnv(t)
	p, err := e.s.newSpool("default")
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	want := item{
		source: "/a/b/1.", cache: []byte("cache\x00"), keywords: []string{"one", ""}, messageID: "<x@y>",
		rec:    Record{UID: 7, Size: 1 << 31, Flags: Flagged, Modseq: 1 << 40, CacheVersion: 10, GUID: GUID{1, 2}, User: UserFlags{1, 2, 3, 4}, CreatedModseq: 5},
		annots: []Annotation{{Key: annot.Key{Entry: "/comment", User: "bob"}, Value: []byte("hello")}},
	}
	for range 3 {
		p.add(&want, &Record{Recno: 9, UID: 7})
	}
	for range 2 {
		if err := p.rewind(); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{2, 1, 0} {
			items, originals, err := p.next(2)
			if err != nil || len(items) != n || len(originals) != n {
				t.Fatalf("%d messages, want %d: %v", len(items), n, err)
			}
			for i := range items {
				if got := fmt.Sprintf("%+v", items[i]); got != fmt.Sprintf("%+v", want) {
					t.Errorf("%s, want %+v", got, want)
				}
				if o := originals[i]; o.Recno != 9 || o.UID != 7 || o.GUID != want.rec.GUID {
					t.Errorf("%+v", o)
				}
			}
		}
	}
	if _, err := p.file.WriteAt([]byte{0xff}, 20); err != nil {
		t.Fatal(err)
	}
	p.rewind()
	if _, _, err := p.next(1); err == nil {
		t.Error("a damaged spool is read")
	}
}
