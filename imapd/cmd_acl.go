package main

import (
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
)

// aclArgs is the arguments of the commands for access control lists.
type aclArgs struct{ mailbox, identifier, rights string }

// parseListRights reads a mailbox and an identifier.
func parseListRights(r *imapwire.Reader) (a aclArgs, err error) {
	if a.mailbox, err = argument(r); err != nil {
		return a, err
	}
	a.identifier, err = argument(r)
	return a, err
}

// parseSetACL reads a mailbox, an identifier and rights.
func parseSetACL(r *imapwire.Reader) (a aclArgs, err error) {
	if a, err = parseListRights(r); err != nil {
		return a, err
	}
	a.rights, err = argument(r)
	return a, err
}

// administered returns the entry of a mailbox whose list the user may see.
func (s *session) administered(external string) (*mboxlist.Entry, error) {
	n, err := s.internal(external)
	if err != nil {
		return nil, noSuchMailbox(err)
	}
	return s.site.List.Need(s.ctx, s.who, n, acl.Admin)
}

// getACL tells the access control list (RFC 4314 section 3.3).
func (s *session) getACL(name string) (string, error) {
	e, err := s.administered(name)
	if err != nil {
		return "", err
	}
	b := append(s.w.Buffer(), "* ACL "...)
	b = imapwire.AppendAString(b, name)
	for _, entry := range e.ACL {
		b = imapwire.AppendAString(append(b, ' '), entry.ID)
		b = imapwire.AppendAString(append(b, ' '), entry.Rights)
	}
	s.w.SetBuffer(append(b, "\r\n"...))
	return "", nil
}

// myRights tells what the user may do (RFC 4314 section 3.5).
func (s *session) myRights(name string) (string, error) {
	n, err := s.internal(name)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	e, err := s.site.List.Need(s.ctx, s.who, n, acl.None)
	if err != nil {
		return "", err
	}
	s.sendRights(name, e)
	return "", nil
}

// sendRights sends what the user may do with a mailbox.
func (s *session) sendRights(external string, e *mboxlist.Entry) {
	b := append(s.w.Buffer(), "* MYRIGHTS "...)
	b = append(imapwire.AppendAString(b, external), ' ')
	b = imapwire.AppendAString(b, s.site.Rights.Format(s.site.List.Rights(s.who, e)))
	s.w.SetBuffer(append(b, "\r\n"...))
}

// allRights is every right in Cyrus's order, for LISTRIGHTS.
const allRights = "lrswipkxtecdan0123456789"

// listRights tells which rights an identifier has in any case and which it
// may be given (RFC 4314 section 3.4).
//
// Source: cmd_listrights in Cyrus imap/imapd.c; that only those who may see
// the list are told is the fix of CVE-2026-47089.
func (s *session) listRights(a aclArgs) (string, error) {
	e, err := s.administered(a.mailbox)
	if err != nil {
		return "", err
	}
	if a.identifier == "" {
		return "", errs.New(errs.BadIdentifier, "imapd.listrights", "", nil)
	}
	always := s.alwaysRights(e, a.identifier)
	b := append(s.w.Buffer(), "* LISTRIGHTS "...)
	b = append(imapwire.AppendAString(b, a.mailbox), ' ')
	b = append(imapwire.AppendAString(b, a.identifier), ' ')
	b = imapwire.AppendAString(b, always)
	for i := range len(allRights) {
		if strings.IndexByte(always, allRights[i]) < 0 {
			b = append(b, ' ', allRights[i])
		}
	}
	s.w.SetBuffer(append(b, "\r\n"...))
	return "", nil
}

// alwaysRights is the rights that an identifier has on a mailbox whatever
// the list says.
func (s *session) alwaysRights(e *mboxlist.Entry, identifier string) string {
	id, ok := s.auth.Canonical(s.ctx, identifier, s.peer.Local)
	if !ok {
		return ""
	}
	owner := s.site.Names.UserID(e.Name.Owner())
	switch {
	case owner != "" && id == owner:
		return s.ownerRights()
	case e.Name.IsInbox():
		return "p"
	}
	return ""
}

// ownerRights is what owners always have, in the order of LISTRIGHTS.
func (s *session) ownerRights() string {
	return s.site.Rights.Format(s.site.Rights.ImplicitOwner)
}

// setACL changes the rights of an identifier (RFC 4314 section 3.1).
func (s *session) setACL(a aclArgs) (string, error) {
	if err := acl.Check(a.rights); err != nil {
		return "", imapwire.SyntaxError(err.Error())
	}
	return s.changeACL(a)
}

// deleteACL removes an identifier from the list (RFC 4314 section 3.2).
func (s *session) deleteACL(a aclArgs) (string, error) { return s.changeACL(a) }

// changeACL gives an identifier rights; none removes it.
func (s *session) changeACL(a aclArgs) (string, error) {
	n, err := s.internal(a.mailbox)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	if !config.Allowsetacl.In(s.conf) && !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.setacl", a.mailbox, nil)
	}
	return "", s.site.List.SetACL(s.ctx, s.who, n, a.identifier, a.rights)
}
