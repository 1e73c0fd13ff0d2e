package main

import (
	"context"
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// fuzzyMatch finds the mailbox whose name is like one that is not there
// (lmtp_fuzzy_mailbox_match): the same but for case, and for "-", "_" and
// blanks in each other's place. If there is none, it is the first that is like
// the longest beginning of it. errs.NotFound without any, or with the option
// off.
//
// Source: fuzzy_match in Cyrus imap/lmtpd.c.
func (s *session) fuzzyMatch(ctx context.Context, n mboxname.Name) (*mboxlist.Entry, error) {
	want := n.Parts("").Boxes
	if !config.LmtpFuzzyMailboxMatch.In(s.conf) || len(want) == 0 {
		return nil, errs.New(errs.NotFound, "lmtpd.fuzzyMatch", string(n), nil)
	}
	var found *mboxlist.Entry
	depth := 0
	look := func(e *mboxlist.Entry) (bool, error) {
		if d := likeness(want, e.Name.Parts("").Boxes); d > depth {
			found, depth = e, d
		}
		return depth < len(want), nil
	}
	var err error
	if n.IsUser() {
		err = s.site.List.User(ctx, n.Parts("").UserID(), false, look)
	} else {
		deleted := s.site.Layout.DeletedPrefix
		err = s.site.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
			if !e.Exists() || e.Name.IsUser() || e.Name.IsDeleted(deleted) || e.Name.Domain() != n.Domain() {
				return true, nil
			}
			return look(e)
		})
	}
	if err == nil && found == nil {
		err = errs.New(errs.NotFound, "lmtpd.fuzzyMatch", string(n), nil)
	}
	return found, err
}

// likeness is how many components at the beginning of two names are alike.
func likeness(want, have []string) (depth int) {
	for depth < min(len(want), len(have)) && fold(want[depth]) == fold(have[depth]) {
		depth++
	}
	return depth
}

// fold makes components equal that fuzzyMatch takes for alike.
func fold(component string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' {
			return ' '
		}
		return r
	}, lower(component))
}

// lookupLike finds a mailbox, or one whose name is like it.
func (s *session) lookupLike(ctx context.Context, n mboxname.Name) (*mboxlist.Entry, error) {
	e, err := s.site.List.Lookup(ctx, n)
	if errs.Is(err, errs.NotFound) {
		if like, lerr := s.fuzzyMatch(ctx, n); !errs.Is(lerr, errs.NotFound) {
			return like, lerr
		}
	}
	return e, err
}

// excluded refuses mail into mailboxes of users with a special use that
// lmtp_exclude_specialuse names (errs.NotSupported).
//
// Source: delivery_enabled_for_mailbox in Cyrus imap/lmtpd.c.
func (s *session) excluded(ctx context.Context, e *mboxlist.Entry) error {
	names := strings.Fields(config.LmtpExcludeSpecialuse.In(s.conf))
	if len(names) == 0 || !e.Name.IsUser() || e.Name.IsInbox() {
		return nil // an INBOX has no special use
	}
	uses, err := s.site.List.SpecialUses(ctx, e)
	if err != nil {
		return err
	}
	for _, u := range uses {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, u) }) {
			return errs.New(errs.NotSupported, "lmtpd.excluded", string(e.Name), nil)
		}
	}
	return nil
}
