package outgoing

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"

	gosasl "github.com/emersion/go-sasl"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
)

// A Refusal is what the transport answered in place of what was hoped for.
type Refusal struct {
	Command string // up to its argument
	Code    int
	Text    string
}

// Error is in one line.
func (r *Refusal) Error() string {
	return fmt.Sprintf("unexpected response to %s: code=%d text=%s", r.Command, r.Code, strings.ReplaceAll(r.Text, "\n", " "))
}

// client is one conversation in SMTP (RFC 5321).
type client struct {
	raw  io.ReadWriteCloser
	text *textproto.Conn
	ext  map[string]string // what the server announced, by upper-case keyword
}

func newClient(c io.ReadWriteCloser) *client {
	// textproto's Close would close c, which its opener does.
	return &client{raw: c, text: textproto.NewConn(c)}
}

// expect reads a reply that begins with a digit.
func (c *client) expect(command string, digit int) (text string, err error) {
	code, text, err := c.text.ReadResponse(0)
	if err != nil {
		return "", errs.New(errs.Unavailable, "outgoing."+command, "", err)
	}
	if code/100 != digit {
		return "", &Refusal{command, code, text}
	}
	return text, nil
}

func (c *client) command(name, rest string, digit int) (string, error) {
	if err := c.text.PrintfLine("%s%s", name, rest); err != nil {
		return "", errs.New(errs.Unavailable, "outgoing."+name, "", err)
	}
	return c.expect(name, digit)
}

// greet reads the greeting, and does what the target needs before mail.
func (s *Sender) greet(c *client, t target) error {
	if _, err := c.expect("the connection", 2); err != nil {
		return err
	}
	if err := c.ehlo(); err != nil {
		return err
	}
	user := config.SmtpAuthAuthname.In(s.conf)
	wantAuth := user != "" && !t.noAuth
	_, offered := c.ext["STARTTLS"]
	if t.tls || wantAuth && offered {
		if err := c.startTLS(t.name); err != nil {
			return err
		}
	}
	if !wantAuth {
		return nil
	}
	return c.auth(user, config.SmtpAuthPassword.In(s.conf))
}

// ehlo asks what the server can do.
func (c *client) ehlo() error {
	text, err := c.command("EHLO", " localhost", 2)
	if err != nil {
		return err
	}
	c.ext = map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		if name, args, _ := strings.Cut(line, " "); i > 0 {
			c.ext[strings.ToUpper(name)] = args
		}
	}
	return nil
}

func (c *client) startTLS(name string) error {
	if _, err := c.command("STARTTLS", "", 2); err != nil {
		return err
	}
	conn, ok := c.raw.(net.Conn)
	if !ok {
		return errs.New(errs.NotSupported, "outgoing.startTLS", name, nil)
	}
	t := tls.Client(conn, &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12})
	if err := t.Handshake(); err != nil {
		return errs.New(errs.Unavailable, "outgoing.startTLS", name, err)
	}
	c.text = textproto.NewConn(t)
	c.raw = t
	return c.ehlo()
}

// auth gives name and password (RFC 4954). They go over TLS, a unix socket
// or the loopback interface only.
func (c *client) auth(user, password string) error {
	if !c.private() {
		return errs.New(errs.NotSupported, "outgoing.auth", "smtp_host", errors.New("no password is sent without TLS"))
	}
	var mech gosasl.Client
	for _, m := range strings.Fields(strings.ToUpper(c.ext["AUTH"])) {
		switch m {
		case gosasl.Plain:
			mech = gosasl.NewPlainClient("", user, password)
		case gosasl.Login:
			if mech == nil {
				mech = gosasl.NewLoginClient(user, password)
			}
		}
	}
	if mech == nil {
		return errs.New(errs.NotSupported, "outgoing.auth", "smtp_host", fmt.Errorf("the server offers AUTH %q, not PLAIN or LOGIN", c.ext["AUTH"]))
	}
	name, first, err := mech.Start()
	if err != nil {
		return err
	}
	line := " " + name
	if first != nil {
		line += " " + base64.StdEncoding.EncodeToString(first)
	}
	if err := c.text.PrintfLine("AUTH%s", line); err != nil {
		return errs.New(errs.Unavailable, "outgoing.AUTH", "", err)
	}
	for {
		code, text, err := c.text.ReadResponse(0)
		if err != nil {
			return errs.New(errs.Unavailable, "outgoing.AUTH", "", err)
		}
		if code/100 == 2 {
			return nil
		}
		challenge, derr := base64.StdEncoding.DecodeString(text)
		if code != 334 || derr != nil {
			return &Refusal{"AUTH", code, text}
		}
		answer, err := mech.Next(challenge)
		if err != nil {
			return err
		}
		if err := c.text.PrintfLine("%s", base64.StdEncoding.EncodeToString(answer)); err != nil {
			return errs.New(errs.Unavailable, "outgoing.AUTH", "", err)
		}
	}
}

// private reports whether nobody else can listen.
func (c *client) private() bool {
	switch conn := c.raw.(type) {
	case *tls.Conn, *net.UnixConn:
		return true
	case *net.TCPConn:
		a, ok := conn.RemoteAddr().(*net.TCPAddr)
		return ok && a.IP.IsLoopback()
	}
	return false
}

// mail sends one mail. The parameters stand in Cyrus's order.
func (c *client) mail(m *Mail) error {
	rest := ":<" + m.From + ">"
	param := func(ext, name, value string) {
		if _, ok := c.ext[ext]; ok && value != "" {
			rest += " " + name + "=" + value
		}
	}
	param("AUTH", "AUTH", xtext(m.Auth))
	param("DSN", "RET", m.Return)
	param("DELIVERBY", "BY", m.DeliverBy)
	param("SIZE", "SIZE", fmt.Sprint(m.Size))
	if m.UTF8 {
		if _, ok := c.ext["SMTPUTF8"]; !ok {
			return &Refusal{"EHLO", 550, "5.6.7 SMTPUTF8 is needed, and not offered"}
		}
		if _, ok := c.ext["8BITMIME"]; ok {
			rest += " BODY=8BITMIME"
		}
		rest += " SMTPUTF8"
	}
	if _, err := c.command("MAIL FROM", rest, 2); err != nil {
		return err
	}
	var refused error
	for _, to := range m.To {
		rest = ":<" + to + ">"
		param("DSN", "NOTIFY", m.Notify)
		if _, err := c.command("RCPT TO", rest, 2); err != nil && refused == nil {
			refused = err
		}
	}
	if refused != nil {
		return refused
	}
	if _, err := c.command("DATA", "", 3); err != nil {
		return err
	}
	w := c.text.DotWriter()
	n, err := io.Copy(w, m.Data)
	if err == nil && n != m.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return errs.New(errs.IO, "outgoing.DATA", "", err) // without the dot: the server drops it
	}
	if err := w.Close(); err != nil {
		return errs.New(errs.Unavailable, "outgoing.DATA", "", err)
	}
	_, err = c.expect("DATA", 2)
	return err
}

// quit says goodbye; nothing depends on the answer.
func (c *client) quit() { _, _ = c.command("QUIT", "", 2) }

// xtext encodes a parameter's value (RFC 3461 section 4).
func xtext(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < '!' || c > '~' || c == '=' || c == '+' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
