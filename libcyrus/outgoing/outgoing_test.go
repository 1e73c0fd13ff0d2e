package outgoing

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
)

// dialog is a server that answers each line that begins with a key, and
// keeps what it was told.
type dialog struct {
	answers map[string]string
	got     chan string // all of one connection
}

func (d *dialog) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, d.answer("connect", "220 hello"))
	var all strings.Builder
	defer func() { d.got <- all.String() }()
	r := bufio.NewReader(c)
	data := false
	for {
		line, err := r.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		if data {
			if line == "." {
				data = false
				fmt.Fprint(c, d.answer(".", "250 taken"))
			}
			continue
		}
		verb, _, _ := strings.Cut(line, " ")
		answer := d.answer(verb, map[string]string{"DATA": "354 go"}[verb])
		data = strings.HasPrefix(answer, "354")
		fmt.Fprint(c, answer)
	}
}

func (d *dialog) answer(verb, usual string) string {
	if usual == "" {
		usual = "250 ok"
	}
	if a, ok := d.answers[verb]; ok {
		usual = a
	}
	return strings.ReplaceAll(usual, "\n", "\r\n") + "\r\n"
}

// sender returns one whose transport is d; lines are of imapd.conf.
func sender(t *testing.T, d *dialog, lines ...string) *Sender {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d.got = make(chan string, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			d.serve(c)
		}
	}()
	return configured(t, append(lines, "smtp_backend: host", "smtp_host: "+l.Addr().String())...)
}

func configured(t *testing.T, lines ...string) *Sender {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "imapd.conf")
	text := "configdirectory: " + dir + "\npartition-default: " + dir + "\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(conf, "test")
	if err != nil {
		t.Fatal(err)
	}
	return NewSender(c, slog.New(slog.DiscardHandler))
}

func mail(to ...string) *Mail {
	const text = "Subject: x\r\n\r\n.dot\r\n"
	return &Mail{From: "from@example.org", To: to, Data: strings.NewReader(text), Size: int64(len(text))}
}

// TestSend: what the transport is told, and which of its answers are errors.
func TestSend(t *testing.T) {
	const head = "EHLO localhost\r\nMAIL FROM:<from@example.org>"
	const rest = "\r\nRCPT TO:<a@example.net>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n"
	for _, c := range []struct {
		name    string
		answers map[string]string
		lines   []string
		change  func(*Mail)
		want    string
		err     string // part of it, "" = none
	}{
		{name: "plain", want: head + rest},
		{name: "size", answers: map[string]string{"EHLO": "250-x\n250 SIZE 1000"}, want: head + " SIZE=20" + rest},
		{name: "parameters", answers: map[string]string{"EHLO": "250-x\n250-AUTH PLAIN\n250-DSN\n250-DELIVERBY 10\n250 SIZE"},
			change: func(m *Mail) { m.Auth, m.Notify, m.Return, m.DeliverBy = "a b", "NEVER", "HDRS", "100;R" },
			want:   head + " AUTH=a+20b RET=HDRS BY=100;R SIZE=20" + strings.Replace(rest, ">\r\nDATA", "> NOTIFY=NEVER\r\nDATA", 1)},
		{name: "not offered", change: func(m *Mail) { m.Auth, m.Notify, m.Return, m.DeliverBy = "a", "NEVER", "HDRS", "100;R" }, want: head + rest},
		{name: "UTF-8", answers: map[string]string{"EHLO": "250-x\n250-8BITMIME\n250 SMTPUTF8"}, change: func(m *Mail) { m.UTF8 = true }, want: head + " BODY=8BITMIME SMTPUTF8" + rest},
		{name: "UTF-8 refused", change: func(m *Mail) { m.UTF8 = true }, want: "EHLO localhost\r\n", err: "code=550 text=5.6.7"},
		{name: "null sender", change: func(m *Mail) { m.From = "" }, want: strings.Replace(head, "from@example.org", "", 1) + rest},
		{name: "greeting", answers: map[string]string{"connect": "554 no"}, err: "code=554"},
		{name: "sender refused", answers: map[string]string{"MAIL": "550-no\n550 never"}, want: head + "\r\n", err: "code=550 text=no never"},
		{name: "recipient refused", answers: map[string]string{"RCPT": "550 who"}, want: head + "\r\nRCPT TO:<a@example.net>\r\n", err: "RCPT TO: code=550"},
		{name: "data refused", answers: map[string]string{"DATA": "452 later"}, want: head + "\r\nRCPT TO:<a@example.net>\r\nDATA\r\n", err: "code=452"},
		{name: "end refused", answers: map[string]string{".": "554 spam"}, want: head + strings.TrimSuffix(rest, "QUIT\r\n"), err: "code=554 text=spam"},
		{name: "login", answers: map[string]string{"EHLO": "250-x\n250 AUTH CRAM-MD5 PLAIN", "AUTH": "235 in"}, lines: []string{"smtp_auth_authname: me", "smtp_auth_password: pw"},
			want: "EHLO localhost\r\nAUTH PLAIN AG1lAHB3\r\n" + strings.TrimPrefix(head, "EHLO localhost\r\n") + rest},
		{name: "wrong password", answers: map[string]string{"EHLO": "250-x\n250 AUTH PLAIN", "AUTH": "535 no"}, lines: []string{"smtp_auth_authname: me", "smtp_auth_password: pw"},
			want: "EHLO localhost\r\nAUTH PLAIN AG1lAHB3\r\n", err: "AUTH: code=535"},
		{name: "no mechanism", lines: []string{"smtp_auth_authname: me"}, want: "EHLO localhost\r\n", err: "not PLAIN or LOGIN"},
		{name: "short", change: func(m *Mail) { m.Size++ }, err: "unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := &dialog{answers: c.answers}
			s := sender(t, d, c.lines...)
			m := mail("a@example.net")
			if c.change != nil {
				c.change(m)
			}
			err := s.Send(context.Background(), m)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			got := <-d.got
			if c.want != "" && got != c.want {
				t.Errorf("told\n%q, want\n%q", got, c.want)
			}
			if c.name == "short" && strings.Contains(got, "\r\n.\r\n") {
				t.Errorf("half a message was ended: %q", got)
			}
		})
	}
}

// TestInjection: an envelope cannot hold commands.
func TestInjection(t *testing.T) {
	s := configured(t)
	for _, to := range []string{"a@b>\r\nRCPT TO:<c@d", "a\nb", "a\x00b"} {
		if err := s.Send(context.Background(), mail(to)); !errs.Is(err, errs.BadArgument) {
			t.Errorf("%q: %v", to, err)
		}
	}
	if err := s.Send(context.Background(), mail()); !errs.Is(err, errs.BadArgument) {
		t.Errorf("no recipient: %v", err)
	}
}

// TestUnreachable: no server, no program, a program that says nothing.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, s := range []*Sender{
		configured(t, "smtp_backend: host", "smtp_host: "+l.Addr().String()),
		configured(t, "sendmail: /nonexistent/sendmail"),
		configured(t, "sendmail: /bin/true"),
	} {
		if err := s.Send(context.Background(), mail("a@b")); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%v", err)
		}
	}
}

// TestCancelled: a server that says nothing does not hold up who gives up.
func TestCancelled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		cancel()
		_, _ = io.Copy(io.Discard, c)
	}()
	s := configured(t, "smtp_backend: host", "smtp_host: "+l.Addr().String())
	if err := s.Send(ctx, mail("a@b")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestParseTarget(t *testing.T) {
	for in, want := range map[string]target{
		"localhost:587":            {network: "tcp", address: "localhost:587", name: "localhost"},
		"localhost":                {network: "tcp", address: "localhost:25", name: "localhost"},
		"mx.example.org:25/noauth": {network: "tcp", address: "mx.example.org:25", name: "mx.example.org", noAuth: true},
		"mx/tls/noauth":            {network: "tcp", address: "mx:25", name: "mx", tls: true, noAuth: true},
		"[::1]:25":                 {network: "tcp", address: "[::1]:25", name: "::1"},
		"[::1]":                    {network: "tcp", address: "[::1]:25", name: "::1"},
		"/run/smtp/noauth":         {network: "unix", address: "/run/smtp", name: "localhost", noAuth: true},
	} {
		if got := parseTarget(in); got != want {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
	}
}

// FuzzReplies: nothing that a server says does harm.
func FuzzReplies(f *testing.F) {
	f.Add("220 x\r\n250-a\r\n250 AUTH PLAIN\r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n221 bye\r\n")
	f.Add("220 x\r\n250-a\r\n250 AUTH LOGIN\r\n334 VXNlcm5hbWU6\r\n334 !\r\n")
	f.Fuzz(func(t *testing.T, replies string) {
		c := newClient(struct {
			io.Reader
			io.Writer
			io.Closer
		}{strings.NewReader(replies), io.Discard, io.NopCloser(nil)})
		c.raw = &net.UnixConn{}
		if _, err := c.expect("the connection", 2); err != nil {
			return
		}
		if err := c.ehlo(); err != nil {
			return
		}
		if err := c.auth("me", "pw"); err != nil {
			return
		}
		_ = c.mail(mail("a@b"))
	})
}
