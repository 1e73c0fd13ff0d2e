package main

import (
	"context"
	"log/slog"
	"time"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/sasl"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/worker"
)

// minTimeout is the shortest inactivity timer (Cyrus timsieved/timsieved.c).
const minTimeout = 10 * time.Minute

// server is what all sessions of one process share.
type server struct {
	conf  *config.Config
	log   *slog.Logger
	site  *site.Site
	auth  *auth.Site
	sasl  *sasl.Server
	rules sieve.Options

	service   string        // entry name in cyrus.conf
	timeout   time.Duration // of an idle client
	maxScript int           // octets
	tls       func() bool   // there is a certificate
}

// open makes the server of this process.
func open(env *worker.Env) (worker.Handler, error) {
	st, err := site.Open(env.Config, env.Log)
	if err != nil {
		return nil, err
	}
	st.AfterPanic(env.Drain)
	s := newServer(env.Config, env.Log, st)
	s.service, s.tls = env.Service, env.TLSAvailable
	return s, nil
}

// newServer is a server without what only a worker knows.
func newServer(c *config.Config, log *slog.Logger, st *site.Site) *server {
	s := &server{conf: c, log: log, site: st, auth: auth.New(c, log), rules: scripts.Rules(c)}
	s.sasl = sasl.New(c, s.auth, sasl.Rules{Service: "sieve", ProxyServers: true, Denied: s.denied}, log)
	s.timeout = max(config.Timeout.In(c), minTimeout)
	s.maxScript = max(config.SieveMaxscriptsize.In(c), 0) << 10
	s.tls = func() bool { return false }
	return s
}

// denied reports whether user_deny.db keeps a user out.
func (s *server) denied(ctx context.Context, user string) bool {
	return s.site.Denied(ctx, user, s.service)
}

// Serve talks to one client.
func (s *server) Serve(ctx context.Context, c *worker.Conn) error {
	return newSession(s, ctx, c).serve()
}

// Close ends the process's use of the mail store.
func (s *server) Close() error { return s.site.Close() }
