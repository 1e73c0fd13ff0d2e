package imapwire

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// Star stands for "*" in a sequence set: the largest number in use. Numbers
// that do not fit in 32 bits become Star-1, which no message has.
const Star = math.MaxUint32

// A SeqRange is all numbers from First to Last. In a set as the client sent
// it Last may be less than First, and either may be Star or zero; in a
// resolved set neither is.
type SeqRange struct{ First, Last uint32 }

// A SeqSet is a set of sequence numbers or UIDs.
type SeqSet []SeqRange

// ParseSeqSet reads "1,4:6,8:*" (RFC 3501 section 9, sequence-set). It takes
// what Cyrus takes: a number may be zero, which no message has.
//
// Source: imparse_issequence in Cyrus imap/imparse.c.
func ParseSeqSet(s string) (SeqSet, bool) {
	set := make(SeqSet, 0, 4)
	for i := 0; ; {
		var g SeqRange
		var ok bool
		if g.First, i, ok = seqNumber(s, i); !ok {
			return nil, false
		}
		g.Last = g.First
		if i < len(s) && s[i] == ':' {
			if g.Last, i, ok = seqNumber(s, i+1); !ok {
				return nil, false
			}
		}
		set = append(set, g)
		if i == len(s) {
			return set, true
		}
		if s[i] != ',' {
			return nil, false
		}
		i++
	}
}

// MessageSet is ParseSeqSet for sets that name messages to a command: "$" is
// the result of the last search that was saved (RFC 5182), where that is
// offered.
func (r *Reader) MessageSet(word string) (SeqSet, bool) {
	if word == "$" && r.offers("SEARCHRES") {
		return SeqSet{}, true
	}
	return ParseSeqSet(word)
}

// IsSaved reports whether a set as the client sent it is "$".
func (s SeqSet) IsSaved() bool { return s != nil && len(s) == 0 }

// seqNumber reads a number or "*" at s[i:].
func seqNumber(s string, i int) (n uint32, next int, ok bool) {
	if i < len(s) && s[i] == '*' {
		return Star, i + 1, true
	}
	var v uint64
	start := i
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		if v = v*10 + uint64(s[i]-'0'); v >= Star {
			v = Star - 1
		}
	}
	return uint32(v), i, i > start
}

// Resolve returns the set in ascending order without overlaps, Star replaced
// by max, and without zero. It is nil if nothing remains; with max 0 the
// numbers of the client remain, and Star is nothing.
func (s SeqSet) Resolve(max uint32) SeqSet {
	out := make(SeqSet, 0, len(s))
	for _, g := range s {
		if g.First == Star {
			g.First = max
		}
		if g.Last == Star {
			g.Last = max
		}
		if g.First > g.Last {
			g.First, g.Last = g.Last, g.First
		}
		if g.First == 0 {
			g.First = 1
		}
		if g.First <= g.Last {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b SeqRange) int {
		switch {
		case a.First < b.First:
			return -1
		case a.First > b.First:
			return 1
		}
		return 0
	})
	return out.merge()
}

// merge joins ranges that touch; s is sorted.
func (s SeqSet) merge() SeqSet {
	if len(s) == 0 {
		return nil
	}
	n := 0
	for _, g := range s[1:] {
		last := &s[n]
		if g.First <= last.Last || g.First == last.Last+1 {
			last.Last = max(last.Last, g.Last)
			continue
		}
		n++
		s[n] = g
	}
	return s[:n+1]
}

// Contains reports whether n is in a resolved set.
func (s SeqSet) Contains(n uint32) bool {
	i, found := slices.BinarySearchFunc(s, n, func(g SeqRange, n uint32) int {
		switch {
		case g.Last < n:
			return -1
		case g.First > n:
			return 1
		}
		return 0
	})
	return found && i < len(s)
}

// Within returns the part of a resolved set from first to last.
func (s SeqSet) Within(first, last uint32) SeqSet {
	i, _ := slices.BinarySearchFunc(s, first, func(g SeqRange, n uint32) int { return cmp.Compare(g.Last, n) })
	var out SeqSet
	for ; i < len(s) && s[i].First <= last; i++ {
		out = append(out, SeqRange{max(s[i].First, first), min(s[i].Last, last)})
	}
	return out
}

// Union returns what is in one of two resolved sets.
func (s SeqSet) Union(o SeqSet) SeqSet {
	if len(s) == 0 || len(o) == 0 {
		return append(slices.Clone(s), o...)
	}
	out := make(SeqSet, 0, len(s)+len(o))
	for len(s) > 0 || len(o) > 0 {
		from := &s
		if len(s) == 0 || len(o) > 0 && o[0].First < s[0].First {
			from = &o
		}
		out = append(out, (*from)[0])
		*from = (*from)[1:]
	}
	return out.merge()
}

// Minus returns what of a resolved set is not in another.
func (s SeqSet) Minus(o SeqSet) SeqSet {
	var out SeqSet
	for _, g := range s {
		for len(o) > 0 && o[0].Last < g.First {
			o = o[1:]
		}
		rest := o
		for ; len(rest) > 0 && rest[0].First <= g.Last; rest = rest[1:] {
			if rest[0].First > g.First {
				out = append(out, SeqRange{g.First, rest[0].First - 1})
			}
			if rest[0].Last >= g.Last {
				break
			}
			g.First = rest[0].Last + 1
		}
		if len(rest) == 0 || rest[0].First > g.Last {
			out = append(out, g)
		}
	}
	return out
}

// Intersect returns what is in both of two resolved sets.
func (s SeqSet) Intersect(o SeqSet) SeqSet { return s.Minus(s.Minus(o)) }

// Add puts n, which must be larger than all numbers before, at the end.
func (s SeqSet) Add(n uint32) SeqSet {
	if k := len(s); k > 0 && s[k-1].Last+1 == n {
		s[k-1].Last = n
		return s
	}
	return append(s, SeqRange{n, n})
}

// Count returns how many numbers a resolved set has.
func (s SeqSet) Count() int {
	n := 0
	for _, g := range s {
		n += int(g.Last-g.First) + 1
	}
	return n
}

// AppendSeqSet prints the set: "1:3,5".
func AppendSeqSet(b []byte, s SeqSet) []byte {
	for i, g := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendSeqNumber(b, g.First)
		if g.Last != g.First {
			b = append(b, ':')
			b = appendSeqNumber(b, g.Last)
		}
	}
	return b
}

func appendSeqNumber(b []byte, n uint32) []byte {
	if n == Star {
		return append(b, '*')
	}
	return strconv.AppendUint(b, uint64(n), 10)
}

// String is the printed form.
func (s SeqSet) String() string { return string(AppendSeqSet(nil, s)) }
