package worker

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gocyrus/libcyrus/proc"
)

// Without CYRUS_MAXCLIENTS all messages are those of a Cyrus worker.
func TestOneClient(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{args: []string{"-U", "3"}})
	for i := range 3 {
		c := m.login()
		m.expect("unavailable connection")
		if got := c.ask("proc alice user.alice Noop"); got != "ok" {
			t.Fatal(got)
		}
		data, err := os.ReadFile(filepath.Join(m.dir, "proc", strconv.Itoa(m.cmd.Process.Pid)))
		if want := "line\tlocalhost [127.0.0.1]\talice\tuser.alice\tNoop\n"; err != nil || string(data) != want {
			t.Fatalf("proc entry %q, %v", data, err)
		}
		c.Close()
		if i < 2 {
			m.expect("available")
		}
	}
	m.exit(0)
	if d, _ := os.ReadDir(filepath.Join(m.dir, "proc")); len(d) != 0 {
		t.Errorf("left in proc: %v", d)
	}
	if d, _ := os.ReadDir(filepath.Join(m.dir, "socket")); len(d) != 0 {
		t.Errorf("left in socket: %v", d)
	}
}

func TestOneClientIsServedAtATime(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{})
	a := m.login()
	b := m.dial()
	_ = b.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := b.in.ReadByte(); err == nil {
		t.Fatal("the second client was served")
	}
	a.Close()
	m.expect("unavailable connection available unavailable connection")
	b.want("* hello localhost [127.0.0.1]")
}

func TestManyClients(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 4})
	var cs []*testClient
	for i := range 4 {
		c := m.login()
		cs = append(cs, c)
		if got := c.ask(fmt.Sprintf("proc user%d user.user%d", i, i)); got != "ok" {
			t.Fatal(got)
		}
	}
	m.expect("multi multi multi unavailable connection")
	entries, err := proc.Read(filepath.Join(m.dir, "proc"))
	check(t, err)
	if len(entries) != 4 {
		t.Fatalf("%d entries: %v", len(entries), entries)
	}
	for _, e := range entries {
		if e.Number < 1<<23 || proc.PID(e.Number) != m.cmd.Process.Pid || e.Mailbox != "user."+e.User {
			t.Errorf("entry %+v", e)
		}
	}
	fifth := m.dial()
	cs[0].Close()
	m.expect("available unavailable connection")
	fifth.want("* hello localhost [127.0.0.1]")
	cs[1].Close()
	m.expect("available")
	cs[2].Close()
	m.silent()
	if got := cs[3].ask("still here"); got != "still here" {
		t.Error(got)
	}
}

// -U counts MaxClients times.
func TestUses(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 2, args: []string{"-U", "2"}})
	for range 3 {
		m.login().Close()
		m.expect("multi")
		waitEmpty(t, m)
	}
	c := m.login()
	m.expect("multi unavailable")
	if got := c.ask("last"); got != "last" {
		t.Error(got)
	}
	c.Close()
	m.exit(0)
}

// waitEmpty waits until the worker has no session.
func waitEmpty(t *testing.T, m *fakeMaster) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.HasPrefix(m.control("LIST"), "OK 0") {
			return
		}
	}
	t.Fatal("sessions do not end")
}

// control sends one request to the control socket.
func (m *fakeMaster) control(request string) string {
	m.t.Helper()
	c, err := net.Dial("unix", filepath.Join(m.dir, "socket", "ctl."+strconv.Itoa(m.cmd.Process.Pid)))
	check(m.t, err)
	defer c.Close()
	fmt.Fprintln(c, request)
	var b []byte
	buf := make([]byte, 4096)
	for {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		n, err := c.Read(buf)
		b = append(b, buf[:n]...)
		lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		last := lines[len(lines)-1]
		if err != nil || strings.HasSuffix(string(b), "\n") && (strings.HasPrefix(last, "OK ") || strings.HasPrefix(last, "NO ")) {
			return string(b)
		}
	}
}

func TestHangUp(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 10})
	c := m.login()
	m.expect("multi")
	m.signal(syscall.SIGHUP)
	m.expect("unavailable")
	if got := c.ask("on"); got != "on" {
		t.Error(got)
	}
	select {
	case <-m.exited:
		t.Fatal("left with a client")
	case <-time.After(50 * time.Millisecond):
	}
	c.Close()
	m.exit(0)
	m.silent()
}

// An idle worker that is hung up leaves soon.
func TestHangUpIdle(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{})
	m.login().Close()
	m.expect("unavailable connection available")
	m.signal(syscall.SIGHUP)
	m.expect("unavailable")
	m.exit(0)
}

// A client that comes while an idle worker leaves is served, by it or by
// the next; none is dropped.
func TestNoClientIsDropped(t *testing.T) {
	t.Parallel()
	for range 5 {
		m := startWorker(t, job{maxClients: 100, held: true})
		m.login()
		m.signal(syscall.SIGHUP)
		for range 20 {
			c, err := net.Dial("tcp", m.addr)
			check(t, err)
			_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if n, err := c.Read(make([]byte, 100)); n == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("accepted and dropped: %v", err)
			}
			c.Close()
		}
	}
}

func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 10, config: "drain_timeout: 1\n"})
	c := m.login()
	m.signal(syscall.SIGHUP)
	c.want("* BYE Server is closing this connection, please connect again")
	c.eof()
	m.exit(0)
}

// A full worker that is to drain says a second time that it takes nobody:
// master then starts another in its place.
func TestDrainFull(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 2})
	a, b := m.login(), m.login()
	m.expect("multi unavailable connection")
	m.signal(syscall.SIGHUP)
	m.expect("unavailable")
	for _, c := range []*testClient{a, b} {
		if got := c.ask("still here"); got != "still here" {
			t.Error(got)
		}
		c.Close()
	}
	m.exit(0)
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		m := startWorker(t, job{maxClients: 10})
		idle, busy, half := m.login(), m.login(), m.login()
		fmt.Fprintf(half, "begin of a li")
		if got := busy.ask("work 300ms"); got != "working" {
			t.Fatal(got)
		}
		m.signal(s)
		idle.want("* BYE Server is shutting down")
		idle.eof()
		half.want("* BYE Server is shutting down")
		busy.want("worked")
		busy.want("* BYE Server is shutting down")
		busy.eof()
		m.exit(75)
		m.expect("multi multi multi unavailable")
	}
}

// When master is gone the socket is free at once.
func TestMasterDies(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 10})
	c := m.login()
	m.status.Close()
	c.want("* BYE Server is closing this connection, please connect again")
	m.exit(0)
	l, err := net.Listen("tcp", m.addr)
	if err != nil {
		t.Fatal("the address is still taken: ", err)
	}
	l.Close()
}

func TestIdleExit(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 2, args: []string{"-T", "1"}})
	fresh := startWorker(t, job{args: []string{"-T", "1"}})
	m.login().Close()
	m.expect("multi unavailable")
	m.exit(0)
	select {
	case <-fresh.exited:
		t.Error("a worker that never had a client left")
	default:
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 3})
	a, b := m.login(), m.login()
	fmt.Fprintln(a, "panic")
	a.eof()
	if got := b.ask("on"); got != "on" {
		t.Error(got)
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 5})
	a, b, c := m.login(), m.login(), m.login()
	a.ask("proc alice user.alice")
	b.ask("proc bob user.bob")
	c.ask("proc bob shared")
	id := a.ask("id")
	if got := m.control("LIST"); strings.Count(got, "\n") != 4 || !strings.Contains(got, id+"\t") || !strings.HasSuffix(got, "OK 3\n") {
		t.Errorf("LIST: %q", got)
	}
	if got := m.control("CANCEL session " + id); got != "OK 0\n" {
		t.Errorf("CANCEL without a command: %q", got)
	}
	if got := a.ask("work 1m"); got != "working" {
		t.Fatal(got)
	}
	if got := m.control("CANCEL session " + id); got != "OK 1\n" {
		t.Errorf("CANCEL: %q", got)
	}
	a.want("cancelled")
	if got := m.control("END mailbox shared"); got != "OK 1\n" {
		t.Errorf("END mailbox: %q", got)
	}
	c.want("* BYE Session was ended by the administrator")
	c.eof()
	if got := m.control("END user bob"); got != "OK 1\n" {
		t.Errorf("END user: %q", got)
	}
	b.want("* BYE Session was ended by the administrator")
	if got := a.ask("on"); got != "on" {
		t.Error(got)
	}
	for _, bad := range []string{"", "END", "END user", "END all x", "CANCEL all", "FOO"} {
		if got := m.control(bad); got != "NO unknown request\n" {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

func TestCancelBySignal(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{})
	c := m.login()
	m.signal(syscall.SIGUSR2)
	if got := c.ask("on"); got != "on" { // it has nothing to cancel
		t.Fatal(got)
	}
	if got := c.ask("work 1m"); got != "working" {
		t.Fatal(got)
	}
	m.signal(syscall.SIGUSR2)
	c.want("cancelled")
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{network: "unix", maxClients: 2})
	if got := m.login().ask("on"); got != "on" {
		t.Error(got)
	}
}

func TestDatagrams(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{service: "datagram", network: "unixgram"})
	mine := filepath.Join(m.dir, "mine")
	c, err := net.DialUnix("unixgram", &net.UnixAddr{Name: mine, Net: "unixgram"}, &net.UnixAddr{Name: m.addr, Net: "unixgram"})
	check(t, err)
	defer c.Close()
	_, err = c.Write([]byte("ping"))
	check(t, err)
	b := make([]byte, 10)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if n, err := c.Read(b); err != nil || string(b[:n]) != "ping" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	m.signal(syscall.SIGTERM)
	m.exit(75)
}

func TestShutdownFile(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 2})
	c := m.login()
	if got := c.ask("shutdown?"); got != "false" && got != "false " {
		t.Error(got)
	}
	check(t, os.WriteFile(filepath.Join(m.dir, "msg", "shutdown"), []byte("go home\r\nnow\n"), 0o644))
	if got := c.ask("shutdown?"); got != "true go home" {
		t.Error(got)
	}
	check(t, os.WriteFile(filepath.Join(m.dir, "msg", "shutdown.line"), []byte("only line"), 0o644))
	if got := c.ask("shutdown?"); got != "true only line" {
		t.Error(got)
	}
}

func TestTelemetry(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 2})
	check(t, os.Mkdir(filepath.Join(m.dir, "log", "alice"), 0o755))
	c := m.login()
	c.ask("proc alice INBOX")
	c.ask("secret word")
	d, err := os.ReadDir(filepath.Join(m.dir, "log", "alice"))
	check(t, err)
	if len(d) != 1 || !strings.HasPrefix(d[0].Name(), "line-") {
		t.Fatalf("%v", d)
	}
	data, err := os.ReadFile(filepath.Join(m.dir, "log", "alice", d[0].Name()))
	check(t, err)
	for _, want := range []string{"---------- alice ", "\n\n>", "<secret word\n>", ">secret word\n"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %q in %q", want, data)
		}
	}
}

// TestLogOptions: what imapd.conf says of the log, and of what is run beside it.
func TestLogOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := testProcess(t, "telemetry_bysessionid: yes\nsyslog_prefix: here\nsyslog_facility: local3\ndebug: yes\ndebug_command: echo %s %d %s > "+dir+"/ran\n")
	c, _ := pair(t, p)
	if got := c.telemetryName(); got != c.SessionID() {
		t.Error(got)
	}
	if o := logOptions(p.env.Config, "imap"); o.Ident != "here/imap" || o.Facility != "LOCAL3" || !o.Debug {
		t.Errorf("%+v", o)
	}
	runDebugger(p.env.Config, "imap", testLog(t))
	ran, err := os.ReadFile(dir + "/ran")
	if want := fmt.Sprintf("%s %d imap\n", os.Args[0], os.Getpid()); err != nil || string(ran) != want {
		t.Errorf("%q, want %q, %v", ran, want, err)
	}
}

// The statuses of a worker that cannot start (real ones: measured).
func TestBadStart(t *testing.T) {
	t.Parallel()
	conf, _ := testSite(t, "")
	for _, tt := range []struct {
		name   string
		env    []string
		args   []string
		status int
	}{
		{"no environment", nil, nil, 70},
		{"no id", []string{"CYRUS_SERVICE=line"}, []string{"-C", conf}, 70},
		{"no descriptors", []string{"CYRUS_SERVICE=line", "CYRUS_ID=0"}, []string{"-C", conf}, 1},
		{"merged", []string{"CYRUS_SERVICE=line", "CYRUS_ID=0"}, []string{"-sU30"}, 64},
		{"merged with argument", []string{"CYRUS_SERVICE=line", "CYRUS_ID=0"}, []string{"-U30"}, 64},
		{"no configuration", []string{"CYRUS_SERVICE=line", "CYRUS_ID=0"}, []string{"-C", "/nonexistent"}, 78},
	} {
		cmd := exec.Command(os.Args[0], tt.args...)
		cmd.Env = append(tt.env, "WORKER_TEST=line")
		_ = cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.status)
		}
	}
	m := startWorker(t, job{service: "broken"})
	m.expect("unavailable")
	m.exit(1)
}

func TestStdio(t *testing.T) {
	t.Parallel()
	conf, _ := testSite(t, "")
	cmd := exec.Command(os.Args[0], "-C", conf, "-X")
	cmd.Env = append(os.Environ(), "WORKER_TEST=line", "CYRUS_SERVICE=line", "CYRUS_ID=0")
	cmd.Stdin = strings.NewReader("one\ntwo\nquit\n")
	out, err := cmd.Output()
	if want := "* hello [unix socket]\none\ntwo\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v", out, err)
	}
}

// A worker whose file is replaced drains.
func TestProgramReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "program")
	check(t, os.WriteFile(path, []byte("one"), 0o755))
	p := program{path: path}
	st, err := p.stat()
	check(t, err)
	p.inode, p.size, p.mtime = st.Ino, st.Size, st.Mtim
	if _, yes := p.replaced(); yes {
		t.Error("replaced already")
	}
	check(t, os.WriteFile(path, []byte("three"), 0o755))
	if text, yes := p.replaced(); !yes || text != "process file has changed" {
		t.Error(text, yes)
	}
	check(t, os.Remove(path))
	if text, yes := p.replaced(); !yes || text != "cannot stat process file: No such file or directory" {
		t.Error(text, yes)
	}
}

func TestParseFlags(t *testing.T) {
	s := Service{Flags: "sp:"}
	f, code := parseFlags(s, []string{"line", "-s", "-p", "2", "-U", "7x", "-T", "0", "-D", "-C", "-x", "rest"}, testLog(t))
	if code != 0 || f.uses != 7 || f.idle != 0 || !f.debug || f.config != "-x" || f.own['p'] != "2" || len(f.args) != 1 {
		t.Errorf("%+v, %d", f, code)
	}
	if _, yes := f.own['s']; !yes {
		t.Error("no -s")
	}
	for range 20 {
		if f, _ := parseFlags(s, []string{"line", "-T", "5"}, testLog(t)); f.idle < 5*time.Second || f.idle >= 10*time.Second {
			t.Errorf("idle %v", f.idle)
		}
	}
}

// A command that takes long is seen in the list of sessions, a short one
// is not.
func TestSlowCommandIsListed(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 10})
	c := m.login()
	commands := func() string {
		entries, err := proc.Read(filepath.Join(m.dir, "proc"))
		if err != nil || len(entries) != 1 {
			t.Fatal(entries, err)
		}
		return entries[0].Command
	}
	c.ask("proc alice INBOX")
	began := time.Now()
	c.ask("proc alice INBOX Noop")
	if got := commands(); got != "" && time.Since(began) < 50*time.Millisecond {
		t.Errorf("at once: %q", got)
	}
	for commands() != "Noop" {
		if time.Since(began) > patience {
			t.Fatalf("later: %q", commands())
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.ask("proc alice INBOX")
	if got := commands(); got != "" {
		t.Errorf("after it: %q", got)
	}
}

// With -s the handshake comes first; after SIGTERM the last words are
// encrypted too.
func TestImplicitTLS(t *testing.T) {
	t.Parallel()
	lines, cert := certificate(t, t.TempDir(), "s.example.org")
	m := startWorker(t, job{maxClients: 10, args: []string{"-s"}, config: lines})
	var cs []*testClient
	for range 3 {
		c := m.dial()
		tc := tls.Client(c.Conn, clientTLS(cert))
		c.Conn, c.in = tc, bufio.NewReader(tc)
		c.want("* hello localhost [127.0.0.1]")
		if got := c.ask("tls"); got != "true false 128" && got != "true false 256" {
			t.Error(got)
		}
		cs = append(cs, c)
	}
	m.signal(syscall.SIGTERM)
	for _, c := range cs {
		c.want("* BYE Server is shutting down")
		c.eof()
	}
	m.exit(75)
}

// STARTTLS on a connection that was plain; garbage instead of a handshake
// ends only that session.
func TestStartTLS(t *testing.T) {
	t.Parallel()
	lines, cert := certificate(t, t.TempDir(), "u.example.org")
	m := startWorker(t, job{maxClients: 10, config: lines})
	bad := m.login()
	bad.ask("starttls")
	fmt.Fprintln(bad, "this is no handshake")
	c := m.login()
	if got := c.ask("starttls"); got != "ok" {
		t.Fatal(got)
	}
	tc := tls.Client(c.Conn, clientTLS(cert))
	c.Conn, c.in = tc, bufio.NewReader(tc)
	if got := c.ask("tls"); got != "true false 128" && got != "true false 256" {
		t.Error(got)
	}
}

// More clients than the process may take at a time: each is served in the
// end, and gets all that was said to it though it has sent more.
func TestCrowd(t *testing.T) {
	t.Parallel()
	m := startWorker(t, job{maxClients: 5})
	go io.Copy(io.Discard, m.status)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 5 {
				c, err := net.Dial("tcp", m.addr)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(c, "one\nquit\n"+strings.Repeat("more\n", 1000))
				_ = c.SetReadDeadline(time.Now().Add(2 * patience))
				b, err := io.ReadAll(c)
				if want := "* hello localhost [127.0.0.1]\none\n"; string(b) != want {
					t.Errorf("%q, %v", b, err)
				}
				c.Close()
			}
		})
	}
	wg.Wait()
}
