//go:build reference

package reference

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

const from = "From: Alice <alice@example.org>\r\nTo: user1@example.org\r\n"

// raw is messages of the shapes that arrive, as they go over the wire: what
// needs it is dot-stuffed.
var raw = []struct{ name, sender, text string }{
	{"attachment", "", fmt.Sprintf(mail, "with attachment", "raw-1")},
	{"8-bit header", "", "From: M\xfcller <m@example.org>\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\nMessage-ID: <raw-2@example.org>\r\n\r\n8-bit \xe4 body\r\n"},
	{"MIME without end", "", from + "Message-ID: <raw-3@example.org>\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>never ends\r\n"},
	{"boundary without end", "", from + "Message-ID: <raw-4@example.org>\r\nContent-Type: multipart/mixed; boundary=\"x\r\n\r\n--x\r\n\r\ntext\r\n--x--\r\n"},
	{"no date", "", from + "Subject: no date\r\nMessage-ID: <raw-5@example.org>\r\n\r\nbody\r\n"},
	{"no Message-ID", "", from + "Subject: no Message-ID\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n\r\nbody\r\n"},
	{"bare LF", "", "From: a@example.org\nSubject: bare LF\nMessage-ID: <raw-7@example.org>\n\nline 1\nline 2\r\nline 3\n\r\n"},
	{"lone CR", "", from + "Subject: lone\rCR\r\nMessage-ID: <raw-8@example.org>\r\n\r\nline\rwith\r\rCR\r\r\nend\r\n"},
	{"dots", "", from + "Message-ID: <raw-9@example.org>\r\n\r\n..\r\n...\r\n..x\r\nx.\r\n.y\r\n"},
	{"local sender", "<alice>", from + "Message-ID: <raw-10@example.org>\r\n\r\nbody\r\n"},
	{"no blank line", "", from + "Subject: header only\r\nMessage-ID: <raw-11@example.org>\r\n"},
	{"no body", "", from + "Message-ID: <raw-12@example.org>\r\n\r\n"},
	{"nothing", "", ""},
	{"blank line first", "", "\r\nSubject: not a header\r\n\r\nbody\r\n"},
	{"long header line", "", from + "Message-ID: <raw-15@example.org>\r\nSubject: " + strings.Repeat("long ", 2000) + "\r\n\r\nbody\r\n"},
	{"long body line", "", from + "Message-ID: <raw-16@example.org>\r\n\r\n" + strings.Repeat("x", 20000) + "\r\n"},
	{"folded", "", from + "Subject: a\r\n very\r\n\tfolded\r\n  one\r\nMessage-ID:\r\n <raw-17@example.org>\r\n\r\nbody\r\n"},
	{"came before", "", "Return-Path: <old@example.org>\r\nReceived: from a by b; Mon, 23 Nov 2026 10:00:00 +0100\r\nX-Sieve: CMU Sieve 2.3\r\n" + from + "Message-ID: <raw-18@example.org>\r\n\r\nbody\r\n"},
	{"mbox line", "", "From alice Mon Nov 23 10:00:00 2026\r\n" + from + "Message-ID: <raw-19@example.org>\r\n\r\nFrom here\r\n"},
	{"NUL", "", from + "Message-ID: <raw-20@example.org>\r\n\r\nnot \x00 allowed\r\n"},
	{"no colon", "", from + "Message-ID: <raw-21@example.org>\r\nthis is no field\r\n\r\nbody\r\n"},
	{"blank before colon", "", from + "Message-ID : <raw-22@example.org>\r\nSubject : x\r\n\r\nbody\r\n"},
	{"bounce", "<>", from + "Message-ID: <raw-23@example.org>\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\nContent-Type: text/plain\r\n\r\nsorry\r\n" +
		"--r\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n\r\n--r\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner body\r\n--r--\r\n"},
	{"nested", "", from + "Message-ID: <raw-26@example.org>\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\nplain\r\n--i\r\nContent-Type: text/html; charset=iso-8859-1\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>=FC</b>\r\n--i--\r\n--o\r\nContent-Type: image/png; name=\"=?utf-8?B?w7wucG5n?=\"\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <c@x>\r\n\r\niVBORw0KGgo=\r\n--o--\r\nepilogue\r\n"},
}

// stored delivers all of raw, and by deliver the mail without line end,
// and returns what was answered to each, the files of user1's INBOX, and
// what IMAP says of them, with what varies masked.
func stored(t *testing.T, s *server.Site, deliver func(text string, args ...string) error) (answers, files, fetched []string) {
	t.Helper()
	for _, m := range raw {
		sender := m.sender
		if sender == "" {
			sender = "<alice@example.org>"
		}
		answers = append(answers, mask(m.name+": "+lmtp(t, s, sender, m.text)))
	}
	for i, text := range []string{"", "\n", "\n\nx", "\r\n", "\n.", "\n.\n"} {
		text = fmt.Sprintf("Subject: by deliver\nMessage-ID: <raw-deliver-%d@example.org>\n\nno line end\n.\nend%s", i, text)
		if err := deliver(text, "user1"); err != nil {
			t.Fatal(err)
		}
	}
	for i, sender := range []string{"", "<>", "bob", "<bob@example.org>"} {
		if err := deliver(fmt.Sprintf("Message-ID: <raw-sender-%d@example.org>\n\n", i), "-r", sender, "user1"); err != nil {
			t.Fatal(err)
		}
	}
	dir := inbox(t, s)
	for uid := 1; uid < 100; uid++ {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d.", uid)))
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			break
		}
		files = append(files, mask(string(data)))
	}
	c := s.Login("user1")
	defer c.Close()
	c.Must("EXAMINE INBOX")
	for _, l := range c.Must("FETCH 1:* (UID ENVELOPE BODYSTRUCTURE)") {
		fetched = append(fetched, mask(l))
	}
	return answers, files, fetched
}

// inbox finds the directory of user1's only mailbox.
func inbox(t *testing.T, s *server.Site) (dir string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(s.Dir, "spool"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "1." {
			dir = filepath.Dir(path)
		}
		return err
	})
	if err != nil || dir == "" {
		t.Fatalf("no INBOX: %v", err)
	}
	return dir
}

// lmtp delivers one message to user1 and returns the last reply.
func lmtp(t *testing.T, s *server.Site, sender, text string) string {
	t.Helper()
	return lmtpTo(t, s, sender, "user1", text)
}

// lmtpTo is lmtp to another user.
func lmtpTo(t *testing.T, s *server.Site, sender, to, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.LMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	reply := func() (last string) {
		for {
			last, err = r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if last[3] != '-' {
				return last
			}
		}
	}
	reply()
	for _, step := range []string{"LHLO test", "MAIL FROM:" + sender, "RCPT TO:<" + to + ">", "DATA"} {
		fmt.Fprint(c, step+"\r\n")
		if got := reply(); got[0] != '2' && got[0] != '3' {
			t.Fatalf("%s: %s", step, got)
		}
	}
	fmt.Fprint(c, text+".\r\n")
	return reply()
}

// varies is what two servers, or two runs, write differently.
var varies = []struct{ pattern, with string }{
	{`\(Cyrus [^)]*\)`, "($version)"},
	{`\(version=TLS[^)]*\)`, "($tls)"},
	{`\w{3}, [ 0-9]\d \w{3} \d{4} \d\d:\d\d:\d\d [-+]\d{4}`, "$$date"},
	{`SESSIONID=<[^>]*>`, "SESSIONID=<$$id>"},
	{`(?m)^X-Cyrus-Session-Id: .*\r\n`, "X-Cyrus-Session-Id: $$id\r\n"},
	{`<cmu-[-\w]*@`, "<$$made@"},
	{`<(root|cyrus)@reference`, "<$$me@reference"},
}

var varying = func() (all []*regexp.Regexp) {
	for _, v := range varies {
		all = append(all, regexp.MustCompile(v.pattern))
	}
	return all
}()

func mask(text string) string {
	for i, re := range varying {
		text = re.ReplaceAllString(text, varies[i].with)
	}
	return text
}

// TestStored delivers to the real server and to ours: both answer the same
// and store the same octets.
func TestStored(t *testing.T) {
	s := server.New(t, server.Options{Shared: true})
	secrets(t, s, "user1", "cyrus")
	asCyrus(t, s)
	var answers, files, fetched []string
	cyrusServes(t, s, func() {
		s.MakeUsers("user1")
		answers, files, fetched = stored(t, s, func(text string, args ...string) error { return realDeliver(s, text, args...) })
	})
	ours := server.Start(t, server.Options{Users: []string{"user1"}})
	answers2, files2, fetched2 := stored(t, ours, func(text string, args ...string) error {
		_, err := ours.Try(text, "deliver", args...)
		return err
	})
	same(t, "answers", answers, answers2)
	same(t, "files", files, files2)
	same(t, "FETCH", fetched, fetched2)
}

func realDeliver(s *server.Site, text string, args ...string) error {
	args = append([]string{"--reuid=cyrus", "--regid=mail", "--init-groups", filepath.Join(cyrusBin, "deliver"), "-C", s.Conf()}, args...)
	cmd := exec.Command("setpriv", args...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("deliver: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

func same(t *testing.T, what string, real, ours []string) {
	t.Helper()
	if len(real) < 10 {
		t.Errorf("only %d %s: this shows nothing", len(real), what)
	}
	for i := range max(len(real), len(ours)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(real) {
			a = real[i]
		}
		if i < len(ours) {
			b = ours[i]
		}
		if a != b {
			at := 0
			for at < min(len(a), len(b)) && a[at] == b[at] {
				at++
			}
			t.Errorf("%s %d, from octet %d\n  real %q\n  ours %q", what, i+1, at, piece(a, at), piece(b, at))
		}
	}
}

// piece is some text around a place.
func piece(s string, at int) string { return s[max(0, at-60):min(len(s), at+200)] }
