package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
)

// lockWait bounds how long a delivery waits for a mailbox; then the MTA is
// told to try again.
const lockWait = time.Minute

// data is DATA (RFC 2033 section 4.2): one reply for each recipient, after
// the message lasts in his mailbox.
func (s *session) data(ctx context.Context, _ string) {
	if s.mail.transfer != nil {
		s.w.Line("503 5.5.1 DATA after BDAT")
		return
	}
	if len(s.mail.to) == 0 {
		s.w.Line(noRecipients)
		return
	}
	staged, err := s.stage(ctx)
	if err != nil {
		s.failed(err, "stage")
		s.reply(err)
		return
	}
	s.w.Line("354 go ahead")
	if s.w.Flush() != nil {
		staged.Remove()
		s.quit = true
		return
	}
	s.mail.transfer = s.transferTo(staged)
	if s.take(s.r.Body) {
		s.finish(ctx)
	}
}

const noRecipients = "503 5.5.1 No recipients"

// finish ends the transaction: it delivers the message that has been
// received, or was refused, and replies for each recipient.
func (s *session) finish(ctx context.Context) {
	t := s.mail.transfer
	err := t.end()
	results := make([]error, len(s.mail.to))
	if err == nil {
		s.deliverAll(ctx, t.m, results)
	}
	for i, r := range s.mail.to {
		rcptErr := firstError(err, results[i])
		if rcptErr != nil {
			s.failed(rcptErr, string(r.name))
		}
		s.reply(rcptErr)
	}
	s.reset()
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// atATime is how many recipients are delivered to side by side: each waits
// twice for the disk, which makes what many wait for last at once.
const atATime = 16

// deliverAll delivers to all recipients and sets the result of each.
func (s *session) deliverAll(ctx context.Context, m *incoming, results []error) {
	var wg sync.WaitGroup
	var panicked atomic.Pointer[any]
	room := make(chan struct{}, atATime)
	for i, r := range s.mail.to {
		if len(s.mail.to) == 1 {
			results[i] = s.deliver(ctx, m, r)
			return
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panicked.Store(&p)
				}
				<-room
			}()
			results[i] = s.deliver(ctx, m, r)
		})
	}
	wg.Wait()
	if p := panicked.Load(); p != nil {
		panic(*p) // in the session's goroutine, where the worker sees it
	}
}

// stage makes the file that the message is written to, on the partition of
// the first recipient: for others on it the same file is linked. One who is
// gone since RCPT must not refuse the message for the others.
func (s *session) stage(ctx context.Context) (*mailbox.Staged, error) {
	for _, r := range s.mail.to {
		e, err := s.lookup(ctx, r)
		if err == nil {
			return s.site.Store.Stage(e.Partition)
		}
		if !errs.Is(err, errs.NotFound) {
			return nil, err
		}
	}
	return nil, errs.New(errs.NotFound, "lmtpd.stage", "", nil)
}
