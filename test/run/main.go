// Run starts a server with demo accounts from this checkout and keeps it
// in the foreground until ^C. Its data lies in run/ and is kept.
//
// Usage: go run ./test/run (make run builds the programs first)
package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The ports of the demo, all on loopback.
const (
	imapPort  = "11143"
	imapsPort = "11993"
	popPort   = "11110"
	lmtpPort  = "11024"
)

var accounts = []string{"alice", "bob"}

func main() {
	log.SetFlags(0)
	log.SetPrefix("run: ")
	d, err := newDemo()
	if err != nil {
		log.Fatal(err)
	}
	if err := d.run(); err != nil {
		log.Fatal(err)
	}
}

// demo is the site in run/.
type demo struct{ dir, bin string }

func newDemo() (*demo, error) {
	top, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	d := &demo{filepath.Join(top, "run"), filepath.Join(top, "bin")}
	if _, err := os.Stat(filepath.Join(d.bin, "master")); err != nil {
		return nil, errors.New("no programs in bin/: run make first")
	}
	for _, name := range []string{"conf/socket", "conf/db", "conf/log", "conf/msg", "spool", "sieve", "proc", "lock"} {
		if err := os.MkdirAll(filepath.Join(d.dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	return d, errors.Join(d.certificate(), d.configure())
}

// configure writes both configuration files anew, as the folder may have
// moved since the last time.
func (d *demo) configure() error {
	imapd := []string{
		"configdirectory: " + d.dir + "/conf",
		"partition-default: " + d.dir + "/spool",
		"proc_path: " + d.dir + "/proc",
		"mboxname_lockpath: " + d.dir + "/lock",
		"sievedir: " + d.dir + "/sieve",
		"lmtpsocket: " + d.dir + "/conf/socket/lmtp",
		"servername: localhost",
		"admins: admin",
		"allowplaintext: yes",
		"autocreate_quota: 0",
		"autocreate_post: yes",
		"autocreate_inbox_folders: Drafts | Sent | Trash",
		"autocreate_subscribe_folders: Drafts | Sent | Trash",
		"sasl_pwcheck_method: auxprop",
		"sasl_sasldb_path: " + d.dir + "/conf/sasldb2",
		"sasl_mech_list: PLAIN LOGIN",
		"tls_server_cert: " + d.dir + "/cert.pem",
		"tls_server_key: " + d.dir + "/key.pem",
	}
	if os.Getuid() == 0 {
		imapd = append(imapd, "cyrus_user: root")
	}
	service := func(name, program, listen, more string) string {
		return fmt.Sprintf("  %s cmd=\"%s -C %s/imapd.conf%s\" listen=\"%s\" prefork=1\n", name, program, d.dir, more, listen)
	}
	cyrus := "START {\n  recover cmd=\"ctl_cyrusdb -C " + d.dir + "/imapd.conf -r\"\n}\nSERVICES {\n" +
		service("imap", "imapd", "127.0.0.1:"+imapPort, "") +
		service("imaps", "imapd", "127.0.0.1:"+imapsPort, " -s") +
		service("pop3", "pop3d", "127.0.0.1:"+popPort, "") +
		service("lmtp", "lmtpd", "127.0.0.1:"+lmtpPort, " -a") +
		service("lmtpunix", "lmtpd", d.dir+"/conf/socket/lmtp", "") +
		"}\nEVENTS {\n  checkpoint cmd=\"ctl_cyrusdb -C " + d.dir + "/imapd.conf -c\" period=30\n}\n"
	return errors.Join(
		os.WriteFile(filepath.Join(d.dir, "imapd.conf"), []byte(strings.Join(imapd, "\n")+"\n"), 0o600),
		os.WriteFile(filepath.Join(d.dir, "cyrus.conf"), []byte(cyrus), 0o600))
}

// run starts master, tells how to talk to it, and waits for its end.
func (d *demo) run() error {
	for _, a := range append(accounts, "admin") {
		if err := d.account(a); err != nil {
			return err
		}
	}
	cmd := exec.Command(filepath.Join(d.bin, "master"), "-D", "-C", filepath.Join(d.dir, "imapd.conf"),
		"-M", filepath.Join(d.dir, "cyrus.conf"), "-p", filepath.Join(d.dir, "master.pid"), "-L", filepath.Join(d.dir, "log"))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ^C is ours to pass on
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	if err := waitReady(ended); err != nil {
		return fmt.Errorf("%w (see %s/log)", err, d.dir)
	}
	fmt.Print(help)
	select {
	case err := <-ended:
		return fmt.Errorf("master has ended (see %s/log): %v", d.dir, err)
	case <-stop:
	}
	fmt.Println("\nstopping")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return <-ended
}

const help = `
gocyrus serves on 127.0.0.1: IMAP 11143, IMAPS 11993, POP3 11110, LMTP 11024
accounts: alice, bob, and admin; password of each: its name with "-demo" behind it

Try, in another terminal:
  printf 'From: me@example.org\nSubject: Hello\n\nIt works.\n' | bin/deliver -C run/imapd.conf alice
  curl -u alice:alice-demo 'imap://127.0.0.1:11143/INBOX' -X 'FETCH 1:* (FLAGS ENVELOPE)'
  curl -k -u alice:alice-demo 'imaps://127.0.0.1:11993/INBOX;MAILINDEX=1'

^C stops it; the data stays in run/, the log is run/log
`

// account gives a user a password.
func (d *demo) account(name string) error {
	cmd := exec.Command(filepath.Join(d.bin, "cyrus"), "passwd", "-C", filepath.Join(d.dir, "imapd.conf"), name)
	cmd.Stdin = strings.NewReader(name + "-demo\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cyrus passwd %s: %w\n%s", name, err, out)
	}
	return nil
}

// waitReady waits until IMAP sends its greeting.
func waitReady(ended <-chan error) error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		select {
		case err := <-ended:
			return fmt.Errorf("master did not start: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+imapPort, time.Second)
		if err != nil {
			continue
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		n, err := c.Read(make([]byte, 4))
		c.Close()
		if err == nil && n > 0 {
			return nil
		}
	}
	return errors.New("no greeting on port " + imapPort)
}
