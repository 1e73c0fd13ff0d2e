package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A client is a connection that speaks a line protocol.
type client struct {
	net.Conn
	r *bufio.Reader
	n int
}

func dial(addr string) (*client, error) {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	k := &client{Conn: c, r: bufio.NewReaderSize(c, 64<<10)}
	_, err = k.line()
	return k, err
}

// login connects to IMAP as a user.
func (t *target) login(user string) (*client, error) {
	c, err := dial(t.imap)
	if err != nil {
		return nil, err
	}
	return c, c.do("LOGIN " + user + " pass")
}

func (c *client) line() (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
	return c.r.ReadString('\n')
}

// do sends an IMAP command and reads up to its tagged reply, which has to
// be OK. Literals in between are skipped.
func (c *client) do(command string) error {
	c.n++
	tag := "t" + strconv.Itoa(c.n) + " "
	if _, err := io.WriteString(c, tag+command+"\r\n"); err != nil {
		return err
	}
	_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
	prefix := []byte(tag)
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if bytes.HasPrefix(line, prefix) {
			if !bytes.HasPrefix(line[len(prefix):], []byte("OK")) {
				return fmt.Errorf("%.60q: %s", command, line)
			}
			return nil
		}
		if err := c.skipLiteral(line); err != nil {
			return err
		}
	}
}

// skipLiteral reads past the literal that a line ends in, if it does.
func (c *client) skipLiteral(line []byte) error {
	line = bytes.TrimRight(line, "\r\n")
	if !bytes.HasSuffix(line, []byte("}")) {
		return nil
	}
	i := bytes.LastIndexByte(line, '{')
	if i < 0 {
		return nil
	}
	n, err := strconv.Atoi(string(line[i+1 : len(line)-1]))
	if err != nil {
		return nil
	}
	_, err = c.r.Discard(n)
	return err
}

// lmtp sends one message to a user over a connection that said LHLO.
func (c *client) lmtp(message []byte, users ...string) error {
	head, want := "MAIL FROM:<a@example.org>\r\n", []string{"250"}
	for _, user := range users {
		head, want = head+"RCPT TO:<"+user+">\r\n", append(want, "250")
	}
	if _, err := io.WriteString(c, head+"DATA\r\n"); err != nil {
		return err
	}
	for _, code := range append(want, "354") {
		if err := c.reply(code); err != nil {
			return err
		}
	}
	if _, err := c.Write(message); err != nil {
		return err
	}
	for range users {
		if err := c.reply("250"); err != nil {
			return err
		}
	}
	return nil
}

// reply reads one reply, of several lines or one, and checks its code.
func (c *client) reply(want string) error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, want) {
			return fmt.Errorf("%s instead of %s", strings.TrimSpace(line), want)
		}
		if len(line) > 3 && line[3] != '-' {
			return nil
		}
	}
}

// rate runs work in n goroutines for s.time, or s.count times, and returns
// how often it was done per second. setup makes what one goroutine works with.
func rate(n int, s settings, setup func(i int) (work func() error, done func(), err error)) (float64, error) {
	var wg sync.WaitGroup
	var ops atomic.Int64
	errs := make(chan error, n)
	ready, begin := make(chan bool, n), make(chan struct{})
	var end, left atomic.Int64
	left.Store(math.MaxInt64)
	if s.count > 0 {
		left.Store(int64(s.count))
		s.time = time.Hour
	}
	for i := range n {
		wg.Go(func() {
			work, done, err := setup(i)
			ready <- true
			if err != nil {
				errs <- err
				return
			}
			defer done()
			<-begin
			for time.Now().UnixNano() < end.Load() && left.Add(-1) >= 0 {
				if err := work(); err != nil {
					errs <- err
					return
				}
				ops.Add(1)
			}
		})
	}
	for range n {
		<-ready
	}
	if s.around != nil {
		defer s.around()()
	}
	started := time.Now()
	end.Store(started.Add(s.time).UnixNano())
	close(begin)
	wg.Wait()
	elapsed := time.Since(started)
	select {
	case err := <-errs:
		return 0, err
	default:
	}
	return float64(ops.Load()) / elapsed.Seconds(), nil
}
