package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
)

// lockWait bounds how long a delivery waits for a mailbox; then the MTA is
// told to try again.
const lockWait = time.Minute

// dataTimeout bounds the silence of a client while it sends a message.
const dataTimeout = 5 * time.Minute

// data is DATA (RFC 2033 section 4.2): one reply for each recipient, after
// the message lasts in his mailbox.
func (s *session) data(ctx context.Context, _ string) {
	if len(s.mail.to) == 0 {
		s.w.Line("503 5.5.1 No recipients")
		return
	}
	staged, err := s.stage(ctx)
	if err != nil {
		s.failed(err, "stage")
		s.reply(err)
		return
	}
	defer staged.Remove()
	s.w.Line("354 go ahead")
	if s.w.Flush() != nil {
		s.quit = true
		return
	}
	m, err := s.receive(staged)
	if s.quit {
		return
	}
	results := make([]error, len(s.mail.to))
	if err == nil {
		s.deliverAll(ctx, m, results)
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

// receive reads the message off the wire. An error refuses the message; a
// connection that broke sets s.quit.
func (s *session) receive(staged *mailbox.Staged) (*incoming, error) {
	m, err := s.newIncoming(staged)
	if err != nil {
		return nil, err
	}
	size := &sizeWriter{w: m, max: s.maxSize}
	err = s.r.Body(deadlineWriter{s, size})
	if size.got > size.max && err == nil {
		err = errs.New(errs.TooBig, "lmtpd.receive", "", &tooBig{m.added + size.got, size.max})
	}
	if err != nil && errs.KindOf(err) == errs.Internal {
		// Not of the message: the client or the network failed.
		s.log.Info("connection lost in DATA", "client", s.conn.Client(), "error", err)
		s.quit = true
		return nil, err
	}
	if cerr := m.close(); err == nil {
		err = cerr
	}
	return m, err
}

// deadlineWriter gives the client its time anew with each piece that came.
type deadlineWriter struct {
	s *session
	w io.Writer
}

func (d deadlineWriter) Write(p []byte) (int, error) {
	if err := d.s.conn.SetReadDeadline(time.Now().Add(dataTimeout)); err != nil {
		return 0, err
	}
	return d.w.Write(p)
}

// sizeWriter refuses more octets than a message may have.
type sizeWriter struct {
	w        io.Writer
	max, got int64
}

// tooBig is a message over maxmessagesize.
type tooBig struct{ size, max int64 }

// Error is what the client is told.
func (t *tooBig) Error() string {
	return fmt.Sprintf("Message size (%d) exceeds fixed maximum message size (%d)", t.size, t.max)
}

func (z *sizeWriter) Write(p []byte) (int, error) {
	if z.got += int64(len(p)); z.got > z.max {
		return len(p), nil // counted to its end: the reply has the size
	}
	n, err := z.w.Write(p)
	if err != nil {
		err = errs.New(diskKind(err), "lmtpd.receive", "", err)
	}
	return n, err
}
