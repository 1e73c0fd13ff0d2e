package view

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Budget is the memory that all SORT and THREAD of a process may need together.
// Who needs more than is left waits, in line; only the one that has waited
// longest never does, so that there is always one that comes to its end. So
// together they need at most the budget and once Options.MaxMemory. A nil Budget
// has no limit.
type Budget struct {
	octets int

	mu      sync.Mutex
	used    int
	line    []*share      // by the time they began
	changed chan struct{} // closed when some of it is free again
}

// NewBudget returns a budget of some octets, above zero.
func NewBudget(octets int) *Budget {
	return &Budget{octets: octets, changed: make(chan struct{})}
}

// share is what one search has of a budget.
type share struct {
	b    *Budget
	used int
}

// lookAround is how often somebody who waits looks whether the client is still
// there, and tells it that this goes on.
const lookAround = time.Second

// begin puts a search into the line. It must be ended.
func (b *Budget) begin() *share {
	s := &share{b: b}
	if b != nil {
		b.mu.Lock()
		b.line = append(b.line, s)
		b.mu.Unlock()
	}
	return s
}

// need waits until the search may use some octets altogether. No lock of a
// mailbox may be held. waiting is called from time to time; its error, or that
// of ctx, ends the wait.
func (s *share) need(ctx context.Context, octets int, waiting func() error) error {
	b := s.b
	if b == nil || octets <= s.used {
		return nil
	}
	for {
		b.mu.Lock()
		if b.used-s.used+octets <= b.octets || b.line[0] == s {
			b.used += octets - s.used
			s.used = octets
			b.mu.Unlock()
			return nil
		}
		changed := b.changed
		b.mu.Unlock()
		tick := time.NewTimer(lookAround)
		select {
		case <-changed:
		case <-ctx.Done():
			tick.Stop()
			return context.Cause(ctx)
		case <-tick.C:
			if err := waiting(); err != nil {
				return err
			}
		}
		tick.Stop()
	}
}

// end gives everything back. It may be called again.
func (s *share) end() {
	b := s.b
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= s.used
	s.used, s.b = 0, nil
	b.line = slices.DeleteFunc(b.line, func(x *share) bool { return x == s })
	close(b.changed)
	b.changed = make(chan struct{})
}
