// Package outgoing hands mail that the server makes, or passes on, to the
// site's mail transport: over SMTP to smtp_host, or to the program of option
// sendmail, which is spoken to in SMTP over its standard input and output.
package outgoing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
)

// A Mail is one message with its envelope.
type Mail struct {
	From string   // return path, without angle brackets; "" = null
	To   []string // at least one
	Data io.Reader
	Size int64 // octets of Data

	Auth      string // on whose behalf, "" = nobody (RFC 4954 section 5)
	Notify    string // NOTIFY of all recipients (RFC 3461), "" = not said
	Return    string // RET (RFC 3461), "" = not said
	DeliverBy string // BY (RFC 2852), "" = not said

	// UTF8 says that the envelope or the header is UTF-8, and that the mail came
	// with SMTPUTF8 (RFC 6531): a transport without it cannot have it.
	UTF8 bool
}

// timeout bounds how long the transport may take for one mail.
const timeout = time.Minute

// A Sender sends mail. It may be used from many goroutines.
type Sender struct {
	conf *config.Config
	log  *slog.Logger
	srs  *rewriter // nil without srs_domain
}

// NewSender returns the sender of a site. With srs_* that cannot be used
// nothing is rewritten, as in Cyrus; the log says so.
func NewSender(c *config.Config, log *slog.Logger) *Sender {
	srs, err := newRewriter(c)
	if err != nil {
		log.Error("sieve SRS configuration error: " + err.Error())
	}
	return &Sender{c, log, srs}
}

// Send hands m to the transport; when nil is returned it has taken it for all
// recipients. After an error it may have taken it nevertheless, if the
// connection broke at the end. A refusal is an *Refusal, also where it is
// for some recipients only: then nobody gets the mail. So is a transport that
// does not offer what Mail.UTF8 needs.
//
// Source: Cyrus imap/smtpclient.c.
func (s *Sender) Send(ctx context.Context, m *Mail) error {
	if err := m.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, host, err := s.open(ctx)
	if err != nil {
		s.log.Error("smtpclient: no connection", "error", err)
		return err
	}
	c := newClient(conn)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err = s.greet(c, host); err == nil {
		err = c.mail(m)
	}
	if err == nil {
		c.quit()
	}
	if cerr := conn.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
		s.log.Error("smtpclient: mail was not sent", "to", strings.Join(m.To, " "), "error", err)
	}
	return err
}

// check refuses envelopes that would be more than one command.
func (m *Mail) check() error {
	if len(m.To) == 0 {
		return errs.New(errs.BadArgument, "outgoing.Send", "envelope missing recipients", nil)
	}
	for _, s := range append([]string{m.From, m.Auth, m.Notify, m.Return, m.DeliverBy}, m.To...) {
		if strings.ContainsAny(s, "\r\n\x00") {
			return errs.New(errs.BadArgument, "outgoing.Send", fmt.Sprintf("%q", s), errors.New("control characters in an envelope"))
		}
	}
	return nil
}

// target is what smtp_host says.
type target struct {
	network, address string
	name             string // without port, for the certificate
	tls, noAuth      bool
}

// parseTarget reads host[:port][/tls][/noauth], or the path of a unix
// socket. The port is 25 if none is given.
//
// Source: backend_connect in Cyrus imap/backend.c.
func parseTarget(s string) target {
	t := target{network: "tcp"}
	for {
		rest, option, ok := cutLast(s, "/")
		if ok && option == "tls" {
			t.tls = true
		} else if ok && option == "noauth" {
			t.noAuth = true
		} else {
			break
		}
		s = rest
	}
	if strings.HasPrefix(s, "/") {
		t.network, t.address, t.name = "unix", s, "localhost"
		return t
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), "25"
	}
	t.address, t.name = net.JoinHostPort(host, port), host
	return t
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// open connects to the transport.
func (s *Sender) open(ctx context.Context) (io.ReadWriteCloser, target, error) {
	if config.SmtpBackend.In(s.conf) == "host" {
		t := parseTarget(config.SmtpHost.In(s.conf))
		var d net.Dialer
		c, err := d.DialContext(ctx, t.network, t.address)
		if err != nil {
			return nil, t, errs.New(errs.Unavailable, "outgoing.open", "smtp_host", err)
		}
		return c, t, nil
	}
	p, err := startProgram(ctx, config.Sendmail.In(s.conf))
	if err != nil {
		return nil, target{}, errs.New(errs.Unavailable, "outgoing.open", "sendmail", err)
	}
	return p, target{noAuth: true}, nil
}

// program is a running sendmail -bs.
type program struct {
	io.Reader
	io.WriteCloser
	cmd *exec.Cmd
}

func startProgram(ctx context.Context, path string) (*program, error) {
	cmd := exec.CommandContext(ctx, path, "-bs")
	cmd.Args[0] = "sendmail"
	cmd.WaitDelay = time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &program{out, in, cmd}, nil
}

// Close ends the program's input and waits for it. As in Cyrus its status
// does not count: what it took it answered.
func (p *program) Close() error {
	err := p.WriteCloser.Close()
	_ = p.cmd.Wait()
	return err
}
