package main

import (
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
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
	b = s.appendName(b, name)
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
	e, err := s.site.List.NeedAny(s.ctx, s.who, n, acl.Lookup|acl.Read|acl.Insert|acl.Create|acl.DeleteMailbox|acl.Admin)
	if err != nil {
		return "", err
	}
	s.sendRights(name, e)
	return "", nil
}

// sendRights sends what the user may do with a mailbox.
func (s *session) sendRights(external string, e *mboxlist.Entry) {
	b := append(s.w.Buffer(), "* MYRIGHTS "...)
	b = append(s.appendName(b, external), ' ')
	b = imapwire.AppendAString(b, s.site.Rights.Format(s.site.List.Rights(s.who, e)))
	s.w.SetBuffer(append(b, "\r\n"...))
}

// listRights tells which rights an identifier has in any case and which it
// may be given (RFC 4314 section 3.4). Only those who may change the list are
// told: the fix of CVE-2026-47089.
func (s *session) listRights(a aclArgs) (string, error) {
	n, err := s.internal(a.mailbox)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	id, known := s.identifier(a.identifier)
	required, optional, err := s.site.List.ListRights(s.ctx, s.who, n, id, known)
	if err != nil {
		return "", err
	}
	b := append(s.w.Buffer(), "* LISTRIGHTS "...)
	b = append(s.appendName(b, a.mailbox), ' ')
	b = append(imapwire.AppendAString(b, a.identifier), ' ')
	b = imapwire.AppendAString(b, required)
	for _, r := range optional {
		b = append(append(b, ' '), r...)
	}
	s.w.SetBuffer(append(b, "\r\n"...))
	return "", nil
}

// identifier is the canonical form of an identifier, which may have "-" in
// front, and whether it can be one.
func (s *session) identifier(text string) (string, bool) {
	name, negative := strings.CutPrefix(text, "-")
	id, ok := s.auth.Canonical(s.ctx, name, s.peer.Local)
	if !ok {
		return text, false
	}
	if negative {
		id = "-" + id
	}
	return id, true
}

// errDisabled is the answer to SETACL and DELETEACL with allowsetacl: no,
// also of admins.
const errDisabled = refusal("[NOPERM] Command is disabled by configuration")

// setACL changes the rights of an identifier (RFC 4314 section 3.1).
func (s *session) setACL(a aclArgs) (string, error) {
	if !config.Allowsetacl.In(s.conf) {
		return "", errDisabled
	}
	if n, err := s.internal(a.mailbox); err == nil {
		if _, err := s.site.List.Need(s.ctx, s.who, n, acl.Lookup); errs.Is(err, errs.NotFound) {
			return "", err
		}
	}
	if err := acl.Check(a.rights); err != nil {
		return "", imapwire.SyntaxError(err.Error())
	}
	return s.changeACL(a, func(n mboxname.Name, id string) error { return s.site.List.SetACL(s.ctx, s.who, n, id, a.rights) })
}

// deleteACL removes an identifier from the list (RFC 4314 section 3.2).
func (s *session) deleteACL(a aclArgs) (string, error) {
	if !config.Allowsetacl.In(s.conf) {
		return "", errDisabled
	}
	return s.changeACL(a, func(n mboxname.Name, id string) error { return s.site.List.DeleteACL(s.ctx, s.who, n, id) })
}

// changeACL changes what an identifier may do with a mailbox.
func (s *session) changeACL(a aclArgs, change func(n mboxname.Name, id string) error) (string, error) {
	n, err := s.internal(a.mailbox)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	id, ok := s.identifier(a.identifier)
	if !ok && (a.rights != "" || a.identifier == "") { // what can be no identifier can still be taken out
		return "", errs.New(errs.BadIdentifier, "imapd.setacl", a.identifier, nil)
	}
	return "", change(n, id)
}
