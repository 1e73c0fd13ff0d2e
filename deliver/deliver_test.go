package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lmtpd is a server that answers by a table: the first prefix of a line
// that fits gives the reply. The bytes after DATA are kept.
type lmtpd struct {
	replies [][2]string
	final   []string // after the dot, one per recipient
	lines   []string
	body    string
	done    chan struct{} // closed when the first client has left
}

func (s *lmtpd) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	fmt.Fprint(c, "220 test LMTP\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		s.lines = append(s.lines, line)
		reply := "250 2.0.0 ok"
		for _, p := range s.replies {
			if strings.HasPrefix(line, p[0]) {
				reply = p[1]
				break
			}
		}
		fmt.Fprint(c, reply, "\r\n")
		if line == "DATA" && strings.HasPrefix(reply, "354") {
			s.data(c, r)
		}
	}
}

func (s *lmtpd) data(c io.Writer, r *bufio.Reader) {
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		s.body += line
	}
	for _, f := range s.final {
		fmt.Fprint(c, f, "\r\n")
	}
}

// site starts s behind the socket of a site and returns its imapd.conf.
func (s *lmtpd) site(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "lmtp"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		if c, err := l.Accept(); err == nil {
			s.serve(c)
		}
	}()
	return confFile(t, dir)
}

func confFile(t *testing.T, dir string) string {
	t.Helper()
	conf := filepath.Join(dir, "imapd.conf")
	text := fmt.Sprintf("configdirectory: %s\npartition-default: %[1]s\nlmtpsocket: %[1]s/lmtp\n", dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return conf
}

const unknown = "550-Mailbox unknown.  Either there is no mailbox associated with this\r\n" +
	"550-name or you do not have authorization to see it.\r\n550 5.1.1 User unknown"

func TestDeliver(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    string
		server  lmtpd
		code    int
		out     string   // on standard output
		sent    []string // lines that the server must have seen
		notSent string
	}{
		{name: "one", args: "fred",
			server: lmtpd{replies: [][2]string{{"DATA", "354 go"}}, final: []string{"250 2.1.5 Ok"}},
			sent:   []string{"LHLO deliver", "MAIL FROM:<" + userName() + ">", "RCPT TO:<fred>", "DATA", "QUIT"}},
		{name: "unknown", args: "fred", server: lmtpd{replies: [][2]string{{"RCPT", unknown}}},
			code: 65, out: "fred: Mailbox does not exist\n", notSent: "DATA"},
		{name: "one of two unknown", args: "fred wilma",
			server: lmtpd{replies: [][2]string{{"RCPT TO:<fred>", unknown}, {"DATA", "354 go"}}, final: []string{"250 2.1.5 Ok"}},
			code:   65, out: "fred: Mailbox does not exist\n"},
		{name: "temporary beats permanent", args: "fred wilma",
			server: lmtpd{replies: [][2]string{{"RCPT TO:<fred>", unknown}, {"DATA", "354 go"}}, final: []string{"452 4.2.2 Over quota"}},
			code:   75, out: "fred: Mailbox does not exist\nwilma: Over quota\n"},
		{name: "refused for its content", args: "fred",
			server: lmtpd{replies: [][2]string{{"DATA", "354 go"}}, final: []string{"554 5.6.0 Message contains NUL characters"}},
			code:   65, out: "fred: Message contains NUL characters\n"},
		{name: "all flags", args: "-q -a joe+x -r <a@b> -m Work fred@example.org",
			server: lmtpd{replies: [][2]string{{"DATA", "354 go"}}, final: []string{"250 2.1.5 Ok"}},
			sent:   []string{"MAIL FROM:<a@b> AUTH=joe+2Bx", "RCPT TO:<fred+Work@example.org> IGNOREQUOTA"}},
		{name: "a shared mailbox", args: "-m shared",
			server: lmtpd{replies: [][2]string{{"DATA", "354 go"}}, final: []string{"250 2.1.5 Ok"}},
			sent:   []string{"RCPT TO:<+shared>"}},
		{name: "DATA refused", args: "fred", server: lmtpd{replies: [][2]string{{"DATA", "451 4.3.2 cannot create temporary file"}}},
			code: 75, out: "fred: System I/O error\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"deliver", "-C", c.server.site(t)}, strings.Fields(c.args)...)
			var out, errs bytes.Buffer
			code := run(args, strings.NewReader("Subject: x\n\n.dot\nend"), &out, &errs)
			if code != c.code || out.String() != c.out {
				t.Errorf("exit %d, %q %q; want %d, %q", code, out.String(), errs.String(), c.code, c.out)
			}
			<-c.server.done
			seen := strings.Join(c.server.lines, "\n") + "\n"
			for _, want := range c.sent {
				if !strings.Contains(seen, want+"\n") {
					t.Errorf("%q was not sent; but\n%s", want, seen)
				}
			}
			if c.notSent != "" && strings.Contains(seen, c.notSent) {
				t.Errorf("%q was sent:\n%s", c.notSent, seen)
			}
			if c.server.body != "" && c.server.body != "Subject: x\r\n\r\n..dot\r\nend\r\n" {
				t.Errorf("body %q", c.server.body)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"", "-x", "-F", "-E 3 fred", "-F x fred"} {
		var out, errs bytes.Buffer
		code := run(append([]string{"deliver"}, strings.Fields(args)...), strings.NewReader(""), &out, &errs)
		if code != 64 || !strings.Contains(errs.String(), "421-4.3.0 usage: deliver [-C <alt_config> ]") {
			t.Errorf("%q: exit %d, %q", args, code, errs.String())
		}
	}
}

func TestNoServer(t *testing.T) {
	var out, errs bytes.Buffer
	code := run([]string{"deliver", "-C", confFile(t, t.TempDir()), "fred"}, strings.NewReader("x: y\n\n"), &out, &errs)
	if code != 75 || out.String() != "421 4.3.0 deliver: couldn't connect to lmtpd\r\n" {
		t.Errorf("exit %d, %q %q", code, out.String(), errs.String())
	}
	code = run([]string{"deliver", "-C", "/nonexistent/imapd.conf", "fred"}, strings.NewReader(""), &out, &errs)
	if code != 78 {
		t.Errorf("no configuration: exit %d", code)
	}
}

func TestQuotePath(t *testing.T) {
	for in, want := range map[string]string{
		"fred":               "<fred>",
		"fred+Sent Items":    `<fred+Sent\ Items>`,
		"a\"b\\c@x.org":      `<a\"b\\c@x.org>`,
		"fred+x@example.org": "<fred+x@example.org>",
	} {
		if got := quotePath(in); got != want {
			t.Errorf("quotePath(%q) = %q, want %q", in, got, want)
		}
	}
}
