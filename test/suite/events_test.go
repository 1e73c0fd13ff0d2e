package suite

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestNotifydHangs: a notifyd that does not read delays no delivery. It would
// be two seconds for each, after the first few.
func TestNotifydHangs(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "hang")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := server.Start(t, server.Options{Config: []string{"mailnotifier: log", "event_notifier: external", "event_groups: message flags mailbox access", "notifysocket: " + path}})
	const mails = 100
	start := time.Now()
	for i := range mails {
		if _, dot := deliverTo(t, s, "<a@b>", "<user1>", fmt.Sprintf("From: a@b\nSubject: %d\n\nbody", i)); !strings.HasPrefix(dot, "250") {
			t.Fatalf("delivery %d: %q", i, dot)
		}
	}
	c := s.Login("user1")
	defer c.Close()
	c.Must("SELECT INBOX")
	for i := range mails {
		c.Must(fmt.Sprintf("STORE %d +FLAGS (\\Seen \\Flagged)", i+1))
	}
	if d := time.Since(start); d > 2*mails*time.Second {
		t.Errorf("%d deliveries and STOREs took %v", mails, d)
	}
}

// TestEventReceivers: events go from imapd through notifyd to a webhook and to
// a socket.
func TestEventReceivers(t *testing.T) {
	t.Parallel()
	posted := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		posted <- string(b)
	}))
	defer hook.Close()
	dir, err := os.MkdirTemp("", "stream")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "events")
	s := server.Start(t, server.Options{Config: []string{
		"event_notifier: webhook stream", "event_groups: message", "notify_webhook: " + hook.URL, "notify_stream: " + socket,
	}})
	var reader net.Conn
	for end := time.Now().Add(30 * time.Second); reader == nil; time.Sleep(20 * time.Millisecond) {
		if reader, err = net.Dial("unix", socket); err != nil && time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer reader.Close()
	if err := reader.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c := s.Login("user1")
	defer c.Close()
	lines := bufio.NewScanner(reader)
	seen := make(chan string, 100)
	go func() {
		defer close(seen)
		for lines.Scan() {
			seen <- lines.Text()
		}
	}()
	const want = `{"event":"MessageAppend",`
	end := time.Now().Add(60 * time.Second)
	for streamed, hooked := false, false; !streamed || !hooked; {
		if time.Now().After(end) {
			t.Fatalf("an event in the stream: %v, posted: %v", streamed, hooked)
		}
		c.Must("APPEND INBOX {17+}\r\nSubject: event\r\n\r\n")
		select {
		case line, ok := <-seen:
			if !ok {
				t.Fatalf("the stream ended: %v", lines.Err())
			}
			streamed = streamed || strings.HasPrefix(line, want)
		case body := <-posted:
			hooked = hooked || strings.HasPrefix(body, "["+want)
		case <-time.After(time.Second):
		}
	}
}
