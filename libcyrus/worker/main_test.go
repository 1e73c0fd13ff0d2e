package worker

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/libcyrus/config"
)

// patience is how long a test waits for what has to come, on a machine that
// has much else to do.
const patience = 30 * time.Second

// TestMain runs the test binary as a worker where a test has started it as
// one.
func TestMain(m *testing.M) {
	switch os.Getenv("WORKER_TEST") {
	case "line":
		Main(Service{Name: "line", Flags: "sp:", Open: openLine})
	case "datagram":
		Main(Service{Name: "datagram", Datagram: true, Open: openDatagram})
	case "broken":
		Main(Service{Name: "broken", Open: func(*Env) (Handler, error) { return nil, fmt.Errorf("no luck") }})
	}
	os.Exit(m.Run())
}

// lineService answers each line: a small protocol with all that a session
// may do.
type lineService struct{ env *Env }

func openLine(env *Env) (Handler, error) { return lineService{env}, nil }

func (lineService) Close() error { return nil }

func (l lineService) Serve(ctx context.Context, c *Conn) error {
	if _, yes := l.env.Flag('s'); yes {
		if err := c.StartTLS(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(c, "* hello %s\n", c.Client())
	for {
		if err := c.Park(ctx, time.Minute); err != nil {
			fmt.Fprintf(c, "* BYE %s\n", c.ShuttingDown())
			return err
		}
		in := bufio.NewReaderSize(c, 256)
		for more := true; more; more = in.Buffered() > 0 {
			line, err := in.ReadString('\n')
			if err != nil {
				if text := c.ShuttingDown(); text != "" {
					fmt.Fprintf(c, "* BYE %s\n", text)
				}
				return err
			}
			if line == "starttls\n" {
				fmt.Fprintln(c, "ok")
				if err := c.StartTLS(ctx); err != nil {
					return err
				}
				break
			}
			if !l.do(c, strings.Fields(line)) {
				return nil
			}
		}
	}
}

// do does one command and reports whether the session goes on.
func (l lineService) do(c *Conn, words []string) bool {
	switch words[0] {
	case "quit":
		return false
	case "panic":
		panic("as told")
	case "id":
		fmt.Fprintln(c, c.SessionID())
	case "proc":
		c.SetProc(words[1], words[2], strings.Join(words[3:], " "))
		c.StartTelemetry(words[1])
		fmt.Fprintln(c, "ok")
	case "work":
		d, _ := time.ParseDuration(words[1])
		c.SetProc("user1", "", "work")
		fmt.Fprintln(c, "working")
		for end := time.Now().Add(d); time.Now().Before(end) && !c.Cancelled(); time.Sleep(time.Millisecond) {
		}
		if c.Cancelled() {
			fmt.Fprintln(c, "cancelled")
		} else {
			fmt.Fprintln(c, "worked")
		}
		c.SetProc("user1", "", "")
	case "shutdown?":
		text, yes := l.env.ShutdownText()
		fmt.Fprintln(c, yes, text)
	case "tls":
		state, _ := c.TLSState()
		fmt.Fprintln(c, c.HaveTLS(), state.DidResume, c.SSF())
	default:
		fmt.Fprintln(c, strings.Join(words, " "))
	}
	return true
}

// datagramService answers each datagram with itself.
type datagramService struct{}

func openDatagram(*Env) (Handler, error)                   { return datagramService{}, nil }
func (datagramService) Close() error                       { return nil }
func (datagramService) Serve(context.Context, *Conn) error { return nil }
func (datagramService) ServePackets(ctx context.Context, c net.PacketConn) error {
	b := make([]byte, 1024)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return err
		}
		_, _ = c.WriteTo(b[:n], from)
	}
}

// testSite writes an imapd.conf and returns its path and configdirectory.
func testSite(t testing.TB, lines string) (path, dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, d := range []string{"proc", "socket", "log", "msg"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(dir, "imapd.conf")
	text := "configdirectory: " + dir + "\nservername: test.example.org\nproc_path: " + dir + "/proc\n" +
		"defaultpartition: default\npartition-default: " + dir + "/spool\n" + lines
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, dir
}

func testConfig(t testing.TB, lines string) *config.Config {
	t.Helper()
	path, _ := testSite(t, lines)
	c, err := config.Load(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fakeMaster is master's side of one worker.
type fakeMaster struct {
	t      *testing.T
	cmd    *exec.Cmd
	status *os.File // what the worker writes
	addr   string
	dir    string
	exited chan struct{}
}

// job is how to start a worker.
type job struct {
	service    string // of WORKER_TEST, default "line"
	maxClients int    // 0: none given
	args       []string
	config     string
	network    string // default tcp
	held       bool   // the listening socket stays open until the test ends, as master keeps it
}

func startWorker(t *testing.T, j job) *fakeMaster {
	t.Helper()
	conf, dir := testSite(t, j.config)
	m := &fakeMaster{t: t, dir: dir, exited: make(chan struct{})}
	var listen *os.File
	switch j.network {
	case "unixgram":
		m.addr = filepath.Join(dir, "sock")
		pc, err := net.ListenPacket("unixgram", m.addr)
		check(t, err)
		listen, err = pc.(*net.UnixConn).File()
		check(t, err)
		pc.(*net.UnixConn).Close()
	case "unix":
		l, err := net.Listen("unix", filepath.Join(dir, "sock"))
		check(t, err)
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		m.addr = l.Addr().String()
		listen, err = l.(*net.UnixListener).File()
		check(t, err)
		l.Close()
	default:
		var lc net.ListenConfig
		lc.SetMultipathTCP(false)
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		check(t, err)
		m.addr = l.Addr().String()
		listen, err = l.(*net.TCPListener).File()
		check(t, err)
		l.Close()
	}
	// File has made the shared socket blocking, as master's are.
	r, w, err := os.Pipe()
	check(t, err)
	m.status = r
	if j.service == "" {
		j.service = "line"
	}
	m.cmd = exec.Command(os.Args[0], append([]string{"-C", conf}, j.args...)...)
	m.cmd.Env = append(os.Environ(), "WORKER_TEST="+j.service, "CYRUS_SERVICE=line", "CYRUS_ID=0",
		"GORACE=atexit_sleep_ms=0")
	if j.maxClients > 0 {
		m.cmd.Env = append(m.cmd.Env, "CYRUS_MAXCLIENTS="+strconv.Itoa(j.maxClients))
	}
	m.cmd.ExtraFiles = []*os.File{w, listen}
	m.cmd.Stderr = os.Stderr
	check(t, m.cmd.Start())
	w.Close()
	if j.held {
		t.Cleanup(func() { listen.Close() })
	} else {
		listen.Close()
	}
	go func() { m.cmd.Wait(); close(m.exited) }()
	t.Cleanup(func() {
		m.cmd.Process.Kill()
		<-m.exited
		r.Close()
	})
	return m
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kinds are the names of messages in tests.
var kinds = map[message]string{available: "available", unavailable: "unavailable", connection: "connection", connectionMulti: "multi"}

// expect reads messages and compares them with a list of names.
func (m *fakeMaster) expect(want string) {
	m.t.Helper()
	for name := range strings.FieldsSeq(want) {
		var b [8]byte
		_ = m.status.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.ReadFull(m.status, b[:]); err != nil {
			m.t.Fatalf("waiting for %q: %v", name, err)
		}
		kind := message(binary.NativeEndian.Uint32(b[:4]))
		if pid := binary.NativeEndian.Uint32(b[4:]); int(pid) != m.cmd.Process.Pid {
			m.t.Fatalf("message from pid %d", pid)
		}
		if kinds[kind] != name {
			m.t.Fatalf("got message %q (%d), want %q", kinds[kind], kind, name)
		}
	}
}

// silent fails if there is a message within a short time.
func (m *fakeMaster) silent() {
	m.t.Helper()
	var b [8]byte
	_ = m.status.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := m.status.Read(b[:]); err == nil {
		m.t.Fatalf("unexpected message %d bytes: %v", n, b)
	}
}

// exit waits for the end of the worker and compares its status.
func (m *fakeMaster) exit(status int) {
	m.t.Helper()
	select {
	case <-m.exited:
	case <-time.After(patience):
		m.t.Fatalf("the worker is still there after %v", patience)
	}
	if got := m.cmd.ProcessState.ExitCode(); got != status {
		m.t.Fatalf("exit status %d, want %d (%v)", got, status, m.cmd.ProcessState)
	}
}

func (m *fakeMaster) signal(s syscall.Signal) {
	m.t.Helper()
	check(m.t, m.cmd.Process.Signal(s))
}

// testClient is a client of the line service.
type testClient struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (m *fakeMaster) dial() *testClient {
	m.t.Helper()
	network := "tcp"
	if strings.HasPrefix(m.addr, "/") {
		network = "unix"
	}
	c, err := net.DialTimeout(network, m.addr, patience)
	check(m.t, err)
	m.t.Cleanup(func() { c.Close() })
	return &testClient{m.t, c, bufio.NewReader(c)}
}

// login dials and reads the greeting.
func (m *fakeMaster) login() *testClient {
	m.t.Helper()
	c := m.dial()
	c.want("* hello " + map[bool]string{true: "[unix socket]", false: "localhost [127.0.0.1]"}[strings.HasPrefix(m.addr, "/")])
	return c
}

func (c *testClient) line() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	s, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("reading a line: %q, %v", s, err)
	}
	return strings.TrimSuffix(s, "\n")
}

func (c *testClient) want(want string) {
	c.t.Helper()
	if got := c.line(); got != want {
		c.t.Fatalf("got line %q, want %q", got, want)
	}
}

// ask sends a line and returns the answer.
func (c *testClient) ask(line string) string {
	c.t.Helper()
	_, err := io.WriteString(c, line+"\n")
	check(c.t, err)
	return c.line()
}

// eof fails unless the connection has ended.
func (c *testClient) eof() {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if b, err := c.in.ReadByte(); err == nil {
		c.t.Fatalf("got %q, want the end", b)
	}
}
