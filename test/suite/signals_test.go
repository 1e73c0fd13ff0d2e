package suite

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/test/server"
)

// TestReload sends SIGHUP again and again while mail is delivered: nobody
// is cut, nothing is refused, and the workers are new afterwards.
func TestReload(t *testing.T) {
	s := server.Start(t, server.Options{})
	k := s.Login("user1")
	defer k.Close()
	w := startWriters(s, 4)
	time.Sleep(200 * time.Millisecond)
	old := s.Processes("imapd")
	for range 5 {
		if err := syscall.Kill(s.Pid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
	answers(t, s, back)
	k.Must("NOOP")
	acked := w.finish()
	if w.failures > 0 {
		t.Errorf("%d connections or deliveries failed", w.failures)
	}
	checkNothingLost(t, s, acked)
	for range 20 { // clients go to new workers
		answers(t, s, back)
	}
	k.Must("NOOP")
	if now := s.Processes("imapd"); len(now) < 2 {
		t.Errorf("workers %v, and %v before", now, old)
	}
	k.Must("LOGOUT")
	for end := time.Now().Add(30 * time.Second); alive(old[0]); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a worker from before the reload does not leave")
		}
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// TestStop ends master while clients are connected: each hears why.
func TestStop(t *testing.T) {
	s := server.Start(t, server.Options{})
	idle, busy, fresh := s.Login("user1"), s.Login("user2"), s.DialIMAP()
	idle.Must("SELECT INBOX")
	fmt.Fprint(idle, "i IDLE\r\n")
	if line, err := idle.Line(); err != nil || !strings.HasPrefix(line, "+") {
		t.Fatalf("IDLE: %q, %v", line, err)
	}
	began := time.Now()
	if !s.Stop(30 * time.Second) {
		t.Fatal("master does not stop")
	}
	t.Logf("stopped after %v", time.Since(began))
	for name, c := range map[string]*server.IMAP{"in IDLE": idle, "logged in": busy, "not logged in": fresh} {
		if line, err := c.Line(); err != nil || !strings.HasPrefix(line, "* BYE ") {
			t.Errorf("%s: %q, %v", name, line, err)
		}
		if _, err := c.Line(); err != io.EOF {
			t.Errorf("%s: then %v", name, err)
		}
		c.Close()
	}
	if left := s.Processes(""); len(left) > 0 {
		t.Errorf("%d processes are left", len(left))
	}
}

// TestShutdownFile looks at conf/msg/shutdown: clients are sent away with
// its text as long as it is there.
func TestShutdownFile(t *testing.T) {
	s := server.Start(t, server.Options{})
	k, admin := s.Login("user1"), s.Login("cyrus")
	defer k.Close()
	defer admin.Close()
	file := filepath.Join(s.Dir, "conf/msg/shutdown")
	if err := os.WriteFile(file, []byte("Down for repairs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond)
	fmt.Fprint(k, "n NOOP\r\n")
	bye := ""
	for {
		line, err := k.Line()
		if err != nil {
			break
		}
		if strings.HasPrefix(line, "* BYE") {
			bye = line
		}
	}
	if !strings.Contains(bye, "Down for repairs") {
		t.Errorf("a user hears %q", bye)
	}
	admin.Must("NOOP")
	if c := dial(t, s.IMAP); c != nil {
		fmt.Fprint(c, "l LOGIN user2 pass\r\n")
		text, _ := io.ReadAll(c)
		if !strings.Contains(string(text), "\r\nl OK ") || !strings.Contains(string(text), "\r\n* BYE [ALERT] Down for repairs\r\n") {
			t.Errorf("a new client hears %q", text)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	answers(t, s, back)
}

// TestInjection sends commands in clear text behind STARTTLS: they must not
// be taken for commands under TLS.
func TestInjection(t *testing.T) {
	dir := t.TempDir()
	makeCertificate(t, dir)
	s := server.New(t, server.Options{
		Config: []string{"tls_server_cert: " + dir + "/cert", "tls_server_key: " + dir + "/key"},
		Services: []string{
			`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="%[2]s"`,
			`pop3 cmd="pop3d -C %[1]s/etc/imapd.conf" listen="%[4]s"`,
			`lmtp cmd="lmtpd -C %[1]s/etc/imapd.conf" listen="%[3]s"`, // -a has no STARTTLS
		},
	})
	s.Run()
	s.MakeUsers("user1")
	for _, p := range []struct{ addr, greeting, command, ok, injected, probe, want string }{
		{s.IMAP, "", "a STARTTLS\r\n", "a OK", "b LOGIN user1 pass\r\n", "c NOOP\r\n", "c OK"},
		{s.LMTP, "LHLO x\r\n", "STARTTLS\r\n", "220", "LHLO y\r\nMAIL FROM:<a@example.org>\r\n", "NOOP\r\n", "250"},
		{s.POP3, "", "STLS\r\n", "+OK", "USER user1\r\nPASS pass\r\n", "NOOP\r\n", "-ERR"},
	} {
		c := dial(t, p.addr)
		line := func() string { return readLine(t, c) }
		line()
		if p.greeting != "" {
			io.WriteString(c, p.greeting)
			for l := line(); !strings.HasPrefix(l, "250 "); {
				l = line()
			}
		}
		io.WriteString(c, p.command+p.injected)
		if l := line(); !strings.HasPrefix(l, p.ok) {
			t.Errorf("%q: %q", p.command, l)
			continue
		}
		tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		if err := tc.Handshake(); err != nil {
			t.Logf("%q: the server ends it: %v", p.command, err) // as good
			continue
		}
		io.WriteString(tc, p.probe)
		if l := readLine(t, tc); !strings.HasPrefix(l, p.want) {
			t.Errorf("%q: the first answer under TLS is %q, want %s", p.command, l, p.want)
		}
		tc.Close()
	}
	answers(t, s, back)
}

// readLine reads a line byte by byte, so that nothing behind it is taken.
func readLine(t *testing.T, r io.Reader) string {
	t.Helper()
	var line []byte
	b := make([]byte, 1)
	for !strings.HasSuffix(string(line), "\n") {
		if _, err := io.ReadFull(r, b); err != nil {
			t.Fatalf("after %q: %v", line, err)
		}
		line = append(line, b[0])
	}
	return string(line)
}

// makeCertificate writes a certificate and its key.
func makeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: cert}, "key": {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
