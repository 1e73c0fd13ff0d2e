package main

import (
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/view"
)

// esearchArgs is the arguments of ESEARCH.
type esearchArgs struct {
	sources []source // none: the selected mailbox
	search  imapwire.Search
}

// parseESearch reads the arguments of ESEARCH (RFC 7377 section 2).
func parseESearch(r *imapwire.Reader) (a esearchArgs, err error) {
	if !r.Space() {
		return a, r.Missing()
	}
	word := r.Word()
	if strings.EqualFold(word, "IN") {
		if a.sources, err = parseSources(r); err != nil {
			return a, err
		}
		if !r.Space() {
			return a, missing(r, errMissing)
		}
		word = r.Word()
	}
	if a.search, err = r.SearchFrom(time.Local, word); a.search.Return == 0 {
		a.search.Return = imapwire.ReturnAll
	}
	return a, err
}

// isSelected reports whether a source is the selected mailbox.
func isSelected(s source) bool { return s.kind == "selected" }

// esearch searches several mailboxes, and names messages by their UIDs in any
// case.
func (s *session) esearch(a esearchArgs) (string, error) {
	start := time.Now()
	others := slices.DeleteFunc(slices.Clone(a.sources), isSelected)
	selected := len(a.sources) == 0 || len(others) < len(a.sources)
	if err := s.mayESearch(&a.search, selected, len(others) > 0); err != nil {
		return "", err
	}
	if err := s.beforeSearch(&a.search); err != nil {
		return "", s.notFound(&a.search, err)
	}
	if s.wantsEngine(&a.search) {
		return s.foundNothing(&a.search, start)
	}
	n := 0
	if selected {
		r := searchAnswer{name: "ESEARCH", search: &a.search, view: s.view, uid: true, mailbox: s.ns.ExternalOr(s.view.Ref().Name)}
		if err := s.view.Search(s.ctx, &a.search, r.add); err != nil {
			return "", s.notFound(&a.search, err)
		}
		if _, err := s.found(&r, nil, start); err != nil {
			return "", err
		}
		n = r.n
	}
	boxes, err := s.boxesOf(others)
	if err != nil {
		return "", err
	}
	for _, e := range boxes {
		if selected && e.UniqueID == s.view.Ref().UniqueID {
			continue
		}
		found, err := s.searchBox(e, &a.search)
		if err != nil && !errs.Is(err, errs.NotFound) { // it has gone meanwhile
			return "", err
		}
		n += found
	}
	return searched(n, start), nil
}

// mayESearch refuses what needs a selected mailbox, or that one alone.
func (s *session) mayESearch(a *imapwire.Search, selected, others bool) error {
	update := a.Return&imapwire.ReturnUpdate != 0
	switch {
	case s.view == nil && (selected || update):
		return imapwire.SyntaxError("Please select a mailbox first")
	case others && a.Return&imapwire.ReturnSave != 0:
		return imapwire.SyntaxError("SAVE in " + s.r.Command + " is for the selected mailbox only")
	case others && a.Saved:
		return imapwire.SyntaxError("$ in " + s.r.Command + " is for the selected mailbox only")
	case update && !selected:
		return imapwire.SyntaxError("UPDATE in " + s.r.Command + " is for the selected mailbox only")
	}
	return nil
}

// searchBox searches a mailbox that need not be selected, and tells what it
// has found, if that is anything.
func (s *session) searchBox(e *mboxlist.Entry, a *imapwire.Search) (int, error) {
	v := s.view
	if v == nil || v.Ref().UniqueID != e.UniqueID {
		o := s.viewOptions(e, true)
		o.Progress = func(int, int) error { return s.progress(0, 0) } // it is not known how far all of them are
		var err error
		if v, _, err = view.Open(s.ctx, e.Ref(), o); err != nil {
			return 0, err
		}
		v.Allow(s.site.List.Rights(s.who, e))
	}
	r := searchAnswer{name: "ESEARCH", search: a, view: v, uid: true, mailbox: s.ns.ExternalOr(e.Name)}
	if err := v.Search(s.ctx, a, r.add); err != nil {
		return 0, err
	}
	if r.n > 0 {
		s.writeESearch(&r)
	}
	return r.n, s.w.Err()
}
