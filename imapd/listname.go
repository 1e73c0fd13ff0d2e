package main

import (
	"golang.org/x/text/unicode/norm"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// tellName sends a LIST response for one mailbox, which may be gone. If the
// client knows it by another name, as OLDNAME (RFC 9051 section 6.3.9.7); ""
// is none.
func (s *session) tellName(n mboxname.Name, old string) { s.tellNameWith(n, old, nil) }

// tellNameWith is tellName with more attributes.
func (s *session) tellNameWith(n mboxname.Name, old string, attributes []string) {
	name := s.ns.ExternalOr(n)
	e, err := s.site.List.Lookup(s.ctx, n)
	switch {
	case err != nil || !s.site.List.Rights(s.who, e).Has(acl.Lookup):
		attributes = append(attributes, `\NonExistent`)
	case s.hasChildren(n):
		attributes = append(attributes, `\HasChildren`)
	default:
		attributes = append(attributes, `\HasNoChildren`)
	}
	b := append(s.w.Buffer(), "* LIST ("...)
	for i, a := range attributes {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, a...)
	}
	b = append(append(append(b, `) "`...), s.ns.Separator()), '"', ' ')
	b = s.appendName(b, name)
	if old != "" && old != name {
		b = append(b, ` ("OLDNAME" (`...)
		b = imapwire.AppendMailbox(b, old, s.client.UTF8)
		b = append(b, "))"...)
	}
	s.w.SetBuffer(append(b, "\r\n"...))
}

// hasChildren reports whether there is a mailbox below n that the user may
// look up.
func (s *session) hasChildren(n mboxname.Name) bool {
	found := false
	err := s.site.List.Tree(s.ctx, n, func(e *mboxlist.Entry) (bool, error) {
		found = e.Name != n && s.shownTo(e)
		return !found, nil
	})
	return err == nil && found
}

// shownTo reports whether LIST has a mailbox for this user.
func (s *session) shownTo(e *mboxlist.Entry) bool {
	return s.who.Admin || (e.Kind() == mboxlist.Email || e.Kind() == mboxlist.News) && s.site.List.Rights(s.who, e).Has(acl.Lookup)
}

// newName is the form in which the name of a new mailbox is kept: composed
// characters, if it is UTF-8 (RFC 5198 section 3).
func (s *session) newName(external string) string {
	if s.ns.UTF8 {
		return norm.NFC.String(external)
	}
	return external
}

// tellComposed tells a client of IMAP4rev2 the name of a mailbox that it has
// named with characters that are not composed (RFC 9051 section 6.3.9.7).
func (s *session) tellComposed(n mboxname.Name, external string) {
	if s.client.Rev2 && s.newName(external) != external && s.ns.ExternalOr(n) != external {
		s.tellName(n, external)
	}
}
