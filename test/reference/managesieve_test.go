//go:build reference

package reference

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// sieveshell runs Debian's sieveshell against a site.
func sieveshell(t *testing.T, s *server.Site, user string, commands string) string {
	t.Helper()
	cmds := filepath.Join(t.TempDir(), "commands")
	if err := os.WriteFile(cmds, []byte(commands+"quit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(s.Sieve)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sieveshell", "-u", user, "-a", user, "-p", "pass", "-f", cmds, host+":"+port)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("sieveshell: %v: %s", err, out)
	}
	return string(out)
}

// TestSieveshell stores, activates, shows and deletes scripts with Debian's
// client, in both modes.
func TestSieveshell(t *testing.T) {
	for _, shared := range []bool{false, true} {
		s := server.Start(t, server.Options{Shared: shared})
		file := filepath.Join(t.TempDir(), "mine")
		if err := os.WriteFile(file, []byte("require \"fileinto\";\nfileinto \"INBOX.x\";\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out := sieveshell(t, s, "user1", "put "+file+"\nactivate mine\nlist\nget mine\ndeactivate\nlist\ndelete mine\nlist\n")
		if !strings.Contains(out, "mine  <- active script") || !strings.Contains(out, `fileinto "INBOX.x";`) {
			t.Errorf("shared=%v: %s", shared, out)
		}
	}
}

// TestInstallsieve stores, lists, shows and deletes a script with Debian's
// older client.
func TestInstallsieve(t *testing.T) {
	s := server.Start(t, server.Options{})
	file := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(file, []byte("keep; # of installsieve\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		c := exec.Command("installsieve", append(append([]string{"-u", "user1"}, args...), s.Sieve)...)
		c.Stdin = strings.NewReader("pass\n")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("installsieve %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	run("-i", file)
	run("-a", "mine")
	if out := run("-l"); !strings.Contains(out, "mine") || !strings.Contains(out, "<- active") {
		t.Errorf("-l: %s", out)
	}
	if out := run("-v", "mine"); !strings.Contains(out, "keep; # of installsieve") {
		t.Errorf("-v: %s", out)
	}
	run("-a=")
	run("-d", "mine")
	if out := run("-l"); strings.Contains(out, "mine") {
		t.Errorf("after -d: %s", out)
	}
}
