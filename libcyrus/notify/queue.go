package notify

import (
	"log/slog"
	"sync"
	"time"
)

// Bounds of a Queue.
const (
	queueLength = 1000            // notifications that wait; more are lost
	queueEnd    = 2 * time.Second // what waits at the end of a process is sent for so long
	lostPeriod  = 10 * time.Second
)

// Queue sends notifications without anybody waiting for it: not for a notifyd
// that is slow, that hangs, or that is not there. What has no room is lost;
// how much that was is logged, at most once in ten seconds.
type Queue struct {
	sender *Sender
	log    *slog.Logger
	work   chan func(func(*Message) error)
	done   chan struct{}

	mu     sync.Mutex // guards what follows
	closed bool
	lost   int       // since told
	cause  error     // of the last one
	told   time.Time // when lost was logged
}

// NewQueue returns a queue in front of a sender. It must be closed.
func NewQueue(s *Sender, log *slog.Logger) *Queue {
	q := &Queue{sender: s, log: log, work: make(chan func(func(*Message) error), queueLength), done: make(chan struct{})}
	go q.run()
	return q
}

// Send queues one notification.
func (q *Queue) Send(m *Message) {
	q.Post(func(send func(*Message) error) {
		if err := send(m); err != nil {
			q.Lost(err)
		}
	})
}

// Post queues work that makes notifications: it is called later, with the
// function that sends them, from the goroutine of the queue.
func (q *Queue) Post(work func(send func(*Message) error)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	select {
	case q.work <- work:
	default:
		q.count(ErrQueueFull)
	}
}

// Lost counts a notification that could not be sent.
func (q *Queue) Lost(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count(err)
}

// count notes a loss and tells of it if it is time. The caller has q.mu.
func (q *Queue) count(err error) {
	q.lost++
	q.cause = err
	if now := time.Now(); now.Sub(q.told) >= lostPeriod {
		q.tell()
		q.told = now
	}
}

// tell logs what was lost. The caller has q.mu.
func (q *Queue) tell() {
	if q.lost > 0 {
		q.log.Error("notifications lost", "count", q.lost, "error", q.cause)
		q.lost = 0
	}
}

// run sends until the queue is closed and empty.
func (q *Queue) run() {
	defer close(q.done)
	for work := range q.work {
		work(q.sender.Send)
	}
}

// Close sends what is waiting, for two seconds at most.
func (q *Queue) Close() error {
	q.mu.Lock()
	again := q.closed
	q.closed = true
	q.mu.Unlock()
	if again {
		return nil
	}
	close(q.work)
	select {
	case <-q.done:
	case <-time.After(queueEnd):
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if left := len(q.work); left > 0 {
		q.lost += left
		q.cause = ErrQueueFull
	}
	q.tell()
	return nil
}
