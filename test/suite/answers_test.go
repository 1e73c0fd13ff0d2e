package suite

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// answers fails the test unless a client is greeted and answered within d,
// and can then log in and look at its INBOX. A connection that a dying
// process took is tried again. The time of the log-in does not count: to
// check a password takes a tenth of a second on purpose, and after a kill
// all clients of a test come back at once.
func answers(t *testing.T, s *server.Site, d time.Duration) {
	t.Helper()
	began := time.Now()
	retry(t, began, func() error { return greeted(s.IMAP) })
	if took := time.Since(began); took > d {
		t.Errorf("a client was answered after %v, want %v at most", took, d)
	}
	retry(t, time.Now(), func() error {
		k, err := s.TryLogin("user1")
		if err == nil {
			_, _, err = k.Do("STATUS INBOX (MESSAGES)")
			k.Close()
		}
		return err
	})
}

// retry calls try until it works, for a minute.
func retry(t *testing.T, began time.Time, try func() error) {
	t.Helper()
	for err := try(); err != nil; err = try() {
		if time.Since(began) > time.Minute {
			t.Fatalf("no answer for a minute: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// greeted connects and does one command without logging in.
func greeted(addr string) error {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	r := bufio.NewReader(c)
	if _, err := r.ReadString('\n'); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "a NOOP\r\n"); err != nil {
		return err
	}
	line, err := r.ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "a OK") {
		err = errors.New(line)
	}
	return err
}
