package main

import (
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
	to, err := s.internal(trimSeparator(a.to, s.ns.Separator()))
	if err != nil {
		return "", err
	}
	if a.partition != "" && !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.rename", a.from, nil)
	}
	return "", s.site.List.Rename(s.ctx, s.who, from, to, mboxlist.RenameOptions{
		Partition: a.partition,
		Moved: func(from, to mboxname.Name) {
			s.w.Line("* OK rename ", s.ns.ExternalOr(from), " ", s.ns.ExternalOr(to))
			s.follow(from, to)
		},
	})
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
