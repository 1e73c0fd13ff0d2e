// Package sasl is the server's side of authentication (RFC 4422): which
// mechanisms are offered when, what a client's answers amount to, and who
// may act as somebody else.
package sasl

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	gosasl "github.com/emersion/go-sasl"

	"gocyrus/libcyrus/auth"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/syslog"
)

// Rules says what a protocol allows. The zero value lets users log in as
// themselves only, and admins as anybody.
type Rules struct {
	// Service is SASL's name of the protocol, which saslauthd and PAM
	// know: imap, pop, sieve, lmtp, nntp.
	Service string
	// ProxyServers may act as anybody (imapd, pop3d, timsieved).
	ProxyServers bool
	// AdminsOnly refuses everybody else (lmtpd, sync_server).
	AdminsOnly bool
	// MagicPlus has what follows a plus sign cut off names (imapd with
	// imapmagicplus).
	MagicPlus bool
	// UseACL reports whether who has the right "a" on the INBOX of user.
	// It is asked if imapd.conf has loginuseacl; nil is never (pop3d).
	UseACL func(ctx context.Context, who auth.User, user string) bool
	// Denied reports whether user_deny.db keeps a user out of this
	// service. Admins are not asked about; nil is nobody.
	Denied func(ctx context.Context, user string) bool
}

// Server authenticates the clients of one process. It may be used by many
// goroutines.
type Server struct {
	conf  *config.Config
	log   *slog.Logger
	site  *auth.Site
	rules Rules
	mechs []mechanism // as sasl_mech_list has them
}

// New returns the server for one protocol.
func New(c *config.Config, site *auth.Site, rules Rules, log *slog.Logger) *Server {
	s := &Server{conf: c, log: log, site: site, rules: rules}
	s.mechs = mechanisms
	if list, ok := c.Overflow("sasl_mech_list"); ok {
		s.mechs = choose(list)
	}
	return s
}

// Known reports whether there is a mechanism of this name.
func Known(mech string) bool {
	return slices.ContainsFunc(mechanisms, func(m mechanism) bool { return strings.EqualFold(m.name, mech) })
}

// choose returns the mechanisms that list names, in its order.
func choose(list string) []mechanism {
	var chosen []mechanism
	for _, name := range strings.Fields(list) {
		i := slices.IndexFunc(mechanisms, func(m mechanism) bool { return strings.EqualFold(m.name, name) })
		if i >= 0 && !slices.ContainsFunc(chosen, func(m mechanism) bool { return m.name == mechanisms[i].name }) {
			chosen = append(chosen, mechanisms[i])
		}
	}
	return chosen
}

// Peer is what matters of a connection. It changes with STARTTLS.
type Peer struct {
	Client string   // "host [address]", for the log
	Local  net.Addr // our end; with virtdomains=on it decides the domain
	TLS    bool
	SSF    int // bits of the cipher, or what the worker's flag -p vouches for; 0 is none
}

// secure reports whether others cannot read along: SASL's rule is a
// strength of more than 1, which would be integrity only.
func (p *Peer) secure() bool { return p.TLS || p.SSF > 1 }

// PlaintextAllowed reports whether a password may be sent as it is: LOGIN
// of IMAP, USER and PASS of POP, and the mechanisms that do the same.
// While it may not, IMAP shows LOGINDISABLED.
func (s *Server) PlaintextAllowed(p *Peer) bool {
	return s.Allowed(p) && (p.secure() || config.Allowplaintext.In(s.conf))
}

// Allowed reports whether anybody may authenticate in any way: with
// tls_required only those who have TLS.
func (s *Server) Allowed(p *Peer) bool { return p.TLS || !config.TlsRequired.In(s.conf) }

// Mechanisms returns the names of what may be used now, in the order of
// sasl_mech_list, for AUTH= and the like. It may be empty.
func (s *Server) Mechanisms(p *Peer) []string {
	var names []string
	for i := range s.mechs {
		if s.permitted(&s.mechs[i], p) == nil {
			names = append(names, s.mechs[i].name)
		}
	}
	return names
}

// permitted returns why a mechanism may not be used now, or nil.
func (s *Server) permitted(m *mechanism, p *Peer) *auth.Error {
	switch {
	case m.kind == challenge && !s.site.HasSecrets():
		return &auth.Error{Code: auth.NoMech, Detail: "Couldn't find mech " + m.name}
	case !s.Allowed(p), m.kind == plaintext && !s.PlaintextAllowed(p):
		return &auth.Error{Code: auth.Encrypt, Detail: "mech " + m.name + " needs TLS"}
	case config.SaslMinimumLayer.In(s.conf) > p.SSF:
		return &auth.Error{Code: auth.TooWeak, Detail: "mech " + m.name + " is too weak"}
	}
	return nil
}

// Exchange is one AUTHENTICATE. It is a sasl.Server of go-sasl, whose
// rules for Next hold; errors of Next are *auth.Error.
type Exchange struct {
	server gosasl.Server
	state  *attempt
}

// attempt is what the mechanisms of one exchange know.
type attempt struct {
	*Server
	ctx  context.Context
	peer *Peer
	user auth.User // set on success
	plus string    // what is cut off his name
}

// Start begins an exchange. It fails with an *auth.Error if the mechanism
// is unknown or not allowed now. ctx ends a check that takes long.
func (s *Server) Start(ctx context.Context, p *Peer, mech string) (*Exchange, *auth.Error) {
	i := slices.IndexFunc(s.mechs, func(m mechanism) bool { return strings.EqualFold(m.name, mech) })
	if i < 0 {
		return nil, &auth.Error{Code: auth.NoMech, Detail: "Couldn't find mech " + mech}
	}
	if e := s.permitted(&s.mechs[i], p); e != nil {
		return nil, e
	}
	a := &attempt{Server: s, ctx: ctx, peer: p}
	return &Exchange{server: s.mechs[i].start(a), state: a}, nil
}

// Next takes the client's answer (nil: none yet) and returns what to send
// to it. When done, the exchange has succeeded and User says who it is.
func (x *Exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = x.server.Next(response)
	if err == nil {
		return challenge, done, nil
	}
	if _, ok := err.(*auth.Error); !ok {
		err = &auth.Error{Code: auth.BadProt, Detail: err.Error(), Err: err}
	}
	return nil, true, err
}

// User returns who has logged in, after Next said done without an error.
func (x *Exchange) User() auth.User {
	u := x.state.user
	u.Plus = x.state.plus
	return u
}

// CutPlus cuts off a name what the rule MagicPlus says: from a plus sign up to
// the domain, if there are any.
//
// Source: imapd_canon_user in Cyrus imap/imapd.c.
func (s *Server) CutPlus(name string) (rest, plus string) {
	i := strings.IndexByte(name, '+')
	if i < 0 || !s.rules.MagicPlus {
		return name, ""
	}
	end := len(name)
	if at := strings.IndexByte(name[i:], '@'); at >= 0 && config.Virtdomains.In(s.conf) != "off" {
		end = i + at
	}
	return name[:i] + name[end:], name[i:end]
}

// CheckPass logs in a user by the password sent as it is. user must be
// canonical (auth.Site.Canonical). The caller asks PlaintextAllowed first.
func (s *Server) CheckPass(ctx context.Context, p *Peer, user, password string) (auth.User, *auth.Error) {
	u, e := s.login(ctx, p, user, user, password, "checkpass failed")
	if e != nil {
		e.User = user
	}
	return u, e
}

// login checks the password of authID and whether it may act as user;
// both are canonical.
func (s *Server) login(ctx context.Context, p *Peer, authID, user, password, detail string) (auth.User, *auth.Error) {
	if strings.TrimSpace(authID) == "" {
		return auth.User{}, &auth.Error{Code: auth.Fail, Detail: "All-whitespace username."}
	}
	e := s.site.Check(ctx, auth.Attempt{User: authID, Password: password, Service: s.rules.Service})
	if e != nil {
		e.Detail = detail
		return auth.User{}, e
	}
	return s.authorize(ctx, authID, user)
}

// authorize decides whether somebody who has proved to be authID may be
// user (mysasl_proxy_policy in Cyrus imap/global.c).
func (s *Server) authorize(ctx context.Context, authID, user string) (auth.User, *auth.Error) {
	refuse := func(c auth.Code, detail string) (auth.User, *auth.Error) {
		return auth.User{}, &auth.Error{Code: c, Detail: detail, User: user}
	}
	if !s.site.RealmAllowed(authID) {
		return refuse(auth.BadAuth, "cross-realm login "+authID+" denied")
	}
	who := s.site.User(ctx, authID)
	if s.rules.AdminsOnly {
		if !who.Admin {
			s.log.Error(authID + " is not an admin")
			return refuse(auth.BadAuth, "only admins may authenticate")
		}
		return who, nil
	}
	if !who.Admin && s.rules.Denied != nil && s.rules.Denied(ctx, user) {
		s.log.Error("user '" + user + "' denied access to service '" + s.conf.Ident() + "'")
		return refuse(auth.NoAuthz, "user '"+user+"' is denied access to service '"+s.conf.Ident()+"'")
	}
	if user == authID {
		return who, nil
	}
	if !who.Admin && !s.mayActAs(ctx, who, user) {
		return refuse(auth.BadAuth, "user "+authID+" is not allowed to proxy")
	}
	u := s.site.User(ctx, user)
	u.AuthID, u.ProxyAdmin, u.Admin = authID, u.Admin, false
	return u, nil
}

// mayActAs reports whether who, not an admin, may be user.
func (s *Server) mayActAs(ctx context.Context, who auth.User, user string) bool {
	if s.rules.UseACL != nil && config.Loginuseacl.In(s.conf) && s.rules.UseACL(ctx, who, user) {
		return true
	}
	return s.rules.ProxyServers && s.site.IsProxyServer(&who)
}

// Failed logs a refused log-in as Cyrus does (fail2ban reads it), and
// waits for failedloginpause. mech is the mechanism or "plaintext".
func (s *Server) Failed(ctx context.Context, p *Peer, mech string, e *auth.Error) {
	user, text := e.LogUser(), e.Error()
	switch {
	case mech == Plaintext:
		user = e.User
	case e.User == "" && e.Code != auth.NoUser:
		// The library is asked for a name that it does not have yet, and
		// forgets the reason over it; it has logged that before.
		s.log.Log(ctx, syslog.LevelNotice, "SASL "+e.Detail)
		text = tooEarly
	}
	s.log.Log(ctx, syslog.LevelNotice, "badlogin: "+p.Client+" "+mech+" ("+user+") ["+text+"]")
	pause(ctx, config.Failedloginpause.In(s.conf))
}

// tooEarly is what Cyrus logs of a failure before the user is known.
const tooEarly = "SASL(-6): can't request information until later in exchange: Information that was requested is not yet available."

// Plaintext is what the log calls a log-in without SASL.
const Plaintext = "plaintext"

// PausePlaintext waits for plaintextloginpause, which punishes those who
// send their password for everybody to read.
func (s *Server) PausePlaintext(ctx context.Context, p *Peer) {
	if !p.TLS {
		pause(ctx, config.Plaintextloginpause.In(s.conf))
	}
}

// pause waits, but not longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
