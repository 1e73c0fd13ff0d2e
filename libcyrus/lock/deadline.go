package lock

import (
	"context"
	"sync"
	"time"
)

// WithTimeout is context.WithTimeout for waits that mostly need not be: there
// is no timer before somebody asks for Done. A timer for each lock that is
// free cost two system calls and a change of threads.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	at := time.Now().Add(d)
	if end, ok := ctx.Deadline(); ok && end.Before(at) {
		at = end
	}
	l := &limited{Context: ctx, at: at}
	return l, l.cancel
}

// limited is a context that ends at a time, with a timer only once it is
// waited for.
type limited struct {
	context.Context
	at time.Time

	mu    sync.Mutex
	timed context.Context // with the timer, once there is one
	stop  context.CancelFunc
	ended bool // cancel was called
}

func (l *limited) Deadline() (time.Time, bool) { return l.at, true }

func (l *limited) Done() <-chan struct{} { return l.inner().Done() }

// inner is the context with the timer.
func (l *limited) inner() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timed == nil {
		l.timed, l.stop = context.WithDeadline(l.Context, l.at)
		if l.ended {
			l.stop()
		}
	}
	return l.timed
}

func (l *limited) Err() error {
	l.mu.Lock()
	timed, ended := l.timed, l.ended
	l.mu.Unlock()
	switch {
	case timed != nil:
		return timed.Err()
	case l.Context.Err() != nil:
		return l.Context.Err()
	case ended:
		return context.Canceled
	case !time.Now().Before(l.at):
		return l.inner().Err()
	}
	return nil
}

// Value hands on to the context with the timer if there is one: so
// context.Cause finds the cause.
func (l *limited) Value(key any) any {
	l.mu.Lock()
	timed := l.timed
	l.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return l.Context.Value(key)
}

func (l *limited) cancel() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.stop != nil {
		l.stop()
	}
}
