package auth

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gocyrus/libcyrus/config"
)

// Attempt is a user name with a password to check.
type Attempt struct {
	User     string // canonical
	Password string
	Service  string // SASL's name of the protocol: imap, pop, sieve, lmtp, nntp
}

// verifier is one way to check a password. It returns nil or an *Error.
type verifier interface {
	verify(ctx context.Context, a *Attempt) *Error
}

// passwords checks passwords by the methods of sasl_pwcheck_method.
type passwords struct {
	log     *slog.Logger
	methods []verifier
	unknown []string // methods that we do not have
	secrets *sasldb  // passwords that can be read, for challenges; nil is none

	warned sync.Once
}

// newPasswords reads the sasl_ options, of which imapd.conf keeps those
// that the SASL library would get, as overflow keys.
func newPasswords(c *config.Config, log *slog.Logger) *passwords {
	p := &passwords{log: log}
	methods := strings.Fields(option(c, "pwcheck_method", "auxprop"))
	for _, m := range methods {
		switch strings.ToLower(m) {
		case "saslauthd":
			p.methods = append(p.methods, newSaslauthd(option(c, "saslauthd_path", defaultMux), log))
		case "auxprop":
			p.auxprop(c)
		default:
			p.unknown = append(p.unknown, m)
		}
	}
	// The SASL library asks auxprop for secrets whatever pwcheck_method says.
	if slices.ContainsFunc(strings.Fields(option(c, "auxprop_plugin", "sasldb")), isSasldb) {
		p.secrets = openSasldb(c, log)
	}
	return p
}

func isSasldb(name string) bool { return strings.EqualFold(name, "sasldb") }

func openSasldb(c *config.Config, log *slog.Logger) *sasldb {
	return newSasldb(option(c, "sasldb_path", defaultSasldb), c.ServerName(), log)
}

// option is the SASL option name: sasl_NAME of imapd.conf.
func option(c *config.Config, name, def string) string {
	if v, ok := c.Overflow("sasl_" + name); ok && v != "" {
		return v
	}
	return def
}

// auxprop adds the stores of passwords. Without sasl_auxprop_plugin, or
// for "sasldb", it is the sasldb file if there is one, else our own
// account file; "accounts" is the latter in any case.
func (p *passwords) auxprop(c *config.Config) {
	accounts := &accountVerifier{accounts: OpenAccounts(AccountsPath(c)), log: p.log}
	for _, name := range strings.Fields(option(c, "auxprop_plugin", "sasldb")) {
		switch strings.ToLower(name) {
		case "sasldb":
			p.methods = append(p.methods, &sasldbOr{
				db:   openSasldb(c, p.log),
				rest: accounts,
			})
		case "accounts":
			p.methods = append(p.methods, accounts)
		default:
			p.unknown = append(p.unknown, "auxprop "+name)
		}
	}
}

// AccountsPath is where the passwords are that `cyrus passwd` sets.
func AccountsPath(c *config.Config) string {
	return filepath.Join(config.Configdirectory.In(c), "accounts")
}

// check tries one method after the other until one accepts, as
// sasl_checkpass does. If none does, the answer of the last one counts,
// but the news that a user exists is not lost to a later "user not found".
func (p *passwords) check(ctx context.Context, a *Attempt) *Error {
	if len(p.unknown) > 0 {
		p.warned.Do(func() {
			p.log.Error("SASL unknown password verifier(s) " + strings.Join(p.unknown, " "))
		})
	}
	result := &Error{Code: NoMech}
	for _, m := range p.methods {
		e := m.verify(ctx, a)
		if e == nil {
			return nil
		}
		if e.Code != NoUser || result.Code != BadAuth {
			result = e
		}
	}
	return result
}

// Check checks a password. It returns nil or an *Error without Detail,
// which the mechanism adds, and User set if the user is known to exist or
// nobody could tell.
func (s *Site) Check(ctx context.Context, a Attempt) *Error {
	e := s.pass.check(ctx, &a)
	if e != nil && e.Code != NoUser {
		e.User = a.User
	}
	return e
}

// HasSecrets reports whether there is a store of passwords that can be read,
// without which no mechanism works that sends a challenge: a sasldb file.
func (s *Site) HasSecrets() bool { return s.pass.secrets != nil && s.pass.secrets.exists() }

// Secret returns the password of a user in readable form. user is canonical;
// realm is that of a name without one, "" for servername. The *Error has no
// Detail; its Code is NoUser for a user without a password.
func (s *Site) Secret(user, realm string) ([]byte, *Error) {
	if !s.HasSecrets() {
		return nil, &Error{Code: NoUser}
	}
	return s.pass.secrets.secret(user, realm)
}
