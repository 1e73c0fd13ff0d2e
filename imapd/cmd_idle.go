package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/imapwire"
)

// maxIdleLine is the longest line taken in IDLE; "DONE" is the only right one.
const maxIdleLine = 1024

// idle tells the client of changes as they happen, until it says DONE
// (RFC 2177).
//
// Source: cmd_idle in Cyrus imap/imapd.c.
func (s *session) idle(nothing) (string, error) {
	if !s.idleOn {
		return "", imapwire.SyntaxError("Unrecognized command")
	}
	s.w.Line("+ idling")
	err := s.idleWait()
	if err == nil && s.done {
		err = errAnswered
	}
	if err != nil {
		return "", err
	}
	if !strings.EqualFold(s.r.Line(maxIdleLine), "done") {
		return s.answer("BAD Invalid Idle continuation")
	}
	return "", nil
}

// idleWait waits until the client has sent something, and tells it of
// changes meanwhile.
func (s *session) idleWait() error {
	var changed <-chan struct{}
	if s.notifier != nil {
		changed = s.notifier.wake
	} else if s.view != nil {
		var stop func()
		changed, stop = s.site.Store.Watch(s.view.Ref())
		defer stop()
	}
	end := time.Now().Add(s.idleTimeout())
	poll := config.Imapidlepoll.In(s.conf) // for what nobody tells of: the shutdown file, a RENAME
	for s.r.Buffered() == 0 {
		err := s.idleTell()
		if s.vanished() {
			return nil
		}
		if err != nil {
			return err
		}
		if !s.mayGoOn() {
			return nil
		}
		if err := s.w.Flush(); err != nil {
			return err
		}
		s.r.Release()
		s.w.Release()
		left := time.Until(end)
		err = s.park(changed, min(left, poll))
		switch {
		case err == nil:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded) && left > poll:
			if s.view != nil {
				s.stillThere()
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.idleTooLong()
			return nil
		case !errors.Is(err, errChanged):
			return err
		}
	}
	return nil
}

// idleTell tells the client what is new: what it asked for by NOTIFY (RFC 5465
// section 4), else all changes of the selected mailbox.
func (s *session) idleTell() error {
	if s.notifier != nil {
		return s.tellEvents(true)
	}
	return s.refresh(true, false)
}

// errChanged says that the mailbox has changed.
var errChanged = errors.New("the mailbox has changed")

// park waits for the client, without buffers, until something comes out of
// changed (errChanged) or the time is over.
func (s *session) park(changed <-chan struct{}, timeout time.Duration) error {
	if timeout <= 0 {
		return os.ErrDeadlineExceeded
	}
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	if changed != nil {
		go func() {
			select {
			case <-changed:
				cancel(errChanged)
			case <-ctx.Done():
			}
		}()
	}
	err := s.conn.Park(ctx, timeout)
	if err != nil && context.Cause(ctx) == errChanged && s.ctx.Err() == nil {
		return errChanged
	}
	return err
}

// idleTimeout is how long IDLE may last.
func (s *session) idleTimeout() time.Duration {
	if d := config.Imapidletimeout.In(s.conf); d > 0 {
		return d
	}
	return s.timeout
}
