package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gocyrus/libcyrus/config"
)

// becomeVariable makes the test program a child of TestBecomeCyrus.
const becomeVariable = "GOCYRUS_TEST_BECOME"

func TestMain(m *testing.M) {
	if os.Getenv(becomeVariable) != "" {
		os.Exit(becomeAndTell())
	}
	time.Local = time.UTC // dates are printed in local time
	os.Exit(m.Run())
}

// becomeAndTell becomes the user that the environment names and prints who
// it is then.
func becomeAndTell() int {
	c, err := config.Parse("imapd.conf", "configdirectory: /x\ncyrus_user: nosuchuser\n", "")
	if err == nil {
		err = becomeCyrus(c)
	}
	fmt.Println(os.Getuid(), os.Geteuid(), os.Getgid(), err)
	return 0
}

// TestBecomeCyrus runs a child that changes its user: root becomes nobody,
// anybody else stays who he is.
func TestBecomeCyrus(t *testing.T) {
	run := func(env ...string) string {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), append(env, becomeVariable+"=1")...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	uid, gid, err := lookupUser("nobody")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d %d %d <nil>", uid, uid, gid)
	stays := fmt.Sprintf("%d %d %d <nil>", os.Getuid(), os.Geteuid(), os.Getgid())
	unknown := fmt.Sprintf("%d %d %d no entry in /etc/passwd for user nosuchuser", os.Getuid(), os.Geteuid(), os.Getgid())
	if os.Geteuid() != 0 {
		want, unknown = stays, stays
	}
	if got := run("CYRUS_USER=nobody"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := run(); got != unknown {
		t.Errorf("unknown user: got %s, want %s", got, unknown)
	}
}

func TestLookup(t *testing.T) {
	if _, _, err := lookupUser("no such user"); err == nil {
		t.Error("a user who does not exist was found")
	}
	if _, err := lookupGroup("no such group"); err == nil {
		t.Error("a group that does not exist was found")
	}
	if gid, err := lookupGroup("root"); err != nil || gid != 0 {
		t.Errorf("group root: %d, %v", gid, err)
	}
	if g := memberships("root", 0); len(g) == 0 || g[0] != 0 {
		t.Errorf("groups of root: %v", g)
	}
}
