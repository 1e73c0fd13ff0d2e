package sieve

import "strings"

// A testReader reads what follows the word of a test.
type testReader func(*parser) (*testNode, bool)

// testReaders are the tests but not, allof, anyof, true and false.
func testReaders() map[token]testReader {
	listTest := func(op int) testReader {
		return func(p *parser) (*testNode, bool) {
			l, ok := p.stringList()
			if !ok {
				return nil, false
			}
			t := p.newTest(op)
			t.args = []any{l}
			return t, true
		}
	}
	return map[token]testReader{
		tExists: listTest(testExists), tValidNotify: listTest(testValidNotify),
		tMailboxExists: listTest(testMailboxExists), tServerMetadataExists: listTest(testServerMetadataExists),
		tValidExtlist: listTest(testValidExtlist), tMailboxIDExists: listTest(testMailboxIDExists),
		tSize: (*parser).size, tHeader: (*parser).header, tAddress: (*parser).address,
		tEnvelope: (*parser).envelope, tBody: (*parser).body, tStringTest: (*parser).stringTest,
		tHasflag: (*parser).hasflag, tIhave: (*parser).ihave, tDuplicate: (*parser).duplicate,
		tJMAPQuery: (*parser).jmapQuery, tMetadataExists: (*parser).metadataExists,
		tSpecialUseExists: (*parser).specialUseExists,
		tDate:             func(p *parser) (*testNode, bool) { return p.date(testDate) },
		tCurrentdate:      func(p *parser) (*testNode, bool) { return p.date(testCurrentdate) },
		tEnvironment:      func(p *parser) (*testNode, bool) { return p.itemTest(testEnvironment, false) },
		tServerMetadata:   func(p *parser) (*testNode, bool) { return p.itemTest(testServerMetadata, false) },
		tMetadata:         func(p *parser) (*testNode, bool) { return p.itemTest(testMetadata, true) },
		tNotifyCapability: func(p *parser) (*testNode, bool) { return p.itemTest(testNotifyCapability, true) },
	}
}

// test reads a test. One that cannot be read is false; its fault is
// recorded.
func (p *parser) test() *testNode {
	t, ok := p.tryTest()
	if !ok {
		return p.newTest(testFalse)
	}
	return t
}

func (p *parser) tryTest() (*testNode, bool) {
	defer p.leave()
	if !p.deeper() {
		return nil, false
	}
	t := p.peek()
	if read := p.tests[t]; read != nil {
		p.take()
		return read(p)
	}
	switch t {
	case tTrue, tFalse:
		p.take()
		if t == tTrue {
			return p.newTest(testTrue), true
		}
		return p.newTest(testFalse), true
	case tNot:
		p.take()
		return p.not(p.test()), !p.aborted
	case tAnyof, tAllof:
		p.take()
		list, ok := p.testList()
		if !ok {
			return nil, false
		}
		if t == tAnyof {
			return p.anyof(list), true
		}
		return p.allof(list), true
	}
	return nil, p.syntaxFault()
}

// testList reads tests in parentheses.
func (p *parser) testList() ([]*testNode, bool) {
	if !p.expect('(') {
		return nil, false
	}
	list := []*testNode{p.test()}
	for !p.aborted {
		switch p.peek() {
		case ',':
			p.take()
			list = append(list, p.test())
		case ')':
			p.take()
			return list, true
		default:
			p.syntaxFault()
			list = []*testNode{p.newTest(testFalse)}
		}
	}
	return nil, false
}

func (p *parser) not(t *testNode) *testNode {
	if t.ignored > 0 {
		t.ignored--
		p.ignore = t.ignored
	}
	return &testNode{op: testNot, tests: []*testNode{t}}
}

// anyof and allof keep faults ignored if the whole cannot be true for want
// of an extension; of anyof Cyrus looks at the first test alone.
//
// Source: build_anyof and build_allof in Cyrus sieve/sieve.y.
func (p *parser) anyof(list []*testNode) *testNode {
	if len(list) == 1 {
		return list[0]
	}
	n := &testNode{op: testAnyof, tests: list}
	if first := list[0]; first.ignored > 0 {
		p.ignore, n.ignored = first.ignored, first.ignored
	}
	return n
}

func (p *parser) allof(list []*testNode) *testNode {
	if len(list) == 1 {
		return list[0]
	}
	n := &testNode{op: testAllof, tests: list}
	for _, t := range list {
		if t.ignored > 0 {
			p.ignore, n.ignored = t.ignored, t.ignored
			break
		}
	}
	return n
}

func (p *parser) size() (*testNode, bool) {
	v := vOver
	switch p.peek() {
	case tOver:
	case tUnder:
		v = vUnder
	default:
		return nil, p.syntaxFault()
	}
	p.take()
	n, ok := p.number()
	if !ok {
		return nil, false
	}
	return &testNode{op: testSize, args: []any{v, n}}, true
}

// matchTags reads tags of matching until there are none.
func (p *parser) matchTags(m *match, allowed matchTags) bool {
	return tags(func() (tag, ok bool) { return p.matchTag(m, allowed) })
}

func (p *parser) twoLists() (a, b []string, ok bool) {
	if a, ok = p.stringList(); !ok {
		return nil, nil, false
	}
	b, ok = p.stringList()
	return a, b, ok
}

func (p *parser) header() (*testNode, bool) {
	t, m := p.newTest(testHeader), newMatch()
	if !p.matchTags(&m, withList|withComparator|withIndex) {
		return nil, false
	}
	names, keys, ok := p.twoLists()
	if !ok {
		return nil, false
	}
	if m.index == lastOnly {
		p.missingTag(":index")
	}
	p.checkAll(names, p.checkHeader)
	p.checkPatterns(keys, &m, p.checkUTF8)
	t.args = append(append([]any{m.index}, m.args()...), names, keys)
	return t, true
}

func (p *parser) stringTest() (*testNode, bool) {
	t, m := p.newTest(testString), newMatch()
	if !p.matchTags(&m, withList|withComparator) {
		return nil, false
	}
	sources, keys, ok := p.twoLists()
	if !ok {
		return nil, false
	}
	p.checkAll(sources, p.checkUTF8)
	p.checkPatterns(keys, &m, p.checkUTF8)
	t.args = append(m.args(), sources, keys)
	return t, true
}

func (p *parser) hasflag() (*testNode, bool) {
	t, m := p.newTest(testHasflag), newMatch()
	if !p.matchTags(&m, withComparator) {
		return nil, false
	}
	var variables []string
	keys, ok := p.stringList()
	if !ok {
		return nil, false
	}
	if next := p.peek(); next == tString || next == '[' {
		variables = keys
		if keys, ok = p.stringList(); !ok {
			return nil, false
		}
		p.need(capVariables)
		p.checkAll(variables, p.checkIdentifier)
	}
	p.checkPatterns(keys, &m, p.checkUTF8)
	t.args = append(m.args(), variables, keys)
	return t, true
}

// partTags reads the tags of address and envelope.
func (p *parser) partTags(m *match, allowed matchTags) (part int, ok bool) {
	parts := map[token]int{tAll: vAll, tLocalpart: vLocalpart, tDomain: vDomain, tUser: vUser, tDetail: vDetail}
	part = -1
	for {
		t := p.peek()
		if v, ok := parts[t]; ok {
			p.take()
			if t == tUser || t == tDetail {
				p.need(capSubaddress)
			}
			if part != -1 {
				p.multipleTags("address-part")
			}
			part = v
			continue
		}
		tag, ok := p.matchTag(m, allowed)
		if !tag || !ok {
			return part, ok
		}
	}
}

func (p *parser) address() (*testNode, bool) {
	t, m := p.newTest(testAddress), newMatch()
	part, ok := p.partTags(&m, withList|withComparator|withIndex)
	if !ok {
		return nil, false
	}
	names, keys, ok := p.twoLists()
	if !ok {
		return nil, false
	}
	if m.index == lastOnly {
		p.missingTag(":index")
	}
	p.checkAll(names, func(s string) bool { return p.checkAddressHeader(s) })
	t.args = append([]any{m.index}, p.partArgs(&m, part, p.lowered(names), keys)...)
	return t, true
}

func (p *parser) envelope() (*testNode, bool) {
	t, m := p.newTest(testEnvelope), newMatch()
	part, ok := p.partTags(&m, withList|withComparator)
	if !ok {
		return nil, false
	}
	parts, keys, ok := p.twoLists()
	if !ok {
		return nil, false
	}
	p.checkAll(parts, p.checkEnvelopePart)
	for i, s := range parts {
		if !p.containsVariable(s) {
			parts[i] = asciiLower(s)
		}
	}
	t.args = p.partArgs(&m, part, parts, keys)
	return t, true
}

// lowered are the names as the check of an address test leaves them: in
// lower case, up to one that is wrong.
func (p *parser) lowered(names []string) []string {
	if p.opt.AnyHeader {
		return names
	}
	for i, s := range names {
		if !p.containsVariable(s) {
			names[i] = asciiLower(s)
		}
	}
	return names
}

func (p *parser) partArgs(m *match, part int, names, keys []string) []any {
	p.checkPatterns(keys, m, nil)
	if part == -1 {
		part = vAll
	}
	return append(m.args(), part, names, keys)
}

func (p *parser) body() (*testNode, bool) {
	t, m := p.newTest(testBody), newMatch()
	transform := -1
	var types []string
	for more := true; more; {
		ok := true
		switch tag := p.peek(); tag {
		case tRaw, tText, tContent:
			p.take()
			var list []string
			if tag == tContent {
				list, ok = p.stringList()
			}
			if ok && transform != -1 {
				p.multipleTags("transform")
			}
			transform = map[token]int{tRaw: vRaw, tText: vText, tContent: vContent}[tag]
			if list != nil {
				types = list
			}
		default:
			more, ok = p.matchTag(&m, withComparator)
		}
		if !ok {
			return nil, false
		}
	}
	keys, ok := p.stringList()
	if !ok {
		return nil, false
	}
	p.checkPatterns(keys, &m, p.checkUTF8)
	if transform == -1 {
		transform = vText
	}
	if types == nil {
		types = []string{"text"}
		if transform == vRaw {
			types = []string{""}
		}
	}
	t.args = append(m.args(), transform, 0, types, keys)
	return t, true
}

// dateParts are the parts of RFC 5260 section 4.1.
var dateParts = map[string]int{
	"year": vYear, "month": vMonth, "day": vDay, "date": vDate, "julian": vJulian, "hour": vHour, "minute": vMinute,
	"second": vSecond, "time": vTime, "iso8601": vISO8601, "std11": vStd11, "zone": vZone, "weekday": vWeekday,
}

// date reads date or currentdate.
func (p *parser) date(op int) (*testNode, bool) {
	t, m := p.newTest(op), newMatch()
	allowed := withComparator
	if op == testDate {
		allowed |= withIndex
	}
	zone := -1
	var offset optional
	for more := true; more; {
		ok := true
		switch tag := p.peek(); {
		case tag == tZone:
			p.take()
			var s string
			if s, ok = p.string(); ok {
				if zone != -1 {
					p.duplicateTag(":zone")
				}
				zone, offset = vTimezone, &s
			}
		case tag == tOriginalzone && op == testDate:
			p.take()
			if zone != -1 {
				p.duplicateTag(":originalzone")
			}
			zone = vOriginalzone
		default:
			more, ok = p.matchTag(&m, allowed)
		}
		if !ok {
			return nil, false
		}
	}
	var name string
	ok := true
	if op == testDate {
		name, ok = p.string()
	}
	if !ok {
		return nil, false
	}
	part, ok := p.string()
	if !ok {
		return nil, false
	}
	keys, ok := p.stringList()
	if !ok {
		return nil, false
	}
	if op == testDate {
		p.checkHeader(name)
	}
	p.checkPatterns(keys, &m, nil)
	if m.index == 0 {
		m.index = 1
	} else if m.index == lastOnly {
		p.missingTag(":index")
	}
	if zone == -1 {
		zone = vTimezone
	}
	value, known := dateParts[asciiLower(part)]
	if !known {
		p.faultf("invalid date-part '%s'", part)
	}
	if op == testDate {
		t.args = append(t.args, m.index)
	}
	t.args = append(t.args, zone)
	if zone == vTimezone {
		t.args = append(t.args, offset)
	}
	t.args = append(append(t.args, m.args()...), value)
	if op == testDate {
		t.args = append(t.args, name)
	}
	t.args = append(t.args, keys)
	return t, true
}

// ihave is the test of RFC 5463 section 4.
func (p *parser) ihave() (*testNode, bool) {
	names, ok := p.stringList()
	if !ok {
		return nil, false
	}
	t := p.newTest(testIhave)
	t.args = []any{names}
	for _, n := range names {
		c := lookupCapability(n)
		if c == 0 {
			if t.ignored == 0 {
				p.ignore++
				t.ignored = p.ignore
			}
		} else if c&capNoIhave != 0 {
			p.ignore = 0
			p.faultf("\"%s\" extension MUST NOT be used in \"ihave\" test", n)
			break
		}
	}
	return t, true
}

// itemTest is a test that compares one value with keys; with where, the
// mailbox or address it belongs to comes first.
func (p *parser) itemTest(op int, where bool) (*testNode, bool) {
	t, m := p.newTest(op), newMatch()
	if !p.matchTags(&m, withComparator) {
		return nil, false
	}
	var of, item string
	ok := true
	if where {
		of, ok = p.string()
	}
	if ok {
		item, ok = p.string()
	}
	if !ok {
		return nil, false
	}
	keys, ok := p.stringList()
	if !ok {
		return nil, false
	}
	p.canon(&m)
	t.args = m.args()
	if where {
		t.args = append(t.args, of)
	}
	t.args = append(t.args, item, keys)
	return t, true
}

func (p *parser) metadataExists() (*testNode, bool) {
	mailbox, ok := p.string()
	if !ok {
		return nil, false
	}
	keys, ok := p.stringList()
	if !ok {
		return nil, false
	}
	t := p.newTest(testMetadataExists)
	t.args = []any{mailbox, keys}
	return t, true
}

func (p *parser) specialUseExists() (*testNode, bool) {
	var mailbox optional
	first := p.peek()
	uses, ok := p.stringList()
	if !ok {
		return nil, false
	}
	if next := p.peek(); first == tString && (next == tString || next == '[') {
		mailbox = &uses[0]
		if uses, ok = p.stringList(); !ok {
			return nil, false
		}
	}
	t := p.newTest(testSpecialUseExists)
	t.args = []any{mailbox, uses}
	return t, true
}

// duplicate is the test of RFC 7352 section 3.
func (p *parser) duplicate() (*testNode, bool) {
	t := p.newTest(testDuplicate)
	kind, seconds, last := -1, -1, 0
	id, handle := "Message-ID", optional(nil)
	for more := true; more; {
		ok := true
		switch tag := p.peek(); tag {
		case tHeaderTag, tUniqueID:
			p.take()
			if id, ok = p.string(); ok {
				if kind != -1 {
					p.conflictingTags(":header", ":uniqueid")
				}
				kind = map[token]int{tHeaderTag: vHeaderID, tUniqueID: vUniqueID}[tag]
			}
		case tHandle:
			p.take()
			ok = p.stringTag(&handle, ":handle", 0, nil, "")
		case tSeconds:
			p.take()
			ok = p.numberTag(&seconds, ":seconds")
		case tLast:
			p.take()
			if last != 0 {
				p.duplicateTag(":last")
			}
			last = 1
		default:
			more = false
		}
		if !ok {
			return nil, false
		}
	}
	switch kind {
	case vHeaderID:
		p.checkHeader(id)
	case vUniqueID:
		p.checkUTF8(id)
	default:
		kind = vHeaderID
	}
	if handle != nil {
		p.checkUTF8(*handle)
	} else {
		handle = text("")
	}
	if seconds == -1 {
		seconds = 7 * daySeconds
	}
	t.args = []any{kind, id, *handle, seconds, last}
	return t, true
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
