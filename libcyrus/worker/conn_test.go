package worker

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/config"
)

// testProcess is a process without master or signals, for its connections.
func testProcess(t testing.TB, lines string) *process {
	t.Helper()
	c := testConfig(t, lines)
	p := newProcess(Service{}, &Env{Config: c, Log: testLog(t), Service: "test", MaxClients: 100_000}, &flags{})
	p.tls = newServerTLS(c, testLog(t))
	return p
}

// pair returns a session's connection and its client's end, over TCP.
func pair(t testing.TB, p *process) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	check(t, err)
	nc, err := l.Accept()
	check(t, err)
	c, err := p.wrap(nc)
	check(t, err)
	t.Cleanup(func() { client.Close(); c.finish() })
	return c, client
}

// certificate writes a key pair and returns what imapd.conf says of it.
func certificate(t testing.TB, dir, name string) (lines string, cert *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	certFile, keyFile := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	check(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	check(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	cert, err = x509.ParseCertificate(der)
	check(t, err)
	return "tls_server_cert: " + certFile + "\ntls_server_key: " + keyFile + "\n", cert
}

// clientTLS is a configuration that trusts one certificate.
func clientTLS(cert *x509.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{RootCAs: pool, ServerName: cert.DNSNames[0], ClientSessionCache: tls.NewLRUClientSessionCache(4)}
}

// startTLS does both sides of a handshake.
func startTLS(t testing.TB, c *Conn, client net.Conn, conf *tls.Config) *tls.Conn {
	t.Helper()
	tc := tls.Client(client, conf)
	failed := make(chan error, 1)
	go func() { failed <- tc.Handshake() }()
	check(t, c.StartTLS(context.Background()))
	check(t, <-failed)
	return tc
}

func TestPark(t *testing.T) {
	t.Parallel()
	certDir := t.TempDir()
	lines, cert := certificate(t, certDir, "park.example.org")
	p := testProcess(t, lines)
	for _, withTLS := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", withTLS), func(t *testing.T) {
			c, raw := pair(t, p)
			client := raw
			if withTLS {
				client = startTLS(t, c, raw, clientTLS(cert))
			}
			ctx := c.Context()
			if err := c.Park(ctx, 20*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("nothing there: %v", err)
			}
			go client.Write([]byte("hello world"))
			check(t, c.Park(ctx, patience))
			check(t, c.Park(ctx, patience)) // still there
			buf := make([]byte, 5)
			if n, err := c.Read(buf); err != nil || n == 0 {
				t.Fatal(n, err)
			} else if _, err := io.ReadFull(c, buf[n:]); err != nil || string(buf) != "hello" {
				t.Fatalf("%q %v", buf, err)
			}
			check(t, c.Park(ctx, patience)) // the rest, which TLS holds inside
			rest := make([]byte, 6)
			if _, err := io.ReadFull(c, rest); err != nil || string(rest) != " world" {
				t.Fatalf("%q %v", rest, err)
			}
			// A context of the caller's own ends the waiting, and only that.
			own, cancel := context.WithCancelCause(ctx)
			news := errors.New("news")
			time.AfterFunc(20*time.Millisecond, func() { cancel(news) })
			if err := c.Park(own, patience); err != news {
				t.Fatalf("own context: %v", err)
			}
			go client.Write([]byte("x"))
			if _, err := io.ReadFull(c, buf[:1]); err != nil {
				t.Fatal(err)
			}
			// The end of the session.
			e := &Ending{Text: "go", Graceful: true}
			time.AfterFunc(20*time.Millisecond, func() { c.end(e) })
			if err := c.Park(ctx, 0); err != error(e) {
				t.Fatalf("ending: %v", err)
			}
			if _, err := c.Read(buf); err != error(e) {
				t.Fatalf("read after the end: %v", err)
			}
			check(t, c.SetReadDeadline(time.Time{}))
			if _, err := c.Read(buf); err != error(e) {
				t.Fatalf("read with another deadline: %v", err)
			}
			if _, err := c.Write([]byte("bye")); err != nil {
				t.Fatalf("last words: %v", err)
			}
			if _, err := io.ReadFull(client, buf[:3]); err != nil || string(buf[:3]) != "bye" {
				t.Fatalf("last words: %q, %v", buf[:3], err)
			}
			if context.Cause(ctx) != error(e) || c.ShuttingDown() != "go" {
				t.Error(context.Cause(ctx), c.ShuttingDown())
			}
		})
	}
}

// Pieces of a TLS record do not end a Park; the end of the connection does.
func TestParkPartOfRecord(t *testing.T) {
	t.Parallel()
	lines, cert := certificate(t, t.TempDir(), "part.example.org")
	p := testProcess(t, lines)
	c, raw := pair(t, p)
	var record bytes.Buffer
	split := &recorder{Conn: raw}
	tc := startTLS(t, c, split, clientTLS(cert))
	split.to = &record
	_, err := tc.Write([]byte("whole"))
	check(t, err)
	_, err = raw.Write(record.Bytes()[:7])
	check(t, err)
	if err := c.Park(c.Context(), 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("part of a record: %v", err)
	}
	_, err = raw.Write(record.Bytes()[7:])
	check(t, err)
	check(t, c.Park(c.Context(), patience))
	b := make([]byte, 10)
	n, err := c.Read(b)
	if string(b[:n]) != "whole" {
		t.Fatalf("%q %v", b[:n], err)
	}
	raw.Close()
	check(t, c.Park(c.Context(), patience))
	if _, err := c.Read(b); err == nil {
		t.Fatal("no end")
	}
}

// recorder keeps what is written, once to is set.
type recorder struct {
	net.Conn
	to *bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.to != nil {
		return r.to.Write(b)
	}
	return r.Conn.Write(b)
}

// xor is a layer that anybody can undo.
type xor struct {
	io.ReadWriter
	held []byte
}

func (x *xor) Buffered() bool { return len(x.held) > 0 }

func (x *xor) Read(b []byte) (int, error) {
	if len(x.held) == 0 {
		buf := make([]byte, 64)
		n, err := x.ReadWriter.Read(buf)
		if err != nil {
			return 0, err
		}
		for i := range n {
			buf[i] ^= 0x55
		}
		x.held = buf[:n]
	}
	n := copy(b, x.held)
	x.held = x.held[n:]
	return n, nil
}

func (x *xor) Write(b []byte) (int, error) {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ 0x55
	}
	return x.ReadWriter.Write(out)
}

func TestLayerOverTLS(t *testing.T) {
	t.Parallel()
	lines, cert := certificate(t, t.TempDir(), "layer.example.org")
	c, raw := pair(t, testProcess(t, lines))
	client := &xor{ReadWriter: startTLS(t, c, raw, clientTLS(cert))}
	c.SetLayer(func(rw io.ReadWriter) Layer { return &xor{ReadWriter: rw} })
	go client.Write([]byte("abc"))
	b := make([]byte, 1)
	for _, want := range "abc" {
		check(t, c.Park(c.Context(), patience))
		if n, err := c.Read(b); n != 1 || rune(b[0]) != want {
			t.Fatalf("%q, %v", b[:n], err)
		}
	}
	written := make(chan struct{})
	go func() { c.Write([]byte("Z")); close(written) }()
	if n, err := client.Read(b); n != 1 || b[0] != 'Z' {
		t.Fatalf("%q, %v", b[:n], err)
	}
	<-written
	if in, out := c.Traffic(); in != 3 || out != 1 {
		t.Error(in, out)
	}
}

func TestSessionIDs(t *testing.T) {
	s := sessionIDs{base: "mail.example.org"}
	form := regexp.MustCompile(`^mail\.example\.org-\d{10}-\d+-[1-9]\d*-\d+$`)
	seen := make(map[string]bool)
	for range 100 {
		id := s.next()
		if !form.MatchString(id) || seen[id] {
			t.Errorf("%q", id)
		}
		seen[id] = true
	}
}

// A certificate that is replaced is in use soon; a broken one never.
func TestCertificateReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines, _ := certificate(t, dir, "a.example.org")
	p := testProcess(t, lines)
	name := func() string {
		t.Helper()
		c, err := p.tls.get()
		check(t, err)
		return c.Certificates[0].Leaf.DNSNames[0]
	}
	expire := func() { p.tls.checked = time.Time{} }
	if name() != "a.example.org" {
		t.Fatal(name())
	}
	check(t, os.WriteFile(filepath.Join(dir, "a.example.org.crt"), []byte("garbage"), 0o644))
	expire()
	if name() != "a.example.org" {
		t.Fatal("a broken file is in use")
	}
	certificate(t, dir, "b.example.org")
	check(t, os.Rename(filepath.Join(dir, "b.example.org.crt"), filepath.Join(dir, "a.example.org.crt")))
	check(t, os.Rename(filepath.Join(dir, "b.example.org.key"), filepath.Join(dir, "a.example.org.key")))
	expire()
	if name() != "b.example.org" {
		t.Fatal(name())
	}
}

func TestTLSOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines, cert := certificate(t, dir, "o.example.org")
	load := func(more string) (*tls.Config, error) {
		return (&tlsLoader{conf: testConfig(t, lines+more), stamps: map[string]stamp{}}).load()
	}
	c, err := load("")
	check(t, err)
	if c.MinVersion != tls.VersionTLS12 || c.CipherSuites != nil || c.ClientAuth != tls.NoClientCert {
		t.Errorf("%+v", c)
	}
	c, err = load("tls_versions: tls1_3\ntls_ciphers: ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:!RC4\ntls_eccurve: secp384r1\n")
	check(t, err)
	if c.MinVersion != tls.VersionTLS13 || len(c.CipherSuites) != 2 || c.CurvePreferences[0] != tls.CurveP384 {
		t.Errorf("%+v", c)
	}
	ca := "tls_client_ca_file: " + filepath.Join(dir, "o.example.org.crt") + "\n"
	if c, err = load(ca); err != nil || c.ClientAuth != tls.VerifyClientCertIfGiven {
		t.Error(c, err)
	}
	if c, err = load(ca + "tls_client_certs: require\n"); err != nil || c.ClientAuth != tls.RequireAndVerifyClientCert {
		t.Error(c, err)
	}
	if c, err = load("tls_client_ca_dir: " + dir + "\n"); err != nil || c.ClientAuth != tls.VerifyClientCertIfGiven || !c.ClientCAs.Equal(clientTLS(cert).RootCAs) {
		t.Error(c, err)
	}
	for _, bad := range []string{"tls_server_ca_file: /nonexistent\n", "tls_versions: ssl3\n", "tls_client_certs: require\ntls_client_ca_file: /nonexistent\n", ca + "tls_crl_file: /nonexistent\n"} {
		if _, err := load(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
	if testProcess(t, "tls_server_cert: disabled\n").tls.available() {
		t.Error("disabled, but available")
	}
}

// A session of one process can be resumed with another that shares the
// file of keys.
func TestResumption(t *testing.T) {
	t.Parallel()
	lines, cert := certificate(t, t.TempDir(), "r.example.org")
	conf := testConfig(t, lines)
	client := clientTLS(cert)
	for i := range 3 {
		p := newProcess(Service{}, &Env{Config: conf, Log: testLog(t)}, &flags{})
		p.tls = newServerTLS(conf, testLog(t))
		c, raw := pair(t, p)
		tc := startTLS(t, c, raw, client)
		go c.Write([]byte("x")) // the ticket comes with the first data
		if _, err := tc.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		state, _ := c.TLSState()
		if state.DidResume != (i > 0) {
			t.Errorf("connection %d: resumed is %v", i, state.DidResume)
		}
		how := map[bool]string{false: "new", true: "reused"}[i > 0]
		if got, want := describe(state), "starttls: TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 bits "+how+") no authentication"; got != want &&
			!strings.Contains(got, "(256/256 bits "+how+") no authentication") {
			t.Errorf("%q", got)
		}
	}
	st, err := os.Stat(filepath.Join(config.Configdirectory.In(conf), "tls_ticket_keys"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Error(st, err)
	}
}

// TestSessionTimeout: tls_session_timeout has minutes, a day at most, and zero
// turns resumption off.
func TestSessionTimeout(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]time.Duration{"": 24 * time.Hour, "tls_session_timeout: 5\n": 5 * time.Minute, "tls_session_timeout: 48h\n": 24 * time.Hour, "tls_session_timeout: 0\n": 0} {
		tk := newTickets(testConfig(t, line), testLog(t))
		c := &tls.Config{}
		tk.apply(c)
		if tk.timeout != want || c.SessionTicketsDisabled != (want == 0) {
			t.Errorf("%q: %v, off %v", line, tk.timeout, c.SessionTicketsDisabled)
		}
	}
}

// TestKeepAlive: the options of TCP that a client's connection gets.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string][4]int{
		"": {0, 0, 0, 0},
		"tcp_keepalive: yes\ntcp_keepalive_idle: 77\ntcp_keepalive_intvl: 33\ntcp_keepalive_cnt: 5\n": {1, 77, 33, 5},
	} {
		c, _ := pair(t, testProcess(t, lines))
		var err error
		var got [4]int
		check(t, c.wire.raw.Control(func(fd uintptr) {
			for i, o := range [][2]int{{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT}} {
				if got[i], err = unix.GetsockoptInt(int(fd), o[0], o[1]); err != nil {
					t.Error(err)
				}
			}
		}))
		if want[0] == 0 {
			got = [4]int{got[0]} // the system's times
		}
		if got != want {
			t.Errorf("%q: %v", lines, got)
		}
	}
}

func TestTicketKeys(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	tk := &tickets{path: filepath.Join(t.TempDir(), "keys"), timeout: 24 * time.Hour, log: testLog(t), now: func() time.Time { return now }}
	current := func() []ticketKey {
		t.Helper()
		keys, err := tk.current()
		check(t, err)
		return keys
	}
	first := current()
	if again := current(); len(first) != 1 || again[0] != first[0] {
		t.Fatal(first, again)
	}
	for i := 2; i <= 5; i++ {
		now = now.Add(12 * time.Hour)
		if keys := current(); len(keys) != min(i, 3) || !keys[0].made.Equal(now) {
			t.Fatalf("%d keys after %d turns", len(keys), i)
		}
	}
	last := current()[0]
	check(t, os.Chmod(tk.path, 0o644))
	if keys := current(); len(keys) != 1 || keys[0] == last {
		t.Error("keys that others could read are in use")
	}
	check(t, os.WriteFile(tk.path, []byte("garbage\n1 2\n"), 0o600))
	if keys := current(); len(keys) != 1 {
		t.Error(keys)
	}
}

func FuzzTicketKeys(f *testing.F) {
	f.Add("1700000000 " + strings.Repeat("00", 32) + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		if n := len(parseTicketKeys(s)); n > ticketKeysKept {
			t.Error(n)
		}
	})
}

func TestSeconds(t *testing.T) {
	for ns, want := range map[int64]string{0: "0.000000", 14_557_000: "0.014557", 2_000_001_999: "2.000001"} {
		if got := seconds(ns); got != want {
			t.Errorf("%d: %q", ns, got)
		}
	}
}

func TestHostNames(t *testing.T) {
	asked := 0
	h := newHostNames()
	h.find = func(_ context.Context, a string) ([]string, error) {
		asked++
		switch a {
		case "192.0.2.1":
			return []string{"mx.example.org."}, nil
		case "192.0.2.2":
			return []string{"evil\nname."}, nil
		case "192.0.2.3":
			return []string{"127.0.0.1."}, nil
		}
		return nil, errors.New("nobody answers")
	}
	for addr, want := range map[string]string{"192.0.2.1": "mx.example.org", "192.0.2.2": "", "192.0.2.3": "", "2001:db8::1": ""} {
		for range 2 {
			if got := h.of(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s: %q", addr, got)
			}
		}
	}
	if asked != 4 {
		t.Errorf("asked %d times", asked)
	}
}

// BenchmarkParked prints what a parked client costs. The figure counts the
// heap and the stacks, which is all of it but the kernel's part.
func BenchmarkParked(b *testing.B) {
	lines, cert := certificate(b, b.TempDir(), "bench.example.org")
	for _, withTLS := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%v", withTLS), func(b *testing.B) {
			p := testProcess(b, lines)
			const n = 1000
			runtime.GC()
			var before, after runtime.MemStats
			clients := make([]net.Conn, n)
			servers := make([]*Conn, n)
			runtime.ReadMemStats(&before)
			for i := range n {
				servers[i], clients[i] = pair(b, p)
			}
			base := before.HeapAlloc + before.StackInuse
			for i, c := range servers {
				client := clients[i]
				if withTLS {
					client = startTLS(b, c, client, clientTLS(cert))
				}
				go func() {
					for {
						if c.Park(c.Context(), time.Minute) != nil {
							return
						}
						buf := make([]byte, 8192)
						m, err := c.Read(buf)
						if err != nil {
							return
						}
						_, _ = c.Write(buf[:m])
					}
				}()
				_, _ = client.Write([]byte("a NOOP\r\n"))
				_, _ = io.ReadFull(client, make([]byte, 8))
			}
			time.Sleep(100 * time.Millisecond)
			for range 3 {
				runtime.GC()
			}
			runtime.ReadMemStats(&after)
			// The clients' ends live in this process too: with TLS they are
			// about as large.
			b.ReportMetric(float64(after.HeapAlloc+after.StackInuse-base)/n/1024, "KiB/conn(parked)")
			for range b.N {
			}
			for _, c := range servers {
				c.end(&Ending{Text: "x", Graceful: true})
			}
		})
	}
}
