package imapwire

import (
	"strconv"
	"strings"
)

// A ReturnOption is a set of what the answer to a search shall have (RFC
// 4731 section 3.1), and of what else is to be done with the result. None is
// the answer of RFC 3501.
type ReturnOption uint16

// The options, and Cyrus's addition of RFC 6203.
const (
	ReturnMin ReturnOption = 1 << iota
	ReturnMax
	ReturnAll
	ReturnCount
	ReturnRelevancy
	ReturnPartial // Search.Partial of the result (RFC 5267 section 4.4)
	ReturnSave    // "$" becomes the result (RFC 5182)
	ReturnContext // the result will be asked for again (RFC 5267 section 4.2)
	ReturnUpdate  // the client is told when the result changes
)

// ReturnData is the options that make data in the answer.
const ReturnData = ReturnMin | ReturnMax | ReturnAll | ReturnCount | ReturnRelevancy | ReturnPartial

// returnOptions is the options by name, with the capabilities of which one
// must be offered. CONTEXT stands for the one of the command.
var returnOptions = map[string]struct {
	option ReturnOption
	of     []string
}{
	"min":       {ReturnMin, nil},
	"max":       {ReturnMax, nil},
	"all":       {ReturnAll, nil},
	"count":     {ReturnCount, nil},
	"relevancy": {ReturnRelevancy, nil},
	"partial":   {ReturnPartial, []string{"PARTIAL", "CONTEXT"}},
	"save":      {ReturnSave, []string{"SEARCHRES"}},
	"context":   {ReturnContext, []string{"CONTEXT"}},
	"update":    {ReturnUpdate, []string{"CONTEXT"}},
}

// offers reports whether a capability is there for the client.
func (r *Reader) offers(capability string) bool { return r.Offers == nil || r.Offers(capability) }

// offersOne reports whether one of some capabilities is there, or none is
// needed.
func (r *Reader) offersOne(of []string, context string) bool {
	for _, c := range of {
		if c == "CONTEXT" {
			c = context
		}
		if r.offers(c) {
			return true
		}
	}
	return len(of) == 0
}

// SearchReturn takes the options behind RETURN, with the blank before them.
// "()" is ALL, as is what asks for no data and does nothing. context is the
// capability that has CONTEXT and UPDATE for this command; behind UPDATE may be
// items of FETCH (RFC 5465 section 7), with a blank before them or without.
//
// Source: get_search_return_opts in Cyrus imap/imapparse.c.
func (r *Reader) SearchReturn(s *Search, context string) error {
	if !r.Space() || !r.Accept('(') {
		return r.orSyntax(nil, "Missing return options in Search")
	}
	var o ReturnOption
	for {
		word := strings.ToLower(r.Word())
		if word == "" {
			break
		}
		one, ok := returnOptions[word]
		if !ok || !r.offersOne(one.of, context) {
			return r.orSyntax(nil, "Invalid Search return option "+word)
		}
		if one.option == ReturnPartial {
			if o&ReturnPartial != 0 {
				return SyntaxError("Only one PARTIAL in Search")
			}
			var err error
			if s.Partial, err = r.Partial("Search"); err != nil {
				return err
			}
		}
		space := r.Space()
		if c, _ := r.Peek(); one.option == ReturnUpdate && c == '(' && r.offers("NOTIFY") {
			items, err := r.Fetch()
			if err != nil {
				return err
			}
			items.Items &^= FetchSetSeen // nobody has read them
			s.Update, space = &items, r.Space()
		}
		if o |= one.option; !space {
			break
		}
	}
	if !r.Accept(')') {
		return r.orSyntax(nil, "Missing close parenthesis in Search")
	}
	if o&ReturnPartial != 0 && o&ReturnAll != 0 {
		return SyntaxError("PARTIAL and ALL cannot go together in Search")
	}
	if o&^ReturnContext == 0 {
		o |= ReturnAll
	}
	s.Return = o
	return r.err
}

// Partial is a range of results, both ends counted from 1, in any order.
// FromEnd counts backwards from the last result (RFC 9394 section 3.1). The
// zero value is no range.
type Partial struct {
	First, Last uint32
	FromEnd     bool
}

// Partial takes the range behind PARTIAL, with the blank before it.
func (r *Reader) Partial(command string) (p Partial, err error) {
	bad := "Invalid PARTIAL range in " + command
	if !r.Space() {
		return p, r.orSyntax(nil, bad)
	}
	word := r.Word()
	first, last, ok := strings.Cut(word, ":")
	if p.FromEnd = strings.HasPrefix(first, "-"); p.FromEnd {
		if !strings.HasPrefix(last, "-") || !r.offers("PARTIAL") {
			return Partial{}, r.orSyntax(nil, bad)
		}
		first, last = first[1:], last[1:]
	}
	var ok1, ok2 bool
	p.First, ok1 = nonZero(first)
	p.Last, ok2 = nonZero(last)
	if !ok || !ok1 || !ok2 {
		return Partial{}, r.orSyntax(nil, bad)
	}
	return p, r.err
}

// nonZero reads a number of 32 bits that is not zero.
func nonZero(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n > 0 && allDigits(s)
}

// Of returns which of n results are in the range, as half-open indexes from
// 0. from equals to if none is.
func (p Partial) Of(n int) (from, to int) {
	low, high := int64(min(p.First, p.Last)), int64(max(p.First, p.Last))
	if p.FromEnd {
		low, high = int64(n)-high+1, int64(n)-low+1
	}
	low, high = max(low, 1), min(high, int64(n))
	if low > high {
		return 0, 0
	}
	return int(low - 1), int(high)
}

// AppendPartial prints a range as the client wrote it.
func AppendPartial(b []byte, p Partial) []byte {
	sign := ""
	if p.FromEnd {
		sign = "-"
	}
	b = AppendUint(append(b, sign...), p.First)
	return AppendUint(append(append(b, ':'), sign...), p.Last)
}
