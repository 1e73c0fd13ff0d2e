package mboxlist_test

import (
	"fmt"
	"testing"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// TestRelocateFaults makes each operation of a relocation fail in turn, with
// and without a power cut, and relocates again: mailbox and subscriptions are
// there, once, and the old place is not used any more.
func TestRelocateFaults(t *testing.T) {
	build := newDisk(t)
	s := openOn(t, build, legacy)
	create(t, s, admin, "user.alice", "user.alice.Sent")
	if err := s.List.Subscribe(ctx, user("alice"), "user.alice.Sent"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for i := 0; ; i++ {
		m := build.Crash(1)
		err := relocateAll(disk.FailFrom(m, i))
		for seed, d := range []*disk.Mem{m, m.Crash(1), m.Crash(2)} {
			if again := relocateAll(d); again != nil {
				t.Fatalf("fault %d, %d: again: %v", i, seed, again)
			}
			checkRelocated(t, fmt.Sprintf("fault %d, %d", i, seed), d)
		}
		if err == nil {
			if i < 50 {
				t.Errorf("only %d operations", i)
			}
			return
		}
	}
}

// relocateAll relocates all mailboxes of alice.
func relocateAll(fsys disk.FS) error {
	s, err := tryOpen(fsys, legacy)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, n := range []string{"user.alice.Sent", "user.alice"} {
		if err := s.List.Relocate(ctx, admin, mboxname.Name(n)); err != nil {
			return err
		}
	}
	return nil
}

func checkRelocated(t *testing.T, when string, d *disk.Mem) {
	t.Helper()
	s := openOn(t, d, legacy)
	defer s.Close()
	for _, n := range []string{"user.alice.Sent", "user.alice"} {
		e := entryOf(t, s, mboxname.Name(n))
		if e.Has(mboxlist.LegacyDirs) {
			t.Errorf("%s: %s has its directory by name", when, n)
		}
		box, err := s.Store.Open(ctx, e.Ref(), mailbox.Write)
		if err != nil {
			t.Errorf("%s: %s: %v", when, n, err)
			continue
		}
		box.Close()
	}
	subs, err := s.Subs.List(ctx, "alice")
	if err != nil || len(subs) != 1 || subs[0] != "user.alice.Sent" {
		t.Errorf("%s: subscriptions %v, %v", when, subs, err)
	}
}
