package notify

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// record keeps what is logged.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

func newQueue(s *Sender) (*Queue, *record) {
	r := &record{}
	return NewQueue(s, slog.New(slog.NewTextHandler(r, nil))), r
}

// TestQueue: all arrive in their order, also what waits when it is closed.
func TestQueue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const all = 500
	got := make(chan string, all)
	go func() {
		defer close(got)
		b := make([]byte, MaxSize)
		for range all {
			n, err := l.Read(b)
			if err != nil {
				return
			}
			m, err := Parse(b[:n])
			if err != nil {
				return
			}
			got <- m.Text
		}
	}()
	q, log := newQueue(sender(t, path))
	for i := range all {
		q.Send(&Message{Text: fmt.Sprint(i)})
	}
	q.Close()
	l.SetReadDeadline(time.Now().Add(20 * time.Second))
	for i := range all {
		if text := <-got; text != fmt.Sprint(i) {
			t.Fatalf("%q as number %d; log %s", text, i, log)
		}
	}
	q.Send(&Message{Text: "late"}) // no panic
}

// TestQueueHangs: a notifyd that does not read holds up nobody. What is too
// much is dropped, and the log has one line of it.
func TestQueueHangs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	q, log := newQueue(sender(t, path))
	for range 10 * queueLength {
		q.Send(&Message{Text: "x"})
	}
	if n := strings.Count(log.String(), "notifications lost"); n != 1 {
		t.Errorf("%d lines in the log: %s", n, log)
	}
	start := time.Now()
	q.Close()
	if d := time.Since(start); d > time.Minute {
		t.Errorf("Close took %v", d)
	}
	if n := strings.Count(log.String(), "notifications lost"); n != 2 {
		t.Errorf("%d lines in the log after the end: %s", n, log)
	}
}

// TestQueueNobody: no notifyd at all.
func TestQueueNobody(t *testing.T) {
	t.Parallel()
	q, log := newQueue(sender(t, filepath.Join(socketDir(t), "none")))
	for range 100 {
		q.Send(&Message{Text: "x"})
	}
	q.Close()
	sum := 0
	for _, line := range strings.Split(log.String(), "\n") {
		var n int
		if _, rest, ok := strings.Cut(line, "count="); ok {
			fmt.Sscan(rest, &n)
			sum += n
		}
	}
	if sum != 100 || !strings.Contains(log.String(), "no such file") {
		t.Errorf("%d lost: %s", sum, log)
	}
}
