package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/cyrusdb/dbwire"
)

// errOther means that another server serves and will go on.
var errOther = errors.New("another cyrusdbd serves this site")

const (
	// handoverWait is how long the server before us may take to leave.
	handoverWait = 20 * time.Second
	lockEvery    = 5 * time.Millisecond
	// askEvery is the pause between requests to hand over: when one has
	// gone, a client may have started another before we had the lock.
	askEvery = 50 * time.Millisecond
)

// own makes this process the owner of the databases, by locking a file until
// the process ends. If there is an owner already, a temporary server gives
// up, unless that one is just leaving; others ask the owner to hand over,
// which it does if it is temporary, and wait for it.
func own(ctx context.Context, paths dbwire.Paths, temporary bool, log *slog.Logger) (*os.File, error) {
	f, err := os.OpenFile(paths.Lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := waitForLock(ctx, f, paths, temporary, log); err != nil {
		f.Close()
		return nil, err
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return f, nil
}

func waitForLock(ctx context.Context, f *os.File, paths dbwire.Paths, temporary bool, log *slog.Logger) error {
	var asked time.Time
	for deadline := time.Now().Add(handoverWait); ; time.Sleep(lockEvery) {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err {
		case nil:
			return nil
		case unix.EINTR, unix.EWOULDBLOCK:
		default:
			return &os.PathError{Op: "lock", Path: paths.Lock, Err: err}
		}
		if time.Now().After(deadline) {
			return errOther
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(asked) < askEvery {
			continue
		}
		asked = time.Now()
		if temporary && served(paths, log) {
			return errOther
		}
		if !temporary {
			askHandover(paths, log)
		}
	}
}

// served reports whether a server answers.
func served(paths dbwire.Paths, log *slog.Logger) bool {
	c := dbd.New(dbd.Options{Paths: paths, Log: log})
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), askEvery)
	defer cancel()
	return c.Ping(ctx) == nil
}

// askHandover asks whoever serves now. Nobody may be there: one has gone,
// and the next is about to come.
func askHandover(paths dbwire.Paths, log *slog.Logger) {
	c := dbd.New(dbd.Options{Paths: paths, Log: log})
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), askEvery)
	defer cancel()
	hello, err := c.Hello(ctx)
	if err == nil && hello.Temporary {
		err = c.Handover(ctx)
	}
	if err != nil {
		log.Debug("asking for the handover", "error", err)
	}
}
