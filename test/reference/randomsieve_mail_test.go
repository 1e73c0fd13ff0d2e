//go:build reference

package reference

import (
	"fmt"
	"strings"
)

// delivered is a mail as it goes over the wire, without the dots of LMTP.
// Each has a Message-ID of its own, but for a few without one.
func (g *chance) delivered(n int) string {
	if g.percent(2) {
		return g.of("\r\nno header at all\r\n", "no header, no blank line\r\n", "Subject: only\r\n", "Subject: no end", "\r\n", " folded first\r\nSubject: x\r\n\r\nb\r\n", "From me\r\nSubject: x\r\n\r\nbody\r\n", "a\rb\rc\r\n", "Subject: x\r\n\r\n")
	}
	var lines []string
	for _, l := range strings.SplitAfter(strings.ReplaceAll(g.header(), "\r\n ", "\x00 "), "\r\n") {
		l = strings.ReplaceAll(l, "\x00", "\r\n")
		if l != "" && !strings.HasPrefix(l, "Message-ID:") {
			lines = append(lines, l)
		}
	}
	field := func(percent int, name string, values ...string) {
		if g.percent(percent) {
			lines = append(lines, name+": "+g.of(values...)+"\r\n")
		}
	}
	if !g.percent(3) {
		lines = append(lines, fmt.Sprintf("Message-ID: %s\r\n", g.of(fmt.Sprintf("<case-%d@example.org>", n), fmt.Sprintf("<case-%d@example.org>", n), fmt.Sprintf("<\"case %d\"@x>", n), fmt.Sprintf("\r\n <case-%d@y>", n))))
	}
	for range g.IntN(4) {
		field(100, "X-Multi", "one", "two", "three", "hello", "")
	}
	field(30, "X-Num", "10", "9", "007", " 5 ", "12abc", "-3", "4294967296", "")
	field(20, "X-Empty", "", " ", "\r\n ")
	field(15, "X-8bit", "\xe4", "Grüße", "a\x80b", "\xff\xfe")
	field(15, "X-Fold", "one\r\n two\r\n\tthree", "\r\n one", "a\r\n  \r\n b")
	field(10, "X-Long", strings.Repeat("word ", 60), strings.Repeat("x", 1200))
	field(10, "X-Date", oddDates...)
	field(10, "Received", "from a by b; Mon, 02 Jan 2006 15:04:05 +0000", "from c by d;\r\n Tue, 3 Jan 2006 01:02:03 -0500", "nonsense", "a; b; Wed, 4 Jan 2006 00:00:00 GMT")
	field(8, "Reply-To", oddAddresses...)
	field(8, "Return-Path", "<old@example.org>")
	field(8, "Resent-To", oddAddresses...)
	field(5, "Auto-Submitted", "no", "auto-replied", "No")
	field(5, "List-Id", "<x.example.org>")
	field(5, "Precedence", "bulk", "list", "junk", "first-class")
	field(60, "To", "me@example.com", "Me <me@example.com>", "you@example.com, me@example.com")
	if g.percent(10) {
		lines = append(lines, g.of("X-Odd : blank before colon\r\n", "no colon in this line\r\n", "X-Bare: a\nb\r\n", "X-Cr: a\rb\r\n", ": no name\r\n", "X-Tab:\tvalue\r\n", "X-NoBlank:value\r\n", "Ünïcode: x\r\n", ">From x\r\n", "x-multi: lower\r\n"))
	}
	g.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	m := strings.Join(lines, "")
	if g.percent(80) {
		m += "MIME-Version: 1.0\r\n"
	}
	m += g.entity(0)
	if g.percent(10) {
		m += g.of("\r\n.dot\r\n..\r\n", "\r\n"+strings.Repeat("long", 700)+"\r\n", "\r\nbare\nLF\r\n", "\r\nbare\rCR\r\n", "\r\n\r\n\r\n", "\r\n\x00nul\r\n", "\r\n\xe4\xf6\r\n", "\r\n.", "\r\nline one\r\nline two\r\n")
	}
	return m
}
