//go:build reference

package reference

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/test/corpus"
	"gocyrus/test/server"
)

// TestRandomLMTP has the real lmtpd and ours answer the same dialogs, which
// chance makes: all replies have to be the same, and the messages stored. One
// listener trusts its clients, the other wants them to log in.
func TestRandomLMTP(t *testing.T) {
	real, ours := newLineSide(t, true), newLineSide(t, false)
	bothServe(t, real, ours, func() {
		p := &linePair{t: t, sides: []*lineSide{real, ours}}
		p.rounds("lmtp", func(g *chance, n int) (string, []string) {
			d := &lmtpDialog{chance: g, n: n}
			service, lines := g.of("lmtp", "lmtp", "lmtp", "lmtplogin"), d.lines()
			if service == "lmtp" { // after AUTH the real one does not trust its client any more
				lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(strings.ToUpper(l), "AUTH") })
			}
			return service, lines
		})
	})
}

// lmtpDialog makes a dialog. A line that begins with "@" is the text of a mail,
// which is sent if the server waits for one.
type lmtpDialog struct {
	*chance
	n, mails int
}

func (g *lmtpDialog) lines() (all []string) {
	if !g.percent(5) {
		all = append(all, g.of("LHLO test", "lhlo test.example.org", "LHLO [127.0.0.1]", "LHLO"))
	}
	for range 2 + g.IntN(12) {
		if g.percent(40) {
			all = append(all, g.transaction()...)
			continue
		}
		all = append(all, g.mangled(g.command()))
	}
	return all
}

func (g *lmtpDialog) transaction() []string {
	all := []string{"MAIL FROM:<sender@example.org>" + g.of("", "", " BODY=8BITMIME", " SIZE=500")}
	if g.percent(20) {
		all[0] = g.mail()
	}
	for range 1 + g.IntN(3) {
		all = append(all, g.of("RCPT TO:<l1>", "RCPT TO:<l2>", "RCPT TO:<l1+a>", g.rcpt()))
	}
	return append(all, "DATA", "@"+g.text())
}

// text is a mail, with the dots of LMTP or not quite.
func (g *lmtpDialog) text() string {
	g.mails++
	if g.percent(50) {
		return strings.ReplaceAll("\r\n"+g.delivered(g.n*100+g.mails), "\r\n.", "\r\n..")[2:]
	}
	head := fmt.Sprintf("Message-ID: <lmtp-%d-%d@x>\r\nFrom: a@b\r\n", g.n, g.mails)
	return head + g.of("Subject: x\r\n\r\nbody\r\n", "\r\n..stuffed\r\n...\r\n", "\r\n.x not stuffed\r\n. x\r\n", "\r\n"+strings.Repeat("long", 1000)+"\r\n", "X-8: \xe4\r\n\r\n\xe4\r\n", "\r\n\r\n", "", "bad header\r\n\r\nx\r\n",
		"\r\nMAIL FROM:<x>\r\n", "\r\nbare\nLF\r\n", "\r\nbare\rCR\r\n", "X-Long: "+strings.Repeat("y", 3000)+"\r\n\r\nz\r\n", "Return-Path: <other@x>\r\nreturn-path: x\r\n\r\n", "Subject: folded\r\n more\r\n\r\n\r\n", "\x00\r\n\r\nnul\r\n", "X:\x00y\r\n\r\n", "\r\na\x00b\r\n", "Date: x\r\n\r\nb\r\n")
}

func (g *lmtpDialog) mail() string {
	from := g.of("<a@b>", "<a@b.example>", "<>", "<a>", "a@b", "< a@b>", "<a@b >", "<a b@c>", "<\"a b\"@c>", "<@r,@s:a@b>", "<@r:a>", "<a@b", "a@b>", "<a@@b>", "<a@b@c>", "<a\\@b>", "<.a@b>", "<a.@b>", "<a..b@c>", "<a@[1.2.3.4]>", "<a@b.>", "<a@-b>", "<a(c)@b>", "<a,b@c>", "<a;b@c>", "<>x",
		"<\"@b>", "<"+strings.Repeat("x", 300)+"@b>", "<a\t@b>", "<\xe4@b>", "", "<a@b><c@d>", "<a@b.c.d.e>", "<A@B>", "<a@b_c>", "<!#$%&'*+-/=?^_`{|}~@b>", "<a@b%c>")
	s := g.of("MAIL FROM:", "MAIL FROM:", "MAIL FROM:", "mail from:", "MAIL FROM: ", "MAIL FROM", "MAIL  FROM:", "MAIL", "MAIL TO:", "MAIL FROM :") + from
	for g.percent(25) {
		s += g.of(" ", "  ", "") + g.of("SIZE=100", "SIZE=99999999999999999999", "SIZE=4294967296", "SIZE=abc", "SIZE=", "SIZE", "SIZE=-1", "SIZE=1x", "size=5", "BODY=8BITMIME", "BODY=7BIT", "body=8bitmime", "BODY=BINARYMIME", "BODY=x", "BODY", "AUTH=<>", "AUTH=x", "AUTH=", "AUTH", "RET=FULL", "ENVID=q", "FOO=bar", "FOO", "=", "IGNOREQUOTA", "XDSN", "SIZE=0")
	}
	return s + g.of("", "", "", " ")
}

func (g *lmtpDialog) rcpt() string {
	to := g.of("<l1>", "<l2>", "<l1@example.com>", "<L1>", "<l1+a>", "<l1+A>", "<l1+none>", "<l1+>", "<+a>", "<l1@reference.example.org>", "<nobody>", "<nobody@example.com>", "<>", "l1", "<l1", "l1>", "< l1>", "<l1 >", "<@a,@b:l1@c>", "<@r:l1>", "<l1@>", "<@x>", "<l1@[127.0.0.1]>", "<l1@x y>",
		"<user/l1>", "<user.l1>", "<+user.l1>", "<+shared>", "<bb+shared>", "<bb+none>", "<bb>", "<l1+a/b>", "<l1+a.b>", "<l1@a@b>", "<l!1>", "<l1%a>", "<l1*>", "<l1+INBOX>", "<l1+inbox.a>", "<l1+a+b>", "<l1+&AOQ->", "<l1+ä>", "<l.1>", "<l^1>", "<l1+#sieve>", "<cyrus>", "<anyone>", "<anonymous>", "<l1/a>",
		"<"+strings.Repeat("x", 300)+">", "<l1+"+strings.Repeat("y", 200)+">", "<l1+a b>", "<l1\t>", "<\xe4>", "", "<l1><l2>", "<l1+.>", "<l1+a.>", "<l1+/a>", "<l1+~>", "<~l1>", "<-l1>", "<#l1>", "<l1@example.com.>", "<l1@EXAMPLE.COM>")
	s := g.of("RCPT TO:", "RCPT TO:", "RCPT TO:", "rcpt to:", "RCPT TO: ", "RCPT TO", "RCPT  TO:", "RCPT", "RCPT FROM:", "RCPT TO :") + to
	for g.percent(15) {
		s += g.of(" ", "  ", "") + g.of("IGNOREQUOTA", "ignorequota", "IGNOREQUOTA=1", "NOTIFY=NEVER", "ORCPT=rfc822;x", "FOO", "FOO=bar", "SIZE=1", "IGNOREQUOTAX")
	}
	return s
}

func (g *lmtpDialog) command() string {
	switch g.IntN(6) {
	case 0:
		return g.mail()
	case 1, 2:
		return g.rcpt()
	}
	return g.of("RSET", "rset", "RSET x", "NOOP", "NOOP x y", "noop", "VRFY l1", "VRFY <l1>", "VRFY nobody", "VRFY", "vrfy l2", "VRFY l1@example.com", "VRFY l1+a", "QUIT", "quit", "QUIT x", "DATA", "data", "DATA x", "HELP", "EXPN x", "HELO x", "EHLO x", "LHLO again", "LHLO", "lhlo", "LHLO a b", "", " ", "X", "STARTTLS", "starttls", "STARTTLS x",
		"AUTH", "AUTH ", "AUTH PLAIN", "AUTH FOO", "AUTH PLAIN AGwxAHBhc3M=", "AUTH PLAIN AGwxAHdyb25n", "AUTH PLAIN =", "AUTH LOGIN", "AUTH PLAIN AGwxAHBhc3M= x", "auth plain AGN5cnVzAHBhc3M=", "*", "AGwxAHBhc3M=", "LHLOX", "MAILFROM:<x>", "RSETX", "MAIL\tFROM:<x>", strings.Repeat("x", 3000), "NOOP "+strings.Repeat("y", 3000), "BOGUS command", "\x00", "\xe4", "SEND FROM:<x>", "TURN", "LHLO "+strings.Repeat("z", 200))
}

// mangled is a line, rarely with an octet lost, doubled or changed.
func (g *chance) mangled(s string) string {
	if s == "" || !g.percent(4) {
		return s
	}
	i := g.IntN(len(s))
	return s[:i] + g.of("", s[i:i+1]+s[i:i+1], " ", "\t", "<", ">", ":", "x") + s[i+1:]
}

// lmtpServices are the listeners of a site for dialogs.
func lmtpServices(t *testing.T, s *lineSide) []string {
	s.addr = map[string]string{}
	for _, name := range []string{"lmtplogin", "pop3", "sieve"} {
		s.addr[name] = server.Address(t)
	}
	return []string{
		`imap cmd="imapd -C %[1]s/etc/imapd.conf" listen="%[2]s" prefork=1`,
		`lmtp cmd="lmtpd -C %[1]s/etc/imapd.conf -a" listen="%[3]s" prefork=1`,
		`lmtplogin cmd="lmtpd -C %[1]s/etc/imapd.conf" listen="` + s.addr["lmtplogin"] + `" prefork=1`,
		`pop3 cmd="pop3d -C %[1]s/etc/imapd.conf" listen="` + s.addr["pop3"] + `" prefork=1`,
		`sieve cmd="timsieved -C %[1]s/etc/imapd.conf" listen="` + s.addr["sieve"] + `" prefork=1`,
	}
}

// newLineSide is a site with the users of the dialogs, not started.
func newLineSide(t *testing.T, real bool) *lineSide {
	t.Helper()
	s := &lineSide{real: real}
	services := lmtpServices(t, s)
	s.Site = server.New(t, server.Options{Shared: true, Bare: true, Users: append([]string{"cyrus"}, lineUsers...), Services: services, Config: []string{
		"postuser: bb", "delete_mode: immediate", "maxmessagesize: 100000", "sieve_maxscripts: 5", "sieve_maxscriptsize: 2"}})
	secrets(t, s.Site, append([]string{"cyrus"}, lineUsers...)...)
	if real {
		asCyrus(t, s.Site)
	}
	s.addr["lmtp"] = s.LMTP
	return s
}

// bothServe calls fn while both serve.
func bothServe(t *testing.T, real, ours *lineSide, fn func()) {
	cyrusServes(t, real.Site, func() {
		ours.Run()
		for _, s := range []*lineSide{real, ours} {
			c := s.Login("cyrus")
			for _, u := range lineUsers {
				for _, box := range []string{"", "/a", "/Drafts"} {
					c.Must("CREATE user/" + u + box)
				}
				c.Must("SETACL user/" + u + "/a anyone p")
			}
			c.Must("CREATE shared")
			c.Must("SETACL shared anyone p")
			c.Must("SETACL shared cyrus lrswipkxtecda")
			c.Close()
		}
		fn()
		ours.Stop(20 * time.Second)
	})
}

// lineUsers are the users of the dialogs.
var lineUsers = []string{"l1", "l2"}

// chosen is the source of chance of one case.
func chosen(n int) *chance {
	return &chance{rand.New(rand.NewPCG(*randomSeed<<32+uint64(n), 13))}
}

// maskLine takes out of a reply what two servers write differently.
func maskLine(s string) string {
	return corpus.Mask(strings.NewReplacer("250-CHUNKING\r\n", "", "250-SMTPUTF8\r\n", "").Replace(s))
}
