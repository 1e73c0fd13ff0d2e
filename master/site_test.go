package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gocyrus/test/server"
)

// patience is how long a test waits for what has to come, on a machine that
// has much else to do.
const patience = 30 * time.Second

// built is the folder with the program under test.
var built string

// buildAndRun builds master as it is shipped, and runs the tests.
func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "master")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built = dir
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "master"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// site is a folder with the configuration of a master under test.
type site struct {
	*testing.T
	dir   string
	ports []string
}

// classic is what keeps a site from needing the database.
const classic = "mboxlist_db: twoskip\nannotation_db: twoskip\nduplicate_db: twoskip\nuserdeny_db: flat\n"

// newSite writes the configuration. In cyrusConf WORKER is the fake
// process, DIR the folder, and PORT0, PORT1, … are free ports.
func newSite(t *testing.T, imapdConf, cyrusConf string) *site {
	t.Helper()
	s := &site{T: t, dir: shortDir(t)}
	for range 3 {
		_, port, err := net.SplitHostPort(server.Address(t))
		if err != nil {
			t.Fatal(err)
		}
		s.ports = append(s.ports, port)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"worker": self, databaseName: self, "master": filepath.Join(built, "master"),
	} {
		if target == self {
			err = os.Symlink(target, filepath.Join(s.dir, link))
		} else {
			err = os.Link(target, filepath.Join(s.dir, link)) // it asks where it lies itself
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.write("imapd.conf", "configdirectory: DIR\npartition-default: DIR/spool\ndefaultpartition: default\ndebug: yes\n"+imapdConf)
	s.write("cyrus.conf", cyrusConf)
	return s
}

// shortDir is a folder whose name leaves room for a unix socket's.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "m")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (s *site) write(name, text string) {
	s.Helper()
	r := []string{"WORKER", s.dir + "/worker", "DIR", s.dir}
	for i, p := range s.ports {
		r = append(r, fmt.Sprint("PORT", i), p)
	}
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(strings.NewReplacer(r...).Replace(text)), 0o644); err != nil {
		s.Fatal(err)
	}
}

// notes is what the fake processes noted: "PID NAME WHAT MORE".
func (s *site) notes() []string {
	b, err := os.ReadFile(filepath.Join(s.dir, "notes"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// story is the notes without their pids, one word of more.
func (s *site) story() string {
	var all []string
	for _, n := range s.notes() {
		_, n, _ = strings.Cut(n, " ")
		all = append(all, strings.TrimSpace(n))
	}
	return strings.Join(all, ", ")
}

// started returns the pids of the processes of a service that were started.
func (s *site) started(name string) (pids []int) {
	for _, n := range s.notes() {
		f := strings.Fields(n)
		if len(f) >= 3 && f[1] == name && f[2] == "start" {
			pid, err := strconv.Atoi(f[0])
			if err != nil {
				s.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

func (s *site) command(flags ...string) *exec.Cmd {
	u, err := user.Current()
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command(s.dir+"/master", append([]string{"-C", s.dir + "/imapd.conf", "-M", s.dir + "/cyrus.conf", "-p", s.dir + "/pid"}, flags...)...)
	cmd.Env = append(os.Environ(), workerVar+"="+s.dir+"/notes")
	if _, ok := os.LookupEnv("CYRUS_USER"); !ok {
		cmd.Env = append(cmd.Env, "CYRUS_USER="+u.Username) // it stays who it is
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it signals its whole group
	return cmd
}

// run runs master to its end and returns its exit status and output.
func (s *site) run(flags ...string) (status int, out string) {
	s.Helper()
	cmd := s.command(flags...)
	cmd.WaitDelay = time.Second
	stuck := time.AfterFunc(2*patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stuck.Stop()
	b, err := cmd.CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok && !errors.Is(err, exec.ErrWaitDelay) {
		s.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// running is a master that runs.
type running struct {
	*site
	cmd  *exec.Cmd
	log  *syncBuffer
	done chan struct{}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start starts master and waits until it is ready.
func (s *site) start(flags ...string) *running {
	s.Helper()
	r := s.launch(flags...)
	r.logged("ready for work")
	return r
}

func (s *site) launch(flags ...string) *running {
	s.Helper()
	r := &running{site: s, cmd: s.command(append([]string{"-D"}, flags...)...), log: &syncBuffer{}, done: make(chan struct{})}
	r.cmd.Stderr = r.log
	r.cmd.WaitDelay = time.Second
	if err := r.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait() // the status is asked for
		close(r.done)
	}()
	s.Cleanup(func() {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-r.done:
		case <-time.After(patience):
			s.Error("master does not stop")
		}
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		if s.Failed() {
			s.Logf("log:\n%s\nnotes:\n%s", r.log, strings.Join(s.notes(), "\n"))
		}
	})
	return r
}

func (r *running) signal(sig syscall.Signal) {
	r.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.Fatal(err)
	}
}

// stop ends master and returns its exit status.
func (r *running) stop() int {
	r.Helper()
	r.signal(syscall.SIGTERM)
	return r.exit()
}

func (r *running) exit() int {
	r.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		r.Fatal("master does not end")
	}
	return r.cmd.ProcessState.ExitCode()
}

// eventually waits for f.
func (s *site) eventually(what string, f func() bool) {
	s.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
	}
	s.Fatalf("in vain: %s", what)
}

// logged waits for a line with all the parts.
func (r *running) logged(part string) {
	r.Helper()
	r.eventually("log has "+part, func() bool { return strings.Contains(r.log.String(), part) })
}

// client is a connection to a fake worker.
type client struct {
	net.Conn
	in  *bufio.Scanner
	pid int // of the worker
}

// dial connects to port i, and waits for the worker's greeting.
func (s *site) dial(i int) *client {
	s.Helper()
	return s.dialAddr("tcp", net.JoinHostPort("127.0.0.1", s.ports[i]))
}

func (s *site) dialAddr(network, addr string) *client {
	s.Helper()
	c, err := greeted(network, addr, patience)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	return c
}

func greeted(network, addr string, wait time.Duration) (*client, error) {
	conn, err := net.DialTimeout(network, addr, wait)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: conn, in: bufio.NewScanner(conn)}
	_ = conn.SetReadDeadline(time.Now().Add(wait))
	if !c.in.Scan() {
		conn.Close()
		return nil, fmt.Errorf("no greeting: %v", c.in.Err())
	}
	if c.pid, err = strconv.Atoi(c.in.Text()); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// ask sends a command and returns the line that comes back.
func (c *client) ask(t *testing.T, command string) string {
	t.Helper()
	fmt.Fprintln(c, command)
	if !c.in.Scan() {
		t.Fatalf("no answer to %s: %v", command, c.in.Err())
	}
	return c.in.Text()
}

// refused reports whether nobody listens on port i.
func (s *site) refused(i int) bool {
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", s.ports[i]))
	if err == nil {
		c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
