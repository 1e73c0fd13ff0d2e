//go:build reference

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// realBin is where Debian has Cyrus's programs. These tests need them, and
// root.
const realBin = "/usr/lib/cyrus/bin"

// realConf is the imapd.conf of a real Cyrus.
const realConf = classic + `servername: reference.example.org
proc_path: DIR/proc
mboxname_lockpath: DIR/lock
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: DIR/sasldb2
sasl_mech_list: PLAIN
`

// realSite is a site that belongs to the user cyrus, with one account.
func realSite(t *testing.T, cyrusConf string) *site {
	t.Helper()
	s := newSite(t, realConf, cyrusConf)
	for _, d := range []string{"spool", "proc", "lock", "db", "socket", "log", "msg", "quota", "user"} {
		if err := os.Mkdir(filepath.Join(s.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(in, name string, args ...string) {
		cmd := exec.Command(name, args...)
		cmd.Stdin = strings.NewReader(in)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	run("pass", "saslpasswd2", "-p", "-c", "-f", s.dir+"/sasldb2", "-u", "reference.example.org", "user1")
	run("", "chmod", "755", s.dir)
	run("", "chown", "-R", "cyrus:mail", s.dir)
	return s
}

// rootMaster starts master as root, who is to become cyrus.
func (s *site) rootMaster() *running {
	s.Helper()
	s.Setenv("CYRUS_USER", "")
	r := s.launch()
	r.logged("ready for work")
	return r
}

// talk sends lines to a server and returns the line that comes back last.
func talk(t *testing.T, addr string, lines ...string) (last string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewScanner(c)
	in.Scan()
	for _, l := range lines {
		fmt.Fprintf(c, "%s\r\n", l)
		if !in.Scan() {
			t.Fatalf("%s: no answer to %q: %v", addr, l, in.Err())
		}
	}
	return in.Text()
}

// processStatus returns the fields of /proc/PID/status.
func processStatus(t *testing.T, pid int) map[string]string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for line := range strings.Lines(string(b)) {
		k, v, _ := strings.Cut(line, ":")
		m[k] = strings.Join(strings.Fields(v), " ")
	}
	return m
}

// TestRealWorkers has Cyrus's own imapd and pop3d serve under our master,
// which was started as root, on ports that only root may have.
func TestRealWorkers(t *testing.T) {
	s := realSite(t, `START {
  recover cmd="`+realBin+`/ctl_cyrusdb -C DIR/imapd.conf -r"
}
SERVICES {
  imap cmd="`+realBin+`/imapd -C DIR/imapd.conf" listen="127.0.77.1:143" prefork=2 maxchild=5
  pop3 cmd="`+realBin+`/pop3d -C DIR/imapd.conf" listen="127.0.77.1:110" prefork=0
}
EVENTS {
  checkpoint cmd="`+realBin+`/ctl_cyrusdb -C DIR/imapd.conf -c" period=30
}
`)
	r := s.rootMaster()
	imap := func() {
		t.Helper()
		if got := talk(t, "127.0.77.1:143", "a LOGIN user1 pass"); !strings.HasPrefix(got, "a OK ") {
			t.Errorf("LOGIN: %s", got)
		}
	}
	imap()
	if got := talk(t, "127.0.77.1:110", "USER user1", "PASS pass"); !strings.Contains(got, "Invalid login") && !strings.Contains(got, "Unable to") && !strings.HasPrefix(got, "+OK") {
		t.Errorf("PASS: %s", got) // he has no mailbox
	}
	master := processStatus(t, r.cmd.Process.Pid)
	const none = "0000000000000000"
	for k, want := range map[string]string{"CapPrm": "0000000000000400", "CapEff": none, "CapInh": none, "CapAmb": none} {
		if master[k] != want {
			t.Errorf("master has %s %s, want %s", k, master[k], want)
		}
	}
	if strings.HasPrefix(master["Uid"], "0 ") {
		t.Errorf("master runs as root: %s", master["Uid"])
	}
	children, err := exec.Command("pgrep", "-P", strconv.Itoa(r.cmd.Process.Pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range strings.Fields(string(children)) {
		pid, _ := strconv.Atoi(f)
		if st := processStatus(t, pid); st["CapPrm"] != none || st["CapAmb"] != none || st["Uid"] != master["Uid"] {
			t.Errorf("child %d has rights: %v", pid, st)
		}
	}
	var open []net.Conn
	for range 5 { // maxchild stays a number of processes for workers that take one client each
		c, err := net.Dial("tcp", "127.0.77.1:143")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil {
			t.Fatalf("client %d: %q, %v", len(open), line, err)
		}
	}
	for _, c := range open {
		c.Close()
	}
	r.signal(syscall.SIGHUP)
	r.logged("Services reconfigured. ")
	imap()
	if got := r.stop(); got != 0 {
		t.Errorf("exit status %d", got)
	}
	for _, bad := range []string{"ERROR", "in READY state: sent", "terminated abnormally", "exited, status"} {
		if strings.Contains(r.log.String(), bad) {
			t.Errorf("log has %q:\n%s", bad, r.log)
		}
	}
}

// TestRealMasterAndOurs: of the two only one runs on a pid file.
func TestRealMasterAndOurs(t *testing.T) {
	s := realSite(t, "")
	args := []string{"-C", s.dir + "/imapd.conf", "-M", s.dir + "/cyrus.conf", "-p", s.dir + "/pid"}
	cmd := exec.Command(realBin+"/master", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.eventually("the real one has the file", func() bool {
		b, _ := os.ReadFile(s.dir + "/pid")
		return string(b) == fmt.Sprintln(cmd.Process.Pid)
	})
	if status, out := s.run(); status != 71 {
		t.Errorf("ours beside the real one: exit status %d, %s", status, out)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	r := s.start()
	err := exec.Command(realBin+"/master", args...).Run()
	if ee, ok := err.(*exec.ExitError); !ok || ee.ExitCode() != 71 {
		t.Errorf("the real one beside ours: %v", err)
	}
	if got := r.stop(); got != 0 {
		t.Errorf("exit status %d", got)
	}
}
