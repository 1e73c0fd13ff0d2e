package sieve

import "math"

// match is how values are compared: the tags of RFC 5228 section 2.7.
type match struct {
	kind, relation, collation int // -1: not given
	index                     int // 0: not given
}

// lastOnly is the index of :last as long as :index is missing.
const lastOnly = math.MinInt32

func newMatch() match { return match{kind: -1, relation: -1, collation: -1} }

// matchTag reads a tag of matching, if the next token is one of those that
// allowed names. tag is whether it was one, ok is false after a fault of
// syntax.
func (p *parser) matchTag(m *match, allowed matchTags) (tag, ok bool) {
	switch t := p.peek(); {
	case t == tIs || t == tContains || t == tMatches || t == tRegex:
		p.take()
		if t == tRegex {
			p.need(capRegex)
		}
		if m.kind != -1 {
			p.multipleTags("match-type")
		}
		m.kind = matchKinds[t]
	case t == tCount || t == tValue:
		p.take()
		r, good := relationValues[p.peek()]
		if !good {
			return true, p.syntaxFault()
		}
		p.take()
		if m.kind != vCount && m.kind != vValue {
			p.need(capRelational)
		}
		if m.kind != -1 {
			p.multipleTags("match-type")
		}
		m.kind, m.relation = matchKinds[t], r
	case t == tList && allowed&withList != 0:
		p.take()
		if m.kind != vList {
			p.need(capExtlists)
		}
		if m.kind != -1 {
			p.multipleTags("match-type")
		}
		m.kind = vList
	case t == tComparator && allowed&withComparator != 0:
		p.take()
		c, good := collationValues[p.peek()]
		if !good {
			return true, p.syntaxFault()
		}
		p.take()
		if c == vNumeric {
			p.need(capNumeric)
		}
		if m.collation != -1 {
			p.duplicateTag(":comparator")
		}
		m.collation = c
	case (t == tIndex || t == tLast) && allowed&(withIndex|withEditIndex) != 0:
		return true, p.indexTag(m, allowed)
	default:
		return false, true
	}
	return true, true
}

// matchTags are the tags a test takes.
type matchTags uint8

const (
	withList matchTags = 1 << iota
	withComparator
	withIndex     // of the extension index
	withEditIndex // of editheader, which has its own
)

func (p *parser) indexTag(m *match, allowed matchTags) bool {
	if p.take() == tIndex {
		n, ok := p.number()
		if !ok {
			return false
		}
		switch m.index {
		case lastOnly:
			m.index = -n
		case 0:
			m.index = n
		default:
			p.duplicateTag(":index")
		}
	} else {
		switch {
		case m.index > 0:
			m.index = -m.index
		case m.index < 0:
			p.duplicateTag(":last")
		default:
			m.index = lastOnly
		}
	}
	if allowed&withIndex != 0 && m.index != 0 {
		p.need(capIndex)
	}
	return true
}

var (
	matchKinds = map[token]int{tIs: vIs, tContains: vContains, tMatches: vMatches, tRegex: vRegex,
		tCount: vCount, tValue: vValue}
	relationValues  = map[token]int{tGT: vGT, tGE: vGE, tLT: vLT, tLE: vLE, tEQ: vEQ, tNE: vNE}
	collationValues = map[token]int{tOctet: vOctet, tCasemap: vCasemap, tNumeric: vNumeric}
	priorities      = map[token]int{tLow: vLow, tNormal: vNormal, tHigh: vHigh}
)

// canon gives m its defaults and looks whether its parts go together.
func (p *parser) canon(m *match) {
	if m.kind == -1 {
		m.kind = vIs
	}
	if m.collation == -1 {
		m.collation = vCasemap
	}
	const text = "\"%s\" match-type MUST NOT be used with \"%s\" comparator"
	if m.collation == vNumeric {
		if bad := map[int]string{vContains: ":contains", vMatches: ":matches", vRegex: ":regex"}[m.kind]; bad != "" {
			p.faultf(text, bad, "i;ascii-numeric")
		}
	} else if m.kind == vCount {
		name := "i;ascii-casemap"
		if m.collation == vOctet {
			name = "i;octet"
		}
		p.faultf(text, ":count", name)
	}
}

// args are the three words of a match in the byte code.
func (m *match) args() []any { return []any{m.kind, m.relation, m.collation} }

// folderTags are the tags by which a mailbox is named beside its name.
type folderTags struct {
	fcc        optional
	create     int
	flags      []string
	specialUse optional
	mailboxID  optional
}

// given reports whether any tag but :fcc is there.
func (f *folderTags) given() bool {
	return f.create != 0 || f.flags != nil || f.specialUse != nil || f.mailboxID != nil
}

// tags reads tags until there is none; false if one is wrong. next is as
// matchTag.
func tags(next func() (tag, ok bool)) bool {
	for {
		tag, ok := next()
		if !tag || !ok {
			return ok
		}
	}
}

// folderTag reads one of the tags of f. tag and ok are as in matchTag.
func (p *parser) folderTag(f *folderTags, allowed ...token) (tag, ok bool) {
	t := p.peek()
	for _, a := range allowed {
		if t == a {
			p.take()
			return true, p.readFolderTag(f, t)
		}
	}
	return false, true
}

func (p *parser) readFolderTag(f *folderTags, t token) (ok bool) {
	switch t {
	case tCreate:
		f.create++
		if f.create > 1 {
			p.duplicateTag(":create")
		} else {
			p.need(capMailbox)
		}
		return true
	case tFlags:
		return p.listTag(&f.flags, ":flags", capFlags)
	case tFcc:
		return p.stringTag(&f.fcc, ":fcc", capFcc, nil, "")
	case tSpecialUse:
		return p.stringTag(&f.specialUse, ":specialuse", capSpecialUse, f.mailboxID, ":mailboxid")
	}
	return p.stringTag(&f.mailboxID, ":mailboxid", capMailboxID, f.specialUse, ":specialuse")
}

// stringTag reads the string of a tag that may be there once, needs c and
// does not go with another.
func (p *parser) stringTag(to *optional, tag string, c capability, other optional, otherTag string) bool {
	s, ok := p.string()
	if !ok {
		return false
	}
	switch {
	case *to != nil:
		p.duplicateTag(tag)
	case p.need(c) && other != nil:
		p.conflictingTags(tag, otherTag)
	}
	*to = &s
	return true
}

// listTag is stringTag for a list.
func (p *parser) listTag(to *[]string, tag string, c capability) bool {
	l, ok := p.stringList()
	if !ok {
		return false
	}
	if *to != nil {
		p.duplicateTag(tag)
	} else {
		p.need(c)
	}
	*to = l
	return true
}

// numberTag reads the number of a tag that may be there once (-1: not yet).
func (p *parser) numberTag(to *int, tag string) bool {
	n, ok := p.number()
	if !ok {
		return false
	}
	if *to != -1 {
		p.duplicateTag(tag)
	}
	*to = n
	return true
}
