package lock

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestWithTimeout(t *testing.T) {
	t.Parallel()
	base, stop := context.WithCancelCause(t.Context())
	ctx, cancel := WithTimeout(base, time.Hour)
	if at, ok := ctx.Deadline(); !ok || time.Until(at) > time.Hour {
		t.Error("deadline", at, ok)
	}
	if ctx.Err() != nil || context.Cause(ctx) != nil {
		t.Error("ended", ctx.Err())
	}
	cancel()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("after cancel", ctx.Err())
	}
	<-ctx.Done()

	// It ends by itself, whether it is waited for or not.
	ctx, cancel = WithTimeout(base, time.Millisecond)
	defer cancel()
	time.Sleep(2 * time.Millisecond)
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		t.Error("late", ctx.Err(), context.Cause(ctx))
	}
	ctx, cancel = WithTimeout(base, time.Millisecond)
	defer cancel()
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Error("waited for", ctx.Err())
	}

	// The context below counts, its deadline and its end, with the cause.
	inner, cancelInner := WithTimeout(ctx, time.Hour)
	defer cancelInner()
	if at, _ := inner.Deadline(); time.Until(at) > time.Minute {
		t.Error("deadline of the one below", at)
	}
	ctx, cancel = WithTimeout(base, time.Hour)
	defer cancel()
	derived, cancelDerived := context.WithCancel(ctx)
	defer cancelDerived()
	why := errors.New("why")
	stop(why)
	<-ctx.Done()
	<-derived.Done()
	if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), why) || !errors.Is(context.Cause(derived), why) {
		t.Error("below", ctx.Err(), context.Cause(ctx), context.Cause(derived))
	}
}
