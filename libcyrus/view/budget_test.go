package view

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocyrus/libcyrus/imapwire"
)

// TestBudget: many searches at once need no more than the budget and what the
// eldest needs, and all come to their end.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const octets, each = 1000, 600
		b := NewBudget(octets)
		var all sync.WaitGroup
		var mu sync.Mutex
		most, done := 0, 0
		for range 20 {
			all.Go(func() {
				s := b.begin()
				defer s.end()
				for n := 100; n <= each; n += 100 {
					if err := s.need(ctx, n, func() error { return nil }); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Millisecond) // the others go on, too
					b.mu.Lock()
					used := b.used
					b.mu.Unlock()
					mu.Lock()
					most = max(most, used)
					mu.Unlock()
				}
				mu.Lock()
				done++
				mu.Unlock()
			})
		}
		all.Wait()
		if most > octets+each || most <= each || done != 20 || b.used != 0 || len(b.line) != 0 {
			t.Errorf("%d octets at most, %d are done, %d octets and %d searches are left", most, done, b.used, len(b.line))
		}
	})
}

// TestBudgetWait: who waits is asked from time to time whether he still wants
// to, and may be stopped.
func TestBudgetWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		first, second := b.begin(), b.begin()
		if err := errors.Join(first.need(ctx, 500, nil), second.need(ctx, 0, nil)); err != nil {
			t.Fatal(err)
		}
		calls, gone := 0, errors.New("gone")
		err := second.need(ctx, 1, func() error {
			if calls++; calls == 3 {
				return gone
			}
			return nil
		})
		if err != gone {
			t.Error(err)
		}
		stopped, stop := context.WithCancelCause(ctx)
		stop(gone)
		if err := second.need(stopped, 1, func() error { return nil }); err != gone {
			t.Error(err)
		}
		got := make(chan error)
		go func() { got <- second.need(ctx, 200, func() error { return nil }) }()
		first.end()
		first.end()
		if err := <-got; err != nil || b.used != 200 {
			t.Error(err, b.used)
		}
		second.end()
		var none *Budget
		if err := none.begin().need(ctx, 1<<60, nil); err != nil {
			t.Error(err)
		}
	})
}

// TestSortsInLine: sorts and threads of several sessions have one budget, which
// is all free afterwards; also after one that failed.
func TestSortsInLine(t *testing.T) {
	e := newEnv(t)
	for i := range 20 {
		e.add(fmt.Sprintf("Subject: %d\r\nMessage-ID: <%d@x>\r\n\r\n", i, i))
	}
	b := NewBudget(1)
	var all sync.WaitGroup
	for i := range 8 {
		s := e.open("alice", true)
		s.o.Memory = b
		if i == 3 {
			s.o.MaxMemory = 10
		}
		all.Go(func() {
			q := imapwire.Search{}
			order, err := s.Sort(ctx, &q, []imapwire.SortKey{{Op: imapwire.SortSubject}}, func(Found) {})
			n, terr := s.Thread(ctx, s.w, References, &q, false)
			if ok := err == nil && terr == nil && len(order) == 20 && n == 20; ok == (i == 3) {
				t.Error(i, len(order), n, err, terr)
			}
		})
	}
	all.Wait()
	if b.used != 0 || len(b.line) != 0 {
		t.Errorf("%d octets and %d searches are left", b.used, len(b.line))
	}
}
