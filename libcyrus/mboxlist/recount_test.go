package mboxlist_test

import (
	"testing"

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
