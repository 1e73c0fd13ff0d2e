package osuser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
)

// becomeVariable makes the test program a child of TestBecomeCyrus.
const becomeVariable = "GOCYRUS_TEST_BECOME"

func TestMain(m *testing.M) {
	if os.Getenv(becomeVariable) != "" {
		os.Exit(becomeAndTell())
	}
	os.Exit(m.Run())
}

// becomeAndTell becomes the user that the environment names and prints who
// it is then.
func becomeAndTell() int {
	c, err := config.Parse("imapd.conf", "configdirectory: /x\ncyrus_user: nosuchuser\n", "")
	if err == nil {
		err = BecomeCyrus(c)
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
	nobody, err := Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d %d %d <nil>", nobody.UID, nobody.UID, nobody.GID)
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
	if _, err := Lookup("no such user"); !errors.Is(err, ErrUnknown) {
		t.Errorf("a user who does not exist: %v", err)
	}
	if _, err := LookupGroup("no such group"); !errors.Is(err, ErrUnknown) {
		t.Errorf("a group that does not exist: %v", err)
	}
	if gid, err := LookupGroup("root"); err != nil || gid != 0 {
		t.Errorf("group root: %d, %v", gid, err)
	}
	root, err := Lookup("root")
	if err != nil || root.UID != 0 || root.GID != 0 || root.Home == "" {
		t.Errorf("root: %+v, %v", root, err)
	}
	if g := root.Groups(); len(g) == 0 || g[0] != 0 {
		t.Errorf("groups of root: %v", g)
	}
	if f, err := getent("passwd", "root", 6); err != nil || f[5] != root.Home {
		t.Errorf("getent: %q, %v", f, err)
	}
}

// TestCyrus: the environment goes before imapd.conf, that before the
// distribution's user; a group of its own takes the place of the user's.
func TestCyrus(t *testing.T) {
	nobody, err := Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		conf, user, group string
		want              User
		named             bool
		err               string
	}{
		{conf: "cyrus_user: nobody", want: nobody, named: true},
		{conf: "cyrus_user: root", user: "nobody", want: nobody, named: true},
		{conf: "cyrus_user: nobody\ncyrus_group: root", want: User{"nobody", nobody.UID, 0, nobody.Home, nobody.GID}, named: true},
		{conf: "cyrus_user: root\ncyrus_group: nosuchgroup", err: "no entry in /etc/group for group nosuchgroup", named: true},
		{conf: "cyrus_user: nosuchuser", err: "no entry in /etc/passwd for user nosuchuser", named: true},
		{group: "nosuchgroup", user: "root", err: "no entry in /etc/group for group nosuchgroup", named: true},
	} {
		t.Setenv("CYRUS_USER", c.user)
		t.Setenv("CYRUS_GROUP", c.group)
		conf, err := config.Parse("imapd.conf", "configdirectory: /x\n"+c.conf+"\n", "")
		if err != nil {
			t.Fatal(err)
		}
		got, named, err := Cyrus(conf)
		if c.err != "" {
			if err == nil || err.Error() != c.err || !errors.Is(err, ErrUnknown) || named != c.named {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		if err != nil || got != c.want || named != c.named {
			t.Errorf("%+v: %+v, %v, %v", c, got, named, err)
		}
	}
}

func TestMask(t *testing.T) {
	for value, want := range map[string]int{"": 0o077, "077": 0o077, "27": 0o027, "0027": 0o027, "0o22": 0o022, "9": 0o077, "000": 0, "7777777": 0o777} {
		if got := mask(value); got != want {
			t.Errorf("%q: %03o, want %03o", value, got, want)
		}
	}
}
