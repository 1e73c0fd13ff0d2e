package worker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/syslog"
)

// filesCheck is how long the files of certificates are taken for
// unchanged.
const filesCheck = 10 * time.Second

// handshakeWait is how long a handshake may take.
const handshakeWait = 60 * time.Second

// serverTLS makes the configuration of TLS from imapd.conf, and anew when
// one of the files that it names has changed. While new files cannot be
// used the old ones stay in use.
type serverTLS struct {
	conf    *config.Config
	log     *slog.Logger
	tickets *tickets

	mu      sync.Mutex // guards what follows
	config  *tls.Config
	stamps  map[string]stamp // of the files that were read
	checked time.Time
	lastErr string
}

// stamp tells one state of a file from another; zero is: not there.
type stamp struct {
	size  int64
	mtime time.Time
}

func stampOf(path string) stamp {
	st, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{st.Size(), st.ModTime()}
}

func newServerTLS(c *config.Config, log *slog.Logger) *serverTLS {
	return &serverTLS{conf: c, log: log, tickets: newTickets(c, log)}
}

// available reports whether imapd.conf names a certificate
// (tls_enabled in Cyrus imap/tls.c).
func (s *serverTLS) available() bool {
	cert := config.TlsServerCert.In(s.conf)
	return cert != "" && !strings.EqualFold(cert, "disabled")
}

// get returns the configuration as the files are now.
func (s *serverTLS) get() (*tls.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.available() {
		return nil, errors.New("TLS is not configured (tls_server_cert)")
	}
	now := time.Now()
	if s.config == nil || now.Sub(s.checked) >= filesCheck && s.changed() {
		l := &tlsLoader{conf: s.conf, stamps: make(map[string]stamp)}
		c, err := l.load()
		switch {
		case err == nil:
			s.config, s.stamps, s.lastErr = c, l.stamps, ""
		case s.config == nil:
			return nil, err
		case err.Error() != s.lastErr:
			s.lastErr = err.Error()
			s.log.Error("TLS: the changed files cannot be used, the old ones stay in use", "error", err)
		}
		for _, w := range l.warnings {
			s.log.Warn(w)
		}
	}
	if now.Sub(s.checked) >= filesCheck {
		s.checked = now
		s.tickets.apply(s.config)
	}
	return s.config, nil
}

// changed reports whether a file is not what it was.
func (s *serverTLS) changed() bool {
	for path, was := range s.stamps {
		if stampOf(path) != was {
			return true
		}
	}
	return false
}

// tlsLoader reads the files for one configuration.
type tlsLoader struct {
	conf     *config.Config
	stamps   map[string]stamp
	warnings []string
}

func (l *tlsLoader) load() (*tls.Config, error) {
	c := &tls.Config{}
	if err := l.versions(c); err != nil {
		return nil, err
	}
	if err := l.certificates(c); err != nil {
		return nil, err
	}
	if err := l.clients(c); err != nil {
		return nil, err
	}
	if list := config.TlsCiphers.In(l.conf); config.TlsCiphers.Given(l.conf) {
		c.CipherSuites = cipherSuites(list)
	}
	if config.TlsEccurve.Given(l.conf) {
		if id, ok := curves[config.TlsEccurve.In(l.conf)]; ok {
			c.CurvePreferences = []tls.CurveID{id}
		} else {
			l.warnings = append(l.warnings, "tls_eccurve: "+config.TlsEccurve.In(l.conf)+" is not supported, it has no effect")
		}
	}
	return c, nil
}

var curves = map[string]tls.CurveID{
	"prime256v1": tls.CurveP256, "secp384r1": tls.CurveP384, "secp521r1": tls.CurveP521, "X25519": tls.X25519,
}

var versionNumbers = map[string]uint16{
	"tls1_0": tls.VersionTLS10, "tls1_1": tls.VersionTLS11, "tls1_2": tls.VersionTLS12, "tls1_3": tls.VersionTLS13,
}

// versions sets the range of versions. Holes in it are filled.
func (l *tlsLoader) versions(c *tls.Config) error {
	for _, name := range strings.Fields(strings.ToLower(config.TlsVersions.In(l.conf))) {
		v, ok := versionNumbers[name]
		if !ok {
			continue // ssl2, ssl3: nobody wants them
		}
		if c.MinVersion == 0 || v < c.MinVersion {
			c.MinVersion = v
		}
		c.MaxVersion = max(c.MaxVersion, v)
	}
	if c.MinVersion == 0 {
		return errors.New("tls_versions names no version that there is")
	}
	return nil
}

// certificates reads the pairs of tls_server_cert and tls_server_key: one,
// or two separated by a comma. The certificates above come in the same
// file, or from tls_server_ca_file.
func (l *tlsLoader) certificates(c *tls.Config) error {
	certs := split(config.TlsServerCert.In(l.conf))
	keys := split(config.TlsServerKey.In(l.conf))
	if len(keys) == 0 {
		keys = certs
	}
	if len(keys) != len(certs) {
		return errors.New("tls_server_key and tls_server_cert do not have the same number of files")
	}
	for i := range certs {
		certPEM, err := l.read(certs[i])
		if err != nil {
			return fmt.Errorf("unable to get certificate from '%s': %w", certs[i], err)
		}
		keyPEM, err := l.read(keys[i])
		if err != nil {
			return fmt.Errorf("unable to get private key from '%s': %w", keys[i], err)
		}
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			return fmt.Errorf("private key '%s' or certificate '%s': %w", keys[i], certs[i], err)
		}
		if err := l.chain(&pair); err != nil {
			return err
		}
		c.Certificates = append(c.Certificates, pair)
	}
	return nil
}

// chain adds the authorities of tls_server_ca_file that are above a
// certificate which came alone.
func (l *tlsLoader) chain(pair *tls.Certificate) error {
	path := config.TlsServerCaFile.In(l.conf)
	if path == "" || len(pair.Certificate) > 1 {
		return nil
	}
	all, err := l.parse(path)
	if err != nil {
		return err
	}
	for at := pair.Leaf; len(pair.Certificate) < 10; {
		i := issuer(at, all)
		if i < 0 || all[i].CheckSignatureFrom(all[i]) == nil { // the root need not be sent
			return nil
		}
		pair.Certificate = append(pair.Certificate, all[i].Raw)
		at = all[i]
	}
	return nil
}

// issuer returns the index of the certificate that signed c, or -1.
func issuer(c *x509.Certificate, all []*x509.Certificate) int {
	for i, a := range all {
		if string(a.RawSubject) == string(c.RawIssuer) && c.CheckSignatureFrom(a) == nil {
			return i
		}
	}
	return -1
}

// clients sets up the checking of clients' certificates. They are asked
// for only if there is an authority that could have made one.
func (l *tlsLoader) clients(c *tls.Config) error {
	mode := config.TlsClientCerts.In(l.conf)
	file, dir := config.TlsClientCaFile.In(l.conf), config.TlsClientCaDir.In(l.conf)
	if mode == "off" || mode == "optional" && file == "" && dir == "" {
		return nil
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven
	if mode == "require" {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	c.ClientCAs = x509.NewCertPool()
	files := []string{file}
	if dir != "" {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("tls_client_ca_dir: %w", err)
		}
		l.stamps[dir] = stampOf(dir)
		for _, e := range entries {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	for _, f := range files {
		if f == "" {
			continue
		}
		all, err := l.parse(f)
		if err != nil && f == file {
			return err
		}
		for _, a := range all {
			c.ClientCAs.AddCert(a)
		}
	}
	return l.revoked(c)
}

// revoked refuses the certificates that tls_crl_file lists.
func (l *tlsLoader) revoked(c *tls.Config) error {
	path := config.TlsCrlFile.In(l.conf)
	if path == "" {
		return nil
	}
	data, err := l.read(path)
	if err != nil {
		return fmt.Errorf("tls_crl_file: %w", err)
	}
	bad := make(map[string]bool) // issuer and serial number
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return fmt.Errorf("tls_crl_file: %w", err)
		}
		for _, e := range list.RevokedCertificateEntries {
			bad[string(list.RawIssuer)+e.SerialNumber.String()] = true
		}
	}
	c.VerifyConnection = func(s tls.ConnectionState) error {
		for _, chain := range s.VerifiedChains {
			for _, cert := range chain {
				if bad[string(cert.RawIssuer)+cert.SerialNumber.String()] {
					return errors.New("certificate is revoked")
				}
			}
		}
		return nil
	}
	return nil
}

// read reads a file and remembers its state.
func (l *tlsLoader) read(path string) ([]byte, error) {
	l.stamps[path] = stampOf(path)
	data, err := os.ReadFile(path)
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return data, err
}

// parse reads the certificates in a PEM file.
func (l *tlsLoader) parse(path string) (all []*x509.Certificate, err error) {
	data, err := l.read(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// split cuts a comma-separated list.
func split(s string) (out []string) {
	for f := range strings.SplitSeq(s, ",") {
		if f = strings.TrimSpace(f); f != "" {
			out = append(out, f)
		}
	}
	return out
}

// StartTLS does the server's side of a handshake and logs its result. The
// caller must have thrown away what it had read and not used: it could be
// anybody's. After an error the connection can only be closed.
func (c *Conn) StartTLS(ctx context.Context) error {
	if c.tls != nil {
		return errors.New("TLS is on already")
	}
	conf, err := c.process.tls.get()
	if err != nil {
		c.process.env.Log.Error("STARTTLS failed: " + err.Error())
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeWait)
	defer cancel()
	t := tls.Server(c.wire, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		c.process.env.Log.Log(ctx, syslog.LevelNotice, "STARTTLS negotiation failed: "+c.Client(), "error", err)
		return err
	}
	c.tls = t
	c.process.env.Log.Log(ctx, syslog.LevelNotice, describe(t.ConnectionState()))
	return nil
}

// HaveTLS reports whether the connection is encrypted.
func (c *Conn) HaveTLS() bool { return c.tls != nil }

// TLSState returns what was negotiated. ok is false without TLS.
func (c *Conn) TLSState() (state tls.ConnectionState, ok bool) {
	if c.tls == nil {
		return state, false
	}
	return c.tls.ConnectionState(), true
}

// SSF is the strength of the encryption in bits as SASL counts it; 0 is
// without TLS.
func (c *Conn) SSF() int {
	if c.tls == nil {
		return 0
	}
	return cipherBits(c.tls.ConnectionState().CipherSuite)
}

// describe is Cyrus's line about a handshake (tls_start_servertls).
func describe(s tls.ConnectionState) string {
	bits := cipherBits(s.CipherSuite)
	how := "new"
	if s.DidResume {
		how = "reused"
	}
	who := "no authentication"
	if len(s.PeerCertificates) > 0 {
		who = "authenticated as " + s.PeerCertificates[0].Subject.CommonName
	}
	return fmt.Sprintf("starttls: %s with cipher %s (%d/%d bits %s) %s", opensslVersion(s.Version), cipherName(s.CipherSuite), bits, bits, how, who)
}

// opensslVersion is OpenSSL's name of a version of TLS.
func opensslVersion(v uint16) string {
	name := strings.Replace(tls.VersionName(v), "TLS ", "TLSv", 1)
	if name == "TLSv1.0" {
		return "TLSv1"
	}
	return name
}

// TLSInfo describes the encryption for the field Received, as tls_get_info in
// Cyrus imap/tls.c does; "" is without TLS. A client whose certificate is no
// good does not come that far, so that verify is always YES.
func (c *Conn) TLSInfo() string {
	if c.tls == nil {
		return ""
	}
	s := c.tls.ConnectionState()
	bits := cipherBits(s.CipherSuite)
	return fmt.Sprintf("version=%s cipher=%s bits=%d/%d verify=YES", opensslVersion(s.Version), cipherName(s.CipherSuite), bits, bits)
}
