//go:build reference

package reference

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// script runs test/bin/reference-server with our programs.
func script(t *testing.T, bin string, args ...string) {
	t.Helper()
	cmd := exec.Command("../bin/reference-server", args...)
	cmd.Env = append(os.Environ(), "BINDIR="+bin, "USERS=3", "CYRUS_USER=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("reference-server %q: %v\n%s", args, err, out)
	}
}

// TestOursByReferenceServer starts ours by the script that starts the real
// server: as the user cyrus, with users made by Python's imaplib and their
// passwords checked by saslauthd.
func TestOursByReferenceServer(t *testing.T) {
	bin := copied(t, server.Bin(t))
	dir, err := os.MkdirTemp("", "ours")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "site")
	first := freePorts(t, 4)
	script(t, bin, "cyrus", dir, strconv.Itoa(first))
	stopped := false
	stop := func() {
		if !stopped {
			script(t, bin, "stop", dir)
			stopped = true
		}
	}
	defer stop()
	s := server.At(t, dir, first)
	for i := range 3 {
		deliverLMTP(s, "user1", fmt.Sprint("script-", i))
	}
	c := s.Login("user1")
	c.Must("SELECT INBOX")
	if got := strings.Join(c.Must("SEARCH ALL"), ""); got != "* SEARCH 1 2 3\r\n" {
		t.Errorf("%q", got)
	}
	c.Close()
	for _, prog := range []string{"master", "imapd", "lmtpd", "cyrusdbd"} {
		pids := s.Processes(prog)
		if len(pids) == 0 {
			t.Errorf("%s does not run", prog)
		}
		for _, pid := range pids {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil || bytes.Contains(status, []byte("\nUid:\t0\t")) {
				t.Errorf("%s runs as root (%v)", prog, err)
			}
		}
	}
	stop()
	script(t, bin, "again", dir)
	stopped = false
	c = s.Login("user1")
	c.Must("EXAMINE INBOX")
	c.Close()
}

// copied is the programs where every user may run them.
func copied(t *testing.T, bin string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	run(t, "cp", "-a", bin+"/.", dir)
	run(t, "chmod", "-R", "a+rX", dir)
	return dir
}

// freePorts returns the first of n ports in a row that are free now.
func freePorts(t *testing.T, n int) int {
	t.Helper()
next:
	for first := 22900; first < 22990; first += n {
		for p := first; p < first+n; p++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if err != nil {
				continue next
			}
			l.Close()
		}
		return first
	}
	t.Fatal("no free ports")
	return 0
}
