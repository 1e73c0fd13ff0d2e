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
	moved, err := s.tree(from)
	if err != nil {
		return "", err
	}
	if err := s.site.List.Rename(s.ctx, s.who, from, to, mboxlist.RenameOptions{Partition: a.partition}); err != nil {
		return "", err
	}
	for _, old := range moved {
		new := to + old[len(from):]
		s.w.Line("* OK rename ", s.ns.ExternalOr(old), " ", s.ns.ExternalOr(new))
		s.follow(old, new)
	}
	return "", nil
}

// tree returns the names of a mailbox and those below it, which are renamed
// with it; of an INBOX only itself.
func (s *session) tree(n mboxname.Name) ([]mboxname.Name, error) {
	if n.IsInbox() && !s.who.Admin {
		return nil, nil
	}
	var names []mboxname.Name
	err := s.site.List.Tree(s.ctx, n, func(e *mboxlist.Entry) (bool, error) {
		if e.Exists() {
			names = append(names, e.Name)
		}
		return true, nil
	})
	return names, err
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
