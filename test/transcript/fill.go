package transcript

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// A Message is put into a mailbox before the dialog begins.
type Message struct {
	User    string // whose password is "pass"
	Mailbox string // as the user names it; made if it is not INBOX
	Flags   string // "\Seen \Deleted" or ""
	Text    string
}

// parseAppend parses what follows "# append: ": user, mailbox, flags in
// parentheses, and the message in Go's quoting.
func parseAppend(s string) (m Message, err error) {
	m.User, s, _ = strings.Cut(s, " ")
	m.Mailbox, s, _ = strings.Cut(s, " ")
	flags, quoted, ok := strings.Cut(s, ") ")
	if !ok || !strings.HasPrefix(flags, "(") {
		return m, fmt.Errorf("append: want USER MAILBOX (FLAGS) \"text\"")
	}
	m.Flags = flags[1:]
	m.Text, err = strconv.Unquote(quoted)
	return m, err
}

// Fill appends the messages that the transcript asks for, over IMAP.
func (t *Transcript) Fill(imap string) error {
	for _, m := range t.Append {
		if err := m.fill(imap); err != nil {
			return fmt.Errorf("%s: append to %s of %s: %w", t.Name, m.Mailbox, m.User, err)
		}
	}
	return nil
}

func (m Message) fill(addr string) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	r := bufio.NewReader(c)
	if _, err := r.ReadString('\n'); err != nil {
		return err
	}
	lines := []string{"a LOGIN " + m.User + " pass"}
	if m.Mailbox != "INBOX" {
		lines = append(lines, "x CREATE "+m.Mailbox) // it may be there
	}
	lines = append(lines, fmt.Sprintf("a APPEND %s (%s) {%d+}\r\n%s", m.Mailbox, m.Flags, len(m.Text), m.Text))
	for _, l := range lines {
		if _, err := c.Write([]byte(l + "\r\n")); err != nil {
			return err
		}
		for {
			reply, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			if strings.HasPrefix(reply, "a OK") || strings.HasPrefix(reply, "x ") {
				break
			}
			if strings.HasPrefix(reply, "a ") {
				return fmt.Errorf("%q", reply)
			}
		}
	}
	return nil
}
