//go:build reference

package reference

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// smmapSite is a site in shared mode with a smmapd on a unix socket.
func smmapSite(t *testing.T) (s *server.Site, socket string) {
	t.Helper()
	s = server.New(t, server.Options{Shared: true, Services: []string{
		`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="%[2]s" prefork=1`,
		`smmap cmd="smmapd -C %[1]s/etc/imapd.conf" listen="%[1]s/run/smmap" prefork=1`,
	}})
	secrets(t, s, "user1", "user2", "user3", "cyrus")
	asCyrus(t, s)
	s.Run()
	s.MakeUsers("user1", "user2", "user3")
	admin := s.Login("cyrus")
	defer admin.Close()
	for _, line := range []string{
		"CREATE user/user1/Sub", "CREATE open", "SETACL open anyone lrsp", "CREATE shared", "CREATE hidden", "SETACL hidden anyone \"\"",
		"SETQUOTA user/user2 (MESSAGE 0)", "SETQUOTA user/user3 (STORAGE 0)",
	} {
		admin.Must(line)
	}
	return s, filepath.Join(s.Dir, "run/smmap")
}

// TestSmmapd asks ours and the real one the same.
func TestSmmapd(t *testing.T) {
	s, socket := smmapSite(t)
	for _, key := range []string{
		"user1", "USER1", "user1@reference.example.org", "user1@other.org", "user1+Sub", "user1+sub", "user1+nothere", "user1+", "user1+a/b",
		"user2", "user2+x", "user3", "+open", "+shared", "+hidden", "+nothere", "x+open", "", "+", "@", "user1 x", "<user1>", `"user1"`, "us\u00e9r", "user.1",
	} {
		request := fmt.Sprintf("%d:cyrus %s,", len(key)+6, key)
		cmd := exec.Command("/usr/lib/cyrus/bin/smmapd", "-C", s.Conf(), "-X")
		if os.Getuid() == 0 {
			cmd = exec.Command("setpriv", append([]string{"--reuid=cyrus", "--regid=mail", "--init-groups"}, cmd.Args...)...)
		}
		cmd.Env = append(os.Environ(), "CYRUS_ID=1", "CYRUS_SERVICE=smmap") // as master has them
		cmd.Stdin = strings.NewReader(request)
		want, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: the real one: %v", key, err)
		}
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		c.Close()
		if err != nil || string(got) != string(want) {
			t.Errorf("%q: %q, %v; Cyrus says %q", key, got, err, want)
		}
	}
}

// TestPostmap has Postfix ask.
func TestPostmap(t *testing.T) {
	postmap, err := exec.LookPath("postmap")
	if err != nil {
		t.Fatalf("%v: test/bin/clients install", err)
	}
	_, socket := smmapSite(t)
	conf := t.TempDir()
	if err := os.WriteFile(filepath.Join(conf, "main.cf"), []byte("compatibility_level = 3.6\nqueue_directory = "+conf+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ask := func(key string) (string, error) {
		out, err := exec.Command(postmap, "-c", conf, "-q", key, "socketmap:unix:"+socket+":cyrus").CombinedOutput()
		return string(out), err
	}
	if out, err := ask("user1"); err != nil || out != "user1\n" {
		t.Errorf("user1: %q, %v", out, err)
	}
	if out, err := ask("nobody"); err == nil || out != "" {
		t.Errorf("nobody: %q, %v", out, err)
	}
	if out, err := ask("user2"); err == nil || !strings.Contains(out, "Over quota") {
		t.Errorf("a full mailbox: %q, %v", out, err)
	}
	if out, err := ask("+shared"); err == nil || !strings.Contains(out, "Permission denied") {
		t.Errorf("no right to post: %q, %v", out, err)
	}
}
