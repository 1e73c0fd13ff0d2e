package imapwire

import (
	"math/rand/v2"
	"testing"
)

// members is a resolved set, as what is in it of the numbers to 40.
func members(s SeqSet) (m [41]bool) {
	for n := range uint32(len(m)) {
		m[n] = s.Contains(n)
	}
	return m
}

// resolved reports whether a set is ascending, with gaps between the ranges
// if they are merged.
func resolved(s SeqSet) bool {
	for i, g := range s {
		if g.First > g.Last || i > 0 && s[i-1].Last >= g.First {
			return false
		}
	}
	return true
}

func TestSetOperations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func() SeqSet {
		var s SeqSet
		for n := range uint32(40) {
			if r.IntN(4) < 1+r.IntN(3) {
				s = s.Add(n + 1)
			}
		}
		return s
	}
	for range 5000 {
		a, b := random(), random()
		union, minus, both := a.Union(b), a.Minus(b), a.Intersect(b)
		x, y := members(a), members(b)
		u, m, i := members(union), members(minus), members(both)
		for n := range x {
			if u[n] != (x[n] || y[n]) || m[n] != (x[n] && !y[n]) || i[n] != (x[n] && y[n]) {
				t.Fatalf("%v and %v: union %v, minus %v, both %v", a, b, union, minus, both)
			}
		}
		if !resolved(union) || !resolved(minus) || !resolved(both) {
			t.Fatalf("%v and %v: union %v, minus %v, both %v", a, b, union, minus, both)
		}
	}
}

func TestPartialOf(t *testing.T) {
	for _, c := range []struct {
		p        Partial
		n        int
		from, to int
	}{
		{Partial{First: 1, Last: 5}, 10, 0, 5},
		{Partial{First: 5, Last: 1}, 3, 0, 3},
		{Partial{First: 4, Last: 9}, 3, 0, 0},
		{Partial{First: 1, Last: 3, FromEnd: true}, 10, 7, 10},
		{Partial{First: 3, Last: 1, FromEnd: true}, 2, 0, 2},
		{Partial{First: 3, Last: 4, FromEnd: true}, 2, 0, 0},
		{Partial{First: 1, Last: 1<<32 - 1}, 0, 0, 0},
		{Partial{First: 2, Last: 1<<32 - 1, FromEnd: true}, 4, 0, 3},
	} {
		if from, to := c.p.Of(c.n); from != c.from || to != c.to {
			t.Errorf("%s of %d: %d to %d, want %d to %d", AppendPartial(nil, c.p), c.n, from, to, c.from, c.to)
		}
	}
}
