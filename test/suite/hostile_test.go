package suite

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// maxMemory is what no worker may need for hostile clients, in KiB.
const maxMemory = 200 << 10

// hostile is something that a client may do. It returns when it has done it;
// what it keeps open it closes when the returned function is called.
type hostile struct {
	name string
	do   func(t *testing.T, s *server.Site) (done func())
}

// TestHostile does what no client should. The server must answer others
// during it and after it, and need no more memory and no more descriptors
// than before.
func TestHostile(t *testing.T) {
	s := server.Start(t, server.Options{})
	k := s.Login("user1")
	for range 3 {
		k.Append("INBOX", letter+strings.Repeat("A line of a large message of some megabytes.\r\n", 60000))
	}
	k.Close()
	for _, h := range []hostile{
		{"half a line from each of many", slowLoris},
		{"endless line", endlessLine},
		{"announced literal before log-in", bigLiteral},
		{"endless LMTP line", endlessLMTPLine},
		{"commands without reading", neverReads},
		{"reset in a literal", resetInLiteral},
		{"reset in a reply", resetInReply},
		{"NUL", nuls},
		{"noise", noise},
	} {
		t.Run(h.name, func(t *testing.T) {
			answers(t, s, back) // and workers are there
			before := settledFiles(s, 0)
			done := h.do(t, s)
			answers(t, s, back)
			for _, program := range []string{"imapd", "lmtpd"} {
				for _, pid := range s.Processes(program) {
					if kib := resident(pid); kib > maxMemory {
						t.Errorf("%s needs %d KiB", program, kib)
					}
				}
			}
			done()
			answers(t, s, back)
			if after := settledFiles(s, before); after > before {
				t.Errorf("%d descriptors are open, %d were before", after, before)
			}
		})
	}
	if log := s.Log(); strings.Contains(log, "panic") {
		t.Error("there was a panic")
	}
}

// settledFiles counts the sockets of all workers; it waits some time for
// not more than want.
func settledFiles(s *server.Site, want int) (n int) {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n = 0
		for _, program := range []string{"imapd", "lmtpd"} {
			for _, pid := range s.Processes(program) {
				n += clientSockets(s, pid)
			}
		}
		if n <= want || time.Now().After(end) {
			return n
		}
	}
}

// clientSockets counts the connections of a process with clients.
func clientSockets(s *server.Site, pid int) (n int) {
	inodes := map[string]bool{}
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	for _, e := range entries {
		link, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
		if rest, ok := strings.CutPrefix(link, "socket:["); ok {
			inodes[strings.TrimSuffix(rest, "]")] = true
		}
	}
	tcp, _ := os.ReadFile("/proc/net/tcp")
	for line := range strings.Lines(string(tcp)) {
		f := strings.Fields(line)
		if len(f) > 9 && f[3] != "0A" && inodes[f[9]] {
			n++
		}
	}
	return n
}

// resident is the memory of a process in KiB.
func resident(pid int) (kib int) {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, rest, ok := strings.Cut(string(data), "VmRSS:"); ok {
		fmt.Sscan(rest, &kib)
	}
	return kib
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	return c.(*net.TCPConn)
}

func slowLoris(t *testing.T, s *server.Site) func() {
	var all []net.Conn
	for i := range 1000 {
		c := dial(t, s.IMAP)
		fmt.Fprintf(c, "a%d LOGIN us", i)
		all = append(all, c)
	}
	return func() {
		for _, c := range all {
			c.Close()
		}
	}
}

// ended fails the test unless the server ends the connection, after any
// last words.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.Copy(io.Discard, c); err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Error("the connection is not closed")
		}
	}
	c.Close()
}

func endlessLine(t *testing.T, s *server.Site) func() {
	c := dial(t, s.IMAP)
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	sent := 0
	for sent < 64<<20 {
		n, err := c.Write(chunk)
		if sent += n; err != nil {
			break
		}
	}
	if sent == 64<<20 {
		t.Errorf("%d octets of a line were taken", sent)
	}
	ended(t, c)
	return func() {}
}

// bigLiteral announces more than a client may send that has not logged in.
func bigLiteral(t *testing.T, s *server.Site) func() {
	var all []net.Conn
	for _, size := range []string{"100000000", "4294967295", "4294967296", "99999999999999999999", "-1"} {
		c := dial(t, s.IMAP)
		fmt.Fprintf(c, "a LOGIN {%s+}\r\n", size)
		go c.Write(make([]byte, 1<<20))
		all = append(all, c)
	}
	return func() {
		for _, c := range all {
			c.Close()
		}
	}
}

func endlessLMTPLine(t *testing.T, s *server.Site) func() {
	var all []net.Conn
	for _, before := range []string{"", "LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<user1>\r\nDATA\r\n",
		"LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<user1>\r\nBDAT 1000000000\r\n"} {
		c := dial(t, s.LMTP)
		io.WriteString(c, before)
		go func() {
			chunk := bytes.Repeat([]byte("x"), 64<<10)
			for range 32 << 20 / len(chunk) {
				if _, err := c.Write(chunk); err != nil {
					break
				}
			}
		}()
		all = append(all, c)
	}
	time.Sleep(300 * time.Millisecond)
	return func() {
		for _, c := range all {
			c.Close()
		}
	}
}

// neverReads sends commands whose answers are much larger than they, and
// reads nothing.
func neverReads(t *testing.T, s *server.Site) func() {
	var all []net.Conn
	for range 4 {
		c := dial(t, s.IMAP)
		all = append(all, c)
		c.SetReadBuffer(4096)
		io.WriteString(c, "a LOGIN user1 pass\r\nb SELECT INBOX\r\n")
		c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		for range 10000 {
			if _, err := io.WriteString(c, "c FETCH 1:* BODY.PEEK[]\r\n"); err != nil {
				break
			}
		}
	}
	return func() {
		for _, c := range all {
			c.Close()
		}
	}
}

func resetInLiteral(t *testing.T, s *server.Site) func() {
	for range 20 {
		c := dial(t, s.IMAP)
		io.WriteString(c, "a LOGIN user1 pass\r\nb APPEND INBOX {100000+}\r\nSubject: half\r\n\r\n")
		c.Write(make([]byte, 50000))
		c.SetLinger(0)
		c.Close()
		l := dial(t, s.LMTP)
		io.WriteString(l, "LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<user1>\r\nDATA\r\nSubject: half\r\n")
		l.SetLinger(0)
		l.Close()
	}
	k := s.Login("user1")
	defer k.Close()
	if lines := strings.Join(k.Must("STATUS INBOX (MESSAGES)"), ""); !strings.Contains(lines, "MESSAGES 3") {
		t.Errorf("half a message was stored: %q", lines)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		staged, _ := filepath.Glob(filepath.Join(s.Dir, "spool/stage./*"))
		if len(staged) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Errorf("%d files are left in the stage", len(staged))
			break
		}
	}
	return func() {}
}

func resetInReply(t *testing.T, s *server.Site) func() {
	for range 20 {
		c := dial(t, s.IMAP)
		io.WriteString(c, "a LOGIN user1 pass\r\nb SELECT INBOX\r\nc FETCH 1:* BODY.PEEK[]\r\n")
		io.ReadFull(c, make([]byte, 100<<10))
		c.SetLinger(0)
		c.Close()
	}
	return func() {}
}

func nuls(t *testing.T, s *server.Site) func() {
	for _, text := range []string{
		"\x00", "a\x00 NOOP\r\n", "a LOGIN us\x00er1 pass\r\n", "a LOGIN {6+}\r\nuser1\x00 pass\r\n",
		"a LOGIN user1 pass\r\ny CREATE {3+}\r\nx\x00y\r\n", "a LOGIN user1 pass\r\ny APPEND INBOX {20+}\r\nSubject: \x00\r\n\r\nx\x00x\x00x\r\n",
		"a LOGIN user1 pass\r\nb SELECT INBOX\r\nc SEARCH SUBJECT {2+}\r\n\x00x\r\n", strings.Repeat("\x00", 100000),
	} {
		c := dial(t, s.IMAP)
		io.WriteString(c, text+"\r\nz LOGOUT\r\n")
		r := bufio.NewReader(c)
		for {
			c.SetReadDeadline(time.Now().Add(30 * time.Second))
			line, err := r.ReadString('\n')
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Errorf("%.40q: no answer", text)
			}
			if err != nil {
				break
			}
			if strings.HasPrefix(line, "y OK") {
				t.Errorf("%.40q: %s", text, line)
			}
		}
		c.Close()
	}
	return func() {}
}

func noise(t *testing.T, s *server.Site) func() {
	for _, addr := range []string{s.IMAP, s.LMTP, s.POP3} {
		for range 10 {
			c := dial(t, addr)
			b := make([]byte, 100000)
			rand.Read(b)
			go c.Write(b)
			fmt.Fprintf(c, "%s\r\n", hex.EncodeToString(b[:1000]))
			time.Sleep(5 * time.Millisecond)
			c.Close()
		}
	}
	return func() {}
}
