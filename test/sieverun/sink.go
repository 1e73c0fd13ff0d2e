package sieverun

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// Sink is a mail server that takes all mail and keeps the envelopes and some
// fields.
type Sink struct {
	Addr string // host:port

	mu     sync.Mutex
	mails  []string // the commands, and below them some fields
	refuse bool     // all recipients
}

// NewSink listens on a port of the loopback interface until the test ends.
func NewSink(tb testing.TB) *Sink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	s := &Sink{Addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *Sink) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "220 sink ESMTP\r\n")
	r := bufio.NewScanner(c)
	mail, data := "", false
	for r.Scan() {
		line := r.Text()
		verb := strings.ToUpper(line)
		switch {
		case data && line == ".":
			data = false
			s.mu.Lock()
			s.mails = append(s.mails, mail)
			s.mu.Unlock()
			fmt.Fprint(c, "250 2.0.0 taken\r\n")
		case data:
			for _, want := range []string{"Subject:", "From:", "To:", "Auto-Submitted:", "X-Sieve-Action:", "Content-Type:", "In-Reply-To:", "X-New", "gone", "<b>"} {
				if strings.HasPrefix(line, want) && !strings.Contains(line, "boundary=") {
					mail += "\n  " + line
				}
			}
		case strings.HasPrefix(verb, "EHLO"):
			fmt.Fprint(c, "250-sink\r\n250-DSN\r\n250-DELIVERBY\r\n250-8BITMIME\r\n250 SIZE\r\n")
		case strings.HasPrefix(verb, "MAIL"):
			mail = line
			fmt.Fprint(c, "250 ok\r\n")
		case verb == "DATA":
			data = true
			fmt.Fprint(c, "354 go\r\n")
		case verb == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		case strings.HasPrefix(verb, "RCPT") && s.refuses():
			fmt.Fprint(c, "550 5.1.1 not here\r\n")
		default:
			if strings.HasPrefix(verb, "RCPT") {
				mail += " " + line
			}
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

func (s *Sink) refuses() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse
}

// Refuse has it refuse all recipients from now on, or take them again.
func (s *Sink) Refuse(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = on
}

// Take returns the mails since the last call: the commands, and below them
// some fields.
func (s *Sink) Take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mails
	s.mails = nil
	return m
}
