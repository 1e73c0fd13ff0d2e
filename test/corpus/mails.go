package corpus

import (
	"bytes"
	"fmt"
	"strings"
)

// A Mail is a message as it goes over the wire, before the dots of its lines
// are stuffed.
type Mail struct {
	Name string
	From string // path of MAIL with its angle brackets
	Text string
}

const (
	sender = "<sender@example.org>"
	date   = "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
	people = "From: Alice Example <alice@example.org>\r\nTo: me@example.com\r\n"
)

// id is the field that makes a mail one that is delivered once.
func id(name string) string { return "Message-ID: <m-" + name + "@example.org>\r\n" }

// usual is a header that nothing is wrong with.
func usual(name string) string {
	return people + date + id(name) + "Subject: about " + name + "\r\n"
}

// lines is n header fields, or lines of text.
func lines(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\r\n", i)
	}
	return b.String()
}

// nested is a message in a message in a message, n deep.
func nested(n int) string {
	return strings.Repeat("Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n", n) + "\r\nat last\r\n"
}

// multiparts is n multiparts in each other.
func multiparts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("\r\ntext\r\n")
	for i := n - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "--b%d--\r\n", i)
	}
	return b.String()
}

// Mails is what is delivered: the shapes that arrive, and worse ones.
func Mails() []Mail {
	all := []Mail{
		{"plain", "", usual("plain") + "\r\nHello,\r\nthis is all.\r\n"},
		{"null-sender", "<>", usual("null-sender") + "Auto-Submitted: auto-replied\r\n\r\nbounced\r\n"},
		{"local-sender", "<alice>", usual("local-sender") + "\r\nbody\r\n"},
		{"quoted-sender", `<"a b"@example.org>`, usual("quoted-sender") + "\r\nbody\r\n"},
		{"routed-sender", "<@relay.example.net:alice@example.org>", usual("routed-sender") + "\r\nbody\r\n"},
		{"mailing-list", "<list-bounces@lists.example.org>", usual("mailing-list") + "List-Id: <x.lists.example.org>\r\nPrecedence: list\r\n\r\nbody\r\n"},
		{"no-date", "", people + id("no-date") + "Subject: no date\r\n\r\nbody\r\n"},
		{"no-id", "", people + date + "Subject: no id\r\n\r\nbody\r\n"},
		{"empty-id", "", people + date + "Message-ID: \r\nSubject: empty id\r\n\r\nbody\r\n"},
		{"odd-id", "", people + date + "Message-ID: not an id at all\r\nSubject: odd id\r\n\r\nbody\r\n"},
		{"blanks-id", "", people + date + "Message-ID:   <m-blanks-id@example.org>  \r\nSubject: blanks\r\n\r\nbody\r\n"},
		{"folded-id", "", people + date + "Message-ID:\r\n <m-folded-id@example.org>\r\nSubject: folded id\r\n\r\nbody\r\n"},
		{"two-ids", "", people + date + id("two-ids") + id("two-ids-b") + "Subject: two ids\r\n\r\nbody\r\n"},
		{"long-id", "", people + date + "Message-ID: <" + strings.Repeat("long", 120) + "@example.org>\r\nSubject: long id\r\n\r\nbody\r\n"},
		{"resent", "", "Resent-From: b@example.org\r\nResent-Date: Mon, 23 Nov 2026 11:00:00 +0000\r\nResent-Message-ID: <r-resent@example.org>\r\n" + usual("resent") + "\r\nbody\r\n"},
		{"resent-same", "", "Resent-From: c@example.org\r\nResent-Message-ID: <r-resent-2@example.org>\r\n" + usual("resent") + "\r\nbody\r\n"},
		{"return-path", "", "Return-Path: <old@example.org>\r\n" + usual("return-path") + "Return-path: <older@example.org>\r\nX-After: y\r\n\r\nbody\r\n"},
		{"folded-return-path", "", "Return-Path:\r\n <old@example.org>\r\n" + usual("folded-return-path") + "\r\nbody\r\n"},
		{"received", "", "Received: from a.example.org by b.example.org with ESMTP id 1;\r\n\tSat, 3 Jan 2004 10:11:12 +0100\r\nReceived: from c by a; Fri, 2 Jan 2004 10:11:12 +0100\r\n" + usual("received") + "\r\nbody\r\n"},
		{"delivered-date", "", "X-DeliveredInternalDate: Sun, 4 Jan 2004 10:11:12 +0100\r\n" + usual("delivered-date") + "\r\nbody\r\n"},
		{"x-sieve", "", "X-Sieve: CMU Sieve 2.3\r\nX-Cyrus-Session-Id: cyrus-1-2-3\r\n" + usual("x-sieve") + "\r\nbody\r\n"},
		{"x-sieve-action", "", "X-Sieve-Action: vacation\r\n" + usual("x-sieve-action") + "\r\nbody\r\n"},
		{"encoded-words", "", "From: =?iso-8859-1?Q?J=F6rg?= <joerg@example.org>\r\nTo: me@example.com\r\n" + date + id("encoded-words") + "Subject: =?utf-8?B?R3LDvMOfZQ==?= =?utf-8?Q?_aus_K=C3=B6ln?=\r\n\r\nbody\r\n"},
		{"utf8-header", "", "From: J\xc3\xb6rg <j\xc3\xb6rg@example.org>\r\nTo: me@example.com\r\n" + date + id("utf8-header") + "Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nUTF-8: \xc3\xa4\r\n"},
		{"latin1-header", "", "From: M\xfcller <m@example.org>\r\nTo: me@example.com\r\n" + date + id("latin1-header") + "Subject: \xe4\xf6\xfc\xff\r\n\r\n8-bit \xe4\r\n"},
		{"8bit-body", "", usual("8bit-body") + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\x80\x81\xe4\xf6\xfc\xff\r\n"},
		{"broken-charset", "", usual("broken-charset") + "Content-Type: text/plain; charset=no-such-charset\r\n\r\n\xff\xfe\x01\x02\r\n"},
		{"dots", "", usual("dots") + "\r\n.\r\n..\r\n...\r\n.x\r\nx.\r\n"},
		{"bare-lf", "", "From: a@example.org\nTo: me@example.com\nSubject: bare LF\nMessage-ID: <m-bare-lf@example.org>\n\nline 1\nline 2\r\nline 3\n\r\n"},
		{"lone-cr", "", usual("lone-cr") + "X-CR: a\rb\r\n\r\nline\rwith\r\rCR\r\r\nend\r\n"},
		{"long-line", "", usual("long-line") + "\r\n" + strings.Repeat("x", 2000) + "\r\n" + strings.Repeat("y", 20000) + "\r\n"},
		{"long-subject", "", people + date + id("long-subject") + "Subject: " + strings.Repeat("long ", 400) + "\r\n\r\nbody\r\n"},
		{"long-header-line", "", usual("long-header-line") + "X-Long: " + strings.Repeat("z", 20000) + "\r\n\r\nbody\r\n"},
		{"many-fields", "", usual("many-fields") + lines("X-Field-%d: value", 2000) + "\r\nbody\r\n"},
		{"many-addresses", "", "To: " + strings.Repeat("a@example.org,\r\n ", 500) + "z@example.org\r\n" + date + id("many-addresses") + "Subject: many\r\n\r\nbody\r\n"},
		{"folded", "", people + date + id("folded") + "Subject: a\r\n very\r\n\tfolded\r\n  one\r\n\r\nbody\r\n"},
		{"no-body", "", usual("no-body") + "\r\n"},
		{"header-only", "", usual("header-only")},
		{"empty", "", ""},
		{"blank-line-first", "", "\r\nSubject: no field\r\n\r\nbody\r\n"},
		{"no-header", "", "this is no header at all\r\nnor is this\r\n"},
		{"no-colon", "", usual("no-colon") + "this is no field\r\n\r\nbody\r\n"},
		{"blank-before-colon", "", "Message-ID : <m-blank-colon@example.org>\r\nSubject : x\r\n" + date + "\r\nbody\r\n"},
		{"folded-first", "", " folded first\r\n" + usual("folded-first") + "\r\nbody\r\n"},
		{"mbox-line", "", "From alice Mon Nov 23 10:00:00 2026\r\n" + usual("mbox-line") + "\r\nFrom here\r\n"},
		{"mbox-line-quoted", "", ">From alice Mon Nov 23 10:00:00 2026\r\n" + usual("mbox-line-quoted") + "\r\nbody\r\n"},
		{"nul-header", "", usual("nul-header") + "X-Nul: a\x00b\r\n\r\nbody\r\n"},
		{"nul-body", "", usual("nul-body") + "\r\nnot \x00 allowed\r\n"},
		{"controls", "", usual("controls") + "X-Ctl: \x01\x02\x7f\r\n\r\n\x01\x08\x0c\x1b\x7f\r\n"},
		{"mixed", "", usual("mixed") + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\npreamble\r\n--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\nplain\r\n--i\r\n" +
			"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>=FC</b>\r\n--i--\r\n--o\r\nContent-Type: image/png; name=\"=?utf-8?B?w7wucG5n?=\"\r\n" +
			"Content-Transfer-Encoding: base64\r\nContent-ID: <c@x>\r\n\r\niVBORw0KGgo=\r\n--o--\r\nepilogue\r\n"},
		{"unended-mime", "", usual("unended-mime") + "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>never ends\r\n"},
		{"boundary-unended", "", usual("boundary-unended") + "Content-Type: multipart/mixed; boundary=\"x\r\n\r\n--x\r\n\r\ntext\r\n--x--\r\n"},
		{"boundary-missing", "", usual("boundary-missing") + "Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\ntext\r\n--x--\r\n"},
		{"boundary-never-met", "", usual("boundary-never-met") + "Content-Type: multipart/mixed; boundary=never\r\n\r\n--x\r\n\r\ntext\r\n"},
		{"odd-content-type", "", usual("odd-content-type") + "Content-Type: ;;;=\"\"/\r\nContent-Transfer-Encoding: x-what\r\n\r\nbody\r\n"},
		{"broken-base64", "", usual("broken-base64") + "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!====AA\r\n"},
		{"broken-qp", "", usual("broken-qp") + "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=ZZ=\r\n=4"},
		{"report", "<>", usual("report") + "Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\nContent-Type: text/plain\r\n\r\nsorry\r\n--r\r\n" +
			"Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n\r\n--r\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner body\r\n--r--\r\n"},
		{"nested", "", usual("nested") + nested(30)},
		{"multiparts", "", usual("multiparts") + multiparts(30)},
		{"broken-addresses", "", "From: <<<>>>,,;:\"\r\nTo: undisclosed-recipients:;\r\nCc: (\r\n" + date + id("broken-addresses") + "Subject: broken\r\n\r\nbody\r\n"},
		{"broken-date", "", people + "Date: yesterday, about noon\r\n" + id("broken-date") + "Subject: when\r\n\r\nbody\r\n"},
		{"empty-fields", "", people + date + id("empty-fields") + "Subject:\r\nX-Empty:\r\nCc: \r\n\r\nbody\r\n"},
		{"spam", "", usual("spam") + "X-Spam-Flag: YES\r\nX-Spam-Level: *****\r\n\r\nbuy\r\n"},
		{"again", "", usual("plain") + "\r\nThe same id and date again.\r\n"},
		{"again-later", "", people + "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n" + id("plain") + "Subject: later\r\n\r\nThe same id, another date.\r\n"},
	}
	for i := range all {
		if all[i].From == "" {
			all[i].From = sender
		}
	}
	return all
}

// wire is the text of a mail as DATA wants it: dots stuffed, and a line of
// one dot at its end.
func wire(text string) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines([]byte(text)) {
		if line[0] == '.' {
			b.WriteByte('.')
		}
		b.Write(line)
	}
	if b.Len() > 0 && !bytes.HasSuffix(b.Bytes(), []byte("\r\n")) {
		b.WriteString("\r\n")
	}
	b.WriteString(".\r\n")
	return b.Bytes()
}
