package sieve

import (
	"fmt"
	"strings"
)

// matcher compares values with keys in one of the ways of RFC 5228 section
// 2.7, 5231 and regex. It returns what the key's wildcards stood for, with
// the whole value first, for those kinds that set match variables.
type matcher func(value, key string) (ok bool, vars []string, err error)

// setsVariables reports whether a kind of match sets match variables, also
// to nothing.
func setsVariables(kind int) bool { return kind == vMatches || kind == vRegex }

// matcherOf returns the way m says; nil if its parts do not go together.
//
// Source: lookup_comp in Cyrus sieve/comparator.c.
func (r *run) matcherOf(m *match) matcher {
	fold := m.collation == vCasemap
	if m.collation != vCasemap && m.collation != vOctet && m.collation != vNumeric {
		return nil
	}
	numeric := m.collation == vNumeric
	compare := func(a, b string) int { return compareOctets(a, b, fold) }
	if numeric {
		compare = compareNumbers
	}
	plain := func(f func(a, b string) bool) matcher {
		return func(v, k string) (bool, []string, error) { return f(v, k), nil, nil }
	}
	switch m.kind {
	case vIs:
		return plain(func(a, b string) bool { return compare(a, b) == 0 })
	case vValue, vCount:
		rel := relationTests[m.relation]
		if rel == nil || m.kind == vCount && !numeric {
			return nil
		}
		return plain(func(a, b string) bool { return rel(compare(a, b)) })
	case vList:
		return func(v, k string) (bool, []string, error) { return r.host.InList(k, v), []string{v}, nil }
	}
	switch {
	case numeric:
	case m.kind == vContains:
		return plain(func(a, b string) bool { return contains(a, b, fold) })
	case m.kind == vMatches:
		return func(v, k string) (bool, []string, error) {
			vars, ok := glob(v, k, fold, r.ctx.Done())
			return ok, vars, nil
		}
	case m.kind == vRegex:
		return func(v, k string) (bool, []string, error) { return r.regex(v, k, fold) }
	}
	return nil
}

// relationTests is what each relation makes of a comparison.
var relationTests = map[int]func(int) bool{
	vGT: func(c int) bool { return c > 0 }, vGE: func(c int) bool { return c >= 0 },
	vLT: func(c int) bool { return c < 0 }, vLE: func(c int) bool { return c <= 0 },
	vEQ: func(c int) bool { return c == 0 }, vNE: func(c int) bool { return c != 0 },
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// compareOctets orders as Cyrus's C does: with i;octet octets above 127 come first,
// being negative there; with i;ascii-casemap (fold) they come last.
func compareOctets(a, b string, fold bool) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if fold {
			x, y = upper(x), upper(y)
		}
		switch {
		case x == y:
		case fold:
			return int(x) - int(y)
		default:
			return int(int8(x)) - int(int8(y))
		}
	}
	return len(a) - len(b)
}

// compareNumbers is i;ascii-numeric (RFC 4790 section 9.1).
func compareNumbers(a, b string) int {
	digits := func(s string) (string, bool) {
		n := 0
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		return strings.TrimLeft(s[:n], "0"), n > 0
	}
	x, okX := digits(a)
	y, okY := digits(b)
	switch {
	case okX && okY:
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		return strings.Compare(x, y)
	case okY:
		return 1 // what is no number is more than any
	case okX:
		return -1
	}
	return 0
}

func contains(value, key string, fold bool) bool {
	if fold {
		value, key = strings.Map(upperRune, value), strings.Map(upperRune, key)
	}
	return strings.Contains(value, key)
}

func upperRune(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

// glob matches value with a pattern of "*" and "?" (RFC 5228 section 2.7.1).
// Each "*" takes as little as possible, so of those before only the last has
// ever to be tried again. vars are the value and what each wildcard took.
// Nothing is found once stop is closed: long texts with long patterns take
// time.
func glob(value, pattern string, fold bool, stop <-chan struct{}) (vars []string, ok bool) {
	type star struct{ p, start, v, vars int } // behind it in pattern; what it takes of value; vars before it
	vars = []string{value}
	var last *star
	v, p := 0, 0
	for p < len(pattern) || v < len(value) {
		if p < len(pattern) {
			switch c := pattern[p]; {
			case c == '*':
				p++
				last = &star{p, v, v, len(vars)}
				vars = append(vars, "")
				continue
			case c == '?' && v < len(value):
				vars = append(vars, value[v:v+1])
				v++
				p++
				continue
			case c != '?' && v < len(value):
				n := 1
				if c == '\\' && p+1 < len(pattern) {
					c, n = pattern[p+1], 2
				}
				if c == value[v] || fold && upper(c) == upper(value[v]) {
					v++
					p += n
					continue
				}
			}
		}
		if last == nil || last.v == len(value) {
			return nil, false
		}
		if last.v&0xfff == 0 {
			select {
			case <-stop:
				return nil, false
			default:
			}
		}
		last.v++
		vars = append(vars[:last.vars], value[last.start:last.v])
		v, p = last.v, last.p
	}
	return vars, true
}

// maxCaptures is the number of ${N} that a regular expression sets.
const maxCaptures = 9

// maxRegexText bounds the text a regular expression is matched with: what
// is behind it is not looked at.
const maxRegexText = 1 << 20

// regex matches with a regular expression. Groups that took no part in the
// match are empty.
func (r *run) regex(value, pattern string, fold bool) (bool, []string, error) {
	key := fmt.Sprint(fold, pattern)
	re := r.regexes[key]
	if re == nil {
		var err error
		if re, err = compileRegex(pattern, fold); err != nil {
			return false, nil, err
		}
		r.regexes[key] = re
	}
	value = value[:min(len(value), maxRegexText)]
	at := re.find(r.ctx, value)
	if at == nil {
		return false, nil, nil
	}
	var vars []string
	for i := 0; i < len(at) && len(vars) <= maxCaptures; i += 2 {
		group := ""
		if at[i] >= 0 {
			group = value[at[i]:at[i+1]]
		}
		vars = append(vars, group)
	}
	return true, vars, nil
}
