package main

import (
	"slices"
	"strconv"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/view"
)

// searchAnswer is what a search has found. It takes 8 octets for each run of
// neighbours, or 4 for each message if they are sorted.
type searchAnswer struct {
	name    string // SEARCH or SORT
	search  *imapwire.Search
	view    *view.View
	uid     bool
	sorted  bool
	mailbox string // with ESEARCH (RFC 7377) its name as the client writes it

	n               int
	set             view.Targets // if not sorted
	order           []uint32     // if sorted: sequence numbers
	lowest, highest view.Found   // by sequence number
	modseq          uint64       // the highest
}

// add takes the next message that was found.
func (a *searchAnswer) add(f view.Found) {
	if a.n == 0 || f.Seq < a.lowest.Seq {
		a.lowest = f
	}
	if a.n == 0 || f.Seq > a.highest.Seq {
		a.highest = f
	}
	a.n++
	a.modseq = max(a.modseq, f.Modseq, 1)
	if !a.sorted {
		a.set = a.set.Add(f.Seq)
	}
}

// number is how the answer names a message.
func (a *searchAnswer) number(f *view.Found) uint32 {
	if a.uid {
		return f.UID
	}
	return f.Seq
}

// each calls fn for the messages from one place in the result to another,
// half-open, in order.
func (a *searchAnswer) each(from, to int, fn func(view.Found)) {
	if a.sorted {
		for _, seq := range a.order[from:to] {
			fn(view.Found{Seq: seq, UID: a.view.UID(seq)})
		}
		return
	}
	i := 0
	for _, g := range a.set {
		n := int(g.Last-g.First) + 1
		for k := max(0, from-i); k < min(n, to-i); k++ {
			seq := g.First + uint32(k)
			fn(view.Found{Seq: seq, UID: a.view.UID(seq)})
		}
		if i += n; i >= to {
			return
		}
	}
}

// kept is what "$" becomes (RFC 5182 section 2.4, RFC 9394 section 3.2).
func (a *searchAnswer) kept() view.Targets {
	const some = imapwire.ReturnMin | imapwire.ReturnMax | imapwire.ReturnPartial
	const whole = imapwire.ReturnAll | imapwire.ReturnCount | imapwire.ReturnRelevancy
	o := a.search.Return
	all := o&whole != 0 || o&some == 0
	if all && !a.sorted || a.n == 0 {
		return a.set
	}
	var seqs []uint32
	take := func(f view.Found) { seqs = append(seqs, f.Seq) }
	if all {
		a.each(0, a.n, take)
	} else {
		if o&imapwire.ReturnMin != 0 {
			take(a.lowest)
		}
		if o&imapwire.ReturnMax != 0 {
			take(a.highest)
		}
		if o&imapwire.ReturnPartial != 0 {
			from, to := a.search.Partial.Of(a.n)
			a.each(from, to, take)
		}
	}
	slices.Sort(seqs)
	var t view.Targets
	for _, seq := range slices.Compact(seqs) {
		t = t.Add(seq)
	}
	return t
}

// writeFound sends the answer of RFC 3501, or that of RFC 4731 if the client
// said what it wants to know.
func (s *session) writeFound(a *searchAnswer) {
	if a.mailbox != "" && a.n == 0 {
		return // RFC 7377 section 2.1
	}
	if o := a.search.Return; o != 0 {
		if o&imapwire.ReturnData != 0 || o&imapwire.ReturnSave == 0 {
			s.writeESearch(a)
		}
		return
	}
	s.w.Text("* ", a.name)
	a.each(0, a.n, func(f view.Found) {
		s.w.SetBuffer(imapwire.AppendUint(append(s.w.Buffer(), ' '), a.number(&f)))
	})
	if a.search.Modseq {
		s.w.Text(" (MODSEQ ", uintText(max(a.modseq, 1)), ")")
	}
	s.w.Line()
}

// writeESearch sends the answer of RFC 4731. MIN and MAX of SORT are UIDs in
// any case, as with Cyrus.
//
// Source: begin_esearch_response and esearch_modseq_response in Cyrus
// imap/index.c.
func (s *session) writeESearch(a *searchAnswer) {
	o := a.search.Return
	s.w.Text(`* ESEARCH (TAG "`, s.tag, `"`)
	if a.mailbox != "" {
		s.w.SetBuffer(a.view.AppendPlace(s.w.Buffer(), a.mailbox))
	}
	s.w.Text(")")
	if a.uid {
		s.w.Text(" UID")
	}
	if o&imapwire.ReturnCount != 0 {
		s.w.Text(" COUNT ", strconv.Itoa(a.n))
	}
	if a.n > 0 {
		name := a.number
		if a.sorted {
			name = func(f *view.Found) uint32 { return f.UID }
		}
		if o&imapwire.ReturnMin != 0 {
			s.w.Text(" MIN ", uintText(name(&a.lowest)))
		}
		if o&imapwire.ReturnMax != 0 {
			s.w.Text(" MAX ", uintText(name(&a.highest)))
		}
		s.writeAll(a, o)
	}
	if o&imapwire.ReturnPartial != 0 {
		s.writePartial(a)
	}
	if a.n > 0 && a.search.Modseq {
		s.w.Text(" MODSEQ ", uintText(a.modseqOf(o)))
	}
	s.w.Line()
}

// writeAll sends ALL and RELEVANCY (RFC 6203), which is the same for all.
func (s *session) writeAll(a *searchAnswer, o imapwire.ReturnOption) {
	if o&imapwire.ReturnAll != 0 {
		s.w.Text(" ALL ")
		s.writeSet(a, 0, a.n)
	}
	if o&imapwire.ReturnRelevancy != 0 {
		s.w.Text(" RELEVANCY (100")
		for range a.n - 1 {
			s.w.Text(" 100")
		}
		s.w.Text(")")
	}
}

// writePartial sends PARTIAL (RFC 5267 section 4.4).
func (s *session) writePartial(a *searchAnswer) {
	s.w.SetBuffer(append(imapwire.AppendPartial(append(s.w.Buffer(), " PARTIAL ("...), a.search.Partial), ' '))
	if from, to := a.search.Partial.Of(a.n); from < to {
		s.writeSet(a, from, to)
	} else {
		s.w.Text("NIL")
	}
	s.w.Text(")")
}

// writeSet sends a part of the result as a set.
func (s *session) writeSet(a *searchAnswer, from, to int) {
	p := imapwire.SetPrinter{W: s.w}
	a.each(from, to, func(f view.Found) { p.Add(a.number(&f)) })
	p.End()
}

// modseqOf is the highest modseq of the messages that the answer names (RFC
// 4731 section 3.2).
func (a *searchAnswer) modseqOf(o imapwire.ReturnOption) uint64 {
	switch o & imapwire.ReturnData {
	case imapwire.ReturnMin:
		return a.lowest.Modseq
	case imapwire.ReturnMax:
		return a.highest.Modseq
	case imapwire.ReturnMin | imapwire.ReturnMax:
		return max(a.lowest.Modseq, a.highest.Modseq)
	}
	return a.modseq
}
