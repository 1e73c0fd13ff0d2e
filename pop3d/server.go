package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/sasl"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/worker"
)

// minTimeout is the shortest inactivity timer that RFC 1939 section 3 allows.
const minTimeout = 10 * time.Minute

// server is what all sessions of one process share.
type server struct {
	conf *config.Config
	log  *slog.Logger
	site *site.Site
	auth *auth.Site
	sasl *sasl.Server

	service  string        // entry name in cyrus.conf
	timeout  time.Duration // of an idle client
	implicit bool          // -s: TLS from the start
	ssf      int           // -p
	tls      func() bool   // there is a certificate
	// shutdown is what an admin wants every client to be told, if so.
	shutdown func() (text string, ok bool)
}

// open makes the server of this process.
func open(env *worker.Env) (worker.Handler, error) {
	st, err := site.Open(env.Config, env.Log)
	if err != nil {
		return nil, err
	}
	st.AfterPanic(env.Drain)
	scripts.ForNewUsers(st)
	s := newServer(env.Config, env.Log, st)
	s.service, s.tls, s.shutdown = env.Service, env.TLSAvailable, env.ShutdownText
	_, s.implicit = env.Flag('s')
	if v, ok := env.Flag('p'); ok {
		if s.ssf, err = strconv.Atoi(v); err != nil {
			return nil, fmt.Errorf("flag -p wants a number, not %q", v)
		}
	}
	if s.implicit && !s.tls() {
		return nil, errors.New("pop3s: required OpenSSL options not present")
	}
	return s, nil
}

// newServer is a server without what only a worker knows.
func newServer(c *config.Config, log *slog.Logger, st *site.Site) *server {
	s := &server{conf: c, log: log, site: st, auth: auth.New(c, log)}
	s.sasl = sasl.New(c, s.auth, sasl.Rules{Service: "pop", ProxyServers: true, Denied: s.denied}, log)
	s.timeout = max(config.Poptimeout.In(c), minTimeout)
	s.tls = func() bool { return false }
	s.shutdown = func() (string, bool) { return "", false }
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
