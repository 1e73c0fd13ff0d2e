package corpus

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gocyrus/test/server"
)

// untrusting is a site where LMTP clients on TCP have to log in: at the port
// of LMTP with any password, at that of POP3 in TLS alone.
var untrusting = []string{
	`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="%[2]s" prefork=1`,
	`lmtp cmd="lmtpd -C %[1]s/etc/imapd.conf" listen="%[3]s"`,
	`secure cmd="lmtpd -C %[1]s/etc/imapd.conf" listen="%[4]s"`,
}

// giveCertificate makes a certificate for a site, and tells imapd.conf.
func giveCertificate(tb testing.TB, s *server.Site) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now()
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), DNSNames: []string{"reference.example.org"}}
	cert, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	name := filepath.Join(s.Dir, "etc/tls.pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	if err := os.WriteFile(name, both, 0o600); err != nil {
		tb.Fatal(err)
	}
	conf, err := os.ReadFile(s.Conf())
	if err == nil {
		err = os.WriteFile(s.Conf(), append(conf, "tls_server_cert: "+name+"\ntls_server_key: "+name+"\n"...), 0o644)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// session is one untrusted client.
func (r *runner) session(lines []string) {
	addr := map[string]string{"plain": r.s.LMTP, "secure": r.s.POP3}[lines[0]]
	c, err := net.Dial("tcp", addr)
	if err != nil {
		r.tb.Fatal(err)
	}
	r.lmtp = &client{r.tb, c, bufio.NewReader(c)}
	r.add("%s: %s", lines[0], r.lmtp.reply())
	r.dialog(lines[1:])
	r.lmtp.c.Close()
}

// startTLS goes on in TLS, with a cipher of 256 bits.
func (l *client) startTLS() {
	c := tls.Client(l.c, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}})
	if err := c.Handshake(); err != nil {
		l.tb.Fatal(err)
	}
	l.c, l.r = c, bufio.NewReader(c)
}

// b64 of a name and passwords.
const (
	asAdmin  = "AGN5cnVzAHBhc3M="         // cyrus, pass
	asNobody = "AHBsYWluAHBhc3M="         // plain, pass
	asWrong  = "AGN5cnVzAHdyb25n"         // cyrus, wrong
	forOther = "cGxhaW4AY3lydXMAcGFzcw==" // cyrus, who wants to be plain
)

// untrusted is clients that have to log in.
func untrusted() Group {
	mail := []string{"MAIL FROM:<a@b.c>", "RCPT TO:<plain>", "DATA", "@plain"}
	return Group{Name: "untrusted", Config: []string{"secure_allowplaintext: no", "failedloginpause: 0", "sasl_minimum_layer: 0"}, Users: []string{"plain"}, Setup: []string{"cyrus CREATE user/plain"},
		Sessions: [][]string{
			join([]string{"plain"}, mail, []string{"LHLO me"}, mail, []string{"VRFY x", "NOOP", "RSET", "AUTH EXTERNAL =", "AUTH", "AUTH ", "AUTH FOO", "AUTH FOO =",
				"AUTH PLAIN", "*", "AUTH PLAIN", "!!!", "AUTH PLAIN =", "AUTH PLAIN AAAA", "AUTH PLAIN " + asWrong, "AUTH PLAIN " + asNobody, "LHLO me", "MAIL FROM:<a@b.c>", "RCPT TO:<plain>",
				"AUTH PLAIN " + asAdmin, "LHLO me", "AUTH PLAIN " + asAdmin, "STARTTLS"}, mail, []string{"QUIT"}),
			join([]string{"plain", "LHLO me", "AUTH LOGIN", "Y3lydXM=", "d3Jvbmc=", "AUTH LOGIN", "Y3lydXM=", "*", "AUTH login", "Y3lydXM=", "cGFzcw==", "MAIL FROM:<a@b.c> AUTH=plain", "RCPT TO:<plain>", "AUTH PLAIN " + asAdmin, "STARTTLS", "DATA", "@resent"}),
			{"plain", "LHLO me", "AUTH PLAIN " + forOther, "MAIL FROM:<a@b.c>", "QUIT"},
			join([]string{"secure", "LHLO me", "AUTH PLAIN " + asAdmin, "AUTH LOGIN", "STARTTLS now", "STARTTLS", "LHLO me", "STARTTLS"}, mail,
				[]string{"AUTH PLAIN " + asAdmin, "LHLO me", "MAIL FROM:<a@b.c> AUTH=plain", "RCPT TO:<plain>", "STARTTLS", "DATA", "@folded", "QUIT"}),
			{"secure", "STARTTLS", "MAIL FROM:<a@b.c>", "RCPT TO:<plain>", "AUTH PLAIN " + asAdmin, "MAIL FROM:<a@b.c>", "RSET", "QUIT"},
		}}
}
