package main

import (
	"bytes"
	"context"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/syslog"
)

// answer is what is said to a request, "MAP KEY".
func (s *server) answer(ctx context.Context, request []byte, host string) string {
	_, key, ok := bytes.Cut(request, []byte(" "))
	if !ok {
		s.audit("failed", "", host)
		return "PERM Bad protocol (" + errKey.Error() + ")"
	}
	// Cyrus ends it at a NUL; a NUL cannot be in an address.
	if i := bytes.IndexByte(key, 0); i >= 0 {
		key = key[:i]
	}
	address := string(key)
	err := s.verify(ctx, address)
	kind := errs.KindOf(err)
	switch {
	case err == nil:
		s.audit("ok", address, host)
		return "OK " + address
	case kind == errs.NotFound:
		s.audit("nonexistent", address, host)
		return "NOTFOUND Mailbox does not exist"
	case kind == errs.OverQuota:
		s.audit("overquota", address, host)
		if config.LmtpOverQuotaPermFailure.In(s.conf) {
			return "PERM Over quota"
		}
		return "TEMP Over quota"
	}
	s.audit("failed", address, host)
	if kind == errs.Denied {
		return "PERM Permission denied"
	}
	// The fault is here, and may be over soon: the mail must wait. (Cyrus has
	// it refused for good.)
	s.log.Error("look-up failed", "recipient", address, "error", err)
	return "TEMP " + kind.String()
}

// verify reports whether an address can get mail: nil, or an error of kind
// errs.NotFound, errs.Denied (to post to a shared mailbox), errs.OverQuota, or
// of the store. A user's mailbox takes mail whatever its access control list
// says; but, other than in LMTP, a folder that is named after the plus sign has
// to be there.
//
// Source: verify_user and check_quotas in Cyrus imap/smmapd.c.
func (s *server) verify(ctx context.Context, address string) error {
	n, err := s.resolve(address)
	if err != nil {
		return err
	}
	e, err := s.site.List.Lookup(ctx, n)
	if err != nil {
		return err
	}
	if !n.IsUser() {
		if err := s.mayPost(e); err != nil {
			return err
		}
	}
	root, err := s.site.Quota.FindRoot(ctx, n)
	if err != nil {
		return err
	}
	return s.room(ctx, root)
}

// mayPost asks whether anybody may post to a shared mailbox.
func (s *server) mayPost(e *mboxlist.Entry) error {
	have := s.site.Rights.Rights(e.ACL, acl.Identity{}, false)
	switch {
	case have.Has(acl.Post):
		return nil
	case have.Has(acl.Lookup):
		return errs.New(errs.Denied, "smmapd.verify", string(e.Name), nil)
	}
	return errs.New(errs.NotFound, "smmapd.verify", string(e.Name), nil)
}

// room asks whether a root takes one more message, and is not over its limit
// for storage.
func (s *server) room(ctx context.Context, root mboxname.Name) error {
	if root == "" {
		return nil
	}
	r, err := s.site.Quota.GetUse(ctx, root)
	if errs.Is(err, errs.QuotaNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.Room(quota.Storage, 0); err != nil {
		return err
	}
	return r.Room(quota.Message, 1)
}

// resolve is the mailbox that an address names: errs.NotFound if it can name
// none.
//
// Source: mbname_from_recip in Cyrus imap/mboxname.c.
func (s *server) resolve(address string) (mboxname.Name, error) {
	none := errs.New(errs.NotFound, "smmapd.resolve", address, nil)
	rules := s.site.Names
	local, domain := address, ""
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		local, domain = address[:i], address[i+1:]
	}
	var p mboxname.Parts
	if rules.Virtual != mboxname.VirtualOff && domain != "" && !strings.EqualFold(domain, rules.DefaultDomain) {
		p.Domain = domain
	}
	user, detail, _ := strings.Cut(local, "+")
	if detail != "" && !s.skipPlus {
		coded, err := mboxname.EncodeUTF7(detail) // the address has it in UTF-8
		if err != nil {
			return "", none
		}
		p.Boxes = strings.Split(coded, string(s.site.Namespace("", true).Separator()))
	}
	p.Localpart = user
	if config.LmtpDowncaseRcpt.In(s.conf) {
		p.Localpart, p.Domain = strings.ToLower(p.Localpart), strings.ToLower(p.Domain)
	}
	if p.UserID() == config.Postuser.In(s.conf) {
		p.Localpart, p.Domain = "", ""
	}
	if p.Localpart == "" && len(p.Boxes) == 0 {
		return "", none
	}
	n := p.Name("")
	if rules.Valid(n) != nil {
		return "", none
	}
	return n, nil
}

// audit writes a line to the audit log.
func (s *server) audit(what, address, host string) {
	if config.Auditlog.In(s.conf) {
		s.log.Log(context.Background(), syslog.LevelNotice, "auditlog: "+what+" userid=<"+syslog.Printable(address)+"> client=<"+host+">")
	}
}
