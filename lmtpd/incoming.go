package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/version"
)

// incoming is a message on its way from the wire to its stage file.
//
// Source: savemsg in Cyrus imap/lmtpengine.c.
type incoming struct {
	*message.Copier
	staged *mailbox.Staged
	now    time.Time
	added  int64  // octets of the fields that were put in front
	id     string // text of Message-ID, with angle brackets and, as in Cyrus, blanks at the end
	date   string // the text of Date
	bad    error  // what is wrong with the header fields
	// internal is the INTERNALDATE: that of X-DeliveredInternalDate, else now.
	internal time.Time

	headerOnce  sync.Once
	headerBlock []byte // see header
	headerErr   error
}

// newIncoming writes the fields that lmtpd puts in front.
func (s *session) newIncoming(staged *mailbox.Staged) (*incoming, error) {
	m := &incoming{staged: staged, now: time.Now()}
	m.internal = m.now
	trace := s.trace(m.now)
	m.added = int64(len(trace))
	if _, err := staged.Write(trace); err != nil {
		return nil, errs.New(diskKind(err), "lmtpd.receive", "", err)
	}
	m.Copier = message.NewCopier(staged, message.CopyOptions{
		Mode:       message.Repair,
		Reject8bit: config.Reject8bit.In(s.conf),
		Munge8bit:  config.Munge8bit.In(s.conf),
		UTF8:       s.mail.utf8,
		Drop:       []string{"return-path"},
		HeaderDone: func(f *message.Fields) []byte { return m.missing(f, s.conf.ServerName()) },
	})
	return m, nil
}

// trace is the fields that say how the message came here: Return-Path,
// Received and the session that the log speaks of.
func (s *session) trace(now time.Time) []byte {
	var b bytes.Buffer
	path := s.mail.returnPath
	if path != "" && !strings.Contains(path, "@") {
		path += "@" + s.conf.ServerName()
	}
	fmt.Fprintf(&b, "Return-Path: <%s>\r\n", path)
	fmt.Fprintf(&b, "Received: from %s (%s)", s.lhlo, s.conn.Client())
	if s.mail.authGiven {
		fmt.Fprintf(&b, "\r\n\t (authenticated user=%s bits=0)", s.mail.authUser) // bits of a SASL layer
	}
	fmt.Fprintf(&b, "\r\n\t by %s", s.conf.ServerName())
	if config.Serverinfo.In(s.conf) == "on" {
		fmt.Fprintf(&b, " (Cyrus %s)", version.Cyrus())
	}
	fmt.Fprintf(&b, " with %s", s.protocol())
	if info := s.conn.TLSInfo(); info != "" {
		fmt.Fprintf(&b, "\r\n\t (%s)", info)
	}
	fmt.Fprintf(&b, ";\r\n\t %s\r\n", message.FormatDate(now))
	fmt.Fprintf(&b, "X-Cyrus-Session-Id: %s\r\nX-Sieve: %s\r\n", s.conn.SessionID(), sieveVersion)
	return b.Bytes()
}

// protocol is what the message came by (RFC 3848, RFC 6531 section 4.3).
func (s *session) protocol() string {
	p := "LMTP"
	if s.mail.utf8 {
		p = "UTF8LMTP"
	}
	if s.tls {
		p += "S"
	}
	return p + "A"
}

// made counts the Message-IDs that this process has made.
var made atomic.Uint64

// missing returns the fields that every message has to have and this one
// lacks, and notes its id. A Message-ID without text refuses the message.
func (m *incoming) missing(f *message.Fields, host string) []byte {
	var add []byte
	ids := f.All("message-id")
	switch {
	case len(ids) > 0 && strings.TrimSpace(ids[0]) == "":
		m.bad = errs.New(errs.BadHeader, "lmtpd.receive", "Message-ID", nil)
	case len(ids) == 0:
		id := fmt.Sprintf("<cmu-lmtpd-%d-%d-%d@%s>", os.Getpid(), m.now.Unix(), made.Add(1)-1, host)
		add = fmt.Appendf(add, "Message-ID: %s\r\n", id)
		ids = []string{id}
	}
	m.id = leftTrimmed(ids[0])
	if t, ok := message.ParseDate(f.Get("x-deliveredinternaldate")); ok {
		m.internal = t
	}
	if dates := f.All("date"); len(dates) > 0 {
		m.date = dates[0]
	} else {
		m.date = message.FormatDate(m.now)
		add = fmt.Appendf(add, "Date: %s\r\n", m.date)
	}
	return add
}

// close ends the message and says whether it can be delivered.
func (m *incoming) close() error {
	err := m.Copier.Close()
	if err == nil {
		err = m.bad
	}
	if err == nil || errs.KindOf(err) != errs.Internal {
		return err
	}
	return errs.New(diskKind(err), "lmtpd.receive", "", err)
}

// diskKind classifies an error of the stage file.
func diskKind(err error) errs.Kind {
	if disk.Full(err) {
		return errs.DiskFull
	}
	return errs.IO
}

// leftTrimmed is a value without the blanks and line ends before it.
func leftTrimmed(value string) string { return strings.TrimLeft(value, " \t\r\n") }
