//go:build reference

package reference

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestUndumpOfCyrus gives a real Cyrus what DUMP sends here: mail, flags and
// annotations are there.
func TestUndumpOfCyrus(t *testing.T) {
	s := server.Start(t, server.Options{})
	c := s.Login("user1")
	defer c.Close()
	c.Must("CREATE INBOX/box")
	for n := 1; n <= 3; n++ {
		c.Append("INBOX/box", aDay(n))
	}
	c.Must("SELECT INBOX/box")
	c.Must(`STORE 2 +FLAGS (\Flagged keyword)`)
	c.Must(`SETMETADATA INBOX/box (/shared/comment "what it is for")`)
	c.Must("UID STORE 1 +FLAGS (\\Deleted)")
	c.Must("EXPUNGE")
	admin := s.Login("cyrus")
	defer admin.Close()
	dump := dumpText(t, admin, "user/user1/box")

	real := startCyrus(t)
	real.must("a LOGIN cyrus pass")
	real.must("a CREATE user/user1/box")
	real.must("a UNDUMP user/user1/box " + dump)
	real.must("a SETACL user/user1/box cyrus lrs")
	if got := real.must("a GETMETADATA user/user1/box /shared/comment"); !strings.Contains(got, "what it is for") {
		t.Errorf("annotation: %q", got)
	}
	real.must("a SELECT user/user1/box")
	got := real.must("a FETCH 1:* (UID FLAGS ENVELOPE BODY.PEEK[TEXT])")
	for _, want := range []string{"UID 2 ", "UID 3 ", `\Flagged`, "keyword", `"m2"`, `"m3"`, "Text of message 2", "Text of message 3"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if strings.Contains(got, "UID 1 ") {
		t.Errorf("the expunged message is there: %q", got)
	}
}

// TestUndumpFromCyrus gives ours what DUMP of a real Cyrus sends of an INBOX:
// mail, flags, UIDs, annotations, subscriptions, limits and what the user has
// seen of a mailbox are there.
func TestUndumpFromCyrus(t *testing.T) {
	real := startCyrus(t)
	real.must("a LOGIN user1 pass")
	for n := 1; n <= 3; n++ {
		m := aDay(n)
		real.must(fmt.Sprintf("a APPEND INBOX {%d+}\r\n%s", len(m), m))
	}
	real.must("a CREATE INBOX/sub")
	real.must("a SUBSCRIBE INBOX/sub")
	real.must("a SELECT INBOX")
	real.must(`a STORE 2 +FLAGS (\Flagged keyword)`)
	real.must(`a STORE 1 +FLAGS (\Deleted)`)
	real.must("a EXPUNGE")
	real.must(`a SETMETADATA INBOX (/private/comment "what it is for")`)
	real.must("a LOGOUT")
	admin := real.again()
	admin.must("a LOGIN cyrus pass")
	admin.must("a SETQUOTA user/user1 (STORAGE 1000 MESSAGE 20)")
	dump := dumpFrom(t, admin, admin.r, "user/user1")

	s := server.Start(t, server.Options{})
	c := s.Login("cyrus")
	defer c.Close()
	for range 2 {
		c.Must("UNDUMP user/user1 " + dump)
	}
	if got := strings.Join(c.Must("GETQUOTA user/user1"), "\n"); !strings.Contains(got, "STORAGE 0 1000 MESSAGE 2 20") {
		t.Errorf("limits: %q", got)
	}
	u := s.Login("user1")
	defer u.Close()
	if got := strings.Join(u.Must("GETMETADATA INBOX /private/comment"), "\n"); !strings.Contains(got, "what it is for") {
		t.Errorf("annotation: %q", got)
	}
	if got := strings.Join(u.Must(`LIST (SUBSCRIBED) "" *`), "\n"); !strings.Contains(got, "INBOX/sub") {
		t.Errorf("subscriptions: %q", got)
	}
	u.Must("SELECT INBOX")
	got := strings.Join(u.Must("FETCH 1:* (UID FLAGS ENVELOPE BODY.PEEK[TEXT])"), "\n")
	for _, want := range []string{"UID 2 ", "UID 3 ", `\Flagged`, "keyword", `"m2"`, `"m3"`, "Text of message 2", "Text of message 3"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

// again is another connection to the same server.
func (c *realCyrus) again() *realCyrus {
	c.t.Helper()
	conn, err := net.DialTimeout("tcp", c.RemoteAddr().String(), 20*time.Second)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	n := &realCyrus{c.t, conn, bufio.NewReader(conn)}
	if _, err := n.r.ReadString('\n'); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// dumpText is what DUMP sends between the parentheses, with them, as a client
// sends it on: literals that are not waited for.
func dumpText(t *testing.T, c *server.IMAP, mailbox string) string {
	t.Helper()
	return dumpFrom(t, c, c.R, mailbox)
}

// dumpFrom is dumpText for any connection.
func dumpFrom(t *testing.T, c net.Conn, r *bufio.Reader, mailbox string) string {
	t.Helper()
	if _, err := io.WriteString(c, "d DUMP "+mailbox+"\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	head := regexp.MustCompile(`\{(\d+)\}\r\n$`)
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "d NO") {
			t.Fatal(line, err)
		}
		if strings.HasPrefix(line, "d OK") {
			return strings.TrimSuffix(strings.TrimPrefix(b.String(), "d DUMP "), "\r\n")
		}
		m := head.FindStringSubmatch(line)
		if m == nil {
			b.WriteString(line)
			continue
		}
		b.WriteString(strings.TrimSuffix(line, "}\r\n") + "+}\r\n")
		n, _ := strconv.Atoi(m[1])
		if _, err := io.CopyN(&b, r, int64(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// realCyrus is a connection to a real Cyrus.
type realCyrus struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

// startCyrus starts a real Cyrus with user1 and connects to its IMAP port.
func startCyrus(t *testing.T) *realCyrus {
	t.Helper()
	port := freePorts(t, 5)
	dir, err := os.MkdirTemp("", "dump")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(dir, "site")
	script := func(args ...string) {
		cmd := exec.Command("../bin/reference-server", args...)
		cmd.Env = append(os.Environ(), "USERS=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("reference-server %q: %v\n%s", args, err, out)
		}
	}
	script("cyrus", site, fmt.Sprint(port))
	t.Cleanup(func() { script("stop", site) })
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &realCyrus{t, conn, bufio.NewReader(conn)}
	if _, err := c.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return c
}

// must sends a command with the tag a, which has to be answered OK.
func (c *realCyrus) must(command string) string {
	c.t.Helper()
	if _, err := io.WriteString(c, command+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		c.t.Fatal(err)
	}
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "a NO") || strings.HasPrefix(line, "a BAD") {
			c.t.Fatalf("%.60q: %q %v", command, line, err)
		}
		if strings.HasPrefix(line, "a OK") {
			return b.String()
		}
		b.WriteString(line)
	}
}
