package suite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/test/server"
)

// TestCd goes to the directory of a mailbox by its name, and asks there whose
// it is.
func TestCd(t *testing.T) {
	s := server.Start(t, server.Options{})
	root, err := server.Root()
	if err != nil {
		t.Fatal(err)
	}
	script := `. "$1/etc/cyr_cd.sh" && cyr_cd -C "$2" user/user2 && pwd && cyr_pwd -C "$2"; cyr_cd -C "$2" user/nobody || echo no`
	cmd := exec.Command("sh", "-c", script, "sh", root, s.Conf())
	cmd.Env = append(os.Environ(), "CYRUS_USER=", "PATH="+server.Bin(t)+":"+os.Getenv("PATH"))
	out, err := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 3 || lines[1] != "user/user2" || lines[2] != "no" {
		t.Fatalf("%v %q", err, lines)
	}
	if _, err := os.Stat(filepath.Join(lines[0], "cyrus.header")); err != nil {
		t.Error(err)
	}
}
