package corpus

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"gocyrus/test/server"
)

// utf8Site is a site with folders and domains whose names are not ASCII.
func utf8Site(t *testing.T, sink *Sink) *server.Site {
	g := Group{Config: []string{"virtdomains: userid", "defaultdomain: xn--bcher-kva.example", "munge8bit: yes", "srs_domain: fwd.example", "srs_secrets: secret"},
		Users: []string{"plain", "red", "vac", "rej"}}
	s := server.New(t, g.Options(sink.Addr))
	s.Run()
	admin := s.Login("cyrus")
	defer admin.Close()
	for _, c := range []string{"CREATE user/plain", "CREATE user/red", "CREATE user/vac", "CREATE user/rej",
		"CREATE user/j&APY-rg", "SETACL user/j&APY-rg cyrus lrs", "CREATE user/x@xn--mnchen-3ya.example", "SETACL user/x@xn--mnchen-3ya.example cyrus lrs",
		"CREATE geteilt", "CREATE geteilt/&ANw-", "SETACL geteilt/&ANw- anyone lrsp"} {
		admin.Must(c)
	}
	plain := s.Login("plain")
	defer plain.Close()
	plain.Must("CREATE INBOX/Entw&APw-rfe")
	plain.Must("SETACL INBOX/Entw&APw-rfe anyone p")
	putScript(t, s, "red", `redirect "x@example.net";`)
	putScript(t, s, "vac", `require "vacation"; vacation :addresses "me@example.com" "Ich bin nicht da: \u00e4.";`)
	putScript(t, s, "rej", "require \"reject\"; reject \"geh w\u00e4g\";")
	return s
}

// TestSMTPUTF8: addresses and headers in UTF-8 (RFC 6531), which Cyrus 3.6 has
// not, and what scripts send on of them.
func TestSMTPUTF8(t *testing.T) {
	t.Parallel()
	sink := NewSink(t)
	s := utf8Site(t, sink)
	l := dial(t, s.LMTP)
	ask := func(line, want string) {
		t.Helper()
		l.send([]byte(line + "\r\n"))
		if got := l.reply(); !strings.HasPrefix(got, want) {
			t.Errorf("%s is answered %q, want %q", line, got, want)
		}
	}
	ask("LHLO me", "250-reference.example.org")
	for _, line := range []string{"<j\u00f6rg@example.org>", "<a@m\u00fcnchen.example>", "<a@b> SMTPUTF8=1", "<\"a SMTPUTF8 \"@\u00fc>", "<j\xf6rg@x> SMTPUTF8"} {
		ask("MAIL FROM:"+line, "501 5.5.4")
		ask("RSET", "250")
	}
	ask("MAIL FROM:<a@b>", "250")
	ask("RCPT TO:<j\u00f6rg>", "501 5.5.4")
	ask("RSET", "250")
	who := map[string][]string{
		"plain": {"<plain@b\u00fccher.example>", "<plain@B\u00dcCHER.example>", "<plain@xn--bcher-kva.example>", "<plain@bu\u0308cher\u3002example>", "<PLAIN>"},
		"cyrus": {"<j\u00f6rg>", "<J\u00d6RG>", "<jo\u0308rg@b\u00fccher.example>", "<x@m\u00fcnchen.example>", "<bb+geteilt/\u00dc>", "<plain+Entw\u00fcrfe>"},
	}
	n := 0
	for _, to := range append(who["plain"], who["cyrus"]...) {
		ask("MAIL FROM:<j\u00f6rg@m\u00fcnchen.example> smtputf8", "250")
		ask("RCPT TO:"+to, "250 2.1.5 ok")
		ask("DATA", "354")
		n++
		ask(fmt.Sprintf("From: J\u00f6rg <j\u00f6rg@m\u00fcnchen.example>\r\nMessage-ID: <%d@example.org>\r\nX-Latin: \xe4\r\n\r\nbody\r\n.", n), "250 2.1.5")
	}
	ask("MAIL FROM:<> SMTPUTF8", "250")
	ask("RCPT TO:<n\u00f6body>", "550-Mailbox unknown")
	ask("RCPT TO:<j\xf6rg>", "501 5.5.4")
	ask("RCPT TO:<plain@m\u00fcnchen.example>", "550-Mailbox unknown")
	ask("RSET", "250")
	for _, at := range []struct {
		user, box string
		want      int
	}{{"plain", "INBOX", 5}, {"plain", "INBOX/Entw&APw-rfe", 1}, {"cyrus", "user/j&APY-rg", 3}, {"cyrus", "user/x@xn--mnchen-3ya.example", 1}, {"plain", "geteilt/&ANw-", 1}} {
		c := s.Login(at.user)
		c.Must("EXAMINE " + at.box)
		all := strings.Join(c.Must("FETCH 1:* BODY.PEEK[HEADER]"), "")
		for _, part := range []string{"Return-Path: <j\u00f6rg@m\u00fcnchen.example>\r\n", " with UTF8LMTPA;", "From: J\u00f6rg <j\u00f6rg@m\u00fcnchen.example>\r\n", "X-Latin: X\r\n"} {
			if got := strings.Count(all, part); got != at.want {
				t.Errorf("%s of %s has %q %d times, want %d\n%s", at.box, at.user, part, got, at.want, all)
			}
		}
		c.Close()
	}
	sentOn(t, s, l, sink)
}

// rewritten is the return path of mail that is passed on (SRS).
var rewritten = regexp.MustCompile(`^MAIL FROM:<SRS0=[A-Za-z0-9+/]{4}=[A-Z2-7]{2}=example\.org=j\x{f6}rg@fwd\.example> `)

// sentOn has scripts send mails of UTF-8, to a transport that takes none and
// to one that does.
func sentOn(t *testing.T, s *server.Site, l *client, sink *Sink) {
	const head = "From: J\u00f6rg <j\u00f6rg@example.org>\r\nTo: me@example.com\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nSubject: \u00fc\r\n"
	for _, offered := range []string{"", "250-8BITMIME\r\n250-SMTPUTF8\r\n"} {
		sink.offer(offered)
		for _, user := range []string{"red", "vac", "rej"} {
			l.send(fmt.Appendf(nil, "RSET\r\nMAIL FROM:<j\u00f6rg@example.org> SMTPUTF8\r\nRCPT TO:<%s>\r\nDATA\r\n", user))
			for range 4 {
				l.reply()
			}
			l.send(fmt.Appendf(nil, "%sMessage-ID: <%s-%d@example.org>\r\n\r\nbody\r\n.\r\n", head, user, len(offered)))
			if got := l.reply(); !strings.HasPrefix(got, "250") {
				t.Errorf("%s: %s", user, got)
			}
			sent := strings.Join(sink.Take(), "\n")
			inInbox := 1 // kept, with a flag: what was to be sent could not be
			if offered != "" {
				inInbox = map[string]int{"red": 1, "vac": 2, "rej": 1}[user] // vacation keeps it
				for _, part := range map[string][]string{
					"red": {"=example.org=j\u00f6rg@fwd.example> BODY=8BITMIME SMTPUTF8 RCPT TO:<x@example.net>", "Subject: \u00fc\r\n"},
					"vac": {"MAIL FROM:<> BODY=8BITMIME SMTPUTF8 RCPT TO:<j\u00f6rg@example.org>", "To: <j\u00f6rg@example.org>", "nicht da: "},
					"rej": {"MAIL FROM:<> BODY=8BITMIME SMTPUTF8 RCPT TO:<j\u00f6rg@example.org>", "geh w\u00e4g", "Content-Type: message/global\r\n", "Final-Recipient: utf-8; rej\r\n"},
				}[user] {
					if !strings.Contains(strings.ReplaceAll(Mask(sent), " AUTH="+user, ""), part) {
						t.Errorf("what %s sent lacks %q:\n%s", user, part, sent)
					}
				}
			} else if sent != "" {
				t.Errorf("%s sent to a transport without SMTPUTF8:\n%s", user, sent)
			}
			if user == "red" && offered != "" && !rewritten.MatchString(sent) {
				t.Errorf("the return path is not rewritten: %s", sent)
			}
			c := s.Login(user)
			if got := strings.Join(c.Must("STATUS INBOX (MESSAGES)"), ""); !strings.Contains(got, fmt.Sprintf("(MESSAGES %d)", inInbox)) {
				t.Errorf("%s, transport %q: %s", user, offered, got)
			}
			c.Close()
		}
	}
	told := func() int { return strings.Count(s.Log(), "5.6.7 SMTPUTF8 is needed") }
	for end := time.Now().Add(20 * time.Second); told() < 3 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := told(); got < 3 {
		t.Errorf("the log tells of it %d times", got)
	}
}
