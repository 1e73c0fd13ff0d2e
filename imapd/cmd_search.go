package main

import (
	"errors"
	"fmt"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/view"
)

// parseSearch reads the arguments of SEARCH (RFC 3501 section 6.4.4).
func parseSearch(r *imapwire.Reader) (imapwire.Search, error) {
	if !r.Space() {
		return imapwire.Search{}, r.Missing()
	}
	return r.Search(time.Local)
}

// search finds messages by sequence number.
func (s *session) search(a imapwire.Search) (string, error) { return s.find(&a, false) }

// uidSearch finds messages by UID.
func (s *session) uidSearch(a imapwire.Search) (string, error) { return s.find(&a, true) }

// find sends the numbers of the messages that fit.
//
// Source: index_search in Cyrus imap/index.c.
func (s *session) find(a *imapwire.Search, uid bool) (string, error) {
	start := time.Now()
	if err := s.beforeSearch(a); err != nil {
		return "", s.notFound(a, err)
	}
	if s.client.Rev2 && a.Return == 0 {
		a.Return = imapwire.ReturnAll // RFC 9051 section 6.4.4
	}
	if s.wantsEngine(a) {
		return s.foundNothing(a, start)
	}
	r := searchAnswer{name: "SEARCH", search: a, view: s.view, uid: uid}
	if err := s.view.Search(s.ctx, a, r.add); err != nil {
		return "", s.notFound(a, err)
	}
	return s.found(&r, nil, start)
}

// found answers a search and does what else it asks for; keys is how the
// result was sorted.
func (s *session) found(a *searchAnswer, keys []imapwire.SortKey, start time.Time) (string, error) {
	s.writeFound(a)
	o := a.search.Return
	if o&imapwire.ReturnUpdate != 0 {
		u := view.Update{Tag: s.tag, UID: a.uid, Search: a.search, Found: a.set, Keys: keys, Order: a.order, Mailbox: a.mailbox, Fetch: a.search.Update}
		if err := s.view.Watch(u); err != nil {
			s.w.Line(`* NO [NOUPDATE "`, s.tag, `"] Too many contexts`)
		}
	}
	if o&imapwire.ReturnSave != 0 {
		if err := s.view.Save(a.kept()); err != nil {
			return "", refusal("[NOTSAVED] Too many messages")
		}
	}
	s.view.Report(s.w, false, false)
	return searched(a.n, start), nil
}

// foundNothing ends a search that finds nothing without looking.
func (s *session) foundNothing(a *imapwire.Search, start time.Time) (string, error) {
	if a.Return&imapwire.ReturnSave != 0 {
		s.view.Forget()
	}
	return searched(0, start), nil
}

// notFound is the error of a search that failed. One whose result was to be
// kept leaves none, unless it was refused as wrong (RFC 5182 section 2.1).
func (s *session) notFound(a *imapwire.Search, err error) error {
	var syntax imapwire.SyntaxError
	if a.Return&imapwire.ReturnSave != 0 && s.view != nil && !errors.As(err, &syntax) {
		s.view.Forget()
	}
	return err
}

// beforeSearch refuses charsets that are not known, and tells the client what
// has changed. Without a search engine, a text that is to be looked for by
// one is not found, and as with Cyrus the client is told nothing at all.
func (s *session) beforeSearch(a *imapwire.Search) error {
	switch {
	case a.Charset != "" && s.client.Accept && !a.Sorts:
		return imapwire.SyntaxError("With UTF8=ACCEPT a search has no charset") // RFC 6855 section 3
	case s.client.Rev2 && a.Key.Uses(imapwire.SearchRecent):
		return imapwire.SyntaxError("Invalid Search criteria") // NEW, OLD and RECENT: RFC 9051 appendix E
	case a.Charset == "" && (s.client.UTF8 || s.ns.Mixed && a.Key.ValidUTF8()):
		a.Charset = "UTF-8"
	}
	if a.Charset != "" && !message.KnownCharset(a.Charset) {
		return s.badCharset(a.Return&imapwire.ReturnSave != 0)
	}
	if a.Numbers && s.client.UIDOnly {
		return errUIDRequired
	}
	if a.Return&imapwire.ReturnUpdate != 0 && s.view != nil && s.view.Updating(s.tag) {
		return imapwire.SyntaxError("Tag reuse") // RFC 5267 section 4.3
	}
	return s.refresh(false, false)
}

// badCharset refuses a charset, and forgets the kept result if it was to be
// replaced. Cyrus says BAD; NO is told to
// those who ask for what it has not (RFC 9051 section 6.4.4, RFC 7377 section 2,
// RFC 5182 section 2.1).
func (s *session) badCharset(saves bool) error {
	if !s.client.Rev2 && !saves && s.r.Command != "Esearch" {
		return imapwire.ErrCharset
	}
	if saves && s.view != nil {
		s.view.Forget()
	}
	return refusal("[BADCHARSET (US-ASCII UTF-8)] " + string(imapwire.ErrCharset))
}

// wantsEngine reports whether a search is for a search engine: the client says
// so, or imapd.conf does of all texts.
func (s *session) wantsEngine(a *imapwire.Search) bool {
	return a.Fuzzy || a.Engine && config.SearchFuzzyAlways.In(s.conf)
}

// searched is the end of a search's answer.
func searched(n int, start time.Time) string {
	return fmt.Sprintf("Completed (%d msgs in %.3f secs)", n, time.Since(start).Seconds())
}
