package notify

import (
	"bufio"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/libcyrus/dlist"
)

// sendBuffer is the size of the socket's send buffer, 0 if it can't be told.
func sendBuffer(c *net.UnixConn) (size int) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		size, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	return size
}

// sendList sends m as a list over a stream and waits for the answer, as
// Cyrus does for a notifysocket that begins with "dlist:".
func (s *Sender) sendList(m *Message) error {
	c, err := net.DialTimeout("unix", s.path, sendTimeout)
	if err != nil {
		return fmt.Errorf("NOTIFY: failed to connect: %w", err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	if _, err := c.Write(m.encodeList()); err != nil {
		return fmt.Errorf("NOTIFY: error sending %s to %s: %w", m.Method, s.path, err)
	}
	if _, err := bufio.NewReaderSize(c, 4096).ReadSlice('\n'); err != nil {
		return fmt.Errorf("NOTIFY: no response from %s: %w", s.path, err)
	}
	return nil
}

func (m *Message) encodeList() []byte {
	options := dlist.NewList()
	for _, o := range m.Options {
		options.Add(dlist.Text("", o))
	}
	n := dlist.NewKVList(
		dlist.Text("METHOD", m.Method), dlist.Text("CLASS", m.Class), dlist.Text("PRIORITY", m.Priority),
		dlist.Text("USER", m.User), dlist.Text("MAILBOX", m.Mailbox), dlist.Sub("OPTIONS", options),
		dlist.Text("MESSAGE", m.Text), text("FILEPATH", m.File))
	return append(n.Append([]byte("NOTIFY ")), "\r\n"...)
}

// text is a scalar that is NIL when there is none.
func text(key, value string) dlist.Node {
	if value == "" {
		return dlist.Null(key)
	}
	return dlist.Text(key, value)
}
