package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/cyrusdb/dbd"
	"gocyrus/libcyrus/cyrusdb/dbwire"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// TestMain makes this test program cyrusdbd if it is started under that
// name (the processes of these tests are links to it).
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == dbd.Program {
		main()
	}
	os.Setenv("CYRUS_USER", "root") // if we are root, so are the servers
	os.Exit(m.Run())
}

// patience is how long a test waits for what has to come, on a machine that
// has much else to do.
const patience = 30 * time.Second

// site is a folder with a configuration.
type site struct {
	t    testing.TB
	dir  string
	conf *config.Config

	mu      sync.Mutex
	started []*exec.Cmd // by clients; those that another was faster than may not have ended yet
}

func newSite(t testing.TB, lines ...string) *site {
	t.Helper()
	return newSiteIn(t, t.TempDir(), lines...)
}

func newSiteIn(t testing.TB, dir string, lines ...string) *site {
	t.Helper()
	text := fmt.Sprintf("configdirectory: %s/conf\ndefaultpartition: default\npartition-default: %s/spool\n%s\n",
		dir, dir, strings.Join(lines, "\n"))
	path := filepath.Join(dir, "imapd.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, dbd.Program))
	}
	if err != nil {
		t.Fatal(err)
	}
	conf, err := config.Load(path, "test")
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, dir: dir, conf: conf}
}

func (s *site) paths() dbwire.Paths { return dbwire.PathsOf(s.dir + "/conf") }

// command is a cyrusdbd of this site.
func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.dir, dbd.Program), append([]string{"-C", s.dir + "/imapd.conf"}, args...)...)
	cmd.Args[0] = dbd.Program
	return cmd
}

// run starts a server as master does, and waits until it says it is ready.
func (s *site) run(args ...string) *exec.Cmd {
	s.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	cmd := s.command(args...)
	var out bytes.Buffer
	cmd.Stderr = &out
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(os.Environ(), "CYRUS_ISDAEMON=1")
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	w.Close()
	line, _ := bufio.NewReader(r).ReadString('\n')
	if line != "ok\r\n" {
		cmd.Wait()
		s.t.Fatalf("server said %q: %s", line, out.String())
	}
	s.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

// client starts a server if there is none.
func (s *site) client() *dbd.Client {
	c := dbd.New(dbd.Options{Paths: s.paths(), Log: quiet, Start: func() error {
		cmd := s.command("-t", "10")
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.started = append(s.started, cmd)
		}()
		return dbd.StartCommand(cmd, s.paths().Socket)
	}})
	s.t.Cleanup(func() {
		c.Close()
		s.dismiss()
	})
	return c
}

// dismiss ends a temporary server, which would stay for 10 seconds, and all
// that clients have started, and waits until they have left the site's folder.
func (s *site) dismiss() {
	s.handOver()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cmd := range s.started {
		if cmd.Process != nil {
			cmd.Process.Kill()
			gone(cmd.Process.Pid)
		}
	}
	s.started = nil
}

// handOver has a temporary server leave.
func (s *site) handOver() {
	conn, err := dbwire.Dial(s.paths().Socket, patience)
	if err != nil {
		return // nobody there
	}
	conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c := dbd.New(dbd.Options{Paths: s.paths(), Log: quiet})
	defer c.Close()
	hello, err := c.Hello(ctx)
	if err != nil || !hello.Temporary || int(hello.Pid) == os.Getpid() {
		return
	}
	c.Handover(ctx)
	gone(int(hello.Pid))
}

// gone waits for the end of a process.
func gone(pid int) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(line) == 0 {
			return
		}
	}
}

// TestKill kills the server again and again under eight writers, and then
// finds all that was acknowledged, and nothing twice.
func TestKill(t *testing.T) {
	s := newSite(t)
	cmd := s.run()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var acked [8]int
	var sums atomic.Int64
	var wg sync.WaitGroup
	for w := range acked {
		c := dbd.New(dbd.Options{Paths: s.paths(), Log: quiet})
		defer c.Close()
		db := c.DB(dbd.Mailboxes)
		wg.Go(func() {
			for ctx.Err() == nil {
				tx := put(fmt.Sprintf("w%d.%06d", w, acked[w]), "x")
				tx.Require([]byte(fmt.Sprintf("w%d.%06d", w, acked[w])), nil) // not done twice
				if err := db.Commit(t.Context(), tx); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				acked[w]++
				if increment(t, db) {
					sums.Add(1)
				}
			}
		})
	}
	for range 5 {
		time.Sleep(200 * time.Millisecond)
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
		cmd = s.run()
	}
	time.Sleep(50 * time.Millisecond)
	cancel()
	wg.Wait()
	db := s.client().DB(dbd.Mailboxes)
	for w, n := range acked {
		found := 0
		err := db.ScanPrefix(t.Context(), fmt.Appendf(nil, "w%d.", w), func(k, v []byte) (bool, error) {
			found++
			return true, nil
		})
		if err != nil || found != n {
			t.Errorf("writer %d: %d acknowledged, %d found, %v", w, n, found, err)
		}
	}
	v, _ := db.Get(t.Context(), []byte("sum"))
	if string(v) != fmt.Sprint(sums.Load()) {
		t.Errorf("sum is %q, want %d", v, sums.Load())
	}
	t.Logf("writers %v, sum %d", acked, sums.Load())
}

// increment adds one to a number; false if another writer came between.
func increment(t *testing.T, db *dbd.DB) bool {
	key := []byte("sum")
	old, err := db.Get(t.Context(), key)
	if errors.Is(err, cyrusdb.ErrNotFound) {
		old, err = nil, nil
	}
	n := 0
	fmt.Sscan(string(old), &n)
	var tx cyrusdb.Tx
	tx.Require(key, old)
	tx.Put(key, fmt.Append(nil, n+1))
	if err == nil {
		err = db.Commit(t.Context(), tx)
	}
	if err != nil && !errors.Is(err, cyrusdb.ErrConflict) {
		t.Error(err)
	}
	return err == nil
}

// TestTemporary: programs that find nobody start a server, one for all;
// when master's comes it hands over, and nobody notices.
func TestTemporary(t *testing.T) {
	s := newSite(t)
	var wg sync.WaitGroup
	pids := make([]uint32, 6)
	for i := range pids {
		c := s.client()
		wg.Go(func() {
			if err := c.DB(dbd.Mailboxes).Commit(t.Context(), put(fmt.Sprint("k", i), "v")); err != nil {
				t.Error(err)
			}
			hello, err := c.Hello(t.Context())
			if err != nil || !hello.Temporary {
				t.Errorf("%+v, %v", hello, err)
			}
			pids[i] = hello.Pid
		})
	}
	wg.Wait()
	for _, pid := range pids {
		if pid != pids[0] {
			t.Errorf("servers %v", pids)
			break
		}
	}
	c := s.client()
	db := c.DB(dbd.Mailboxes)
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	wg.Go(func() {
		defer cancel()
		for ; ctx.Err() == nil; n.Add(1) {
			if err := db.Commit(t.Context(), put("n", fmt.Sprint(n.Load()))); err != nil {
				t.Error(err)
				return
			}
		}
	})
	cmd := s.run()
	for before := n.Load(); n.Load() < before+3 && ctx.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wg.Wait()
	hello, err := c.Hello(t.Context())
	if err != nil || hello.Temporary || hello.Pid != uint32(cmd.Process.Pid) {
		t.Errorf("%+v, %v", hello, err)
	}
	if v, err := db.Get(t.Context(), []byte("n")); string(v) != fmt.Sprint(n.Load()-1) {
		t.Errorf("n is %q after %d, %v", v, n.Load(), err)
	}
	if out, err := s.command("-t", "1").CombinedOutput(); err != nil {
		t.Errorf("a temporary one beside master's: %v, %s", err, out)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitTempFail {
		t.Errorf("after SIGTERM: %v", err)
	}
}

func TestUsage(t *testing.T) {
	s := newSite(t)
	for _, args := range [][]string{{"-x"}, {"-t", "0"}, {"-t", "abc"}, {"word"}} {
		cmd := s.command(args...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), "usage: cyrusdbd") {
			t.Errorf("%q: %d, %s", args, cmd.ProcessState.ExitCode(), out)
		}
	}
}

// open opens the site's databases; the server is this test program.
func (s *site) open() (*cyrusdb.SiteDBs, error) {
	return cyrusdb.OpenSite(s.conf, disk.OS(), lock.NewTable(disk.OS(), quiet), quiet)
}

func (s *site) read(name string) string {
	b, _ := os.ReadFile(filepath.Join(s.dir, name))
	return string(b)
}

func (s *site) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestNewSite: the first start makes markers; what does not go together
// with them afterwards is refused with status 78 by server and clients.
func TestNewSite(t *testing.T) {
	s := newSite(t)
	s.write("spool/stage./1-2-3", "being delivered")
	cmd := s.run()
	for _, name := range []string{"mailboxes.db", "annotations.db", "deliver.db", "user_deny.db"} {
		if got := s.read("conf/" + name); !strings.HasPrefix(got, "gocyrus marker 1\ndirectory "+s.dir+"/conf/db.pebble\n") {
			t.Errorf("%s is %q", name, got)
		}
	}
	dbs, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	if err := dbs.Mailboxes.Commit(t.Context(), put("Nuser\x1ffred", "%(T e)")); err != nil {
		t.Error(err)
	}
	dbs.Close()
	stop := func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}
	stop()
	marker := s.read("conf/mailboxes.db")
	refused := func(what, want string) {
		t.Helper()
		cmd := s.command("-t", "1")
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != exitConfig || !strings.Contains(string(out), want) {
			t.Errorf("%s: server says %d, %s", what, cmd.ProcessState.ExitCode(), out)
		}
	}
	opening := func(what, want string) {
		t.Helper()
		dbs, err := s.open()
		var mode *cyrusdb.ModeError
		if err == nil {
			dbs.Close()
		}
		if !errors.As(err, &mode) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: opening says %v", what, err)
		}
	}
	os.Remove(s.dir + "/conf/mailboxes.db")
	refused("no marker", "is missing, but there are records in")
	s.write("spool/user/fred/1.", "mail")
	refused("no list but mail", "no mailbox list")
	opening("no list but mail", "no mailbox list")

	s.write("conf/mailboxes.db", strings.Replace(marker, "epoch 1", "epoch 2", 1))
	refused("other epoch", "one of the two is from a backup")
	s.write("conf/mailboxes.db", marker)
	os.Rename(s.dir+"/conf/db.pebble", s.dir+"/conf/elsewhere")
	refused("no data", "but nothing is there")
	opening("no data", "but nothing is there")
	os.Rename(s.dir+"/conf/elsewhere", s.dir+"/conf/db.pebble")

	s.write("conf/annotations.db", "a file of another kind\n")
	opening("Cyrus's file", "run ctl_cyrusdb -r")
	os.Remove(s.dir + "/conf/annotations.db")
	cmd = s.run()
	if s.read("conf/annotations.db") == "" {
		t.Error("the marker of the annotations was not made again")
	}
	if dbs, err = s.open(); err != nil {
		t.Fatal(err)
	}
	if v, err := dbs.Mailboxes.Get(t.Context(), []byte("Nuser\x1ffred")); string(v) != "%(T e)" {
		t.Errorf("then %q, %v", v, err)
	}
	dbs.Close()
	stop()
}

func TestMixedConfiguration(t *testing.T) {
	s := newSite(t, "mboxlist_db: twoskip")
	if _, err := s.open(); err == nil || !strings.Contains(err.Error(), "or none of them") {
		t.Errorf("opening says %v", err)
	}
	cmd := s.command()
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitConfig || !strings.Contains(string(out), "or none of them") {
		t.Errorf("server says %s", out)
	}
}

var sharedMode = []string{"mboxlist_db: twoskip", "annotation_db: twoskip", "duplicate_db: twoskip", "userdeny_db: flat"}

func TestSharedMode(t *testing.T) {
	s := newSite(t, sharedMode...)
	dbs, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer dbs.Close()
	if dbs.Server != nil {
		t.Error("there is a server")
	}
	if _, err := dbs.Duplicates.Get(t.Context(), []byte("k")); !errors.Is(err, cyrusdb.ErrNotFound) {
		t.Error(err)
	}
	if s.read("conf/deliver.db") != "" || !strings.Contains(s.read("conf/mailboxes.db"), "twoskip file") {
		t.Error("wrong files were made")
	}
	for range 2 { // the second time its file has gone
		if err := dbs.Duplicates.Commit(t.Context(), put("k", "v")); err != nil {
			t.Fatal(err)
		}
		if v, err := dbs.Duplicates.Get(t.Context(), []byte("k")); string(v) != "v" {
			t.Errorf("%q, %v", v, err)
		}
		os.Remove(s.dir + "/conf/deliver.db")
	}
	if err := dbs.Duplicates.Scan(t.Context(), nil, func(k, v []byte) (bool, error) { return true, nil }); err != nil {
		t.Error(err)
	}
	cmd := s.command()
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitConfig || !strings.Contains(string(out), "nothing for cyrusdbd to serve") {
		t.Errorf("server says %s", out)
	}
	s.write("conf/mailboxes.db", "gocyrus marker 1\nsite x\nepoch 1\n")
	if _, err := s.open(); err == nil || !strings.Contains(err.Error(), "cyrus handback") {
		t.Errorf("with a marker: %v", err)
	}
	os.Remove(s.dir + "/conf/mailboxes.db")
	s.write("spool/a/user/alice/1.", "mail")
	if _, err := s.open(); err == nil || !strings.Contains(err.Error(), "no mailbox list") {
		t.Errorf("no list but mail: %v", err)
	}
}

// contents is all records of a database.
func contents(t *testing.T, db cyrusdb.DB) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := db.Scan(t.Context(), nil, func(k, v []byte) (bool, error) { got[string(k)] = string(v); return true, nil })
	if err != nil {
		t.Error(err)
	}
	return got
}

// TestConvertAndHandBack takes the databases of a real Cyrus into pebble and
// gives them back, twice.
func TestConvertAndHandBack(t *testing.T) {
	s := newSite(t)
	shared := site{t: s.t, dir: s.dir, conf: s.conf}
	samples := "../libcyrus/cyrusdb/twoskip/testdata/"
	for _, name := range []string{"mailboxes.db", "annotations.db", "deliver.db"} {
		b, err := os.ReadFile(samples + name)
		if err != nil {
			t.Fatal(err)
		}
		s.write("conf/"+name, string(b))
	}
	s.write("conf/user_deny.db", "fred\t2\xff\x89imap\xff\x89go away\n")
	s.write("spool/a/user/alice/1.", "mail")
	text := s.read("imapd.conf") + strings.Join(sharedMode, "\n") + "\n"
	s.write("shared.conf", text)
	var err error
	if shared.conf, err = config.Load(s.dir+"/shared.conf", "test"); err != nil {
		t.Fatal(err)
	}
	all := func(s *site) []map[string]string {
		t.Helper()
		dbs, err := s.open()
		if err != nil {
			t.Fatal(err)
		}
		defer dbs.Close()
		return []map[string]string{contents(t, dbs.Mailboxes), contents(t, dbs.Annotations), contents(t, dbs.Duplicates), contents(t, dbs.UserDeny)}
	}
	want := fmt.Sprint(all(&shared))
	if _, err := s.open(); err == nil || !strings.Contains(err.Error(), "run ctl_cyrusdb -r") {
		t.Errorf("before: %v", err)
	}
	locks := lock.NewTable(disk.OS(), quiet)
	for round := range 2 {
		cmd := s.run()
		done, err := cyrusdb.Convert(t.Context(), s.conf, disk.OS(), locks, quiet)
		if err != nil || len(done) != 4 {
			t.Fatalf("converted %q, %v", done, err)
		}
		if again, err := cyrusdb.Convert(t.Context(), s.conf, disk.OS(), locks, quiet); err != nil || len(again) != 0 {
			t.Errorf("converted again %q, %v", again, err)
		}
		if got := fmt.Sprint(all(s)); got != want {
			t.Errorf("in pebble are %s, want %s", got, want)
		}
		if !strings.Contains(s.read("conf/mailboxes.db"), fmt.Sprintf("epoch %d", round+1)) {
			t.Errorf("marker: %s", s.read("conf/mailboxes.db"))
		}
		if err := cyrusdb.Handback(t.Context(), s.conf, disk.OS(), quiet); err != nil {
			t.Fatal(err)
		}
		cmd.Process.Kill()
		cmd.Wait()
		if got := fmt.Sprint(all(&shared)); got != want {
			t.Errorf("handed back are %s, want %s", got, want)
		}
	}
	if old, _ := filepath.Glob(s.dir + "/conf/db.pebble.OLD.*"); len(old) != 1 {
		t.Errorf("the stale databases were copied to %q", old)
	}
	if s.read("conf/mailboxes.db.ORIG") == "" || s.read("conf/mailboxes.db.ORIG.1") == "" {
		t.Error("the converted files were not kept")
	}
}

// TestNobody: without a server and without a way to start one, an operation
// fails in time.
func TestNobody(t *testing.T) {
	s := newSite(t)
	c := dbd.New(dbd.Options{Paths: s.paths(), Log: quiet})
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := c.Ping(ctx); !errs.Is(err, errs.Unavailable) {
		t.Error(err)
	}
	fails := dbd.New(dbd.Options{Paths: s.paths(), Log: quiet, Start: func() error { return &dbd.StartError{Text: "no"} }})
	defer fails.Close()
	if err := fails.Ping(t.Context()); !errs.Is(err, errs.Unavailable) || !strings.Contains(err.Error(), "no") {
		t.Error(err)
	}
}

// TestConvertInterrupted stops a conversion after each step. Until it is
// done Cyrus's mailbox list is true; doing it again completes it.
func TestConvertInterrupted(t *testing.T) {
	s := newSite(t)
	old, err := cyrusdb.Open(disk.OS(), lock.NewTable(disk.OS(), quiet), "twoskip", s.dir+"/conf/mailboxes.db", cyrusdb.Create)
	if err == nil {
		err = old.Commit(t.Context(), put("Nuser\x1ffred", "%(T e)"))
	}
	if err != nil {
		t.Fatal(err)
	}
	old.Close()
	sample := s.read("conf/mailboxes.db")
	s.write("conf/deliver.db", "")
	s.run()
	locks := lock.NewTable(disk.OS(), quiet)
	converted := false
	for i := 0; ; i++ {
		s.write("conf/mailboxes.db", sample)
		if i%2 == 0 {
			os.Remove(s.dir + "/conf/annotations.db")
			s.write("conf/deliver.db", "")
		}
		fsys := disk.FailFrom(disk.OS(), i)
		_, err := cyrusdb.Convert(t.Context(), s.conf, fsys, lock.NewTable(fsys, quiet), quiet)
		if err != nil && !errors.Is(err, disk.ErrInjected) {
			t.Fatalf("step %d: %v", i, err)
		}
		if list := s.read("conf/mailboxes.db"); list != sample && !strings.HasPrefix(list, "gocyrus marker") {
			t.Fatalf("step %d: the mailbox list is %q", i, list)
		}
		_, again := cyrusdb.Convert(t.Context(), s.conf, disk.OS(), locks, quiet)
		if again != nil {
			t.Fatalf("step %d, again: %v", i, again)
		}
		dbs, oerr := s.open()
		if oerr != nil {
			t.Fatalf("step %d: %v", i, oerr)
		}
		if n := len(contents(t, dbs.Mailboxes)); n != 1 {
			t.Fatalf("step %d: %d mailboxes", i, n)
		}
		dbs.Close()
		if converted = err == nil; converted {
			break
		}
		for _, old := range []string{"ORIG", "ORIG.1", "ORIG.2"} {
			os.Remove(s.dir + "/conf/mailboxes.db." + old)
		}
	}
}

// TestOrphan: when master has been killed, its server hands over to that of
// the next master at once.
func TestOrphan(t *testing.T) {
	s := newSite(t)
	own := s.command()
	parent := exec.Command("/bin/sh", append([]string{"-c", `"$0" "$@" & wait`, own.Path}, own.Args[1:]...)...)
	parent.Env = append(os.Environ(), "CYRUS_ISDAEMON=1")
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	c := s.client()
	var old dbwire.HelloReply
	for deadline := time.Now().Add(patience); old.Pid == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		one := dbd.New(dbd.Options{Paths: s.paths(), Log: quiet})
		old, _ = one.Hello(t.Context())
		one.Close()
	}
	if old.Pid == 0 || old.Temporary {
		t.Fatalf("%+v", old)
	}
	if err := c.DB(dbd.Mailboxes).Commit(t.Context(), put("k", "v")); err != nil {
		t.Fatal(err)
	}
	parent.Process.Kill()
	parent.Wait()
	began := time.Now()
	cmd := s.run()
	if d := time.Since(began); d > patience {
		t.Errorf("the next server serves after %v", d)
	}
	hello, err := c.Hello(t.Context())
	if err != nil || hello.Temporary || hello.Pid != uint32(cmd.Process.Pid) {
		t.Errorf("%+v, %v", hello, err)
	}
	if v, err := c.DB(dbd.Mailboxes).Get(t.Context(), []byte("k")); string(v) != "v" {
		t.Errorf("%q, %v", v, err)
	}
}

// TestStopWaiting: a server that waits for another to go can be ended. When it
// has come so far as to wait is not to be seen from outside: one that dies of
// the signal has not, and the next gets more time.
func TestStopWaiting(t *testing.T) {
	s := newSite(t)
	s.run()
	for wait := 200 * time.Millisecond; ; wait *= 2 {
		cmd := s.command()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(wait)
		cmd.Process.Signal(syscall.SIGTERM)
		began := time.Now()
		cmd.Wait()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM && wait < 10*time.Second {
			continue
		}
		if d := time.Since(began); d > patience || cmd.ProcessState.ExitCode() != exitTempFail {
			t.Errorf("ended after %v with %v", d, cmd.ProcessState)
		}
		return
	}
}
