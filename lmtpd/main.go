// Lmtpd takes mail from the MTA and puts it into mailboxes (LMTP, RFC 2033).
//
// Usage: lmtpd [-C imapd.conf] [-U uses] [-T seconds] [-D] [-a]
//
// Clients on a unix socket are trusted; those on TCP have to authenticate
// as one of lmtp_admins or admins, unless -a says that all are trusted.
package main

import (
	"context"
	"errors"
	"log/slog"
	"math"

	"gocyrus/libcyrus/annotator"
	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/notify"
	"gocyrus/libcyrus/outgoing"
	"gocyrus/libcyrus/sasl"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/worker"
)

func main() {
	worker.Main(worker.Service{Name: "lmtpd", Flags: "a", Open: open})
}

// server is what all sessions of one process share.
type server struct {
	env       *worker.Env
	conf      *config.Config
	log       *slog.Logger
	site      *site.Site
	auth      *auth.Site
	sasl      *sasl.Server
	notify    *notify.Queue
	outgoing  *outgoing.Sender
	annotator *annotator.Caller
	scripts   *scripts.Library
	trustAll  bool  // -a
	maxSize   int64 // octets of a message
}

func open(e *worker.Env) (worker.Handler, error) {
	if err := e.Config.CheckPartitions(); err != nil {
		return nil, err
	}
	st, err := site.Open(e.Config, e.Log)
	if err != nil {
		return nil, err
	}
	st.AfterPanic(e.Drain)
	scripts.ForNewUsers(st)
	s := &server{env: e, conf: e.Config, log: e.Log, site: st, maxSize: math.MaxInt32}
	s.auth = auth.New(e.Config, e.Log)
	s.sasl = sasl.New(e.Config, s.auth, sasl.Rules{Service: "lmtp", AdminsOnly: true}, e.Log)
	s.scripts = scripts.NewLibrary(st)
	if s.notify = st.Events.Queue(); s.notify == nil {
		s.notify = notify.NewQueue(notify.NewSender(e.Config), e.Log)
	}
	s.annotator = annotator.New(st)
	s.outgoing = outgoing.NewSender(e.Config, e.Log)
	_, s.trustAll = e.Flag('a')
	if n := config.Maxmessagesize.In(e.Config); n > 0 {
		s.maxSize = int64(n)
	}
	return s, nil
}

// Serve talks to one client.
func (s *server) Serve(ctx context.Context, c *worker.Conn) error {
	return newSession(s, c).serve(ctx)
}

// Close sends what notifications wait, and closes the mail store.
func (s *server) Close() error { return errors.Join(s.notify.Close(), s.site.Close()) }
