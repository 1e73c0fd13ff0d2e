// Package notify carries notifications of new mail to notifyd: one
// datagram each, on a unix socket (Cyrus imap/notify.c, notifyd/notifyd.c).
package notify

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
)

// MaxSize is the most octets that one notification may have on the wire
// (NOTIFY_MAXSIZE). The socket's buffer may allow less: see Limit.
const MaxSize = 64 << 10

// Limit is the size of the largest datagram that is sent over or read from
// a socket whose buffer has the given size: a tenth of it less the
// overhead, so that a few may wait, and never over MaxSize.
func Limit(buffer int) int {
	return max(0, min(buffer/10-32, MaxSize))
}

// Errors of Encode and Parse.
var (
	ErrTooLarge  = errors.New("notify datagram too large")
	ErrMalformed = errors.New("malformed notify request")
	// ErrQueueFull is why a Queue has lost a notification.
	ErrQueueFull = errors.New("too many wait for notifyd")
)

// A Message is one notification. No field may hold a NUL.
type Message struct {
	Method   string // how notifyd is to pass it on; "" is its default method
	Class    string // "MAIL", "SIEVE", "EVENT"
	Priority string
	User     string
	Mailbox  string // external name
	Options  []string
	Text     string
	File     string // path of the message file, or ""
}

// Encode is m as it goes over the wire: fields that end in NUL, in the
// order of the struct, the options preceded by their number in decimal.
// It returns ErrTooLarge if that has over limit octets.
func (m *Message) Encode(limit int) ([]byte, error) {
	fields := append([]string{m.Method, m.Class, m.Priority, m.User, m.Mailbox, strconv.Itoa(len(m.Options))}, m.Options...)
	fields = append(fields, m.Text)
	if m.File != "" {
		fields = append(fields, m.File)
	}
	var b []byte
	for _, f := range fields {
		if strings.IndexByte(f, 0) >= 0 {
			return nil, fmt.Errorf("%w: a field holds NUL", ErrMalformed)
		}
		b = append(append(b, f...), 0)
	}
	if len(b) > limit {
		return nil, ErrTooLarge
	}
	return b, nil
}

// Parse decodes a datagram. It returns ErrMalformed if a field before the
// file name is missing.
func Parse(b []byte) (*Message, error) {
	var fields []string
	for f := range bytes.SplitSeq(bytes.TrimSuffix(b, []byte{0}), []byte{0}) {
		fields = append(fields, string(f))
	}
	const fixed = 6 // up to and with the number of options
	if len(fields) < fixed+1 {
		return nil, ErrMalformed
	}
	n, err := strconv.Atoi(fields[fixed-1])
	if err != nil || n < 0 || n > len(fields)-fixed-1 {
		return nil, ErrMalformed
	}
	m := &Message{Method: fields[0], Class: fields[1], Priority: fields[2], User: fields[3], Mailbox: fields[4]}
	m.Options = append(m.Options, fields[fixed:fixed+n]...)
	m.Text = fields[fixed+n]
	if rest := fields[fixed+n+1:]; len(rest) > 0 {
		m.File = rest[0]
	}
	return m, nil
}

// A Sender sends to the notifyd of one site. It may be used by several
// goroutines.
type Sender struct {
	path   string
	stream bool // speaks a list over a stream and waits for an answer
}

// NewSender returns the sender of a site: it sends to notifysocket, by
// default {configdirectory}/socket/notify. A path that begins with
// "dlist:" is a stream socket of another program.
func NewSender(c *config.Config) *Sender {
	path := config.Notifysocket.In(c)
	if path == "" {
		path = filepath.Join(config.Configdirectory.In(c), "socket/notify")
	}
	if p, ok := strings.CutPrefix(path, "dlist:"); ok {
		return &Sender{path: p, stream: true}
	}
	return &Sender{path: path}
}

// sendTimeout bounds how long a delivery may be held up by a notifyd that
// does not read.
const sendTimeout = 2 * time.Second

// Send passes m on. An error means that the notification is lost; it is
// for the log only, as a delivery does not fail because of it.
func (s *Sender) Send(m *Message) error {
	if s.stream {
		return s.sendList(m)
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("unable to connect to notify socket: %w", err)
	}
	defer c.Close()
	b, err := m.Encode(Limit(sendBuffer(c)))
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	if _, err := c.Write(b); err != nil {
		return fmt.Errorf("unable to sendto() notify socket: %w", err)
	}
	return nil
}
