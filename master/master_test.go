package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestServe(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, `SERVICES {
  imap cmd="WORKER serve x" listen="127.0.0.1:PORT0" prefork=2 maxclients=1
  pop3 cmd="worker serve" listen="PORT1" maxfds=200
  lmtp cmd="WORKER serve" listen="DIR/sock" prefork=0
}
`)
	r := s.start()
	s.eventually("two workers", func() bool { return len(s.started("imap")) == 2 })
	c := s.dial(0)
	if !slices.Contains(s.started("imap"), c.pid) {
		t.Errorf("served by %d, started were %v", c.pid, s.started("imap"))
	}
	s.eventually("a third worker", func() bool { return len(s.started("imap")) == 3 })
	// Signals from 32 on are the C library's affair: whoever runs the test
	// may ignore them.
	want := `^CYRUS_SERVICE=imap CYRUS_ID=0 CYRUS_MAXCLIENTS=1 SigIgn=[0-9a-f]{8}[08]0000000 .*0=\S+ 1=\S+ 2=\S+ 3=pipe 4=socket uid=\d+ group=true$`
	if got := c.ask(t, "about"); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("imap worker: %s", got)
	}
	v6, err := net.Listen("tcp", "[::1]:0")
	if err == nil {
		v6.Close()
	}
	if err != nil {
		t.Logf("without IPv6: %v", err)
	} else if got := s.dialAddr("tcp", "[::1]:"+s.ports[1]).ask(t, "about"); !strings.HasPrefix(got, "CYRUS_SERVICE=pop3 CYRUS_ID=1 CYRUS_MAXCLIENTS=50 ") {
		t.Errorf("pop3 worker for IPv6: %s", got)
	}
	if got := s.dial(1).ask(t, "about"); !strings.HasPrefix(got, "CYRUS_SERVICE=pop3 CYRUS_ID=0 ") {
		t.Errorf("pop3 worker for IPv4: %s", got)
	}
	s.dialAddr("unix", s.dir+"/sock")
	if st, err := os.Stat(s.dir + "/sock"); err != nil || st.Mode().Perm() != 0o777 {
		t.Errorf("unix socket: %v, %v", st.Mode(), err)
	}
	pid, err := os.ReadFile(s.dir + "/pid")
	if want := fmt.Sprintln(r.cmd.Process.Pid); err != nil || string(pid) != want {
		t.Errorf("pid file %q, %v, want %q", pid, err, want)
	}
	if got := r.stop(); got != 0 {
		t.Errorf("exit status %d", got)
	}
	r.logged("attempting clean shutdown on signal")
	r.logged("All children have exited, closing down")
	for _, pid := range s.started("imap") {
		if alive(pid) {
			t.Errorf("%d lives on", pid)
		}
	}
	if _, err := os.Stat(s.dir + "/pid"); err != nil {
		t.Error(err) // Cyrus leaves it, too
	}
}

// TestMetrics compares the file with what Cyrus writes.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic+"prometheus_enabled: yes\nprometheus_update_freq: 1s\nprometheus_stats_dir: {configdirectory}/figures\n", `SERVICES {
  imap cmd="WORKER serve" listen="127.0.0.1:PORT0" prefork=1 maxclients=1 maxchild=7 maxforkrate=3
  pop3 cmd="WORKER serve" listen="127.0.0.1:PORT1"
}
DAEMON {
  w cmd="WORKER ready" wait=y
  d cmd="WORKER daemon"
}
`)
	s.start()
	s.dial(0)
	var got string
	s.eventually("two forks are reported", func() bool {
		b, _ := os.ReadFile(s.dir + "/figures/master.txt")
		got = regexp.MustCompile(`(?m) \d+$`).ReplaceAllString(string(b), "")
		return strings.Contains(got, "cyrus_master_forks_total{service=\"imap\",family=\"ipv4\"} 2\n")
	})
	for _, want := range []string{
		"# HELP cyrus_master_ready_workers The number of ready workers\n# TYPE cyrus_master_ready_workers gauge\n" +
			"cyrus_master_ready_workers{service=\"imap\",family=\"ipv4\"} 1\ncyrus_master_ready_workers{service=\"pop3\",family=\"ipv4\"} 0\n" +
			"cyrus_master_ready_workers{service=\"d\",family=\"daemon\"} 1\ncyrus_master_ready_workers{service=\"w\",family=\"daemon\"} 1\n",
		"cyrus_master_active_children{service=\"imap\",family=\"ipv4\"} 2\n",
		"cyrus_master_max_children{service=\"imap\",family=\"ipv4\"} 7\ncyrus_master_max_children{service=\"pop3\",family=\"ipv4\"} 2147483647\n",
		"# TYPE cyrus_master_forks_per_second gauge\n",
		"cyrus_master_max_forks_per_second{service=\"d\",family=\"daemon\"} 10\n",
		"# TYPE cyrus_master_ready_fails_total counter\ncyrus_master_ready_fails_total{service=\"imap\",family=\"ipv4\"} 0\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks\n%s\nhas\n%s", want, got)
		}
	}
	if st, err := os.Stat(s.dir + "/figures/master.txt"); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}

func TestMaxFDs(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, `SERVICES {
  imap cmd="/bin/sh DIR/limits" listen="127.0.0.1:PORT0" prefork=1 maxfds=200
  pop3 cmd="/bin/sh DIR/limits" listen="127.0.0.1:PORT1" prefork=1
}
`)
	s.write("limits", "echo $CYRUS_SERVICE $(ulimit -Sn) >>DIR/fds; exec sleep 100\n")
	s.start("-vv").logged("set maximum file descriptors to 200/")
	s.eventually("both limits", func() bool {
		b, _ := os.ReadFile(s.dir + "/fds")
		return strings.Contains(string(b), "imap 200\n") && strings.Contains(string(b), "pop3 ") && !strings.Contains(string(b), "pop3 200\n")
	})
}

func TestMaxChild(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, "SERVICES {\n imap cmd=\"WORKER serve\" listen=\"127.0.0.1:PORT0\" maxchild=2 maxclients=1\n}\n")
	s.start()
	a, b := s.dial(0), s.dial(0)
	if a.pid == b.pid {
		t.Errorf("both clients are served by %d", a.pid)
	}
	waiting := make(chan *client)
	go func() {
		c, err := greeted("tcp", net.JoinHostPort("127.0.0.1", s.ports[0]), patience)
		if err != nil {
			t.Error(err)
		}
		waiting <- c
	}()
	select {
	case <-waiting:
		t.Error("a third client is served")
	case <-time.After(300 * time.Millisecond):
	}
	b.Close()
	if c := <-waiting; c != nil {
		c.Close()
		if c.pid != b.pid {
			t.Errorf("the third client is served by %d, want %d", c.pid, b.pid)
		}
	}
	if n := len(s.started("imap")); n != 2 {
		t.Errorf("%d processes were started", n)
	}
}

func TestManyClients(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, "SERVICES {\n imap cmd=\"WORKER serve\" listen=\"127.0.0.1:PORT0\" maxclients=3\n}\n")
	r := s.start("-v")
	var all []*client
	per := map[int]int{}
	for range 7 {
		c := s.dial(0)
		all = append(all, c)
		per[c.pid]++
	}
	if len(per) != 3 || len(s.started("imap")) != 3 {
		t.Errorf("clients per process: %v", per)
	}
	all[0].Close()
	r.logged(fmt.Sprintf("service imap/ipv4 pid %d in BUSY state: now available and in READY state", all[0].pid))
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, `SERVICES {
  imap cmd="WORKER exit 1" listen="127.0.0.1:PORT0" prefork=1
  pop3 cmd="WORKER serve" listen="127.0.0.1:PORT1" prefork=1 maxclients=1
}
`)
	r := s.start()
	r.logged("too many failures for service imap/ipv4, disabling until next SIGHUP")
	s.eventually("nobody listens", func() bool { return s.refused(0) })
	if n := len(s.started("imap")); n != 5 {
		t.Errorf("%d processes were started", n)
	}
	for range 8 { // who has served a client does not count
		c := s.dial(1)
		fmt.Fprintln(c, "crash")
	}
	s.dial(1)
	s.write("cyrus.conf", `SERVICES {
  imap cmd="WORKER serve" listen="127.0.0.1:PORT0" prefork=1
}
`)
	r.signal(syscall.SIGHUP)
	r.logged("Services reconfigured. ")
	s.dial(0)
}

// TestKilledWorkers kills idle workers that have served somebody.
func TestKilledWorkers(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, "SERVICES {\n imap cmd=\"WORKER serve\" listen=\"127.0.0.1:PORT0\" prefork=1\n}\n")
	r := s.start()
	for range 20 {
		var c *client
		s.eventually("a client is served", func() bool { // not by one that is just dying
			var err error
			c, err = greeted("tcp", net.JoinHostPort("127.0.0.1", s.ports[0]), time.Second)
			return err == nil
		})
		c.Close()
		if err := syscall.Kill(c.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(r.log.String(), "too many failures") {
		t.Error("the service was given up in between")
	}
	r.logged("signaled to death by signal 9 (Killed)")
}

func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, `SERVICES {
  imap cmd="WORKER serve" listen="127.0.0.1:PORT0" prefork=1
  pop3 cmd="WORKER serve" listen="127.0.0.1:PORT1" prefork=1
}
DAEMON {
  one cmd="WORKER daemon"
}
`)
	r := s.start("-vvv")
	busy := s.dial(0)
	s.dial(1).Close()
	s.eventually("the daemon", func() bool { return len(s.started("one")) == 1 })
	s.write("cyrus.conf", `SERVICES {
  imap cmd="WORKER serve new" listen="127.0.0.1:PORT0" prefork=2
  lmtp cmd="WORKER serve" listen="127.0.0.1:PORT2" prefork=1
  imap cmd="WORKER serve" listen="127.0.0.1:PORT1"
  bad cmd="WORKER serve"
}
DAEMON {
  two cmd="WORKER daemon"
}
EVENTS {
  e cmd="WORKER exit 0"
}
`)
	r.signal(syscall.SIGHUP)
	r.logged("Services reconfigured. ")
	for _, line := range []string{
		"got SIGHUP",
		"reconfig: service 'imap' (" + s.dir + "/worker serve new, tcp:127.0.0.1:" + s.ports[0] + ", 2, 2147483647, 0)",
		"add: service 'lmtp' (",
		"disable: service pop3/ipv4 socket ",
		"WARNING: multiple entries for service 'imap' -- ignored",
		"WARNING: unable to find command or port for service 'bad' -- ignored",
		"remove: service pop3/ipv4 pipe ",
		"path:" + s.dir + "/worker age:",
	} {
		r.logged(line)
	}
	s.eventually("pop3 is gone", func() bool { return s.refused(1) })
	s.dial(2)
	if got := busy.ask(t, "about"); !strings.Contains(got, "CYRUS_SERVICE=imap") {
		t.Errorf("the old client: %s", got)
	}
	s.eventually("new imap workers", func() bool {
		return strings.Count(s.story(), "imap start serve new") >= 2
	})
	s.eventually("the other daemon and the event", func() bool {
		return len(s.started("two")) == 1 && strings.Contains(s.story(), "start exit 0")
	})
	s.eventually("the first daemon is told to leave", func() bool { return strings.Contains(s.story(), "one signal hangup") })
	busy.Close()
	s.eventually("the old worker leaves", func() bool { return !alive(busy.pid) })
}

// TestBadReload keeps everything as it is; Cyrus's master ends.
func TestBadReload(t *testing.T) {
	t.Parallel()
	good := `SERVICES {
  imap cmd="WORKER serve" listen="127.0.0.1:PORT0" prefork=1
}
`
	for name, c := range map[string]struct{ conf, log string }{
		"syntax":  {"SERVICES {\n  im/ap cmd=x\n}\n", "bad character '/' in name on line 2"},
		"missing": {strings.Replace(good, "WORKER", "DIR/nothing", 1), "WARNING: cannot find executable for service 'imap' -- ignored"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, classic, good)
			r := s.start()
			s.dial(0).Close()
			s.write("cyrus.conf", c.conf)
			r.signal(syscall.SIGHUP)
			r.logged(c.log)
			s.dial(0).Close()
			s.write("cyrus.conf", good)
			r.signal(syscall.SIGHUP)
			r.logged("Services reconfigured. ")
			s.dial(0)
		})
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Minute)
	s := newSite(t, classic, fmt.Sprintf(`EVENTS {
  once cmd="WORKER exit 3"
  often cmd="WORKER exit 0" period=1
  later cmd="WORKER exit 7" at=%s
  gone cmd="DIR/nothing"
  idle cmd="squatter"
}
`, soon.Add(time.Hour).Format("1504")))
	r := s.start()
	r.logged("name:once path:" + s.dir + "/worker age:")
	r.logged("exited, status 3")
	r.logged("name:often path:" + s.dir + "/worker age:")
	r.logged("exited normally")
	r.logged("can't exec " + s.dir + "/nothing on schedule: No such file or directory")
	if executable("/usr/lib/cyrus/bin/squatter") == strings.Contains(r.log.String(), "'idle' is left out: squatter is not part of gocyrus and not installed") {
		t.Error("a command that is not part of this suite is not left out, or is though it is installed")
	}
	if strings.Contains(s.story(), "exit 7") {
		t.Error("an event has run before its time")
	}
}

func TestWaitDaemons(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, `START {
  first cmd="WORKER exit 75"
}
SERVICES {
  imap cmd="WORKER serve" listen="127.0.0.1:PORT0" prefork=1
}
DAEMON {
  one cmd="WORKER ready" wait=y
  plain cmd="WORKER daemon"
  two cmd="WORKER ready" wait=yes
}
`)
	r := s.start()
	s.eventually("all have started", func() bool { return len(s.started("imap")) == 1 && len(s.started("plain")) == 1 })
	if want := "start exit 75, exit 75, one start ready, one ready, two start ready, two ready, "; !strings.HasPrefix(s.story(), want) {
		t.Errorf("began with %s", s.story())
	}
	one := s.started("one")[0]
	if err := syscall.Kill(one, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.eventually("another one", func() bool { return strings.Count(s.story(), "one ready") == 2 })
	r.logged(fmt.Sprintf("daemon one/daemon pid %d in READY state: terminated abnormally", one))
	if got := r.stop(); got != 0 {
		t.Errorf("exit status %d", got)
	}
	story := s.story()
	if a, b := strings.LastIndex(story, "two signal terminated"), strings.LastIndex(story, "one signal terminated"); a < 0 || b < a {
		t.Errorf("ended with %s", story)
	}
	r.logged(fmt.Sprintf("waiting for child %d of two/daemon to exit...", s.started("two")[0]))
	r.logged(fmt.Sprintf("child %d of two/daemon exited with status 75", s.started("two")[0]))
}

// TestEnds is the table of starts that fail, with what is logged and said.
func TestEnds(t *testing.T) {
	t.Parallel()
	service := "SERVICES {\n imap cmd=\"WORKER serve\" listen=\"127.0.0.1:PORT0\"\n}\n"
	for name, c := range map[string]struct {
		imapd, cyrus string
		flags        string
		status       int
		says         string
	}{
		"version":        {"", "", "-V", 0, "cyrus-imapd 3.6.1-gocyrus-"},
		"janitor":        {"", "", "-j 0", 78, "The janitor period must be at least 1 second"},
		"both":           {"", "", "-d -D", 78, "Unable to be both debug and daemon mode"},
		"no imapd.conf":  {"", "", "-C /nonexistent", 78, "can't open configuration file /nonexistent: No such file or directory"},
		"no cyrus.conf":  {classic, "", "-M /nonexistent", 78, "can't open configuration file /nonexistent: No such file or directory"},
		"no pid folder":  {classic, "", "-p /nonexistent/pid", 71, "can't open pidfile: No such file or directory"},
		"no command":     {classic, "SERVICES {\n imap listen=imap\n}\n", "", 78, "unable to find command or port for service 'imap'"},
		"no listen":      {classic, "SERVICES {\n imap cmd=WORKER\n}\n", "", 78, "unable to find command or port for service 'imap'"},
		"no event":       {classic, "EVENTS {\n e period=1\n}\n", "", 78, "unable to find command or port for event 'e'"},
		"no start":       {classic, "START {\n s x=1\n}\n", "", 78, "unable to find command for s"},
		"no daemon":      {classic, "DAEMON {\n d wait=n\n}\n", "", 78, "unable to find command or port for service 'd'"},
		"twice":          {classic, strings.Replace(service, "}\n", " imap cmd=WORKER listen=\"1\"\n}\n", 1), "", 78, "multiple entries for service 'imap'"},
		"twice wait":     {classic, service + "DAEMON {\n imap cmd=WORKER wait=y\n}\n", "", 78, "multiple entries for waitdaemon 'imap'"},
		"no program":     {classic, "SERVICES {\n imap cmd=nothing listen=1\n}\n", "", 78, "cannot find executable for service 'imap'"},
		"no daemon's":    {classic, "DAEMON {\n d cmd=nothing\n}\n", "", 78, "cannot find executable for daemon 'd'"},
		"no wait's":      {classic, "DAEMON {\n d cmd=nothing wait=y\n}\n", "", 78, "cannot find executable for waitdaemon 'd'"},
		"start fails":    {classic, "START {\n s cmd=\"WORKER exit 2\"\n}\n", "", 1, "can't run startup"},
		"start is not":   {classic, "START {\n s cmd=nothing\n}\n", "", 1, "can't run startup"},
		"unready":        {classic, "DAEMON {\n d cmd=\"WORKER unready\" wait=y\n}\n", "", 78, "unable to spawn waitdaemon d/daemon"},
		"unready at all": {classic, "DAEMON {\n d cmd=\"WORKER exit 0\" wait=y\n}\n", "", 78, "unable to spawn waitdaemon d/daemon"},
		"bind": {
			classic + "master_bind_errors_fatal: yes\n", "SERVICES {\n imap cmd=\"WORKER serve\" listen=\"192.0.2.1:PORT0\"\n}\n", "", 69,
			"unable to bind to imap/ipv4 socket: Cannot assign requested address",
		},
		"database refuses": {"", service, "", 78, "cyrusdbd cannot work with this configuration and these databases"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.imapd, c.cyrus)
			s.write("dbmode", "exit 78")
			status, out := s.run(strings.Fields(c.flags)...)
			if status != c.status || !strings.Contains(out, c.says) {
				t.Errorf("exit status %d, output:\n%s", status, out)
			}
			for _, n := range s.notes() {
				pid, _, _ := strings.Cut(n, " ")
				if p, err := strconv.Atoi(pid); err == nil && alive(p) {
					t.Errorf("left behind: %s", n)
				}
			}
		})
	}
}

// TestBadServices are those whose service alone does not run.
func TestBadServices(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, `SERVICES {
  a cmd="WORKER serve" listen="127.0.0.1:PORT0"
  b cmd="WORKER serve" listen="192.0.2.1:PORT0"
  c cmd="WORKER serve" listen="imap:"
  d cmd="WORKER serve" listen="127.0.0.1:nosuchservice"
  e cmd="WORKER serve" listen="imap" proto=sctp
  f cmd="WORKER serve" listen="/`+strings.Repeat("x", 120)+`"
  g cmd="WORKER serve" listen="[1.2.3.4"
  h cmd="mupdate" listen="3905"
}
`)
	r := s.start()
	for _, line := range []string{
		"unable to bind to b/ipv4 socket: Cannot assign requested address",
		"unable to create b listener socket: Cannot assign requested address",
		"invalid listen 'imap:', disabling c",
		"Servname not supported for ai_socktype, disabling d",
		"invalid proto 'sctp', disabling e",
		"invalid listen '/" + strings.Repeat("x", 120) + "' (too long), disabling f",
		"invalid listen '[1.2.3.4', disabling g",
	} {
		r.logged(line)
	}
	s.dial(0)
}

// TestAddressInUse waits for somebody who leaves a little later.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic+"master_bind_errors_fatal: yes\n", "SERVICES {\n imap cmd=\"WORKER serve\" listen=\"127.0.0.1:PORT0\"\n}\n")
	other, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", s.ports[0]))
	if err != nil {
		t.Fatal(err)
	}
	r := s.launch()
	r.logged("unable to bind to imap/ipv4 socket: Address already in use; trying again for 15 seconds")
	other.Close()
	r.logged("service imap/ipv4: its address is free now")
	r.logged("ready for work")
	s.dial(0)
}

func TestPidLock(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, "")
	r := s.start()
	status, out := s.run()
	if want := "cannot get exclusive lock on pidfile (is another master still running?)"; status != 71 || !strings.Contains(out, want) {
		t.Errorf("second master: exit status %d, output %q", status, out)
	}
	if status, out := s.run("-d"); status != 71 {
		t.Errorf("second master with -d: exit status %d, output %q", status, out)
	}
	if status := r.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	s.start() // over the old pid file
}

func TestBackground(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, "SERVICES {\n imap cmd=\"WORKER serve\" listen=\"127.0.0.1:PORT0\" prefork=1\n}\n")
	if err := os.Mkdir(s.dir+"/cores", 0o755); err != nil {
		t.Fatal(err)
	}
	if status, out := s.run("-d"); status != 0 || out != "" {
		t.Fatalf("exit status %d, output %q", status, out)
	}
	b, err := os.ReadFile(s.dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	s.eventually("it serves", func() bool {
		c, err := greeted("tcp", net.JoinHostPort("127.0.0.1", s.ports[0]), time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || dir != filepath.Join(s.dir, "cores") {
		t.Errorf("it is in %s, %v", dir, err)
	}
	if _, err := os.Stat(s.dir + "/pid.lock"); err == nil {
		t.Error("pid.lock is left")
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.eventually("it ends", func() bool { return !alive(pid) || zombie(pid) })
}

func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(b), ") Z ")
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	s := newSite(t, "", `START {
  s cmd="WORKER exit 0"
}
SERVICES {
  imap cmd="WORKER serve" listen="127.0.0.1:PORT0" prefork=1
}
DAEMON {
  w cmd="WORKER ready" wait=y
}
`)
	r := s.start()
	if want := fmt.Sprintf("cyrusdbd start -C %s/imapd.conf, cyrusdbd ready, start exit 0, exit 0, w start", s.dir); !strings.HasPrefix(s.story(), want) {
		t.Errorf("began with %s", s.story())
	}
	for n := 2; n < 9; n++ { // it is never given up
		pids := s.started(databaseName)
		if err := syscall.Kill(pids[len(pids)-1], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if n == 4 {
			break // the pauses have begun
		}
		s.eventually("another database", func() bool { return len(s.started(databaseName)) == n })
	}
	s.eventually("another database", func() bool {
		return strings.Count(s.story(), "cyrusdbd start") == 4 && strings.HasSuffix(s.story(), "ready")
	})
	before := len(s.started("w"))
	r.signal(syscall.SIGHUP)
	s.eventually("the reload is over", func() bool { return strings.Count(s.story(), "w ready") > before })
	if n := len(s.started(databaseName)); n != 4 {
		t.Errorf("the reload has restarted the database: %d", n)
	}
	if got := r.stop(); got != 0 {
		t.Errorf("exit status %d", got)
	}
	if want := "cyrusdbd signal terminated, cyrusdbd exit 75"; !strings.HasSuffix(s.story(), want) {
		t.Errorf("ended with %s", s.story())
	}
}

// TestDatabaseLine leaves the database to a line of its own.
func TestDatabaseLine(t *testing.T) {
	t.Parallel()
	s := newSite(t, "", "DAEMON {\n db cmd=\"cyrusdbd -x\" wait=y\n}\n")
	s.start()
	if n := strings.Count(s.story(), " start "); n != 1 {
		t.Errorf("%d processes: %s", n, s.story())
	}
}

// TestDatabaseOutlivesEvents stops the database when the events have ended.
func TestDatabaseOutlivesEvents(t *testing.T) {
	t.Parallel()
	s := newSite(t, "", "EVENTS {\n e cmd=\"/bin/sh DIR/slow\"\n}\n")
	s.write("slow", "trap 'sleep 0.5; echo 1 slow end >>DIR/notes; exit' TERM; echo 1 slow start >>DIR/notes; while :; do sleep 0.1; done\n")
	r := s.start()
	s.eventually("the event runs", func() bool { return strings.Contains(s.story(), "slow start") })
	if got := r.stop(); got != 0 {
		t.Errorf("exit status %d", got)
	}
	if want := "slow end, cyrusdbd signal terminated, cyrusdbd exit 75"; !strings.HasSuffix(s.story(), want) {
		t.Errorf("story: %s", s.story())
	}
}

// TestTOML has the other spelling of both files in one.
func TestTOML(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, "")
	s.write("all.toml", `
[options]
configdirectory = "DIR"
partition-default = "DIR/spool"
mboxlist_db = "twoskip"
annotation_db = "twoskip"
duplicate_db = "twoskip"
userdeny_db = "flat"
debug = true
[services.imap]
cmd = "WORKER serve"
listen = "127.0.0.1:PORT0"
prefork = 1
maxclients = 2
[daemon.w]
cmd = "WORKER ready"
wait = true
[events.e]
cmd = "WORKER exit 0"
period = 10
`)
	r := s.start("-C", s.dir+"/all.toml", "-M", s.dir+"/all.toml")
	if got := s.dial(0).ask(t, "about"); !strings.Contains(got, "CYRUS_MAXCLIENTS=2 ") {
		t.Errorf("worker: %s", got)
	}
	r.logged("name:e path:")
	if !strings.Contains(s.story(), "w ready") {
		t.Error("no wait daemon")
	}
}

func TestStopDuringStart(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, "START {\n s cmd=\"WORKER daemon\"\n}\nSERVICES {\n imap cmd=\"WORKER serve\" listen=\"127.0.0.1:PORT0\" prefork=1\n}\n")
	r := s.launch()
	s.eventually("the command runs", func() bool { return strings.Contains(s.story(), "start daemon") })
	if got := r.stop(); got != 0 {
		t.Errorf("exit status %d", got)
	}
	if got := s.story(); got != "start daemon, signal terminated, exit 75" {
		t.Errorf("story: %s", got)
	}
}

// TestMadWorkers: whatever they write, others are served.
func TestMadWorkers(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, `SERVICES {
  junk cmd="WORKER junk" listen="127.0.0.1:PORT1" prefork=1 maxchild=3
  flood cmd="WORKER flood" listen="127.0.0.1:PORT2" prefork=1 maxchild=1
  imap cmd="WORKER serve" listen="127.0.0.1:PORT0" prefork=0 maxclients=1
}
`)
	s.write("imapd.conf", "configdirectory: DIR\n"+classic) // no debug lines
	r := s.launch()
	s.eventually("mad workers", func() bool { return len(s.started("flood")) == 1 && len(s.started("junk")) == 1 })
	r.logged("got incorrectly sized response from child: 0")
	r.logged("Software bug: unrecognized message 0x9")
	r.logged("receiving messages from long dead children")
	for range 5 {
		s.dial(0)
	}
}

// TestStorm is a thousand clients who come as fast as they can.
func TestStorm(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, "SERVICES {\n imap cmd=\"WORKER serve\" listen=\"127.0.0.1:PORT0\" prefork=2 maxclients=1 maxchild=20\n}\n")
	r := s.start()
	const total, atOnce = 1000, 30
	served := make(chan error, total)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for range (total + atOnce - 1) / atOnce {
				c, err := greeted("tcp", net.JoinHostPort("127.0.0.1", s.ports[0]), patience)
				if err == nil {
					c.Close()
				}
				served <- err
			}
		})
	}
	for i := range 3 {
		time.Sleep(50 * time.Millisecond)
		if i == 1 {
			r.signal(syscall.SIGHUP) // under load
		}
	}
	go func() { wg.Wait(); close(served) }()
	for err := range served {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.eventually("calm", func() bool { c := s.dial(0); c.Close(); return c.pid > 0 })
}

// TestKilledMaster starts the next master at once; workers of the old one
// still hold the address.
func TestKilledMaster(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic, "SERVICES {\n imap cmd=\"WORKER serve\" listen=\"127.0.0.1:PORT0\" prefork=3\n}\n")
	r := s.start()
	s.dial(0)
	if err := syscall.Kill(r.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-r.done
	s.start()
	s.eventually("somebody answers", func() bool {
		c, err := greeted("tcp", net.JoinHostPort("127.0.0.1", s.ports[0]), time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// TestChaos kills workers, reloads and connects at random; then the table
// must agree with the processes that are there.
func TestChaos(t *testing.T) {
	t.Parallel()
	s := newSite(t, classic+"prometheus_enabled: yes\nprometheus_update_freq: 1s\n",
		"SERVICES {\n imap cmd=\"WORKER serve\" listen=\"127.0.0.1:PORT0\" prefork=2 maxclients=3\n}\n")
	r := s.start()
	children := func() (pids []int) {
		for _, pid := range s.started("imap") {
			if alive(pid) && !zombie(pid) {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	var wg sync.WaitGroup
	over := time.Now().Add(2 * time.Second)
	for i := range 4 {
		rnd := rand.New(rand.NewPCG(uint64(i), 1))
		wg.Go(func() {
			for time.Now().Before(over) {
				c, err := greeted("tcp", net.JoinHostPort("127.0.0.1", s.ports[0]), 100*time.Millisecond)
				if err == nil {
					time.Sleep(time.Duration(rnd.IntN(50)) * time.Millisecond)
					c.Close()
				}
			}
		})
	}
	rnd := rand.New(rand.NewPCG(7, 7))
	for time.Now().Before(over) {
		if pids := children(); len(pids) > 0 && rnd.IntN(3) > 0 {
			_ = syscall.Kill(pids[rnd.IntN(len(pids))], syscall.SIGKILL)
		}
		if rnd.IntN(10) == 0 {
			r.signal(syscall.SIGHUP)
		}
		time.Sleep(5 * time.Millisecond)
	}
	wg.Wait()
	r.signal(syscall.SIGHUP) // it may have been given up
	s.eventually("a client is served", func() bool {
		c, err := greeted("tcp", net.JoinHostPort("127.0.0.1", s.ports[0]), time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	s.eventually("the table agrees with the processes", func() bool {
		b, _ := os.ReadFile(s.dir + "/stats/master.txt")
		n := len(children())
		return n >= 2 && strings.Contains(string(b), fmt.Sprintf("active_children{service=\"imap\",family=\"ipv4\"} %d ", n)) &&
			strings.Contains(string(b), fmt.Sprintf("ready_workers{service=\"imap\",family=\"ipv4\"} %d ", n))
	})
}
