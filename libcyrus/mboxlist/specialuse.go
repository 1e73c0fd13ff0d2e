package mboxlist

import (
	"context"
	"slices"
	"strings"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// baseUses are the special uses that a mailbox can have (RFC 6154 without
// \All and \Flagged, RFC 8457, and Cyrus's \Snoozed).
var baseUses = []string{`\Archive`, `\Drafts`, `\Important`, `\Junk`, `\Sent`, `\Trash`, `\Snoozed`}

// checkUses refuses special uses that are unknown, or that another mailbox
// of the user has.
func (l *List) checkUses(ctx context.Context, n mboxname.Name, uses []string) error {
	for i, use := range uses {
		canonical := l.canonicalUse(use)
		if canonical == "" {
			return errs.New(errs.NotSupported, "mboxlist.Create", string(n), ErrUseUnknown)
		}
		uses[i] = canonical
		_, err := l.SpecialUse(ctx, n.Owner(), canonical)
		if err == nil {
			return errs.New(errs.NotSupported, "mboxlist.Create", string(n), ErrUseTaken)
		}
		if !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return nil
}

// canonicalUse is the usual spelling of a special use, "" if there is none.
func (l *List) canonicalUse(use string) string {
	for _, known := range slices.Concat(baseUses, l.o.SpecialUses) {
		if strings.EqualFold(known, use) {
			return known
		}
	}
	return ""
}

// SpecialUses is the special uses of a mailbox, nil if it has none.
func (l *List) SpecialUses(ctx context.Context, e *Entry) ([]string, error) {
	owner := e.Name.OwnerOf(l.o.Names.DeletedPrefix)
	if owner == "" {
		return nil, nil
	}
	v, ok, err := l.o.Annot.Get(ctx, annot.Scope{MailboxID: e.UniqueID, Owner: owner}, annot.Key{Entry: annot.SpecialUse, User: owner})
	if err != nil || !ok {
		return nil, err
	}
	return strings.Fields(string(v)), nil
}

// CheckUses checks the special uses that a user wants to give a mailbox, and
// returns how they are spelled. One that the mailbox has already may stay.
//
// Kinds: errs.NotSupported for ErrUseTaken and ErrUseUnknown,
// errs.HasChildren for a use in specialuse_nochildren.
//
// Source: specialuse_validate in Cyrus imap/annotate.c.
func (l *List) CheckUses(ctx context.Context, userID string, e *Entry, uses string) (string, error) {
	owner := e.Name.OwnerOf(l.o.Names.DeletedPrefix)
	old, _, err := l.o.Annot.Get(ctx, annot.Scope{MailboxID: e.UniqueID, Owner: owner}, annot.Key{Entry: annot.SpecialUse, User: userID})
	if err != nil {
		return "", err
	}
	have := strings.Fields(string(old))
	words := strings.Fields(uses)
	for i, use := range words {
		canonical := l.canonicalUse(use)
		if canonical == "" {
			canonical = l.canonicalUse(`\` + use)
		}
		if canonical == "" {
			return "", errs.New(errs.NotSupported, "mboxlist.CheckUses", string(e.Name), ErrUseUnknown)
		}
		words[i] = canonical
		if overlap([]string{canonical}, l.o.ChildlessUses) {
			has, err := l.hasChildren(ctx, e.Name)
			if err != nil {
				return "", err
			}
			if has {
				return "", errs.New(errs.HasChildren, "mboxlist.CheckUses", string(e.Name), nil)
			}
		}
		if overlap([]string{canonical}, have) {
			continue
		}
		_, err := l.SpecialUse(ctx, userID, canonical)
		if err == nil {
			return "", errs.New(errs.NotSupported, "mboxlist.CheckUses", string(e.Name), ErrUseTaken)
		}
		if !errs.Is(err, errs.NotFound) {
			return "", err
		}
	}
	return strings.Join(words, " "), nil
}

// SetSpecialUse stores the special uses of a user's mailbox, "" for none,
// without any check. It lasts on return; e has its new modseq.
func (l *List) SetSpecialUse(ctx context.Context, e *Entry, uses string) error {
	box, err := l.o.Store.Open(ctx, e.Ref(), mailbox.Write)
	if err != nil {
		return err
	}
	defer box.Close()
	done, err := box.AnnotateBox(ctx, []annot.Change{{
		Key: annot.Key{Entry: annot.SpecialUse, User: e.Name.Owner()}, Value: []byte(uses), Allowed: true,
	}})
	if err != nil || !done {
		return err
	}
	e.FolderModseq = box.Header().HighestModseq
	box.BeforeCommit(func(ctx context.Context) error { return l.Touch(ctx, e.Name, e.FolderModseq) })
	return box.Commit(ctx)
}

// SpecialUse finds the user's mailbox with a special use such as `\Trash`;
// errs.NotFound without one.
func (l *List) SpecialUse(ctx context.Context, userID, use string) (*Entry, error) {
	var found *Entry
	if userID == "" {
		return nil, errs.New(errs.NotFound, "mboxlist.SpecialUse", use, nil)
	}
	err := l.User(ctx, userID, false, func(e *Entry) (bool, error) {
		uses, err := l.SpecialUses(ctx, e)
		if slices.ContainsFunc(uses, func(u string) bool { return strings.EqualFold(u, use) }) {
			found = e
		}
		return found == nil, err
	})
	if err == nil && found == nil {
		err = errs.New(errs.NotFound, "mboxlist.SpecialUse", use, nil)
	}
	return found, err
}
