package main

import (
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// source is one of the mailboxes, or groups of them, that ESEARCH looks in
// (RFC 7377 section 2.2).
type source struct {
	kind  string   // "selected", "personal", "subtree", …
	names []string // of mailboxes, for those kinds that have them
}

// sourceKinds is the kinds, and whether names follow.
var sourceKinds = map[string]bool{
	"selected": false, "personal": false, "inboxes": false, "subscribed": false,
	"subtree": true, "subtree-one": true, "mailboxes": true,
}

// maxSources bounds the mailboxes of one ESEARCH.
const maxSources = 50000

// parseSources reads what follows "IN".
func parseSources(r *imapwire.Reader) ([]source, error) {
	if !r.Space() || !r.Accept('(') {
		return nil, orWrong(r, nil, imapwire.SyntaxError("Missing source options in "+r.Command))
	}
	var all []source
	for {
		word := strings.ToLower(r.Word())
		named, ok := sourceKinds[word]
		if !ok {
			return nil, orWrong(r, nil, imapwire.SyntaxError("Invalid source option "+word+" in "+r.Command))
		}
		s := source{kind: word}
		if named {
			var err error
			if s.names, err = parseSourceNames(r); err != nil {
				return nil, err
			}
		}
		if all = append(all, s); len(all) > maxPatterns {
			return nil, imapwire.SyntaxError("[LIMIT] Too many source options in " + r.Command)
		}
		if !r.Space() {
			break
		}
	}
	if !r.Accept(')') {
		return nil, orWrong(r, nil, imapwire.SyntaxError("Missing close parenthesis in "+r.Command))
	}
	return all, nil
}

// parseSourceNames reads one mailbox, or several in parentheses.
func parseSourceNames(r *imapwire.Reader) ([]string, error) {
	bad := imapwire.SyntaxError("Missing mailbox in source options of " + r.Command)
	if !r.Space() {
		return nil, orWrong(r, nil, bad)
	}
	if !r.Accept('(') {
		name, err := r.AString()
		if err != nil {
			return nil, orWrong(r, err, bad)
		}
		return []string{name}, nil
	}
	var names []string
	for {
		name, err := r.AString()
		if err != nil {
			return nil, orWrong(r, err, bad)
		}
		if names = append(names, name); len(names) > maxSources {
			return nil, imapwire.SyntaxError("[LIMIT] Too many mailboxes in " + r.Command)
		}
		if !r.Space() {
			break
		}
	}
	if !r.Accept(')') {
		return nil, orWrong(r, nil, bad)
	}
	return names, nil
}

// sourceBoxes collects the mailboxes of sources, each once. Those that the
// user may not read are left out without a word, and those that he has not
// named himself also if he may not look them up.
type sourceBoxes struct {
	s    *session
	seen map[mboxname.Name]bool
	all  []*mboxlist.Entry
}

// boxesOf returns the mailboxes of sources, without the selected one.
func (s *session) boxesOf(sources []source) ([]*mboxlist.Entry, error) {
	b := sourceBoxes{s: s, seen: map[mboxname.Name]bool{}}
	for i := range sources {
		if err := b.source(&sources[i]); err != nil {
			return nil, err
		}
	}
	return b.all, nil
}

// source adds the mailboxes of one source.
func (b *sourceBoxes) source(from *source) error {
	s := b.s
	switch from.kind {
	case "personal", "inboxes": // Sieve may put mail into any of them (RFC 5465 section 6.4)
		return s.site.List.User(s.ctx, s.who.User, false, func(e *mboxlist.Entry) (bool, error) { return true, b.add(e, false) })
	case "subscribed":
		return b.listed([]mboxname.Matcher{s.ns.NewMatcher("*")}, true)
	}
	var below []mboxname.Matcher
	for _, name := range from.names {
		if err := b.named(name); err != nil {
			return err
		}
		n, err := s.internal(name)
		if name = s.ns.ExternalOr(n); err != nil { // INBOX may be written in any case
			continue
		}
		switch {
		case strings.ContainsAny(name, "*%"): // no name has these
		case from.kind == "subtree":
			below = append(below, s.ns.NewMatcher(name+string(s.ns.Separator())+"*"))
		case from.kind == "subtree-one":
			below = append(below, s.ns.NewMatcher(name+string(s.ns.Separator())+"%"))
		}
	}
	return b.listed(below, false)
}

// named adds a mailbox that the client has named.
func (b *sourceBoxes) named(external string) error {
	n, err := b.s.internal(external)
	if err != nil {
		return nil // there can be none
	}
	e, err := b.s.site.List.Lookup(b.s.ctx, n)
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.BadName) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.add(e, true)
}

// listed adds what LIST would show.
func (b *sourceBoxes) listed(patterns []mboxname.Matcher, subscribed bool) error {
	s := b.s
	o := mboxlist.ListOptions{Patterns: patterns, Subscribed: subscribed}
	return s.site.List.Each(s.ctx, s.who, s.ns, o, func(l mboxlist.Listed) error {
		if l.Entry == nil || subscribed && !l.Subscribed {
			return nil
		}
		return b.add(l.Entry, false)
	})
}

// add adds a mailbox if it can be searched.
func (b *sourceBoxes) add(e *mboxlist.Entry, named bool) error {
	s := b.s
	mail := e.Kind() == mboxlist.Email || e.Kind() == mboxlist.News
	hidden := e.Name.IsDeleted(s.site.Layout.DeletedPrefix) && !s.who.Admin
	want := acl.Read | acl.Lookup
	if named {
		want = acl.Read
	}
	if b.seen[e.Name] || !e.Exists() || !mail || hidden || !s.site.List.Rights(s.who, e).Has(want) {
		return nil
	}
	if len(b.all) == maxSources {
		return refusal("[LIMIT] Too many mailboxes to search")
	}
	b.seen[e.Name] = true
	b.all = append(b.all, e)
	return nil
}
