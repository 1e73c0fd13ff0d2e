package mboxname

import "strings"

// Matcher is a LIST pattern: '*' stands for any text, '%' for text without
// the hierarchy separator. It is matched against external names.
type Matcher struct {
	pattern string
	sep     byte
	parents bool // see ListsParents
}

// NewMatcher reads a pattern. Cyrus takes "inbox" here only in upper case.
//
// Source: glob_init in Cyrus lib/glob.c.
func (ns *Namespace) NewMatcher(pattern string) Matcher {
	fixed := strings.TrimSuffix(pattern, "*%")
	return Matcher{
		pattern: squeeze(pattern),
		sep:     ns.Separator(),
		parents: fixed != pattern && !strings.ContainsAny(fixed, "*%"),
	}
}

// squeeze joins runs of wildcards: one '*' among them makes it a '*'.
func squeeze(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); {
		j := i
		for j < len(pattern) && (pattern[j] == '*' || pattern[j] == '%') {
			j++
		}
		switch {
		case j == i:
			b.WriteByte(pattern[i])
			i++
			continue
		case strings.Contains(pattern[i:j], "*"):
			b.WriteByte('*')
		default:
			b.WriteByte('%')
		}
		i = j
	}
	return b.String()
}

// Matches reports whether the whole name matches.
func (m Matcher) Matches(external string) bool { return m.Longest(external) == len(external) }

// Longest is the length of the longest part of the name, from its
// beginning to a separator or the end, that matches; -1 if none does. If
// it is shorter than the name, a parent of it matches.
//
// The time it takes is at most the product of both lengths.
func (m Matcher) Longest(external string) int {
	switch m.pattern {
	case "*":
		return len(external)
	case "%":
		if i := strings.IndexByte(external, m.sep); i >= 0 {
			return i
		}
		return len(external)
	}
	longest := -1
	at := make([]bool, len(m.pattern)+1) // at[i]: pattern[:i] matches what was read
	at[0] = true
	m.skip(at)
	for i := 0; ; i++ {
		if at[len(m.pattern)] && (i == len(external) || external[i] == m.sep) {
			longest = i
		}
		if i == len(external) || !m.step(at, external[i]) {
			return longest
		}
	}
}

// skip lets wildcards match nothing.
func (m Matcher) skip(at []bool) {
	for i := 0; i < len(m.pattern); i++ {
		if at[i] && (m.pattern[i] == '*' || m.pattern[i] == '%') {
			at[i+1] = true
		}
	}
}

// step reads one byte; false if nothing can match any more.
func (m Matcher) step(at []bool, c byte) bool {
	alive := false
	for i := len(m.pattern); i >= 0; i-- {
		here := i < len(m.pattern) && at[i] && (m.pattern[i] == '*' || m.pattern[i] == '%' && c != m.sep)
		if i > 0 && at[i-1] && m.pattern[i-1] == c {
			here = true
		}
		at[i] = here
		alive = alive || here
	}
	m.skip(at)
	return alive
}

// Prefix is the text that every matching name begins with.
func (m Matcher) Prefix() string {
	if i := strings.IndexAny(m.pattern, "*%"); i >= 0 {
		return m.pattern[:i]
	}
	return m.pattern
}

// String is the pattern.
func (m Matcher) String() string { return m.pattern }

// ListsParents reports whether the pattern ends in "*%", which Cyrus takes
// as a request for every name above a matching one as well, whether or not
// it is a mailbox.
func (m Matcher) ListsParents() bool { return m.parents }
