package server

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// MakeUsers makes each user's INBOX, as an admin does.
func (s *Site) MakeUsers(users ...string) {
	s.tb.Helper()
	c := s.DialIMAP()
	defer c.Close()
	c.Must("LOGIN cyrus pass")
	for _, u := range users {
		c.Must("CREATE user/" + u)
	}
	c.Must("LOGOUT")
}

// An IMAP is a bare client: it sends lines and keeps what comes back.
type IMAP struct {
	net.Conn
	R *bufio.Reader

	s *Site
	n int
}

// DialIMAP connects and reads the greeting.
func (s *Site) DialIMAP() *IMAP {
	s.tb.Helper()
	conn, err := net.DialTimeout("tcp", s.IMAP, 10*time.Second)
	if err != nil {
		s.tb.Fatal(err)
	}
	c := &IMAP{Conn: conn, R: bufio.NewReader(conn), s: s}
	if _, err := c.Line(); err != nil {
		s.tb.Fatalf("no greeting: %v", err)
	}
	return c
}

// Login connects and logs in with the password "pass".
func (s *Site) Login(user string) *IMAP {
	s.tb.Helper()
	c := s.DialIMAP()
	c.Must("LOGIN " + user + " pass")
	return c
}

// TryLogin is Login for a server that may be away.
func (s *Site) TryLogin(user string) (*IMAP, error) {
	conn, err := net.DialTimeout("tcp", s.IMAP, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &IMAP{Conn: conn, R: bufio.NewReader(conn), s: s}
	if _, err = c.Line(); err == nil {
		var tagged string
		if _, tagged, err = c.Do("LOGIN " + user + " pass"); err == nil && !strings.HasPrefix(tagged, "OK") {
			err = errors.New(tagged)
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// Line reads one line, with its end; it waits at most a minute.
func (c *IMAP) Line() (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	return c.R.ReadString('\n')
}

// Do sends a command under a new tag and returns the untagged lines and
// the tagged one without its tag. A command with literals is given as it
// goes over the wire ({n+}).
func (c *IMAP) Do(command string) (untagged []string, tagged string, err error) {
	c.n++
	tag := fmt.Sprintf("t%d ", c.n)
	if _, err := fmt.Fprintf(c, "%s%s\r\n", tag, command); err != nil {
		return nil, "", err
	}
	for {
		line, err := c.Line()
		if err != nil {
			return untagged, "", err
		}
		if rest, ok := strings.CutPrefix(line, tag); ok {
			return untagged, strings.TrimRight(rest, "\r\n"), nil
		}
		untagged = append(untagged, line)
	}
}

// Must is Do for a command that has to be answered OK.
func (c *IMAP) Must(command string) []string {
	c.s.tb.Helper()
	untagged, tagged, err := c.Do(command)
	if err != nil || !strings.HasPrefix(tagged, "OK") {
		if len(command) > 80 {
			command = command[:80] + "…"
		}
		c.s.tb.Fatalf("%q: %s %v %q", command, tagged, err, untagged)
	}
	return untagged
}

// Append is an APPEND of one message.
func (c *IMAP) Append(mailbox, message string) {
	c.s.tb.Helper()
	c.Must(fmt.Sprintf("APPEND %s {%d+}\r\n%s", mailbox, len(message), message))
}
