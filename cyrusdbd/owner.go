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
)

// own makes this process the owner of the databases, by locking a file until
// the process ends. If there is an owner already, a temporary server gives
// up at once; others ask the owner to hand over, which it does if it is
// temporary, and wait for it.
func own(paths dbwire.Paths, temporary bool, log *slog.Logger) (*os.File, error) {
	f, err := os.OpenFile(paths.Lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	asked := false
	for deadline := time.Now().Add(handoverWait); ; time.Sleep(lockEvery) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR || temporary || time.Now().After(deadline) {
			f.Close()
			if err == unix.EWOULDBLOCK {
				return nil, errOther
			}
			return nil, &os.PathError{Op: "lock", Path: paths.Lock, Err: err}
		}
		if !asked {
			asked = askHandover(paths, log)
		}
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return f, nil
}

// askHandover returns false if the owner could not be asked.
func askHandover(paths dbwire.Paths, log *slog.Logger) bool {
	c := dbd.New(dbd.Options{Paths: paths, Log: log})
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	hello, err := c.Hello(ctx)
	if err != nil {
		return false
	}
	if !hello.Temporary {
		log.Warn("another server is not temporary: waiting for its end", "pid", hello.Pid)
		return true
	}
	return c.Handover(ctx) == nil
}
