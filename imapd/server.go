package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annotator"
	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/metadata"
	"gocyrus/libcyrus/sasl"
	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/view"
	"gocyrus/libcyrus/worker"
)

// minTimeout is the shortest inactivity timer that RFC 3501 section 5.4
// allows.
const minTimeout = 30 * time.Minute

// server is what all sessions of one process share.
type server struct {
	env       *worker.Env
	conf      *config.Config
	log       *slog.Logger
	site      *site.Site
	auth      *auth.Site
	sasl      *sasl.Server
	metadata  *metadata.Store
	stamps    *stamps // for NOTIFY
	annotator *annotator.Caller
	sorting   *view.Budget // the memory of all SORT and THREAD

	name       string        // of this host, for the greeting
	timeout    time.Duration // of an idle client
	idleOn     bool          // IDLE is possible
	maxMessage int64         // octets of an appended message, 0 = no limit
	implicit   bool          // -s: TLS from the start
	noQuota    bool          // -q
	anyPass    bool          // -N
	ssf        int           // -p
	suppressed map[string]bool
	imapsieve  *imapSieve // nil: no scripts on IMAP events
	learner    *learner   // nil: no spam_learn_program
	limits     imapwire.Limits
}

// preAuthArgs is how much a client may send in one command before it has
// logged in; a name and a password need far less.
const preAuthArgs = 64 << 10

// maxArgs is the limit of a command's arguments if maxargssize is 0.
const maxArgs = 8 << 20

// sortMemory is how many octets all SORT and THREAD of a process may need at a
// time: more of them wait for each other. 256 MiB are what one may need alone.
const sortMemory = 256 << 20

// open makes the server of this process.
func open(env *worker.Env) (worker.Handler, error) {
	c := env.Config
	st, err := site.Open(c, env.Log)
	if err != nil {
		return nil, err
	}
	st.AfterPanic(env.Drain)
	scripts.ForNewUsers(st)
	s := &server{env: env, conf: c, log: env.Log, site: st, auth: auth.New(c, env.Log), metadata: metadata.New(st), stamps: &stamps{site: st}, annotator: annotator.New(st), sorting: view.NewBudget(sortMemory)}
	s.sasl = sasl.New(c, s.auth, sasl.Rules{
		Service:      "imap",
		ProxyServers: true,
		MagicPlus:    config.Imapmagicplus.In(c),
		UseACL:       s.mayActAs,
		Denied:       s.denied,
	}, env.Log)
	if err := s.flags(); err != nil {
		return nil, err
	}
	s.options()
	s.imapsieve, s.learner = newIMAPSieve(s), newLearner(c, env.Log)
	return s, nil
}

// flags reads the program's own flags.
func (s *server) flags() error {
	_, s.implicit = s.env.Flag('s')
	_, s.noQuota = s.env.Flag('q')
	_, s.anyPass = s.env.Flag('N')
	if v, ok := s.env.Flag('p'); ok {
		n, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("flag -p wants a number, not %q", v)
		}
		s.ssf = n
	}
	if s.implicit && !s.env.TLSAvailable() {
		return fmt.Errorf("imaps: required OpenSSL options not present")
	}
	return nil
}

// options reads imapd.conf.
func (s *server) options() {
	c := s.conf
	s.name = config.Servername.In(c)
	s.timeout = max(config.Timeout.In(c), minTimeout)
	s.idleOn = config.Imapidlepoll.In(c) > 0
	s.maxMessage = int64(config.Maxmessagesize.In(c))
	s.suppressed = map[string]bool{}
	for _, w := range strings.Fields(config.SuppressCapabilities.In(c)) {
		s.suppressed[strings.ToUpper(w)] = true
	}
	if !config.AnnotationEnableLegacyCommands.In(c) {
		s.suppressed["ANNOTATEMORE"] = true
	}
	if config.ProxydDisableMailboxReferrals.In(c) {
		s.suppressed["MAILBOX-REFERRALS"] = true
	}
	s.limits = imapwire.Limits{
		Word:    config.Maxword.In(c),
		Quoted:  config.Maxquoted.In(c),
		Literal: int64(config.Maxliteral.In(c)),
		Args:    int64(config.Maxargssize.In(c)),
		Nesting: 1000,
	}
	if s.limits.Args <= 0 {
		s.limits.Args = maxArgs
	}
}

// preAuthLimits is the limits for clients that have not logged in.
func (s *server) preAuthLimits() imapwire.Limits {
	l := s.limits
	l.Args = min(l.Args, preAuthArgs)
	return l
}

// mayActAs reports whether who has the right "a" on the INBOX of user.
func (s *server) mayActAs(ctx context.Context, who auth.User, user string) bool {
	actor := mboxlist.Actor{Identity: acl.Identity{User: who.ID, Groups: who.Groups}}
	_, err := s.site.List.Need(ctx, actor, s.site.Names.Inbox(user), acl.Admin)
	return err == nil
}

// Close ends the process's use of the mail store.
func (s *server) Close() error {
	if s.learner != nil {
		s.learner.Close()
	}
	return s.site.Close()
}

// denied reports whether user_deny.db keeps a user out.
func (s *server) denied(ctx context.Context, user string) bool {
	return s.site.Denied(ctx, user, s.env.Service)
}
