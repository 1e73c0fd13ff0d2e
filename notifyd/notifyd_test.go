package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/libcyrus/notify"
)

// record keeps the messages that are logged.
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

func testServer(fallback string) (*server, *record) {
	r := &record{}
	log := slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return &server{log, fallback}, r
}

func TestPass(t *testing.T) {
	for _, c := range []struct {
		name, fallback string
		in             notify.Message
		raw            string
		want, absent   string // in the log
	}{
		{name: "log", fallback: "null", in: notify.Message{Method: "LOG", Class: "MAIL", Priority: "low", User: "fred", Mailbox: "INBOX", Options: []string{"a", "b"}, Text: "hi"},
			want: `MAIL, low, fred, INBOX, (a, b) \"hi\"`},
		{name: "log without options", fallback: "log", in: notify.Message{Class: "MAIL", User: "fred", Mailbox: "INBOX", Text: "hi"},
			want: `MAIL, , fred, INBOX,  \"hi\"`},
		{name: "null", fallback: "log", in: notify.Message{Method: "null", User: "fred", Text: "hi"}, absent: "fred"},
		{name: "unknown", fallback: "null", in: notify.Message{Method: "pigeon", User: "fred", Text: "hi"}, want: "no such notification method"},
		{name: "malformed", fallback: "null", raw: "log\x00", want: "malformed notify request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, log := testServer(c.fallback)
			raw := []byte(c.raw)
			if c.raw == "" {
				var err error
				if raw, err = c.in.Encode(notify.MaxSize); err != nil {
					t.Fatal(err)
				}
			}
			s.pass(raw)
			if !strings.Contains(log.String(), c.want) || c.absent != "" && strings.Contains(log.String(), c.absent) {
				t.Errorf("log %q; want %q, not %q", log, c.want, c.absent)
			}
		})
	}
}

func TestServePackets(t *testing.T) {
	dir, err := os.MkdirTemp("", "n")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	addr := &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}
	l, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, log := testServer("log")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.ServePackets(ctx, l) }()
	c, err := net.DialUnix("unixgram", nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, text := range []string{"first", "second"} {
		b, err := (&notify.Message{Text: text}).Encode(notify.MaxSize)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), "second"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("log %q", log)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ServePackets = %v after the end", err)
	}
}
