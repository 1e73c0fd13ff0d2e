package main

import (
	"fmt"
	"strconv"
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
		return "", err
	}
	if s.wantsEngine(a) {
		return searched(0, start), nil
	}
	var found []view.Found
	err := s.view.Search(s.ctx, a, func(f view.Found) { found = append(found, f) })
	if err != nil {
		return "", err
	}
	s.writeFound(&searchAnswer{name: "SEARCH", search: a, found: found, uid: uid})
	s.view.Report(s.w, false, false)
	return searched(len(found), start), nil
}

// beforeSearch refuses charsets that are not known, and tells the client what
// has changed. Without a search engine, a text that is to be looked for by
// one is not found, and as with Cyrus the client is told nothing at all.
func (s *session) beforeSearch(a *imapwire.Search) error {
	if a.Charset != "" && !message.KnownCharset(a.Charset) {
		return imapwire.SyntaxError("Unrecognized character set")
	}
	return s.refresh(false, false)
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

// searchAnswer is what a search has found.
type searchAnswer struct {
	name   string // SEARCH or SORT
	search *imapwire.Search
	found  []view.Found // in the order of the answer
	uid    bool
	sorted bool
}

// number is how the answer names a message.
func (a *searchAnswer) number(f *view.Found) uint32 {
	if a.uid {
		return f.UID
	}
	return f.Seq
}

// writeFound sends the answer of RFC 3501, or that of RFC 4731 if the client
// said what it wants to know.
func (s *session) writeFound(a *searchAnswer) {
	if a.search.Return != 0 {
		s.writeESearch(a)
		return
	}
	s.w.Text("* ", a.name)
	for i := range a.found {
		s.w.SetBuffer(imapwire.AppendUint(append(s.w.Buffer(), ' '), a.number(&a.found[i])))
	}
	if a.search.Modseq {
		s.w.Text(" (MODSEQ ", uintText(highestOf(a.found)), ")")
	}
	s.w.Line()
}

// highestOf is the highest modseq of messages; 1, as with Cyrus, of none.
func highestOf(found []view.Found) uint64 {
	n := uint64(1)
	for i := range found {
		n = max(n, found[i].Modseq)
	}
	return n
}

// writeESearch sends the answer of RFC 4731. MIN and MAX of SORT are UIDs in
// any case, as with Cyrus.
//
// Source: begin_esearch_response and esearch_modseq_response in Cyrus
// imap/index.c.
func (s *session) writeESearch(a *searchAnswer) {
	o := a.search.Return
	s.w.Text(`* ESEARCH (TAG "`, s.tag, `")`)
	if a.uid {
		s.w.Text(" UID")
	}
	if o&imapwire.ReturnCount != 0 {
		s.w.Text(" COUNT ", strconv.Itoa(len(a.found)))
	}
	if len(a.found) > 0 {
		lowest, highest := a.ends()
		name := a.number
		if a.sorted {
			name = func(f *view.Found) uint32 { return f.UID }
		}
		if o&imapwire.ReturnMin != 0 {
			s.w.Text(" MIN ", uintText(name(lowest)))
		}
		if o&imapwire.ReturnMax != 0 {
			s.w.Text(" MAX ", uintText(name(highest)))
		}
		s.writeAll(a, o)
		if a.search.Modseq {
			s.w.Text(" MODSEQ ", uintText(modseqOf(a.found, o, lowest, highest)))
		}
	}
	s.w.Line()
}

// writeAll sends ALL and RELEVANCY (RFC 6203), which is the same for all.
func (s *session) writeAll(a *searchAnswer, o imapwire.ReturnOption) {
	if o&imapwire.ReturnAll != 0 {
		var set imapwire.SeqSet
		for i := range a.found {
			set = set.Add(a.number(&a.found[i]))
		}
		b := imapwire.AppendSeqSet(append(s.w.Buffer(), " ALL "...), set)
		s.w.SetBuffer(b)
	}
	if o&imapwire.ReturnRelevancy != 0 {
		s.w.Text(" RELEVANCY (100")
		for range a.found[1:] {
			s.w.Text(" 100")
		}
		s.w.Text(")")
	}
}

// ends returns the messages with the lowest and the highest number.
func (a *searchAnswer) ends() (lowest, highest *view.Found) {
	lowest, highest = &a.found[0], &a.found[0]
	for i := range a.found {
		f := &a.found[i]
		if f.Seq < lowest.Seq {
			lowest = f
		}
		if f.Seq > highest.Seq {
			highest = f
		}
	}
	return lowest, highest
}

// modseqOf is the highest modseq of the messages that the answer names (RFC
// 4731 section 3.2).
func modseqOf(found []view.Found, o imapwire.ReturnOption, lowest, highest *view.Found) uint64 {
	switch o {
	case imapwire.ReturnMin:
		return lowest.Modseq
	case imapwire.ReturnMax:
		return highest.Modseq
	case imapwire.ReturnMin | imapwire.ReturnMax:
		return max(lowest.Modseq, highest.Modseq)
	}
	return highestOf(found)
}
