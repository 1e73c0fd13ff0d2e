// Smmapd tells an MTA, before it accepts a mail, whether a recipient can get
// it: the socket map protocol of Sendmail and Postfix.
//
// Usage: smmapd [-C imapd.conf] [-U uses] [-T seconds] [-D] [-X] [-p]
//
//	-p  what follows a plus sign in an address does not count
//
// Source: Cyrus imap/smmapd.c.
package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/worker"
)

func main() {
	worker.Main(worker.Service{Name: "smmapd", Flags: "p", Open: open})
}

// readTimeout is how long a client may say nothing.
const readTimeout = 360 * time.Second

// server is what all sessions of one process share.
type server struct {
	conf     *config.Config
	log      *slog.Logger
	site     *site.Site
	skipPlus bool // -p
}

func open(e *worker.Env) (worker.Handler, error) {
	st, err := site.Open(e.Config, e.Log)
	if err != nil {
		return nil, err
	}
	st.AfterPanic(e.Drain)
	s := &server{conf: e.Config, log: e.Log, site: st}
	_, s.skipPlus = e.Flag('p')
	return s, nil
}

// Close closes the mail store.
func (s *server) Close() error { return s.site.Close() }

// Serve answers the requests of one client.
func (s *server) Serve(ctx context.Context, c *worker.Conn) error {
	return s.serve(ctx, c, c.Client())
}

// client is what a session needs of its connection.
type client interface {
	io.ReadWriter
	SetDeadline(time.Time) error
	Park(ctx context.Context, timeout time.Duration) error
}

// serve answers requests until the client leaves, is silent for too long, or
// says what cannot be understood: after that no request can be found any more.
func (s *server) serve(ctx context.Context, c client, host string) error {
	r := newReader(c)
	for {
		if r.buffered() == 0 {
			if err := c.Park(ctx, readTimeout); err != nil {
				return silent(err)
			}
		}
		if err := c.SetDeadline(time.Now().Add(readTimeout)); err != nil {
			return err
		}
		request, err := r.next()
		var bad protocolError
		switch {
		case errors.As(err, &bad):
			s.audit("failed", "", host)
			_, err := c.Write(netstring("PERM Bad protocol (" + bad.Error() + ")"))
			return silent(err)
		case err != nil:
			return silent(err)
		}
		if _, err := c.Write(netstring(s.answer(ctx, request, host))); err != nil {
			return silent(err)
		}
	}
}

// silent is err without those that follow from a client's leaving, or from its
// having nothing to say.
func silent(err error) error {
	var ending *worker.Ending
	if err == io.EOF || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ending) {
		return nil
	}
	return err
}
