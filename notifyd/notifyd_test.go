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

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/notify"
	testsite "gocyrus/test/server"
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

func testServer(t *testing.T, fallback string, conf ...string) (*server, *record) {
	c, err := config.Parse("imapd.conf", "configdirectory: /nonexistent\nservername: example.org\n"+strings.Join(conf, "\n")+"\n", "notify")
	if err != nil {
		t.Fatal(err)
	}
	r := &record{}
	log := slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return newServer(c, log, fallback), r
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
			s, log := testServer(t, c.fallback)
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
	s, log := testServer(t, "log")
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
	for end := time.Now().Add(30 * time.Second); !strings.Contains(log.String(), "second"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("log %q", log)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ServePackets = %v after the end", err)
	}
}

// script writes a program that notes its arguments and its input in file.
func script(t *testing.T, body string) (program, file string) {
	dir := t.TempDir()
	program, file = filepath.Join(dir, "program"), filepath.Join(dir, "noted")
	text := "#!/bin/sh\nprintf '%s\\n' \"$@\" >" + file + ".new\ncat >>" + file + ".new\nmv " + file + ".new " + file + "\n" + body
	testsite.Script(t, program, text, 0o755)
	return program, file
}

func send(t *testing.T, s *server, m notify.Message) {
	t.Helper()
	raw, err := m.Encode(notify.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	s.pass(raw)
}

func TestExternal(t *testing.T) {
	t.Parallel()
	program, file := script(t, "")
	s, log := testServer(t, "external", "notify_external: "+program)
	send(t, s, notify.Message{Class: "MAIL", Priority: "high", User: "fred", Mailbox: "INBOX", Text: "you have\nmail", File: "/a/1."})
	s.Close()
	got, err := os.ReadFile(file)
	if want := "-c\nMAIL\n-p\nhigh\n-u\nfred\n-m\nINBOX\n-f\n/a/1.\nyou have\nmail\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; log %s", got, err, log)
	}
}

func TestMailto(t *testing.T) {
	t.Parallel()
	program, file := script(t, "")
	s, log := testServer(t, "null", "sendmail: "+program, "postmaster: boss")
	send(t, s, notify.Message{Method: "mailto", Class: "SIEVE", User: "fred", Options: []string{"fred@example.net"}, Text: "Gr\u00fc\u00dfe"})
	s.Close()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err, log)
	}
	for _, want := range []string{"-i\n-f\n<>\n--\nfred@example.net\nMessage-ID: <cmu-sieve-", "\r\nFrom: Mail Sieve Subsystem <boss>\r\nTo: <fred@example.net>\r\nSubject: [SIEVE] New mail notification\r\n",
		"charset=UTF-8\r\nContent-Transfer-Encoding: 8BIT\r\n\r\nGr\u00fc\u00dfe\r\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

func TestSlowFailures(t *testing.T) {
	t.Parallel()
	program, _ := script(t, "echo out of ink >&2; exit 3")
	for _, c := range []struct {
		m          notify.Message
		conf, want string
	}{
		{notify.Message{Method: "external"}, "", "no external recipient"},
		{notify.Message{Method: "external"}, "notify_external: " + program, "exit status 3: out of ink"},
		{notify.Message{Method: "external"}, "notify_external: /nonexistent", "no such file"},
		{notify.Message{Method: "mailto"}, "", "mailto URI not specified"},
		{notify.Message{Method: "mailto", Options: []string{"a@example.org\nBcc: b@example.org"}}, "sendmail: " + program, "line end"},
	} {
		s, log := testServer(t, "null", c.conf)
		send(t, s, c.m)
		s.Close()
		if !strings.Contains(log.String(), c.want) {
			t.Errorf("%+v: %s", c.m, log)
		}
	}
}

// TestQueue: a program that hangs holds nobody up; what is too much is
// dropped and said.
func TestQueue(t *testing.T) {
	t.Parallel()
	s, log := testServer(t, "log")
	free := make(chan struct{})
	busy := make(chan struct{})
	for range programs {
		s.queue <- func() { busy <- struct{}{}; <-free }
	}
	for range programs { // whoever has not begun would make room later
		<-busy
	}
	for len(s.queue) < waiting {
		s.queue <- func() {}
	}
	send(t, s, notify.Message{Method: "mailto", User: "late", Options: []string{"x@example.org"}, Text: "x"})
	send(t, s, notify.Message{Method: "log", User: "fred", Text: "still here"})
	for _, want := range []string{"too many wait", "still here"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in %s", want, log)
		}
	}
	close(free)
	s.Close()
}
