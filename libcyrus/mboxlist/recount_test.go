package mboxlist_test

import (
	"fmt"
	"sync"
	"testing"

	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// TestRecountSoon checks that a root is counted when the quota lock is free,
// without waiting for its holder, who may be the caller.
func TestRecountSoon(t *testing.T) {
	s := newSite(t, "")
	limits := quota.Limits{1000, quota.Unlimited, quota.Unlimited, quota.Unlimited}
	if err := s.List.SetQuota(ctx, admin, "user.alice", limits, false); err != nil {
		t.Fatal(err)
	}
	used := func() quota.Usage {
		t.Helper()
		r, err := s.Quota.Get(ctx, "user.alice")
		if err != nil {
			t.Fatal(err)
		}
		return r.Used
	}
	right := used()
	spoil := func() {
		t.Helper()
		if err := s.Quota.Update(ctx, "user.alice", "user.alice", quota.Usage{500, 5}); err != nil {
			t.Fatal(err)
		}
	}
	spoil()
	s.List.RecountSoon("user.alice")
	if got := used(); got != right {
		t.Errorf("free: %v, want %v", got, right)
	}
	spoil()
	held, err := s.List.LockQuota(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.List.RecountSoon("user.alice")
	s.List.RecountSoon("user.alice")
	if got := used(); got == right {
		t.Error("counted while the lock is held")
	}
	held.Release()
	if got := used(); got != right {
		t.Errorf("released: %v, want %v", got, right)
	}
}

// TestRecountTogether counts a root again and again while mailboxes below it
// come, get other names and go: at the end its use is right.
func TestRecountTogether(t *testing.T) {
	s := newSite(t, "")
	if err := s.List.SetQuota(ctx, admin, "user.alice", quota.NoLimits(), false); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			d := &dialog{t: t, s: s, who: user("alice")}
			for n := range 6 {
				// c is before and x behind what has this name in between
				from, to := mboxname.Name(fmt.Sprintf("user.alice.x%d-%d", i, n)), mboxname.Name(fmt.Sprintf("user.alice.c%d-%d", i, n))
				if n%2 == 0 {
					from, to = to, from
				}
				create(t, s, user("alice"), from)
				err := d.append(from)
				if err == nil {
					err = s.List.Rename(ctx, user("alice"), from, to, mboxlist.RenameOptions{})
				}
				if err == nil && n%3 == 0 {
					err = s.List.Delete(ctx, user("alice"), to, mboxlist.DeleteOptions{})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for counting := true; counting; {
		select {
		case <-done:
			counting = false
		default:
			if _, _, err := s.List.Recount(ctx, "user.alice"); err != nil {
				t.Error(err)
			}
		}
	}
	r, err := s.Quota.Get(ctx, "user.alice")
	if want := (quota.Usage{12 * 20, 12, 0, 13}); err != nil || r.Used != want {
		t.Errorf("use %v, %v; want %v", r.Used, err, want)
	}
}
