//go:build reference

package reference

import (
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/test/server"
)

// cyrusBin is where Debian has Cyrus's programs.
const cyrusBin = "/usr/lib/cyrus/bin"

// asCyrus is the site's imapd.conf for programs of the real Cyrus, which
// refuse to run as root: everything belongs to the user cyrus.
func asCyrus(t *testing.T, s *server.Site) {
	t.Helper()
	u, err := user.Lookup("cyrus")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	err = filepath.WalkDir(s.Dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile(s.Conf())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(conf), "cyrus_user: root\n", "")
	text = strings.ReplaceAll(text, "sasl_mech_list: PLAIN LOGIN\n", "sasl_mech_list: PLAIN LOGIN\nsasl_auxprop_plugin: sasldb\n")
	if err := os.WriteFile(s.Conf(), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tool runs a program of the real Cyrus as its user and returns what it
// prints and its exit status.
func tool(t *testing.T, s *server.Site, name string, args ...string) (string, int) {
	t.Helper()
	args = append([]string{"--reuid=cyrus", "--regid=mail", "--init-groups", filepath.Join(cyrusBin, name), "-C", s.Conf()}, args...)
	cmd := exec.Command("setpriv", args...)
	cmd.Dir = s.Dir
	out, err := cmd.CombinedOutput()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// cyrusServes starts the real Cyrus on the site's data and ports, calls fn,
// and stops it.
func cyrusServes(t *testing.T, s *server.Site, fn func()) {
	t.Helper()
	realMaster(t, s, "", fn)
}

// realMaster starts the real master, whose services are the programs in
// bin ("": Cyrus's own), calls fn, and stops it. The lines of daemons are
// put into its DAEMON section.
func realMaster(t *testing.T, s *server.Site, bin string, fn func(), daemons ...string) {
	t.Helper()
	conf, err := os.ReadFile(filepath.Join(s.Dir, "etc/cyrus.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(conf)
	if bin != "" {
		text = strings.ReplaceAll(text, `cmd="`, `cmd="`+bin+"/")
	}
	text += "DAEMON {\n" + strings.Join(daemons, "\n") + "\n}\n"
	masterOf(t, s, text, fn)
}

// masterOf starts the real master with a cyrus.conf, calls fn once IMAP
// answers, and stops it.
func masterOf(t *testing.T, s *server.Site, conf string, fn func()) {
	t.Helper()
	name := filepath.Join(s.Dir, "etc/cyrus-real.conf")
	if err := os.WriteFile(name, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("setpriv", "--reuid=cyrus", "--regid=mail", "--init-groups", filepath.Join(cyrusBin, "master"),
		"-C", s.Conf(), "-M", name, "-p", filepath.Join(s.Dir, "run/real.pid"))
	cmd.Dir = s.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // when it stops, it ends its whole process group
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Error("the real master did not stop")
			_ = cmd.Process.Kill()
		}
	}()
	if err := s.WaitGreeting(20 * time.Second); err != nil {
		t.Fatalf("the real Cyrus: %v", err)
	}
	fn()
}

// secrets makes a sasldb2 of the site's accounts, which both servers read.
func secrets(t *testing.T, s *server.Site, users ...string) {
	t.Helper()
	for _, u := range users {
		cmd := exec.Command("saslpasswd2", "-p", "-c", "-f", filepath.Join(s.Dir, "conf/sasldb2"), "-u", "reference.example.org", u)
		cmd.Stdin = strings.NewReader("pass")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("saslpasswd2: %v\n%s", err, out)
		}
	}
}

// answers is all that IMAP says of a user's mailboxes, in lines.
func answers(s *server.Site, user string) []string {
	c := s.Login(user)
	defer c.Close()
	var all []string
	for _, line := range c.Must(`LIST "" "*"`) {
		all = append(all, line)
		name := strings.TrimSpace(line[strings.LastIndex(line, `"/" `)+4:])
		examined := c.Must("EXAMINE " + name)
		all = append(all, examined...)
		if !slices.Contains(examined, "* 0 EXISTS\r\n") {
			all = append(all, c.Must("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])")...)
		}
		all = append(all, c.Must("GETACL "+name)...)
		all = append(all, c.Must("GETQUOTAROOT "+name)...)
	}
	return append(all, c.Must(`LSUB "" "*"`)...)
}

// sameAnswers compares what two servers say on the same spool.
func sameAnswers(t *testing.T, want, ours []string) {
	t.Helper()
	for i := range max(len(want), len(ours)) {
		a, b := "", ""
		if i < len(want) {
			a = want[i]
		}
		if i < len(ours) {
			b = ours[i]
		}
		if a != b {
			t.Errorf("line %d\n  real %q\n  ours %q", i, a, b)
			return
		}
	}
	if len(want) < 10 {
		t.Errorf("only %d lines: this shows nothing", len(want))
	}
}

// clean runs the checkers of the real Cyrus and the independent decoder
// over a stopped site.
func clean(t *testing.T, s *server.Site, users ...string) {
	t.Helper()
	for _, u := range users {
		out, status := tool(t, s, "reconstruct", "-n", "-r", "user/"+u)
		if status != 0 || strings.Contains(out, " uid ") || strings.Contains(out, "rror") {
			t.Errorf("reconstruct -n: status %d\n%s", status, out)
		}
	}
	out, status := tool(t, s, "cyr_dbtool", filepath.Join(s.Dir, "conf/mailboxes.db"), "twoskip", "consistent")
	if status != 0 || !strings.Contains(out, "Yes") {
		t.Errorf("cyr_dbtool consistent: status %d\n%s", status, out)
	}
	cmd := exec.Command("../bin/decode-spool", "verify", s.Dir)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "RESULT OK") {
		t.Errorf("decode-spool verify: %v\n%s", err, tail(string(out)))
	}
}

func tail(s string) string {
	if len(s) > 4000 {
		return "…" + s[len(s)-4000:]
	}
	return s
}
