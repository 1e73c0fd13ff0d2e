// Notifyd passes on notifications of new mail that other processes send it
// as datagrams (Cyrus notifyd/notifyd.c).
//
// Usage: notifyd [-C imapd.conf] [-U uses] [-T seconds] [-D] [-m method]
//
// The method is named by each request; -m is for requests that name none,
// by default null. What fails is logged: nobody waits for an answer.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"gocyrus/libcyrus/notify"
	"gocyrus/libcyrus/worker"
)

func main() {
	worker.Main(worker.Service{Name: "notifyd", Flags: "m:", Datagram: true, Open: open})
}

// A method passes a notification on. Its error is for the log.
type method func(*slog.Logger, *notify.Message) error

// methods is every method by name. To add one: write it in a file of its
// own, and a line here.
var methods = map[string]method{
	"null": toNowhere,
	"log":  toLog,
}

// server takes the requests of one process.
type server struct {
	log      *slog.Logger
	fallback string // the method of requests that name none
}

func open(e *worker.Env) (worker.Handler, error) {
	fallback, given := e.Flag('m')
	if !given {
		fallback = "null"
	}
	if _, ok := methods[strings.ToLower(fallback)]; !ok {
		return nil, fmt.Errorf("unknown notification method %s", fallback)
	}
	return &server{e.Log, fallback}, nil
}

// Serve refuses: a notification is a datagram.
func (s *server) Serve(context.Context, *worker.Conn) error {
	return errors.New("notifyd serves datagrams: listen with proto=\"udp\"")
}

// ServePackets takes requests until ctx ends.
func (s *server) ServePackets(ctx context.Context, c net.PacketConn) error {
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })()
	buf := make([]byte, notify.MaxSize)
	for {
		n, _, err := c.ReadFrom(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		s.pass(buf[:n])
	}
}

// Close has nothing to close.
func (s *server) Close() error { return nil }

// pass handles one request.
func (s *server) pass(datagram []byte) {
	m, err := notify.Parse(datagram)
	if err != nil {
		s.log.Error(err.Error())
		return
	}
	name := m.Method
	if name == "" {
		name = s.fallback
	}
	do, ok := methods[strings.ToLower(name)]
	if !ok {
		s.log.Debug("do_notify using method 'unknown'")
		s.log.Warn("no such notification method", "method", name, "user", m.User, "mailbox", m.Mailbox)
		return
	}
	s.log.Debug(fmt.Sprintf("do_notify using method '%s'", strings.ToLower(name)))
	if err := do(s.log, m); err != nil {
		s.log.Error("notification failed", "method", name, "user", m.User, "mailbox", m.Mailbox, "error", err)
	}
}
