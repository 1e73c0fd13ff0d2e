package mboxlist

import (
	"context"
	"fmt"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// SetACL changes the rights of an identifier, which the caller has made
// canonical: rights as in SETACL, with "+" or "-" in front; "" removes the
// entry.
//
// Kinds: errs.NotFound, errs.Denied, errs.BadIdentifier, errs.BadRights.
//
// Source: cmd_setacl in Cyrus imap/imapd.c, mboxlist_setacl in
// imap/mboxlist.c.
func (l *List) SetACL(ctx context.Context, who Actor, n mboxname.Name, id, rights string) error {
	mode, r, err := l.parseRights(n, rights)
	if err != nil {
		return err
	}
	return retry(ctx, func() error {
		e, err := l.setACL(ctx, who, n, id, mode, r)
		if err == nil {
			l.tellACL(who, e, id, rights, false)
		}
		return err
	})
}

// DeleteACL removes the entry of an identifier.
func (l *List) DeleteACL(ctx context.Context, who Actor, n mboxname.Name, id string) error {
	return retry(ctx, func() error {
		e, err := l.setACL(ctx, who, n, id, acl.Replace, acl.None)
		if err == nil {
			l.tellACL(who, e, id, "", true)
		}
		return err
	})
}

func (l *List) parseRights(n mboxname.Name, rights string) (acl.Mode, acl.Rights, error) {
	if err := acl.Check(rights); err != nil {
		return 0, 0, errs.New(errs.BadRights, "mboxlist.SetACL", string(n), err)
	}
	mode := acl.Replace
	switch {
	case strings.HasPrefix(rights, "+"):
		mode, rights = acl.Add, rights[1:]
	case strings.HasPrefix(rights, "-"):
		mode, rights = acl.Remove, rights[1:]
	}
	r, err := l.o.Rights.Parse(rights)
	if err != nil {
		return 0, 0, errs.New(errs.BadRights, "mboxlist.SetACL", string(n), err)
	}
	return mode, r, nil
}

func (l *List) setACL(ctx context.Context, who Actor, n mboxname.Name, id string, mode acl.Mode, r acl.Rights) (*Entry, error) {
	old, err := l.fetch(ctx, keyOf(n))
	if err != nil {
		return nil, err
	}
	if old.Entry == nil || !old.Exists() {
		return nil, notFound(n)
	}
	if err := l.maySetACL(who, old.Entry, id, mode, r); err != nil {
		return nil, err
	}
	list, err := l.changedACL(old.Entry, id, mode, r)
	if err != nil {
		return nil, err
	}
	e := *old.Entry
	e.ACL = list
	return &e, l.storeACL(ctx, who, old, list)
}

// maySetACL decides whether who may make this change.
func (l *List) maySetACL(who Actor, e *Entry, id string, mode acl.Mode, r acl.Rights) error {
	if err := l.allowed(who, e, acl.Admin); err != nil {
		return err
	}
	if !l.o.Rights.AllowSet {
		return denied("mboxlist.SetACL", e.Name)
	}
	if l.isAdmin(who, e.Name) {
		return nil
	}
	if !l.o.Rights.AnyoneForUsers && e.Name.IsUser() && grantsToAll(id, mode, r) {
		return denied("mboxlist.SetACL", e.Name)
	}
	if !l.owns(who, e.Name) || id != who.User {
		return nil
	}
	// A user may not take right a from himself on his own mailbox.
	if mode == acl.Replace && !r.Has(acl.Admin) || mode == acl.Remove && r.Has(acl.Admin) {
		l.o.Log.Error(fmt.Sprintf("Denied removal of admin rights on folder %q (owner: %s) by user %q", e.Name, who.User, who.User))
		return denied("mboxlist.SetACL", e.Name)
	}
	return nil
}

// grantsToAll reports whether a change gives something to everybody.
func grantsToAll(id string, mode acl.Mode, r acl.Rights) bool {
	return (id == acl.Anyone || id == acl.Anonymous) && mode != acl.Remove && r != acl.None
}

// changedACL is the list after the change. On a user's mailbox the owner
// keeps his implicit rights, whatever is set.
func (l *List) changedACL(e *Entry, id string, mode acl.Mode, r acl.Rights) (acl.List, error) {
	s := l.o.Rights
	owner := e.Name.Owner()
	subject, negative := strings.CutPrefix(id, "-")
	if owner != "" && subject == owner {
		old, _ := s.Parse(e.ACL.Get(id))
		switch mode {
		case acl.Add:
			r |= old
		case acl.Remove:
			r = old &^ r
		}
		mode = acl.Replace
		if negative {
			r &^= s.ImplicitOwner
		} else {
			r |= s.ImplicitOwner
		}
	}
	list, err := s.Set(e.ACL, id, mode, r)
	takenOut := mode == acl.Replace && r == acl.None
	if err != nil || strings.Contains(subject, "/") && !takenOut {
		return nil, errs.New(errs.BadIdentifier, "mboxlist.SetACL", id, err)
	}
	if list == nil {
		list = acl.List{}
	}
	return list, nil
}

// storeACL writes the list, then cyrus.header and the index, under the
// locks of the mailbox. If it stops between, the mailbox list is right and
// reconstruct corrects the header.
func (l *List) storeACL(ctx context.Context, who Actor, old stored, list acl.List) error {
	box, err := l.o.Store.Open(ctx, old.Ref(), mailbox.Write)
	if err != nil {
		return err
	}
	defer box.Close()
	box.SetSession(who.SessionID)
	box.SetACL(list.String())
	e := *old.Entry
	e.ACL, e.FolderModseq, e.Mtime = list, box.Header().HighestModseq, l.now()
	c := l.begin(who)
	c.name(old, &e)
	if err := c.id(ctx, &e, nil); err != nil {
		return err
	}
	if err := c.commit(ctx); err != nil {
		return err
	}
	return box.Commit(ctx)
}

// Touch records that something of a mailbox changed that clients see in the
// list, such as an annotation: folderModseq is the modseq that it took. The
// caller has the mailbox locked.
func (l *List) Touch(ctx context.Context, n mboxname.Name, folderModseq uint64) error {
	return retry(ctx, func() error {
		old, err := l.fetch(ctx, keyOf(n))
		if err != nil {
			return err
		}
		if old.Entry == nil || !old.Exists() {
			return notFound(n)
		}
		e := *old.Entry
		e.FolderModseq, e.Mtime = folderModseq, l.now()
		c := l.begin(Actor{})
		c.name(old, &e)
		if err := c.id(ctx, &e, nil); err != nil {
			return err
		}
		return c.commit(ctx)
	})
}

// ListRights says which rights an identifier always has on a mailbox, and
// which others can be given to him, as LISTRIGHTS of RFC 4314 answers. Only
// those who may change the list may ask. known says whether the identifier
// is one that the site knows.
//
// Source: cmd_listrights in Cyrus imap/imapd.c.
func (l *List) ListRights(ctx context.Context, who Actor, n mboxname.Name, id string, known bool) (required string, optional []string, err error) {
	e, err := l.Need(ctx, who, n, acl.Admin)
	if err != nil || !known {
		return "", nil, err
	}
	owner := e.Name.Owner()
	switch {
	case owner != "" && strings.TrimPrefix(id, "-") == owner:
		required = l.o.Rights.Format(l.o.Rights.ImplicitOwner)
	case e.Name.IsInbox():
		required = "p" // anonymous may post to a user
	}
	order := "lrswipkxtecdan0123456789"
	for i := range len(order) {
		if !strings.Contains(required, order[i:i+1]) {
			optional = append(optional, order[i:i+1])
		}
	}
	return required, optional, nil
}
