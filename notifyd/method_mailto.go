package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/notify"
)

// mails counts the mails that this process has sent.
var mails atomic.Uint64

// toMail sends the text to the address in the first option, by the program
// in sendmail, with an empty return path.
//
// Source: Cyrus notifyd/notify_mailto.c.
func toMail(s *server, ctx context.Context, m *notify.Message) error {
	if len(m.Options) == 0 || m.Options[0] == "" {
		return errors.New("mailto URI not specified")
	}
	to := m.Options[0]
	if strings.ContainsAny(to+m.Class, "\r\n") {
		return errors.New("address or class with a line end")
	}
	return run(ctx, mail(s.conf, m, to, time.Now()), config.Sendmail.In(s.conf), "-i", "-f", "<>", "--", to)
}

// mail is the message that tells of a notification.
func mail(c *config.Config, m *notify.Message, to string, now time.Time) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Message-ID: <cmu-sieve-%d-%d-%d@%s>\r\n", os.Getpid(), now.Unix(), mails.Add(1)-1, c.ServerName())
	fmt.Fprintf(&b, "Date: %s\r\n", message.FormatDate(now))
	fmt.Fprintf(&b, "X-Sieve: CMU Sieve 3.0\r\n")
	fmt.Fprintf(&b, "From: Mail Sieve Subsystem <%s>\r\n", config.Postmaster.In(c))
	fmt.Fprintf(&b, "To: <%s>\r\n", to)
	fmt.Fprintf(&b, "Subject: [%s] New mail notification\r\n", m.Class)
	if strings.ContainsFunc(m.Text, func(r rune) bool { return r >= 0x80 }) {
		b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8BIT\r\n")
	}
	fmt.Fprintf(&b, "\r\n%s\r\n", m.Text)
	return b.Bytes()
}
