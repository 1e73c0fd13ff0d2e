//go:build reference

package reference

import (
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// TestPostfixUTF8 has a real Postfix pass mail on whose addresses and header
// are UTF-8 (RFC 6531).
func TestPostfixUTF8(t *testing.T) {
	s := mtaSite(t)
	admin, owner := s.Login("cyrus"), s.Login("mta0")
	admin.Must("CREATE user/j&APY-rg")
	admin.Must("SETACL user/j&APY-rg cyrus lrs")
	owner.Must("CREATE INBOX/Entw&APw-rfe")
	owner.Must("SETACL INBOX/Entw&APw-rfe anyone p")
	m := startPostfix(t, s, "lmtp:unix:"+s.Sock)
	c, err := textproto.Dial("tcp", m.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const head = "From: J\u00f6rg <j\u00f6rg@b\u00fccher.example>\r\nSubject: Gr\u00fc\u00dfe\r\nMessage-ID: <utf8@example.org>\r\n"
	for i, line := range []string{"", "EHLO me", "MAIL FROM:<j\u00f6rg@b\u00fccher.example> BODY=8BITMIME SMTPUTF8",
		"RCPT TO:<mta0@example.com>", "RCPT TO:<mta0+Entw\u00fcrfe@example.com>", "RCPT TO:<j\u00f6rg@example.com>", "DATA", head + "\r\nbody\r\n.", "QUIT"} {
		if i > 0 {
			if err := c.PrintfLine("%s", line); err != nil {
				t.Fatal(err)
			}
		}
		if code, text, err := c.ReadResponse(0); err != nil || code >= 400 {
			t.Fatalf("%s: %d %s %v", line, code, text, err)
		}
	}
	m.drained(t, time.Minute)
	for box, who := range map[string]interface{ Must(string) []string }{"INBOX": owner, "INBOX/Entw&APw-rfe": owner, "user/j&APY-rg": admin} {
		who.Must("EXAMINE " + box)
		got := strings.Join(who.Must("FETCH 1:* BODY.PEEK[HEADER]"), "")
		for _, want := range []string{"Return-Path: <j\u00f6rg@b\u00fccher.example>\r\n", "with UTF8LMTPA;", head[:strings.Index(head, "Message-ID")]} {
			if strings.Count(got, want) != 1 {
				t.Errorf("%s lacks %q:\n%s", box, want, got)
			}
		}
	}
	if t.Failed() {
		t.Log(tail(m.log()))
	}
}
