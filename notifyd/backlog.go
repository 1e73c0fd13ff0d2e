package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// backlog is notifications that wait for a receiver, at most so many and so
// large. Nobody waits to put one in; what has no room is counted, and the log
// says how many, at most every ten seconds.
type backlog struct {
	name  string
	log   *slog.Logger
	most  int
	bytes int
	ctx   context.Context // ends with stop
	over  <-chan struct{}
	stop  context.CancelFunc

	mu     sync.Mutex // guards what follows
	some   sync.Cond
	items  [][]byte
	size   int
	closed bool
	gone   int // lost and not told yet
	why    error
	told   time.Time
}

// reportEvery is how often at most losses are logged.
const reportEvery = 10 * time.Second

// errFull is why a backlog has lost something.
var errFull = errors.New("too many wait")

func newBacklog(name string, most, bytes int, log *slog.Logger) *backlog {
	b := &backlog{name: name, most: most, bytes: bytes, log: log}
	b.some.L = &b.mu
	b.ctx, b.stop = context.WithCancel(context.Background())
	b.over = b.ctx.Done()
	return b
}

// add puts one in; it is not kept if there is no room.
func (b *backlog) add(item []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.items) >= b.most || b.size+len(item) > b.bytes {
		b.count(1, errFull)
		return
	}
	b.items = append(b.items, item)
	b.size += len(item)
	b.some.Signal()
}

// take waits for at least one and returns up to n, in their order; nil if it
// is closed and empty, or stopped.
func (b *backlog) take(n int) [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.items) == 0 && !b.closed {
		b.some.Wait()
	}
	if len(b.items) == 0 || b.ctx.Err() != nil {
		return nil
	}
	n = min(n, len(b.items))
	batch := append([][]byte(nil), b.items[:n]...)
	b.items = b.items[n:]
	for _, item := range batch {
		b.size -= len(item)
	}
	return batch
}

// close lets no more in.
func (b *backlog) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.some.Broadcast()
}

// lost counts what was taken and could not be delivered.
func (b *backlog) lost(n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(n, err)
}

// count is lost for those who have b.mu.
func (b *backlog) count(n int, err error) {
	b.gone += n
	b.why = err
	if now := time.Now(); now.Sub(b.told) >= reportEvery {
		b.tell()
		b.told = now
	}
}

// report logs what was lost since the last time, and what is left.
func (b *backlog) report() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.items); n > 0 {
		b.gone, b.why, b.items = b.gone+n, errors.New("the process ends"), nil
	}
	b.tell()
}

func (b *backlog) tell() {
	if b.gone > 0 {
		b.log.Error("notifications dropped", "method", b.name, "count", b.gone, "error", b.why)
		b.gone = 0
	}
}
