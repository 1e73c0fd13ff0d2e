package suite

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/test/server"
)

// TestDebian starts on the configuration that Debian installs: every service
// that is built answers, the others are left out with a warning, and every
// command of START and EVENTS ends well.
func TestDebian(t *testing.T) {
	s := server.Debian(t, server.Options{})
	s.Run()
	for _, l := range []struct{ network, address, greeting string }{
		{"tcp", s.IMAP, "* OK "}, {"tcp", s.POP3, "+OK "}, {"unix", s.Sock, "220 "},
	} {
		c, err := net.Dial(l.network, l.address)
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		if !strings.HasPrefix(line, l.greeting) {
			t.Errorf("%s: %q, %v", l.address, line, err)
		}
		c.Close()
	}
	if fi, err := os.Stat(filepath.Join(s.Dir, "run/socket/notify")); err != nil || fi.Mode()&os.ModeSocket == 0 {
		t.Errorf("notify: %v", err)
	}
	c := s.Login("user1")
	if got := c.Must(`LIST "" "*"`); len(got) != 1 || got[0] != "* LIST (\\HasNoChildren) \".\" INBOX\r\n" {
		t.Errorf("%q", got) // autocreate_quota: 0 makes it
	}
	c.Close()
	events(t, s)
	log := s.Log()
	for _, program := range []string{"nntpd", "httpd"} {
		_, err := os.Stat(filepath.Join(config.BinDir(), program)) // Cyrus's own, if that is installed
		if strings.Contains(log, "is left out: "+program+" ") != (err != nil) {
			t.Errorf("%s: not left out, or left out though it is there", program)
		}
	}
	for _, command := range []string{"recovering cyrus databases", "cyr_expire", "tls_prune"} {
		if !strings.Contains(log, command) {
			t.Errorf("the log does not show %q", command)
		}
	}
	if bad := regexp.MustCompile(`(?im)^.*(error|fatal|failed|exited, status|cannot|unable).*$`).FindString(log); bad != "" {
		t.Errorf("in the log: %s", bad)
	}
}

// events runs every command of the EVENTS section now.
func events(t *testing.T, s *server.Site) {
	t.Helper()
	conf, warnings, err := config.LoadCyrusConf(filepath.Join(s.Dir, "etc/cyrus.conf"))
	if err != nil || len(warnings) != 0 || len(conf.Events) < 5 {
		t.Fatalf("%v, %v, %d events", err, warnings, len(conf.Events))
	}
	for _, e := range conf.Events {
		args := strings.Fields(e.String("cmd", ""))
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil || len(out) != 0 {
			t.Errorf("%s: %v\n%s", e.Name, err, out)
		}
	}
}
