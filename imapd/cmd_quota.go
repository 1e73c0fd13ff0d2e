package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// getQuota tells about a quota root; only admins may ask (RFC 2087 section
// 4.2).
func (s *session) getQuota(name string) (string, error) {
	if !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.getquota", name, nil)
	}
	n, err := s.ns.InternalRoot(name)
	if err != nil {
		return "", errs.New(errs.QuotaNotFound, "imapd.getquota", name, err)
	}
	root, err := s.site.Quota.GetUse(s.ctx, n)
	if err != nil {
		return "", err
	}
	s.sendQuota(name, root)
	return "", nil
}

// getQuotaRoot tells which quota root covers a mailbox, and about it (RFC
// 2087 section 4.3).
func (s *session) getQuotaRoot(name string) (string, error) {
	n, err := s.internal(name)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	want := acl.Read
	if s.who.Admin {
		want = acl.None
	}
	if _, err := s.site.List.Need(s.ctx, s.who, n, want); err != nil {
		return "", err
	}
	root, err := s.quotaRoot(s.ctx, n)
	if err != nil {
		return "", err
	}
	b := append(s.w.Buffer(), "* QUOTAROOT "...)
	b = s.appendName(b, name)
	if root != nil {
		b = s.appendName(append(b, ' '), s.ns.ExternalOr(root.Name))
	}
	s.w.SetBuffer(append(b, "\r\n"...))
	if root != nil {
		s.sendQuota(s.ns.ExternalOr(root.Name), root)
	}
	return "", nil
}

// quotaRoot returns the root that covers a mailbox, or nil.
func (s *session) quotaRoot(ctx context.Context, n mboxname.Name) (*quota.Root, error) {
	name, err := s.site.Quota.FindRoot(ctx, n)
	if err != nil || name == "" {
		return nil, err
	}
	root, err := s.site.Quota.GetUse(ctx, name)
	if errs.Is(err, errs.QuotaNotFound) {
		return nil, nil
	}
	return root, err
}

// sendQuota sends use and limits of a root. What RFC 9208 calls otherwise than
// Cyrus 3.6 did has both names, so that clients of either find it.
func (s *session) sendQuota(external string, root *quota.Root) {
	b := append(s.w.Buffer(), "* QUOTA "...)
	b = append(s.appendName(b, external), " ("...)
	sep := ""
	for r := quota.Storage; r < quota.Resources; r++ {
		if root.Limit[r] == quota.Unlimited {
			continue
		}
		b = fmt.Appendf(b, "%s%s %d %d", sep, r, root.Used[r]/r.Unit(), root.Limit[r])
		sep = " "
	}
	for r := quota.Storage; r < quota.Resources; r++ {
		if !s.client.Rev2 || root.Limit[r] == quota.Unlimited || r.Standard() == r.String() || !offers(s.r, "QUOTA=RES-"+r.Standard()) {
			continue
		}
		b = fmt.Appendf(b, " %s %d %d", r.Standard(), root.Used[r]/r.Unit(), root.Limit[r])
	}
	s.w.SetBuffer(append(b, ")\r\n"...))
}

// setQuota sets the limits of a quota root, which is made if need be; only
// admins may (RFC 2087 section 4.1).
//
// Source: cmd_setquota in Cyrus imap/imapd.c.
func (s *session) setQuota(r *imapwire.Reader) (string, error) {
	name, err := argument(r)
	if err != nil {
		return "", err
	}
	if !r.Space() {
		return "", r.Missing()
	}
	if !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.setquota", name, nil)
	}
	limits, err := parseLimits(r)
	if err != nil {
		return "", err
	}
	if !r.EOL() {
		return "", imapwire.SyntaxError("Unexpected extra arguments to SETQUOTA")
	}
	n, err := s.ns.InternalRoot(name)
	if err != nil && name != "" {
		return "", noSuchMailbox(err)
	}
	return "", s.site.List.SetQuota(s.ctx, s.who, n, limits, false)
}

// errBadQuota is what the client is told of a list that makes no sense.
const errBadQuota = imapwire.SyntaxError("Invalid quota list in Setquota")

// errNoResource is the answer to a resource that is not counted here.
const errNoResource = refusal("Unsupported quota resource")

// parseLimits reads a list of resources and limits; what is not in it is
// unlimited.
func parseLimits(r *imapwire.Reader) (quota.Limits, error) {
	limits := quota.NoLimits()
	if !r.Accept('(') {
		return limits, orWrong(r, nil, errBadQuota)
	}
	for first := true; !r.Accept(')'); first = false {
		if !first && !r.Space() {
			return limits, orWrong(r, nil, errBadQuota)
		}
		word := r.Word()
		if c, _ := r.Peek(); word == "" || c != ' ' {
			return limits, orWrong(r, nil, errBadQuota)
		}
		resource, ok := resourceNamed(r, word)
		if !ok {
			return limits, errNoResource
		}
		n, err := parseLimit(r)
		if err != nil {
			return limits, err
		}
		limits[resource] = n
	}
	return limits, nil
}

// parseLimit reads a limit; -1 is none.
func parseLimit(r *imapwire.Reader) (int64, error) {
	if !r.Space() {
		return 0, orWrong(r, nil, errBadQuota)
	}
	negative := r.Accept('-')
	n, err := r.Number64()
	switch {
	case err != nil || (negative && n != 1):
		return 0, orWrong(r, nil, errBadQuota)
	case negative:
		return quota.Unlimited, nil
	}
	return n, nil
}

// resourceNamed finds a resource by one of its names in any case.
func resourceNamed(in *imapwire.Reader, word string) (quota.Resource, bool) {
	for r := quota.Storage; r < quota.Resources; r++ {
		if strings.EqualFold(r.String(), word) || strings.EqualFold(r.Standard(), word) && offers(in, "QUOTA=RES-"+r.Standard()) {
			return r, true
		}
	}
	return 0, false
}

// quotaAlertEvery is how often a session is warned of the same quota root.
const quotaAlertEvery = 10 * time.Minute

// warnQuota warns a client that selects a mailbox whose quota root is nearly
// used up.
//
// Source: warn_about_quota in Cyrus imap/imapd.c.
func (s *session) warnQuota(name mboxname.Name) {
	if name == s.warnedOf && time.Since(s.warnedAt) < quotaAlertEvery {
		return
	}
	s.warnedOf, s.warnedAt = name, time.Now()
	root, err := s.quotaRoot(s.ctx, name)
	if err != nil || root == nil {
		return // not worth failing for
	}
	for r := quota.Storage; r < quota.Resources; r++ {
		if text := s.warning(r, root.Used[r], root.Limit[r]); text != "" {
			s.w.Line("* NO [ALERT] Mailbox is ", text, r.String(), " quota")
		}
	}
}

// warning says how much of a limit is used, or "" if there is nothing to say:
// quotawarn is the percentage from which on there is, quotawarnkb and
// quotawarnmsg what may be left at most, if the limit is larger than that.
func (s *session) warning(r quota.Resource, used, limit int64) string {
	few := int64(0)
	switch r {
	case quota.Storage, quota.AnnotStorage:
		few = int64(config.Quotawarnkb.In(s.conf))
	case quota.Message:
		few = int64(config.Quotawarnmsg.In(s.conf))
	}
	if limit < 0 || few > 0 && few < limit && used <= (limit-few)*r.Unit() {
		return ""
	}
	if used > limit*r.Unit() {
		return "over "
	}
	if limit == 0 {
		return ""
	}
	percent := used * 100 / (limit * r.Unit())
	if percent <= int64(config.Quotawarn.In(s.conf)) {
		return ""
	}
	return fmt.Sprintf("at %d%% of ", percent)
}
