package mailbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"gocyrus/libcyrus/errs"
)

// Group commit: the first goroutine that appends to a mailbox starts a
// leader, which takes the locks, does every append that is waiting then,
// and answers all; what comes meanwhile waits for the next round. Nobody
// waits for company: an append that is alone is done at once.

const (
	// batchLimit is how many appends a leader does under one lock. With
	// more, other processes would wait too long.
	batchLimit = 64
	// batchMessages limits the messages of a batch likewise: 2,000 links
	// are some 20 ms. One request may have more.
	batchMessages = 2000
	// leaderWait is how long a leader waits for locks. Those who wait for
	// it give up by their own deadlines.
	leaderWait = 60 * time.Second
)

// appendQueue is the appends that wait for a mailbox.
type appendQueue struct {
	mu      sync.Mutex
	waiting []*appendRequest
	leading bool // a leader runs
}

// appendRequest is one call of Append.
type appendRequest struct {
	ref    Ref
	items  []item
	o      AppendOptions
	done   chan struct{}
	placed []addition
	result []Appended
	err    error
	twin   *appendRequest // of the same message: this one is a duplicate if that is done
}

// append queues a request and waits for its result.
func (s *Store) append(ctx context.Context, ref Ref, items []item, o AppendOptions) ([]Appended, error) {
	if len(items) == 0 {
		return nil, nil
	}
	ctx, cancel := s.withDeadline(ctx)
	defer cancel()
	b, err := s.box(&ref)
	if err != nil {
		return nil, err
	}
	defer b.release()
	r := &appendRequest{ref: ref, items: items, o: o, done: make(chan struct{})}
	q := &b.appends
	q.mu.Lock()
	q.waiting = append(q.waiting, r)
	if !q.leading {
		q.leading = true
		go s.lead(b)
	}
	q.mu.Unlock()
	select {
	case <-r.done:
	case <-ctx.Done():
		if q.remove(r) {
			return nil, errs.New(errs.Locked, "mailbox.Append", string(ref.Name), context.Cause(ctx))
		}
		<-r.done // it has been taken: what comes out counts
	}
	return r.result, r.err
}

// remove takes a request out of the queue if it has not been taken yet.
func (q *appendQueue) remove(r *appendRequest) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.waiting {
		if w == r {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// take returns the requests of the next batch.
func (q *appendQueue) take() []*appendRequest {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, messages := 0, 0
	for n < len(q.waiting) && n < batchLimit && messages < batchMessages {
		messages += len(q.waiting[n].items)
		n++
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

// next returns the request that has waited longest, or ends the leader's
// work if there is none.
func (q *appendQueue) next() *appendRequest {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.leading, q.waiting = false, nil
		return nil
	}
	return q.waiting[0]
}

// lead does batches until nobody is waiting.
func (s *Store) lead(b *box) {
	for {
		first := b.appends.next()
		if first == nil {
			return
		}
		s.leadOnce(b, first.ref)
	}
}

// leadOnce does one batch.
func (s *Store) leadOnce(b *box, ref Ref) {
	ctx, cancel := context.WithTimeout(context.Background(), leaderWait)
	defer cancel()
	var reqs []*appendRequest
	answer := func(err error) {
		for _, r := range reqs {
			if err != nil && r.err == nil {
				r.err, r.result = err, nil
			}
		}
		for _, r := range reqs {
			if r.twin != nil && r.twin.err != nil {
				r.err = r.twin.err
			}
			close(r.done)
		}
	}
	var m *Mailbox
	var err error
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("panic in an append", "panic", p, "stack", string(debug.Stack()))
			err = errs.New(errs.Internal, "mailbox.Append", string(ref.Name), fmt.Errorf("panic: %v", p))
			if reqs == nil {
				reqs = b.appends.take()
			}
			if m != nil {
				m.panicked(p)
			}
		}
		if m != nil {
			m.Close()
		}
		answer(err)
	}()
	m, err = s.Open(ctx, ref, Write)
	reqs = b.appends.take()
	if err != nil {
		return
	}
	(&batch{m: m, reqs: reqs}).run(ctx)
	wait := needSplits(reqs)
	if len(wait) == 0 {
		return
	}
	m.Close()
	m = nil
	whole := !s.makeSplits(ctx, ref.Name)
	again, failed := s.Open(ctx, ref, Write)
	if failed != nil {
		for _, r := range wait {
			r.err = failed
		}
		return
	}
	m = again
	(&batch{m: m, reqs: wait, whole: whole}).run(ctx)
}

// cannotLink reports whether a link failed only because files of these
// places, or no more of this file, can be linked.
func cannotLink(err error) bool {
	return errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EMLINK) || errors.Is(err, syscall.EPERM)
}
