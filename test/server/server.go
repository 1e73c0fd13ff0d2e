// Package server starts our own master on a site of its own, for tests
// that talk to the whole suite from outside.
package server

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options says what a site is like. The zero value is a site in own mode
// with the users user1 to user3 and the admin cyrus.
type Options struct {
	Config   []string // lines of imapd.conf; each replaces ours of the same name
	Services []string // lines of SERVICES in place of ours; %[1]s is the folder, %[2]s, %[3]s and %[4]s the addresses of IMAP, LMTP and POP3
	Events   []string // lines of EVENTS; none by default
	Users    []string // accounts, password "pass"; nil means user1, user2, user3
	Shared   bool     // shared mode: Cyrus's own database types
	Bare     bool     // no mailboxes are made for the users
}

// A Site is a folder with configuration and data, and the master that
// serves it while it runs.
type Site struct {
	Dir   string // everything lies below it
	IMAP  string // addresses of the listeners
	POP3  string
	LMTP  string // pre-authenticated
	Sieve string // ManageSieve
	Sock  string // path of the unix socket for LMTP

	bin    string
	tb     testing.TB
	master *exec.Cmd
	waited chan struct{}
	out    output
}

// output keeps what a process prints, while it prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

var build struct {
	sync.Once
	dir string
	err error
}

// Root returns the top folder of the checkout.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.mod above the working directory")
}

// Bin returns the folder of our programs: BINDIR of the environment, or
// what is built from this checkout once per test process (by make, which the
// rest of the build goes through too).
func Bin(tb testing.TB) string {
	tb.Helper()
	build.Do(func() {
		if build.dir = os.Getenv("BINDIR"); build.dir != "" {
			return
		}
		root, err := Root()
		if err != nil {
			build.err = err
			return
		}
		build.dir = filepath.Join(root, "bin")
		cmd := exec.Command("make", "-s", "-C", root, "build")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as everybody builds them, also where this test has the race detector
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("make build: %w\n%s", err, out)
		}
	})
	if build.err != nil {
		tb.Fatal(build.err)
	}
	return build.dir
}

// Start makes a site, starts its master, makes the users' mailboxes and
// ends it all with the test.
func Start(tb testing.TB, o Options) *Site {
	tb.Helper()
	s := New(tb, o)
	s.Run()
	if !o.Bare {
		s.MakeUsers(o.users()...)
	}
	return s
}

// New writes the configuration of a site and its accounts; nothing runs.
func New(tb testing.TB, o Options) *Site {
	tb.Helper()
	s := &Site{Dir: dir(tb), bin: Bin(tb), tb: tb}
	for _, d := range []string{"etc", "conf", "spool", "sieve", "log", "run/proc", "run/lock",
		"conf/db", "conf/socket", "conf/log", "conf/msg", "conf/quota", "conf/user"} {
		if err := os.MkdirAll(filepath.Join(s.Dir, d), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	s.IMAP, s.POP3, s.LMTP, s.Sieve = Address(tb), Address(tb), Address(tb), Address(tb)
	s.Sock = filepath.Join(s.Dir, "run/lmtp")
	s.write("etc/imapd.conf", s.imapdConf(o))
	s.write("etc/cyrus.conf", s.cyrusConf(o))
	s.accounts(append(o.users(), "cyrus"))
	tb.Cleanup(s.cleanup)
	return s
}

// At is a site that something else has set up in dir and serves, as
// test/bin/reference-server does: IMAP at a port, POP3, LMTP and ManageSieve at the next.
func At(tb testing.TB, dir string, port int) *Site {
	at := func(n int) string { return fmt.Sprintf("127.0.0.1:%d", n) }
	return &Site{Dir: dir, IMAP: at(port), POP3: at(port + 1), LMTP: at(port + 2), Sieve: at(port + 3), Sock: filepath.Join(dir, "run/lmtp"), bin: Bin(tb), tb: tb}
}

// rounds is how often the accounts' passwords are hashed: those of `cyrus
// passwd` take their time on purpose, at each log-in.
const rounds = 10

// accounts makes the site's accounts, all with the password "pass".
func (s *Site) accounts(users []string) {
	s.tb.Helper()
	var b strings.Builder
	for _, u := range users {
		salt := []byte(u)
		hash, err := pbkdf2.Key(sha512.New, "pass", salt, rounds, sha512.Size)
		if err != nil {
			s.tb.Fatal(err)
		}
		e := base64.RawStdEncoding
		fmt.Fprintf(&b, "%s:$pbkdf2-sha512$i=%d$%s$%s\n", u, rounds, e.EncodeToString(salt), e.EncodeToString(hash))
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "conf/accounts"), []byte(b.String()), 0o600); err != nil {
		s.tb.Fatal(err)
	}
}

func (o Options) users() []string {
	if o.Users != nil {
		return o.Users
	}
	return []string{"user1", "user2", "user3"}
}

// dir is a folder with a short name: the path of a unix socket has at
// most 107 bytes, and a test's own folder may be longer.
func dir(tb testing.TB) string {
	d, err := os.MkdirTemp("", "site")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(d) })
	return d
}

// guards are names in the abstract namespace of unix sockets, one for each
// port that was given out: no other test gets it, in whatever process, until
// this one ends.
var guards sync.Map

// Address returns a loopback address with a port that is free, and that
// nobody else is given: below those that the system hands out by itself.
func Address(tb testing.TB) string {
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		guard, err := net.Listen("unix", fmt.Sprintf("@gocyrus-test-port-%d", port))
		if err != nil {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			guard.Close()
			continue
		}
		l.Close()
		guards.Store(port, guard)
		return addr
	}
	tb.Fatal("no port is free")
	return ""
}

func (s *Site) write(name, text string) {
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o644); err != nil {
		s.tb.Fatal(err)
	}
}

// imapdConf is the same site that test/bin/reference-server makes for the
// real Cyrus.
func (s *Site) imapdConf(o Options) string {
	lines := []string{
		"servername: reference.example.org",
		"configdirectory: " + s.Dir + "/conf",
		"defaultpartition: default",
		"partition-default: " + s.Dir + "/spool",
		"proc_path: " + s.Dir + "/run/proc",
		"mboxname_lockpath: " + s.Dir + "/run/lock",
		"lmtpsocket: " + s.Sock,
		"idlesocket: " + s.Dir + "/run/idle",
		"notifysocket: " + s.Dir + "/run/notify",
		"sievedir: " + s.Dir + "/sieve",
		"admins: cyrus",
		"hashimapspool: yes",
		"unixhierarchysep: yes",
		"altnamespace: no",
		"allowplaintext: yes",
		"sasl_pwcheck_method: auxprop",
		"sasl_sasldb_path: " + s.Dir + "/conf/sasldb2",
		"sasl_mech_list: PLAIN LOGIN",
	}
	if os.Getuid() == 0 {
		lines = append(lines, "cyrus_user: root")
	}
	if o.Shared {
		lines = append(lines, "mboxlist_db: twoskip", "annotation_db: twoskip", "duplicate_db: twoskip", "userdeny_db: flat")
	}
	for _, line := range o.Config {
		name, _, _ := strings.Cut(line, ":")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n") + "\n"
}

func (s *Site) cyrusConf(o Options) string {
	services := o.Services
	if services == nil {
		services = []string{
			`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="` + s.IMAP + `" prefork=1`,
			`pop3 cmd="pop3d -C %[1]s/etc/imapd.conf" listen="` + s.POP3 + `"`,
			`lmtp cmd="lmtpd -C %[1]s/etc/imapd.conf -a" listen="` + s.LMTP + `"`,
			`lmtpunix cmd="lmtpd -C %[1]s/etc/imapd.conf" listen="%[1]s/run/lmtp"`,
			`managesieve cmd="timsieved -C %[1]s/etc/imapd.conf" listen="` + s.Sieve + `"`,
			`notify cmd="notifyd -C %[1]s/etc/imapd.conf" listen="%[1]s/run/notify" proto="udp" prefork=1`,
		}
	}
	var b strings.Builder
	section := func(name string, lines []string) {
		fmt.Fprintf(&b, "%s {\n", name)
		for _, l := range lines {
			fmt.Fprintln(&b, "  "+strings.NewReplacer("%[1]s", s.Dir, "%[2]s", s.IMAP, "%[3]s", s.LMTP, "%[4]s", s.POP3).Replace(l))
		}
		fmt.Fprintln(&b, "}")
	}
	section("START", []string{`recover cmd="ctl_cyrusdb -C %[1]s/etc/imapd.conf -r"`})
	section("SERVICES", services)
	section("EVENTS", o.Events)
	return b.String()
}

// Conf is the path of the site's imapd.conf.
func (s *Site) Conf() string { return filepath.Join(s.Dir, "etc/imapd.conf") }

// Run starts master and waits until the IMAP port answers.
func (s *Site) Run() {
	s.tb.Helper()
	cmd := exec.Command(filepath.Join(s.bin, "master"), "-C", s.Conf(),
		"-M", filepath.Join(s.Dir, "etc/cyrus.conf"), "-p", filepath.Join(s.Dir, "run/master.pid"),
		"-L", filepath.Join(s.Dir, "log/out"), "-D")
	cmd.Env = s.env()
	cmd.Stdout, cmd.Stderr = &s.out, &s.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	s.master, s.waited = cmd, make(chan struct{})
	go func() { cmd.Wait(); close(s.waited) }()
	if err := s.WaitReady(time.Minute); err != nil {
		s.tb.Fatalf("master: %v\n%s", err, s.Log())
	}
}

func (s *Site) env() []string {
	return append(os.Environ(), "CYRUS_USER=", "PATH="+s.bin+":"+os.Getenv("PATH"))
}

// WaitReady waits until the IMAP port sends a greeting, or master ends.
func (s *Site) WaitReady(d time.Duration) error { return s.waitGreeting(d, s.waited) }

// WaitGreeting is WaitReady for a server that the caller has started.
func (s *Site) WaitGreeting(d time.Duration) error { return s.waitGreeting(d, nil) }

func (s *Site) waitGreeting(d time.Duration, ended <-chan struct{}) error {
	end := time.Now().Add(d)
	for {
		err := greeting(s.IMAP)
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("no greeting on %s within %v: %w", s.IMAP, d, err)
		}
		select {
		case <-ended:
			return errors.New("master has exited")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func greeting(addr string) error {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	var b [4]byte
	if _, err := c.Read(b[:]); err != nil {
		return err
	}
	_, err = c.Write([]byte("x LOGOUT\r\n"))
	return err
}

// Pid is the process id of master.
func (s *Site) Pid() int { return s.master.Process.Pid }

// Exited is closed once master has ended.
func (s *Site) Exited() <-chan struct{} { return s.waited }

// Stop ends master gracefully and reports whether it left within d.
func (s *Site) Stop(d time.Duration) bool {
	if s.master == nil {
		return true
	}
	_ = s.master.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.waited:
		s.master = nil
		return true
	case <-time.After(d):
		return false
	}
}

// Kill ends master alone with SIGKILL, as a crash would.
func (s *Site) Kill() {
	_ = s.master.Process.Kill()
	<-s.waited
	s.master = nil
}

// cleanup ends master and whatever it left of its session.
func (s *Site) cleanup() {
	pgid := 0
	if s.master != nil {
		pgid = s.master.Process.Pid
	}
	if !s.Stop(30*time.Second) && pgid != 0 {
		s.tb.Errorf("master did not stop within 30 s\n%s", s.Log())
	}
	for _, pid := range s.Processes("") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if s.tb.Failed() {
		s.tb.Logf("log of the site:\n%s", s.Log())
	}
}

// Processes returns the ids of the running processes of this site whose
// program has the given name ("" for all), in ascending order.
func (s *Site) Processes(name string) []int {
	var pids []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscanf(e.Name(), "%d", &pid); err != nil || pid == os.Getpid() {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil || !bytes.Contains(cmdline, []byte(s.Dir+"/")) {
			continue
		}
		prog, _, _ := bytes.Cut(cmdline, []byte{0})
		if name == "" || filepath.Base(string(prog)) == name {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// Log is what master and its children have written.
func (s *Site) Log() string {
	log, _ := os.ReadFile(filepath.Join(s.Dir, "log/out"))
	if len(log) > 20000 {
		log = log[len(log)-20000:]
	}
	return s.out.String() + string(log)
}

// Tool runs one of our programs with -C and input, and fails the test
// when it fails. args are those after "-C imapd.conf".
func (s *Site) Tool(input, program string, args ...string) string {
	s.tb.Helper()
	out, err := s.Try(input, program, args...)
	if err != nil {
		s.tb.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return out
}

// Try is Tool for a program that may fail.
func (s *Site) Try(input, program string, args ...string) (string, error) {
	if program == "cyrus" { // its subcommand comes before the flags
		args = append([]string{args[0], "-C", s.Conf()}, args[1:]...)
	} else {
		args = append([]string{"-C", s.Conf()}, args...)
	}
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Env = s.env()
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Script writes a program that the caller, or what it starts, runs. Nothing is
// forked while the file is open for writing: a child that has not become
// another program yet would keep it open, and a program that is open for
// writing cannot be run ("text file busy").
func Script(tb testing.TB, path, text string, mode os.FileMode) {
	tb.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		tb.Fatal(err)
	}
}
