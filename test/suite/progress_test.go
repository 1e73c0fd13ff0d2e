package suite

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// longSearch makes a mailbox that takes minutes to be searched: 16,384
// messages, all links to one file of a MiB.
func longSearch(t *testing.T, s *server.Site) {
	t.Helper()
	c := s.Login("user1")
	defer c.Close()
	c.Append("INBOX", "Subject: large\r\n\r\n"+strings.Repeat(strings.Repeat("x", 1022)+"\r\n", 1024))
	c.Must("SELECT INBOX")
	for range 14 {
		c.Must("COPY 1:* INBOX")
		c.Must("NOOP")
	}
}

var inProgress = regexp.MustCompile(`^\* OK \[INPROGRESS \("s1" (\d+) (\d+)\)\] `)

// started sends a search and waits until it is in the middle: it tells how far
// it is (RFC 9585), and gets on.
func started(t *testing.T, s *server.Site, command string) net.Conn {
	t.Helper()
	c := s.Login("user1")
	c.Must("EXAMINE INBOX")
	if _, err := io.WriteString(c, "s1 "+command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	last := -1
	for n := 0; n < 2; {
		line, err := c.Line()
		if err != nil {
			t.Fatal(err)
		}
		m := inProgress.FindStringSubmatch(line)
		if m == nil {
			continue // what has changed
		}
		done, _ := strconv.Atoi(m[1])
		if m[2] != "16384" || done <= last && n > 0 {
			t.Fatalf("%q after %d", line, last)
		}
		last = done
		n++
	}
	return c.Conn
}

// working reports whether the list of sessions has one that runs a command.
func working(s *server.Site, command string) bool {
	for line := range strings.Lines(s.Tool("", "cyr_info", "proc")) {
		if strings.Contains(strings.ToLower(line), strings.ToLower(command)) {
			return true
		}
	}
	return false
}

// TestNobodyWaits closes the connection in the middle of SEARCH, SORT and
// THREAD, in several ways: the server ends the work at once.
func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	s := server.Start(t, server.Options{Config: []string{"inprogress_interval: 1s"}})
	longSearch(t, s)
	for _, c := range []struct {
		command string
		leave   func(net.Conn) error
	}{
		{"SEARCH TEXT nowhere", net.Conn.Close},
		{"SORT (DATE) UTF-8 TEXT nowhere", func(c net.Conn) error { return c.(*net.TCPConn).SetLinger(0) }}, // and is reset
		{"THREAD REFERENCES UTF-8 BODY nowhere", net.Conn.Close},
	} {
		conn := started(t, s, c.command)
		name, _, _ := strings.Cut(c.command, " ")
		if !working(s, name) {
			t.Errorf("%s does not run", name)
		}
		if err := c.leave(conn); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		for end := time.Now().Add(60 * time.Second); working(s, name); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s goes on", c.command)
			}
		}
	}
}

// TestHalfClosed: a client that sends nothing more still gets its answers.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	s := server.Start(t, server.Options{})
	c := s.Login("user1")
	for i := range 3 {
		c.Append("INBOX", fmt.Sprintf("Subject: %d\r\n\r\nneedle\r\n", i))
	}
	io.WriteString(c, "a SELECT INBOX\r\nb SEARCH TEXT needle\r\nc LOGOUT\r\n")
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(time.Minute))
	all, err := io.ReadAll(bufio.NewReader(c.R))
	if err != nil || !strings.Contains(string(all), "* SEARCH 1 2 3\r\nb OK") || !strings.Contains(string(all), "c OK") {
		t.Errorf("%v: %s", err, all)
	}
}
