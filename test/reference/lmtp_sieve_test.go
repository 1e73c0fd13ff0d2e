//go:build reference

package reference

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gocyrus/test/server"
	"gocyrus/test/sieverun"
)

// mailScripts are scripts that send mail, or leave marks in deliver.db.
var mailScripts = []struct{ name, script string }{
	{"keep", `keep;`},
	{"redirect", `redirect "x@example.net";`},
	{"edited", `require "editheader"; addheader "X-New" "a"; redirect "x@example.net";`},
	{"reject", "require \"reject\"; reject \"geh w\u00e4g\";"},
	{"vacation", `require "vacation"; vacation :addresses "me@example.com" "gone";`},
	{"subject", "require \"vacation\"; vacation :addresses \"me@example.com\" :subject \"\u00dcber alle Berge, und zwar f\u00fcr eine sehr lange Zeit, bis zum Herbst\" :from \"Me <me@example.com>\" \"gone\";"},
}

// TestSieveMails has a real lmtpd and ours run the same scripts on the same
// message, and compares every octet of what they mail, and the marks in
// deliver.db.
func TestSieveMails(t *testing.T) {
	text := "From: Sender <sender@example.org>\nTo: me@example.com\nSubject: Hello\nDate: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <one@example.org>\n\n.body\n"
	run := func(real bool) string {
		mails, addr := wholeSink(t)
		var users []string
		for _, m := range mailScripts {
			users = append(users, m.name)
		}
		s := server.New(t, server.Options{Users: append([]string{"cyrus"}, users...), Shared: true, Bare: true, Config: []string{
			"smtp_backend: host", "smtp_host: " + addr + "/noauth", "sieve_vacation_min_response: 1d"}})
		secrets(t, s, append([]string{"cyrus"}, users...)...)
		asCyrus(t, s)
		var out strings.Builder
		deliver := func() {
			s.MakeUsers(users...)
			for i, u := range users {
				c := s.Login(u)
				c.Must("CREATE INBOX/Junk")
				c.Must("CREATE INBOX/a")
				c.Close()
				prepareSieve(t, s, u, mailScripts[i].script)
				fmt.Fprintf(&out, "--- %s\n%s", u, sieverun.Send(t, s, "<sender@example.org>", text, u)[0])
				select {
				case m := <-mails:
					out.WriteString(m)
				default:
				}
			}
		}
		if real {
			cyrusServes(t, s, deliver)
		} else {
			s.Run()
			deliver()
			s.Stop(20 * time.Second)
		}
		marks, _ := tool(t, s, "cyr_dbtool", filepath.Join(s.Dir, "conf/deliver.db"), "twoskip", "show")
		var sieve []string
		for _, line := range strings.Split(marks, "\n") {
			key, _, _ := strings.Cut(line, "\t")
			if strings.Contains(key, ".sieve.") || regexp.MustCompile(`^[0-9A-F]{32}`).MatchString(key) {
				sieve = append(sieve, mask(strings.ReplaceAll(key, "\x00", "|")))
			}
		}
		slices.Sort(sieve)
		return mask(out.String()) + strings.Join(sieve, "\n")
	}
	want, got := run(true), run(false)
	for _, re := range []string{`Reporting-UA: .*`, `boundary="\d+/`, `--\d+/`, `SIZE=\d+`} {
		want, got = regexp.MustCompile(re).ReplaceAllString(want, "N"), regexp.MustCompile(re).ReplaceAllString(got, "N")
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" || !strings.Contains(want, ".redirect@") {
		t.Errorf("(-Cyrus +ours)\n%s\n%s", diff, want)
	}
}

// wholeSink takes all mail and passes on the whole dialog of each.
func wholeSink(t *testing.T) (mails chan string, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	mails = make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				takeMail(c, mails)
			}()
		}
	}()
	return mails, l.Addr().String()
}

func takeMail(c net.Conn, mails chan<- string) {
	fmt.Fprint(c, "220 sink ESMTP\r\n")
	r := bufio.NewReader(c)
	all, data := "", false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		all += line
		switch {
		case data && line == ".\r\n":
			data = false
			mails <- all
			fmt.Fprint(c, "250 2.0.0 taken\r\n")
		case data:
		case strings.HasPrefix(line, "EHLO"):
			fmt.Fprint(c, "250-sink\r\n250-DSN\r\n250 SIZE\r\n")
			all = ""
		case strings.HasPrefix(line, "DATA"):
			data = true
			fmt.Fprint(c, "354 go\r\n")
		case strings.HasPrefix(line, "QUIT"):
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}
