package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/notify"
)

// Bounds of the stream: as many subscribers, each with so many lines that wait
// for it, and as long as it may take for one.
const (
	streamReaders = 100
	streamWaiting = 1000
	streamBytes   = 4 << 20
	streamWrite   = 30 * time.Second
)

// stream gives notifications to all who are connected to a unix socket, one
// line of JSON each. A reader that is too slow misses some: a line
// {"event":"gocyrus.Lost"} stands where.
type stream struct {
	path string
	l    *net.UnixListener
	log  *slog.Logger
	done sync.WaitGroup

	mu      sync.Mutex // guards what follows
	readers map[*reader]bool
	closed  bool
}

// reader is one who is connected.
type reader struct {
	conn   net.Conn
	mu     sync.Mutex // guards what follows
	some   sync.Cond
	lines  [][]byte
	size   int
	missed int
	closed bool
}

// newStream opens the socket that the configuration names; nil if there is
// none. It takes the place of one that an older process has: who is connected
// there stays until that ends.
func newStream(c *config.Config, log *slog.Logger) (*stream, error) {
	path := config.NotifyStream.In(c)
	if path == "" {
		return nil, nil
	}
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	_ = os.Remove(temp)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("notify_stream: %w", err)
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(temp, 0o660); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		l.Close()
		_ = os.Remove(temp)
		return nil, fmt.Errorf("notify_stream: %w", err)
	}
	s := &stream{path: path, l: l, log: log, readers: map[*reader]bool{}}
	s.done.Go(s.accept)
	return s, nil
}

// toStream gives the notification to whoever is connected.
func toStream(s *server, _ context.Context, m *notify.Message) error {
	if s.stream == nil {
		return errors.New("no socket: notify_stream is not set")
	}
	s.stream.send(append(jsonOf(m), '\n'))
	return nil
}

// accept takes readers until the socket is closed.
func (s *stream) accept() {
	for {
		c, err := s.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Error("notify_stream: no more readers for a second", "error", err)
			time.Sleep(time.Second)
			continue
		}
		r := &reader{conn: c}
		r.some.L = &r.mu
		if !s.join(r) {
			s.log.Warn("notify_stream: too many readers", "most", streamReaders)
			c.Close()
			continue
		}
		s.done.Go(func() { s.serve(r) })
	}
}

// join adds a reader if there is room.
func (s *stream) join(r *reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.readers) >= streamReaders {
		return false
	}
	s.readers[r] = true
	return true
}

// send queues a line for all readers.
func (s *stream) send(line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.readers {
		r.add(line)
	}
}

// add queues a line, or counts it.
func (r *reader) add(line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.missed == 0 && len(r.lines) < streamWaiting && r.size+len(line) <= streamBytes:
		r.lines = append(r.lines, line)
		r.size += len(line)
	default:
		r.missed++
	}
	r.some.Signal()
}

// next waits for a line; false if there will be none.
func (r *reader) next() ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.lines) == 0 && r.missed == 0 && !r.closed {
		r.some.Wait()
	}
	switch {
	case len(r.lines) > 0:
		line := r.lines[0]
		r.lines = r.lines[1:]
		r.size -= len(line)
		return line, true
	case r.missed > 0:
		line := fmt.Appendf(nil, "{\"event\":\"gocyrus.Lost\",\"count\":%d}\n", r.missed)
		r.missed = 0
		return line, true
	}
	return nil, false
}

// end lets the writer leave when all is written.
func (r *reader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.some.Broadcast()
}

// serve writes to one reader until it leaves. What it sends is not read: only
// its leaving is noticed.
func (s *stream) serve(r *reader) {
	defer func() {
		s.mu.Lock()
		delete(s.readers, r)
		s.mu.Unlock()
		r.conn.Close()
	}()
	s.done.Go(func() {
		b := make([]byte, 512)
		for {
			if _, err := r.conn.Read(b); err != nil {
				r.end()
				return
			}
		}
	})
	for {
		line, ok := r.next()
		if !ok {
			return
		}
		if err := r.conn.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			return
		}
		if _, err := r.conn.Write(line); err != nil {
			return
		}
	}
}

// Close ends it: readers get what waits, for a short time.
func (s *stream) Close() {
	if s == nil {
		return
	}
	s.l.Close()
	s.mu.Lock()
	s.closed = true
	for r := range s.readers {
		_ = r.conn.SetDeadline(time.Now().Add(hookEnd))
		r.end()
	}
	s.mu.Unlock()
	s.done.Wait()
}
