package main

import (
	"context"
	"errors"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// A recipient is somebody who gets the message.
type recipient struct {
	user        string         // canonical id; "" for a shared mailbox
	name        mboxname.Name  // what was addressed: an INBOX, a folder of it, a shared mailbox
	address     string         // path of RCPT without its angle brackets
	parts       mboxname.Parts // what that says; domain "" is the default one
	ignoreQuota bool
}

// findRecipient says who is addressed by a path, and refuses those who can't
// get mail: errs.NotFound, errs.Denied, errs.OverQuota.
//
// Source: verify_user in Cyrus imap/lmtpd.c.
func (s *session) findRecipient(ctx context.Context, path string, ignoreQuota bool) (*recipient, error) {
	fold := config.LmtpDowncaseRcpt.In(s.conf)
	a := splitAddress(path, fold)
	if s.mail.utf8 {
		a.compose(fold)
	}
	r := s.resolve(a, ignoreQuota)
	err := s.reachable(ctx, r)
	switch errs.KindOf(err) {
	case errs.NotFound, errs.Denied, errs.OverQuota, errs.TooManyMessages:
		if all := config.LmtpCatchallMailbox.In(s.conf); err != nil && all != "" && !errors.Is(err, errDisabled) {
			r = &recipient{user: s.site.Names.UserID(all), ignoreQuota: ignoreQuota}
			r.name = mboxname.Inbox(r.user)
			r.parts = mboxname.UserParts(r.user)
			err = s.reachable(ctx, r)
		}
	}
	if err != nil {
		return nil, err
	}
	r.address = strings.TrimSuffix(strings.TrimPrefix(path, "<"), ">")
	return r, nil
}

// reachable refuses a recipient who cannot get mail now.
func (s *session) reachable(ctx context.Context, r *recipient) error {
	e, err := s.addressed(ctx, r)
	if err != nil {
		return err
	}
	if r.user != "" && s.denied(ctx, r.user) {
		return errs.New(errs.Denied, "lmtpd.findRecipient", r.user, errDisabled)
	}
	if r.ignoreQuota {
		return nil
	}
	return s.checkQuota(ctx, e.Name, s.mail.size)
}

// addressed is the mailbox by which an address is good or not; a shared one
// has to let the sender post.
func (s *session) addressed(ctx context.Context, r *recipient) (*mboxlist.Entry, error) {
	if r.user == "" && r.name == "" {
		return nil, errs.New(errs.NotFound, "lmtpd.findRecipient", "", nil)
	}
	e, err := s.lookup(ctx, r)
	if err == nil && r.user == "" {
		err = s.need(acl.Post, e)
	}
	return e, err
}

// errDisabled means that a user gets no mail at present. The error that wraps
// it is of kind errs.Denied.
var errDisabled = errors.New("user_deny.db")

// denied reports whether user_deny.db keeps a user's mail out.
func (s *session) denied(ctx context.Context, user string) bool {
	return s.site.Denied(ctx, user, s.env.Service)
}

// resolve turns an address into a name, whether or not there is such a
// mailbox (mbname_from_recip in Cyrus imap/mboxname.c).
func (s *session) resolve(a address, ignoreQuota bool) *recipient {
	rules := s.site.Names
	var p mboxname.Parts
	if rules.Virtual != mboxname.VirtualOff && a.domain != "" && !strings.EqualFold(a.domain, asciiDomain(rules.DefaultDomain)) {
		p.Domain = a.domain
	}
	if a.user != config.Postuser.In(s.conf) {
		p.Localpart = a.user
	}
	if s.mail.utf8 && !isASCII(p.Localpart) {
		// A mailbox of that name is in the list as IMAP spells it.
		var err error
		if p.Localpart, err = mboxname.EncodeUTF7(p.Localpart); err != nil {
			return &recipient{}
		}
	}
	if a.detail != "" {
		// The folder is given in UTF-8, not as IMAP spells it.
		coded, err := mboxname.EncodeUTF7(a.detail)
		if err != nil {
			return &recipient{}
		}
		sep := rune(s.site.Namespace("", false).Separator())
		p.Boxes = strings.FieldsFunc(coded, func(c rune) bool { return c == sep }) // "+/a" is "+a"
	}
	r := &recipient{user: p.UserID(), parts: p, ignoreQuota: ignoreQuota}
	if p.Localpart == "" && (len(p.Boxes) == 0 || a.user == "" && config.Postuser.In(s.conf) != "") {
		return r
	}
	r.name = p.Name("")
	return r
}

// lookup finds the mailbox that has to be there for the address to be
// good: a user's INBOX, whatever the detail says, or the shared mailbox.
func (s *session) lookup(ctx context.Context, r *recipient) (*mboxlist.Entry, error) {
	if r.user == "" {
		return s.lookupLike(ctx, r.name)
	}
	who := mboxlist.Actor{Identity: acl.Identity{User: r.user}, SessionID: s.conn.SessionID()}
	return s.site.List.Inbox(ctx, who, true)
}

// need checks the rights of whom the MTA vouches for.
func (s *session) need(want acl.Rights, e *mboxlist.Entry) error {
	who := s.sender()
	have := s.site.Rights.Rights(e.ACL, who.Identity, who.User != "" && e.Name.Owner() == who.User)
	switch {
	case have.Has(want):
		return nil
	case have.Has(acl.Lookup):
		return errs.New(errs.Denied, "lmtpd.need", string(e.Name), nil)
	}
	return errs.New(errs.NotFound, "lmtpd.need", string(e.Name), nil)
}

// checkQuota refuses a mailbox whose quota has no room: over its limit
// already, or with lmtp_strict_quota without room for so many octets.
func (s *session) checkQuota(ctx context.Context, n mboxname.Name, size int64) error {
	root, err := s.site.Quota.FindRoot(ctx, n)
	if err != nil {
		return err
	}
	return s.site.Quota.CheckDelivery(ctx, root, config.LmtpStrictQuota.In(s.conf), size)
}
