// Package suite tests the whole of gocyrus from outside: a running master,
// real connections, kills.
package suite

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/test/server"
)

// writers deliver messages over LMTP, each with its own Message-ID, until
// they are stopped, and keep what was acknowledged.
type writers struct {
	s        *server.Site
	stop     chan struct{}
	wg       sync.WaitGroup
	mu       sync.Mutex
	acked    map[string]string // Message-ID to user
	last     time.Time         // of the newest acknowledgement
	failures int               // connections and deliveries that failed
	gap      time.Duration     // longest time between two of them
	newest   time.Time         // when the newest connection began over which one came
}

// startWriters starts n of them; they share out the site's three users.
func startWriters(s *server.Site, n int) *writers {
	w := &writers{s: s, stop: make(chan struct{}), acked: map[string]string{}}
	for i := range n {
		w.wg.Go(func() { w.write(i) })
	}
	return w
}

// finish stops the writers and returns what was acknowledged.
func (w *writers) finish() map[string]string {
	close(w.stop)
	w.wg.Wait()
	return w.acked
}

// served reports whether a message was acknowledged over a connection that
// began after at.
func (w *writers) served(at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest.After(at)
}

func (w *writers) fail() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures++
}

// ack takes note of an acknowledgement.
func (w *writers) ack(id, user string, connected time.Time) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.last.IsZero() {
		w.gap = max(w.gap, now.Sub(w.last))
	}
	w.acked[id], w.last = user, now
	if connected.After(w.newest) {
		w.newest = connected
	}
}

func (w *writers) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

// write delivers one message after the other; when the connection breaks
// it connects again.
func (w *writers) write(i int) {
	user := fmt.Sprintf("user%d", 1+i%3)
	var c *lmtp
	var connected time.Time
	for n := 0; !w.stopped(); n++ {
		if c == nil {
			var err error
			connected = time.Now()
			if c, err = dialLMTP(w.s.LMTP); err != nil {
				w.fail()
				time.Sleep(5 * time.Millisecond)
				continue
			}
		}
		id := fmt.Sprintf("<%d-%d@writer.example.org>", i, n)
		if err := c.send(user, id); err != nil {
			w.fail()
			c.Close()
			c = nil
			continue
		}
		w.ack(id, user, connected)
		if n%5 == 4 { // the others go on as long as they may
			c.Close()
			c = nil
		}
	}
	if c != nil {
		c.Close()
	}
}

type lmtp struct {
	net.Conn
	r *bufio.Reader
}

func dialLMTP(addr string) (*lmtp, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &lmtp{conn, bufio.NewReader(conn)}
	if err := c.expect("220"); err != nil {
		conn.Close()
		return nil, err
	}
	if err := c.say("LHLO writer", "250"); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *lmtp) say(line, want string) error {
	if _, err := io.WriteString(c, line+"\r\n"); err != nil {
		return err
	}
	return c.expect(want)
}

func (c *lmtp) expect(want string) error {
	for {
		if err := c.SetReadDeadline(time.Now().Add(60 * time.Second)); err != nil {
			return err
		}
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, want) {
			return fmt.Errorf("LMTP says %q", line)
		}
		if line[3] != '-' {
			return nil
		}
	}
}

// send delivers one message; nil means that it was acknowledged.
func (c *lmtp) send(user, id string) error {
	return c.letter(user, "From: writer@example.org\r\nMessage-ID: "+id+"\r\nSubject: from "+id+"\r\n\r\n"+strings.Repeat("Some text.\r\n", 40))
}

// letter delivers a message of which no line begins with a dot.
func (c *lmtp) letter(user, text string) error {
	for _, step := range [][2]string{
		{"MAIL FROM:<writer@example.org>", "250"},
		{"RCPT TO:<" + user + ">", "250"},
		{"DATA", "354"},
		{text + ".", "250"},
	} {
		if err := c.say(step[0], step[1]); err != nil {
			return err
		}
	}
	return nil
}

var messageID = regexp.MustCompile(`(?i)message-id: (<[^>]*@writer\.example\.org>)`)

// stored returns the Message-IDs that each user's INBOX has, with how often.
func stored(t *testing.T, s *server.Site) map[string]map[string]int {
	t.Helper()
	all := map[string]map[string]int{}
	for n := 1; n <= 3; n++ {
		user := fmt.Sprintf("user%d", n)
		found := map[string]int{}
		c := s.Login(user)
		c.Must("SELECT INBOX")
		for _, line := range c.Must("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])") {
			if m := messageID.FindStringSubmatch(line); m != nil {
				found[m[1]]++
			}
		}
		c.Close()
		all[user] = found
	}
	return all
}

// checkNothingLost fails the test for each acknowledged message that is
// not there.
func checkNothingLost(t *testing.T, s *server.Site, acked map[string]string) {
	t.Helper()
	if len(acked) < 20 {
		t.Errorf("only %d messages were acknowledged: this shows nothing", len(acked))
	}
	found := stored(t, s)
	lost := 0
	for id, user := range acked {
		if found[user][id] == 0 {
			if lost++; lost <= 5 {
				t.Errorf("lost: %s of %s", id, user)
			}
		}
	}
	t.Logf("%d messages acknowledged, %d lost", len(acked), lost)
}
