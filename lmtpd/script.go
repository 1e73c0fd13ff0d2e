package main

import (
	"context"

	"gocyrus/libcyrus/scripts"
	"gocyrus/libcyrus/sieve"
)

// scriptOf returns the script that a recipient's mail goes through and its
// path, nil if there is none.
//
// Source: run_sieve in Cyrus imap/lmtp_sieve.c.
func (s *session) scriptOf(ctx context.Context, r *recipient) (*sieve.Script, string, error) {
	if r.user != "" {
		return s.scripts.Active(ctx, r.user)
	}
	e, err := s.site.List.Lookup(ctx, r.name)
	if err != nil {
		return nil, "", err
	}
	return s.scripts.OfMailbox(ctx, e)
}

// owner is on whose behalf the script of a recipient runs: his, for a shared
// mailbox the sender's.
func (s *session) owner(ctx context.Context, r *recipient) *scripts.Owner {
	o := &scripts.Owner{Ctx: ctx, Site: s.site, Library: s.scripts, User: r.user, Domain: r.name.Domain(), Who: s.sender(),
		NS: s.site.Namespace(r.user, false), Log: s.log}
	if r.user != "" {
		o.Who.Identity = s.identity(ctx, r.user)
	}
	return o
}
