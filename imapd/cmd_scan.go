package main

import (
	"errors"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/view"
)

// scanArgs is the arguments of SCAN.
type scanArgs struct {
	list listArgs
	text string
}

// parseScan reads a reference, a pattern and the text that is looked for.
func parseScan(r *imapwire.Reader) (a scanArgs, err error) {
	if a.list.reference, err = argument(r); err != nil {
		return a, err
	}
	pattern, err := argument(r)
	if err != nil {
		return a, err
	}
	a.list.patterns = []string{pattern}
	a.text, err = argument(r)
	return a, err
}

// scan lists the mailboxes that have a message with a text in it, of those
// that the user may read. Selected mailboxes stay as they are.
//
// Source: cmd_list in Cyrus imap/imapd.c, getlistargs there; 3.6.1 takes the
// mailboxes whose search fails.
func (s *session) scan(a scanArgs) (string, error) {
	start := time.Now()
	if a.list.patterns[0] == "" {
		return s.list(a.list)
	}
	search := imapwire.Search{Key: imapwire.SearchKey{Op: imapwire.SearchText, Text: a.text}}
	n := 0
	var found []mboxlist.Listed
	err := s.site.List.Each(s.ctx, s.who, s.ns, mboxlist.ListOptions{Patterns: s.matchers(&a.list)}, func(l mboxlist.Listed) error {
		n++
		if l.Entry != nil && l.Entry.Exists() && l.Entry.Kind() == mboxlist.Email {
			found = append(found, l)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	for i := range found {
		has, err := s.holds(found[i].Entry, &search)
		if err != nil {
			return "", err
		}
		if has {
			s.listed(&a.list, &found[i], nil)
		}
	}
	return completed(start, n), nil
}

// holds reports whether a mailbox has a message that fits. One that went away
// meanwhile, or that the user may not read, has none.
func (s *session) holds(e *mboxlist.Entry, search *imapwire.Search) (bool, error) {
	if _, err := s.site.List.Need(s.ctx, s.who, e.Name, acl.Read); err != nil {
		return false, s.unlessHidden(err)
	}
	v, _, err := view.Open(s.ctx, e.Ref(), s.viewOptions(e, true))
	if err != nil {
		return false, s.unlessHidden(err)
	}
	has := false
	err = v.Search(s.ctx, search, func(view.Found) { has = true })
	return has, err
}

// unlessHidden is err, or nil if it says that the user cannot see a mailbox.
func (s *session) unlessHidden(err error) error {
	var refused refusal
	switch {
	case errs.Is(err, errs.NotFound), errs.Is(err, errs.Denied), errors.As(err, &refused):
		return nil
	}
	return err
}
