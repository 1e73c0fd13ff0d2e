package corpus

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// A Sink is an SMTP server that takes all mail.
type Sink struct {
	Addr  string
	mu    sync.Mutex
	mails []string // MAIL, RCPT and the text of each
	more  string   // offered besides: lines of the answer to EHLO
}

// NewSink starts one on the loopback interface.
func NewSink(tb testing.TB) *Sink {
	tb.Helper()
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
	r := bufio.NewReader(c)
	mail, data := "", false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch {
		case data && line == ".\r\n":
			data = false
			s.mu.Lock()
			s.mails = append(s.mails, mail)
			s.mu.Unlock()
			fmt.Fprint(c, "250 2.0.0 taken\r\n")
		case data:
			mail += line
		case strings.HasPrefix(line, "EHLO"):
			s.mu.Lock()
			fmt.Fprint(c, "250-sink\r\n"+s.more+"250-DSN\r\n250 SIZE\r\n")
			s.mu.Unlock()
		case strings.HasPrefix(line, "MAIL"):
			mail = strings.TrimSpace(line)
			fmt.Fprint(c, "250 ok\r\n")
		case strings.HasPrefix(line, "RCPT"):
			mail += " " + strings.TrimSpace(line)
			fmt.Fprint(c, "250 ok\r\n")
		case strings.HasPrefix(line, "DATA"):
			mail += "\r\n"
			data = true
			fmt.Fprint(c, "354 go\r\n")
		case strings.HasPrefix(line, "QUIT"):
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}

// offer has the sink offer more from now on: lines that begin with "250-".
func (s *Sink) offer(lines string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more = lines
}

// Take returns the mails since the last call, each as MAIL, RCPT and the text.
func (s *Sink) Take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mails
	s.mails = nil
	return m
}
