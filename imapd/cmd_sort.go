package main

import (
	"strings"
	"time"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/view"
)

// sortArgs is the arguments of SORT.
type sortArgs struct {
	keys   []imapwire.SortKey
	search imapwire.Search
}

// parseSort reads the arguments of SORT (RFC 5256, RFC 5267 section 3.1).
//
// Source: cmd_sort in Cyrus imap/imapd.c.
func parseSort(r *imapwire.Reader) (a sortArgs, err error) {
	if !r.Space() {
		return a, r.Missing()
	}
	var returned imapwire.Search
	if c, _ := r.Peek(); c != '(' {
		const bad = imapwire.SyntaxError("Missing Sort criteria")
		if !strings.EqualFold(r.Word(), "RETURN") || r.AtEOL() {
			return a, orWrong(r, nil, bad)
		}
		if err = r.SearchReturn(&returned, "CONTEXT=SORT"); err != nil {
			return a, err
		}
		if !r.Space() {
			return a, orWrong(r, nil, bad)
		}
	}
	if a.keys, err = r.SortKeys(); err != nil {
		return a, err
	}
	a.search, err = searchProgram(r, &returned)
	a.search.Return, a.search.Partial, a.search.Update = returned.Return, returned.Partial, returned.Update
	return a, err
}

// searchProgram reads the charset and the search of SORT or THREAD; returned has
// the options behind RETURN.
func searchProgram(r *imapwire.Reader, returned *imapwire.Search) (imapwire.Search, error) {
	found, err := r.SearchProgram(time.Local, message.KnownCharset)
	if err == imapwire.ErrCharset {
		err = charsetError{returned.Return&imapwire.ReturnSave != 0}
	}
	return found, err
}

// charsetError is a charset that is not known, in a search whose result was to
// be kept or not.
type charsetError struct{ saves bool }

// Error is Cyrus's text.
func (charsetError) Error() string { return string(imapwire.ErrCharset) }

// sort sends messages in order by sequence number.
func (s *session) sort(a sortArgs) (string, error) { return s.sorted(&a, false) }

// uidSort sends messages in order by UID.
func (s *session) uidSort(a sortArgs) (string, error) { return s.sorted(&a, true) }

// sorted answers a SORT.
//
// Source: index_sort in Cyrus imap/index.c.
func (s *session) sorted(a *sortArgs, uid bool) (string, error) {
	start := time.Now()
	if err := s.beforeSearch(&a.search); err != nil {
		return "", s.notFound(&a.search, err)
	}
	if a.search.Fuzzy {
		return s.foundNothing(&a.search, start)
	}
	r := searchAnswer{name: "SORT", search: &a.search, view: s.view, uid: uid, sorted: true}
	var err error
	if r.order, err = s.view.Sort(s.ctx, &a.search, a.keys, r.add); err != nil {
		return "", s.notFound(&a.search, err)
	}
	return s.found(&r, a.keys, start)
}

// threadArgs is the arguments of THREAD.
type threadArgs struct {
	algorithm view.Algorithm
	search    imapwire.Search
}

// parseThread reads the arguments of THREAD (RFC 5256).
func parseThread(r *imapwire.Reader) (a threadArgs, err error) {
	if !r.Space() {
		return a, r.Missing()
	}
	word := strings.ToUpper(r.Word())
	if c, _ := r.Peek(); c != ' ' {
		return a, orWrong(r, nil, imapwire.SyntaxError("Missing algorithm in "+r.Command))
	}
	var ok bool
	if a.algorithm, ok = view.Algorithms[word]; !ok {
		return a, orWrong(r, nil, imapwire.SyntaxError("Invalid Thread algorithm "+word))
	}
	a.search, err = searchProgram(r, &imapwire.Search{})
	return a, err
}

// thread sends threads of sequence numbers.
func (s *session) thread(a threadArgs) (string, error) { return s.threads(&a, false) }

// uidThread sends threads of UIDs.
func (s *session) uidThread(a threadArgs) (string, error) { return s.threads(&a, true) }

// threads answers a THREAD.
func (s *session) threads(a *threadArgs, uid bool) (string, error) {
	start := time.Now()
	if err := s.beforeSearch(&a.search); err != nil {
		return "", err
	}
	if a.search.Fuzzy {
		return searched(0, start), nil
	}
	n, err := s.view.Thread(s.ctx, s.w, a.algorithm, &a.search, uid)
	if err != nil {
		return "", err
	}
	s.view.Report(s.w, false, false)
	return searched(n, start), nil
}
