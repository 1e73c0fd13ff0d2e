package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/site"
	"gocyrus/test/transcript"
)

// testSite is a server on a site of its own, like that on which the
// recordings were made: users user1 to user3 and the admin cyrus.
type testSite struct {
	*server
	t     testing.TB
	admin mboxlist.Actor
}

// newSite makes a site; lines of conf replace ours of the same name.
func newSite(t testing.TB, conf ...string) *testSite {
	t.Helper()
	dir := t.TempDir()
	lines := []string{
		"servername: reference.example.org", "configdirectory: " + dir + "/conf", "defaultpartition: default",
		"partition-default: " + dir + "/spool", "proc_path: " + dir + "/proc", "mboxname_lockpath: " + dir + "/lock",
		"sievedir: " + dir + "/sieve", "admins: cyrus", "hashimapspool: yes", "unixhierarchysep: yes",
		"altnamespace: no", "allowplaintext: yes", "sasl_mech_list: PLAIN LOGIN",
		"sasl_pwcheck_method: saslauthd", "sasl_saslauthd_path: " + dir + "/mux",
		"mboxlist_db: twoskip", "annotation_db: twoskip", "duplicate_db: twoskip", "userdeny_db: flat",
	}
	for _, c := range conf {
		name, _, _ := strings.Cut(c, ":")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		lines = append(lines, c)
	}
	for _, d := range []string{"conf/db", "conf/log", "conf/msg", "conf/quota", "conf/user", "spool", "proc", "lock", "sieve"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "imapd.conf")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(name, "pop3")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	st, err := site.Open(c, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &testSite{server: newServer(c, log, st), t: t}
	s.service = "pop3"
	s.admin = mboxlist.Actor{Identity: acl.Identity{User: "cyrus", Admin: true}}
	t.Cleanup(func() { s.Close() })
	saslauthd(t, dir+"/mux")
	for _, u := range []string{"user1", "user2", "user3"} {
		s.create("user/" + u)
	}
	return s
}

// saslauthd is a stand-in for the program of that name: the password of
// user1 to user3 and cyrus is "pass".
func saslauthd(t testing.TB, path string) {
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var f [4]string // user, password, service, realm
			for i := range f {
				var n [2]byte
				io.ReadFull(c, n[:])
				b := make([]byte, binary.BigEndian.Uint16(n[:]))
				io.ReadFull(c, b)
				f[i] = string(b)
			}
			answer := "\x00\x02NO"
			if f[1] == "pass" && slices.Contains([]string{"user1", "user2", "user3", "cyrus"}, f[0]) {
				answer = "\x00\x02OK"
			}
			io.WriteString(c, answer)
			c.Close()
		}
	}()
}

// create makes a mailbox by its name as the admin sees it, with "/" between
// the levels.
func (s *testSite) create(external string) *mboxlist.Entry {
	s.t.Helper()
	ns := s.site.Namespace("cyrus", true)
	n, err := ns.Internal(strings.ReplaceAll(external, "/", string(ns.Separator())))
	if err != nil {
		s.t.Fatal(err)
	}
	e, err := s.site.List.Create(s.t.Context(), s.admin, n, mboxlist.CreateOptions{Force: true})
	if errs.Is(err, errs.Exists) {
		e, err = s.site.List.Lookup(s.t.Context(), n)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// append puts a message into a mailbox of a user.
func (s *testSite) append(user, box, flags, text string) {
	s.t.Helper()
	if box == "INBOX" {
		box = "user/" + user
	}
	e := s.create(box)
	staged, err := s.site.Store.Stage(e.Partition)
	if err != nil {
		s.t.Fatal(err)
	}
	defer staged.Remove()
	if _, err := staged.Write([]byte(text)); err != nil {
		s.t.Fatal(err)
	}
	m := mailbox.AppendMessage{Staged: staged}
	for _, f := range strings.Fields(flags) {
		m.Flags |= map[string]mailbox.Flags{`\Seen`: mailbox.Seen, `\Deleted`: mailbox.Deleted}[f]
	}
	if _, err := s.site.Store.Append(s.t.Context(), e.Ref(), []mailbox.AppendMessage{m}, mailbox.AppendOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

// dial connects a client to a session of its own.
func (s *testSite) dial() (net.Conn, error) {
	c, _, err := s.connect()
	return c, err
}

// connect is dial; ended is closed when the session has ended.
func (s *testSite) connect() (c net.Conn, ended <-chan struct{}, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	c, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	theirs, err := l.Accept()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &pipe{Conn: theirs, r: bufio.NewReader(theirs), n: count()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		newSession(s.server, ctx, p).serve()
	}()
	s.t.Cleanup(func() { cancel(); c.Close(); theirs.Close(); <-done })
	return c, done, nil
}

var counter struct {
	sync.Mutex
	n int
}

func count() int {
	counter.Lock()
	defer counter.Unlock()
	counter.n++
	return counter.n
}

// pipe is a connection as a worker gives it to a session.
type pipe struct {
	net.Conn
	r *bufio.Reader
	n int

	mu    sync.Mutex
	text  string // for ShuttingDown
	proc  [3]string
	telem string
}

func (p *pipe) Read(b []byte) (int, error) { return p.r.Read(b) }

func (p *pipe) Park(_ context.Context, d time.Duration) error {
	p.SetReadDeadline(time.Now().Add(d))
	_, err := p.r.Peek(1)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil // a Read will say it
	}
	return err
}

func (p *pipe) StartTLS(context.Context) error { return errors.New("no TLS here") }
func (p *pipe) HaveTLS() bool                  { return false }
func (p *pipe) SSF() int                       { return 0 }
func (p *pipe) Client() string                 { return "localhost [127.0.0.1]" }
func (p *pipe) SessionID() string              { return fmt.Sprintf("reference.example.org-1-2-%d", p.n) }

func (p *pipe) Traffic() (in, out int64) { return 0, 0 }

func (p *pipe) SetProc(user, mailbox, command string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proc = [3]string{user, mailbox, command}
}

func (p *pipe) StartTelemetry(user string) { p.telem = user }

func (p *pipe) ShuttingDown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text
}

// TestDialogs replays what a real pop3d was recorded with.
func TestDialogs(t *testing.T) {
	files, err := filepath.Glob("../test/golden/pop3/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	mask := transcript.NewMasker(nil)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			d, err := transcript.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if d.Notifies() {
				return // test/golden has a notifyd for it
			}
			s := newSite(t, d.Config...)
			for _, m := range d.Append {
				s.append(m.User, m.Mailbox, m.Flags, m.Text)
			}
			if err := transcript.Replay(d, s.dial, mask); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTimeout: poptimeout has minutes, 10 at least (RFC 1939 section 3).
func TestTimeout(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]time.Duration{"poptimeout: 45": 45 * time.Minute, "poptimeout: 5": 10 * time.Minute} {
		if s := newSite(t, line); s.timeout != want {
			t.Errorf("%q: %v", line, s.timeout)
		}
	}
}
