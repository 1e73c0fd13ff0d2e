// Notifyd passes on notifications of new mail that other processes send it
// as datagrams (Cyrus notifyd/notifyd.c).
//
// Usage: notifyd [-C imapd.conf] [-U uses] [-T seconds] [-D] [-m method]
//
// The method is named by each request, or several with blanks between; -m is
// for requests that name none, by default null. What fails is logged: nobody
// waits for an answer.
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
	"sync"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/notify"
	"gocyrus/libcyrus/worker"
)

func main() {
	worker.Main(worker.Service{Name: "notifyd", Flags: "m:", Datagram: true, Open: open})
}

// A method passes a notification on. Its error is for the log.
type method struct {
	do   func(*server, context.Context, *notify.Message) error
	slow bool // starts a program: others must not wait for it
}

// methods is every method by name. To add one: write it in a file of its
// own, and a line here. Zephyr, which Cyrus can be built with, is refused.
var methods = map[string]method{
	"null":     {do: toNowhere},
	"log":      {do: toLog},
	"mailto":   {do: toMail, slow: true},
	"external": {do: toProgram, slow: true},
	"webhook":  {do: toWebhook},
	"stream":   {do: toStream},
	"zephyr":   {do: noZephyr},
}

// noZephyr says that there is no such thing: Debian's Cyrus has none either.
func noZephyr(*server, context.Context, *notify.Message) error {
	return errors.New("the method zephyr is not built; there are log, mailto, external, webhook, stream and null")
}

// Bounds of the slow methods: as many programs run at a time, as many
// notifications wait, and a program may take so long. What comes when the
// queue is full is dropped, as who sends it is a delivery that must not wait.
const (
	programs   = 4
	waiting    = 1000
	programEnd = time.Minute
)

// server takes the requests of one process.
type server struct {
	conf     *config.Config
	log      *slog.Logger
	fallback string // the method of requests that name none
	queue    chan func()
	running  sync.WaitGroup
	webhook  *webhook // nil without notify_webhook
	stream   *stream  // nil without notify_stream
}

func open(e *worker.Env) (worker.Handler, error) {
	fallback, given := e.Flag('m')
	if !given {
		fallback = "null"
	}
	if _, ok := methods[strings.ToLower(fallback)]; !ok {
		return nil, fmt.Errorf("unknown notification method %s", fallback)
	}
	if strings.EqualFold(fallback, "zephyr") {
		return nil, noZephyr(nil, nil, nil)
	}
	s := newServer(e.Config, e.Log, fallback)
	if err := s.openReceivers(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// openReceivers opens what the configuration names for webhook and stream.
func (s *server) openReceivers() (err error) {
	if s.webhook, err = newWebhook(s.conf, s.log); err == nil {
		s.stream, err = newStream(s.conf, s.log)
	}
	return err
}

func newServer(c *config.Config, log *slog.Logger, fallback string) *server {
	s := &server{conf: c, log: log, fallback: fallback, queue: make(chan func(), waiting)}
	for range programs {
		s.running.Go(func() {
			for run := range s.queue {
				run()
			}
		})
	}
	return s
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

// Close waits for what has been taken.
func (s *server) Close() error {
	close(s.queue)
	s.running.Wait()
	s.webhook.Close()
	s.stream.Close()
	return nil
}

// pass handles one request.
func (s *server) pass(datagram []byte) {
	m, err := notify.Parse(datagram)
	if err != nil {
		s.log.Error(err.Error())
		return
	}
	names := strings.Fields(strings.ToLower(m.Method))
	if len(names) == 0 {
		names = []string{strings.ToLower(s.fallback)}
	}
	for _, name := range names {
		s.use(name, m)
	}
}

// use passes a notification on by one method.
func (s *server) use(name string, m *notify.Message) {
	how, ok := methods[name]
	if !ok {
		s.log.Debug("do_notify using method 'unknown'")
		s.log.Warn("no such notification method", "method", m.Method, "user", m.User, "mailbox", m.Mailbox)
		return
	}
	s.log.Debug(fmt.Sprintf("do_notify using method '%s'", name))
	run := func() {
		ctx, cancel := context.WithTimeout(context.Background(), programEnd)
		defer cancel()
		if err := how.do(s, ctx, m); err != nil {
			s.log.Error("notification failed", "method", name, "user", m.User, "mailbox", m.Mailbox, "error", err)
		}
	}
	if !how.slow {
		run()
		return
	}
	select {
	case s.queue <- run:
	default:
		s.log.Error("notification dropped: too many wait", "method", name, "user", m.User, "mailbox", m.Mailbox, "waiting", waiting)
	}
}
