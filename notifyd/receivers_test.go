package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/libcyrus/notify"
)

// receivers is a server with the webhook and the stream of a configuration.
func receivers(t *testing.T, conf ...string) (*server, *record) {
	t.Helper()
	s, log := testServer(t, "null", conf...)
	if err := s.openReceivers(); err != nil {
		t.Fatal(err)
	}
	if s.webhook != nil {
		s.webhook.pause = time.Millisecond
	}
	return s, log
}

func event(n int) notify.Message {
	return notify.Message{Method: "webhook stream", Class: "EVENT", Text: fmt.Sprintf(`{"event":"Login","n":%d}`, n)}
}

// hook is a receiver that answers as it is told.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	got    []int // numbers of the events that it took
	ids    map[string]int
	answer func(try int) int // of a delivery; the status
	auth   string
}

func newHook(t *testing.T, answer func(try int) int) *hook {
	h := &hook{answer: answer, ids: map[string]int{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var events []struct{ N int }
		err := json.Unmarshal(body, &events)
		h.mu.Lock()
		h.ids[r.Header.Get("Delivery-ID")]++
		try := h.ids[r.Header.Get("Delivery-ID")]
		h.auth = r.Header.Get("Authorization")
		h.mu.Unlock()
		status := h.answer(try)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			status = http.StatusTeapot
		}
		if status/100 == 2 {
			h.mu.Lock()
			for _, e := range events {
				h.got = append(h.got, e.N)
			}
			h.mu.Unlock()
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(h.Server.Close)
	return h
}

func (h *hook) taken() []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]int(nil), h.got...)
}

func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time: " + what)
		}
	}
}

// TestWebhook: all events arrive once, in their order, though each request
// fails at first.
func TestWebhook(t *testing.T) {
	t.Parallel()
	h := newHook(t, func(try int) int { return map[int]int{1: 503, 2: 429}[try] + 200*(try/3) })
	s, log := receivers(t, "notify_webhook: "+h.URL, "notify_webhook_token: secret")
	for n := range 250 {
		send(t, s, event(n))
	}
	wait(t, "250 events", func() bool { return len(h.taken()) >= 250 })
	s.Close()
	for i, n := range h.taken() {
		if i != n {
			t.Fatalf("event %d came as number %d", n, i)
		}
	}
	if h.auth != "Bearer secret" || strings.Contains(log.String(), "secret") {
		t.Errorf("authorization %q; log %s", h.auth, log)
	}
}

// TestWebhookRefuses: what is refused is not sent again, but counted.
func TestWebhookRefuses(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusForbidden, http.StatusFound} {
		h := newHook(t, func(int) int { return status })
		s, log := receivers(t, "notify_webhook: "+h.URL)
		send(t, s, event(1))
		wait(t, "the line in the log", func() bool { return strings.Contains(log.String(), "dropped") })
		s.Close()
		if !strings.Contains(log.String(), fmt.Sprintf("refused: status %d", status)) || !strings.Contains(log.String(), "count=1") || len(h.ids) != 1 {
			t.Errorf("log %s; requests %v", log, h.ids)
		}
		for id, n := range h.ids {
			if n != 1 {
				t.Errorf("%s was sent %d times", id, n)
			}
		}
	}
}

// TestWebhookDead: nobody listens; what has no room is dropped, and others get
// theirs at once.
func TestWebhookDead(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	s, log := receivers(t, "notify_webhook: "+url)
	s.webhook.pause = time.Hour // it waits after the first try
	for n := range hookWaiting + hookBatch + 10 {
		send(t, s, event(n))
	}
	send(t, s, notify.Message{Method: "log", Text: "still here"})
	if !strings.Contains(log.String(), "still here") || !strings.Contains(log.String(), "too many wait") {
		t.Errorf("log %s", log)
	}
	start := time.Now()
	s.Close()
	if d := time.Since(start); d > time.Minute {
		t.Errorf("Close took %v", d)
	}
	if !strings.Contains(log.String(), "connection refused") && !strings.Contains(log.String(), "the process ends") {
		t.Errorf("nothing of the rest in %s", log)
	}
}

// TestWebhookSlow: a receiver that hangs holds up nobody, not even the end.
func TestWebhookSlow(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	h := newHook(t, func(int) int { <-free; return 200 })
	defer close(free)
	s, log := receivers(t, "notify_webhook: "+h.URL, "notify_webhook_timeout: 1h")
	for n := range 3 * hookWaiting {
		send(t, s, event(n))
	}
	send(t, s, notify.Message{Method: "log", Text: "still here"})
	if !strings.Contains(log.String(), "still here") {
		t.Errorf("log %s", log)
	}
	s.Close()
	if !strings.Contains(log.String(), "dropped") {
		t.Errorf("log %s", log)
	}
}

func TestWebhookBadURL(t *testing.T) {
	for _, u := range []string{"ftp://example.org/", "example.org", "http://", "http://[::1"} {
		s, _ := testServer(t, "null", "notify_webhook: "+u)
		if err := s.openReceivers(); err == nil || !strings.Contains(err.Error(), "notify_webhook") {
			t.Errorf("%s: %v", u, err)
		}
		s.Close()
	}
}

// socketPath is short: that of a unix socket has at most 107 bytes.
func socketPath(t *testing.T) string {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "stream")
}

func TestStream(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	s, log := receivers(t, "notify_stream: "+path)
	var readers []*bufio.Reader
	for range 3 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		readers = append(readers, bufio.NewReader(c))
	}
	wait(t, "three readers", func() bool { s.stream.mu.Lock(); defer s.stream.mu.Unlock(); return len(s.stream.readers) == 3 })
	e := event(1)
	e.Method = "stream"
	send(t, s, e)
	send(t, s, notify.Message{Method: "STREAM", Class: "MAIL", User: "fred", Mailbox: "INBOX", Text: "two\nlines"})
	for i, r := range readers {
		for _, want := range []string{`{"event":"Login","n":1}`, `{"class":"MAIL","user":"fred","mailbox":"INBOX","message":"two\nlines"}`} {
			if line, err := r.ReadString('\n'); line != want+"\n" {
				t.Errorf("reader %d: %q, %v; want %q; log %s", i, line, err, want, log)
			}
		}
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o660 {
		t.Errorf("socket: %v, %v", fi, err)
	}
	s.Close()
	if _, err := readers[0].ReadString('\n'); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
}

// TestStreamSlowReader: one that does not read is told how many it missed;
// another has all.
func TestStreamSlowReader(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	s, _ := receivers(t, "notify_stream: "+path)
	slow, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	wait(t, "a reader", func() bool { s.stream.mu.Lock(); defer s.stream.mu.Unlock(); return len(s.stream.readers) == 1 })
	const all = 20 * streamWaiting
	for n := range all {
		e := event(n)
		e.Method = "stream"
		send(t, s, e)
	}
	if err := slow.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(slow)
	seen, lost := 0, 0
	for seen+lost < all {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%v after %d lines, %d lost", err, seen, lost)
		}
		var missed int
		if n, _ := fmt.Sscanf(line, `{"event":"gocyrus.Lost","count":%d}`, &missed); n == 1 {
			lost += missed
		} else {
			seen++
		}
	}
	if seen+lost != all || lost == 0 {
		t.Errorf("%d seen, %d lost, of %d", seen, lost, all)
	}
	s.Close()
}

func TestReceiversUnset(t *testing.T) {
	t.Parallel()
	s, log := receivers(t)
	for method, want := range map[string]string{
		"webhook": "notify_webhook is not set", "stream": "notify_stream is not set", "zephyr": "zephyr is not built",
		"log pigeon": "no such notification method",
	} {
		send(t, s, notify.Message{Method: method, Text: "x"})
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s: no %q in %s", method, want, log)
		}
	}
	s.Close()
}
