package suite

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
	"gocyrus/test/sieverun"
)

// manageSieve is a client of timsieved.
type manageSieve struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

// dialSieve logs in with the password of auth, as user ("" is auth).
func dialSieve(t *testing.T, s *server.Site, user, auth string) *manageSieve {
	t.Helper()
	c, err := net.Dial("tcp", s.Sieve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	m := &manageSieve{t, c, bufio.NewReader(c)}
	m.answer()
	m.must(fmt.Sprintf("AUTHENTICATE \"PLAIN\" %q", base64.StdEncoding.EncodeToString([]byte(user+"\x00"+auth+"\x00pass"))))
	return m
}

// answer reads up to OK, NO or BYE.
func (m *manageSieve) answer() string {
	m.t.Helper()
	all := ""
	for {
		line, err := m.r.ReadString('\n')
		if err != nil {
			m.t.Fatalf("%v after %q", err, all)
		}
		if all += line; strings.HasPrefix(line, "OK") || strings.HasPrefix(line, "NO") || strings.HasPrefix(line, "BYE") {
			return all
		}
	}
}

func (m *manageSieve) do(line string) string {
	m.t.Helper()
	fmt.Fprint(m.c, line+"\r\n")
	return m.answer()
}

func (m *manageSieve) must(line string) string {
	m.t.Helper()
	got := m.do(line)
	if !strings.Contains("\r\n"+got, "\r\nOK") {
		m.t.Fatalf("%s: %s", line, got)
	}
	return got
}

// TestGlobalScripts: an admin without an INBOX stores global scripts, which
// users include; one who acts as a user, or has an INBOX, changes scripts of
// his own.
func TestGlobalScripts(t *testing.T) {
	eachMode(t, func(t *testing.T, shared bool) {
		s := server.Start(t, server.Options{Shared: shared})
		admin := dialSieve(t, s, "", "cyrus")
		admin.must("PUTSCRIPT \"common\" {53+}\r\nrequire \"imap4flags\"; addflag \"fromglobal\"; # xxxxxxx")
		if got := admin.must("LISTSCRIPTS"); got != "\"common\"\r\nOK\r\n" {
			t.Errorf("the admin's scripts: %q", got)
		}
		user := dialSieve(t, s, "", "user1")
		user.must("PUTSCRIPT \"mine\" {56+}\r\nrequire \"include\"; include :global \"common\"; # xxxxxxxxx")
		user.must(`SETACTIVE "mine"`)
		if got := user.must("LISTSCRIPTS"); got != "\"mine\" ACTIVE\r\nOK\r\n" {
			t.Errorf("the user's scripts: %q", got)
		}
		sieverun.Send(t, s, "<sender@example.org>", "Subject: x\n\nbody\n", "user1")
		if got := listing(s.Login("user1"), "INBOX"); got != "1 fromglobal" {
			t.Errorf("INBOX: %q", got)
		}
		if got := dialSieve(t, s, "user1", "cyrus").must("LISTSCRIPTS"); got != "\"mine\" ACTIVE\r\nOK\r\n" {
			t.Errorf("the user's scripts, seen by the admin: %q", got)
		}
		admin.must(`DELETESCRIPT "common"`)
		sieverun.Send(t, s, "<sender@example.org>", "Subject: y\n\nbody\n", "user1")
		if got := listing(s.Login("user1"), "INBOX"); got != "1 fromglobal, 2 $SieveFailed" {
			t.Errorf("INBOX without the script: %q", got)
		}
		s.Login("cyrus").Must("CREATE user/cyrus")
		again := dialSieve(t, s, "", "cyrus")
		again.must(`PUTSCRIPT "own" "keep;"`)
		if got := admin.must("LISTSCRIPTS"); got != "OK\r\n" {
			t.Errorf("global scripts: %q", got)
		}
	})
}

// TestScriptsLost: byte code that is gone is made anew from the texts.
func TestScriptsLost(t *testing.T) {
	t.Parallel()
	s := server.Start(t, server.Options{})
	user := dialSieve(t, s, "", "user1")
	user.must("PUTSCRIPT \"mine\" {46+}\r\nrequire \"imap4flags\"; addflag \"mine\"; # xxxxxx")
	user.must(`SETACTIVE "mine"`)
	dir := strings.TrimSpace(s.Tool("", "mbpath", "-S", "user/user1"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	sieverun.Send(t, s, "<sender@example.org>", "Subject: x\n\nbody\n", "user1")
	if got := listing(s.Login("user1"), "INBOX"); got != "1 mine" {
		t.Errorf("INBOX: %q", got)
	}
}

// TestHomeScripts: with sieveusehomedir there is nothing to manage.
func TestHomeScripts(t *testing.T) {
	t.Parallel()
	s := server.Start(t, server.Options{Config: []string{"sieveusehomedir: yes"}})
	c, err := net.Dial("tcp", s.Sieve)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	if got, err := r.ReadString('\n'); got != "NO Fatal error: Error initializing actions\r\n" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := r.ReadString('\n'); err == nil {
		t.Errorf("and then %q", got)
	}
}
