package main

import (
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// renameArgs is the arguments of RENAME.
type renameArgs struct{ from, to, partition string }

// parseRename reads the arguments of RENAME (RFC 3501 section 6.3.5), with a
// partition as Cyrus takes it.
func parseRename(r *imapwire.Reader) (a renameArgs, err error) {
	if a.from, err = argument(r); err != nil {
		return a, err
	}
	if a.to, err = argument(r); err != nil || !r.Space() {
		return a, err
	}
	if a.partition = r.Word(); !imapwire.IsAtom(a.partition) {
		return a, imapwire.SyntaxError("Invalid partition name in " + r.Command)
	}
	return a, nil
}

// rename renames a mailbox and all below it, or moves it to a partition.
// The client is told of each.
//
// Source: cmd_rename in Cyrus imap/imapd.c.
func (s *session) rename(a renameArgs) (string, error) {
	from, err := s.internal(a.from)
	if err != nil {
		return "", noSuchMailbox(err)
	}
	to, err := s.internal(trimSeparator(s.newName(a.to), s.ns.Separator()))
	if s.ownInbox(from) && from != to && !strings.EqualFold(a.from, "INBOX") { // only as INBOX does it give its messages away
		return "", errs.New(errs.NotSupported, "imapd.rename", a.from, nil)
	}
	if a.partition != "" && !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.rename", a.from, nil)
	}
	if err != nil {
		return "", err
	}
	if from == to && a.partition == "" && (s.who.Admin || strings.EqualFold(a.from, "INBOX")) {
		if _, err := s.site.List.Need(s.ctx, s.who, from, acl.Lookup); errs.Is(err, errs.NotFound) {
			return "", err
		}
		return "", errs.New(errs.Exists, "imapd.rename", a.to, nil)
	}
	if a.partition != "" && from != to {
		return "", refusal("[CANNOT] " + mboxlist.ErrMoveAndRename.Error())
	}
	return "", s.site.List.Rename(s.ctx, s.who, from, to, mboxlist.RenameOptions{
		Partition: a.partition,
		Moved: func(from, to mboxname.Name) {
			if s.client.Rev2 {
				s.tellName(to, s.ns.ExternalOr(from))
			} else {
				s.w.Line("* OK rename ", s.nameInText(from), " ", s.nameInText(to))
			}
			s.didMyself(from, to)
			s.follow(from, to)
		},
	})
}

// ownInbox reports whether a mailbox is the INBOX of the user, who is no admin.
func (s *session) ownInbox(n mboxname.Name) bool {
	return !s.who.Admin && n.IsInbox() && n.Owner() == s.who.User
}

// nameInText is the name of a mailbox in a text, which is UTF-8 only since
// RFC 9051.
func (s *session) nameInText(n mboxname.Name) string {
	ext := s.ns.ExternalOr(n)
	if s.client.UTF8 && !s.client.Rev2 {
		if ascii, err := mboxname.EncodeUTF7(ext); err == nil {
			return ascii
		}
	}
	return ext
}

// follow keeps the selected mailbox selected when it gets another name.
func (s *session) follow(old, new mboxname.Name) {
	if s.view == nil || s.view.Ref().Name != old {
		return
	}
	if e, err := s.site.List.Lookup(s.ctx, new); err == nil {
		s.view.SetRef(e.Ref())
	}
}
