package sieve

import (
	"fmt"
	"slices"
	"strings"
)

// Text is the script as text, as sieved -s shows it. What it gives can be
// parsed again to the same code; Cyrus's leaves some words out.
//
// Source: Cyrus sieve/sieved.c.
func (s *Script) Text() string {
	w := &writer{}
	if s.requires&requiresVariables != 0 {
		w.caps |= capVariables
	}
	w.block(s.program, 0)
	return requireText(w.caps) + w.b.String()
}

// requireText is the require command for capabilities, in lines of about 60
// characters.
func requireText(caps capability) string {
	caps &^= capBase
	if caps == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("require [")
	sep, n := "", 0
	for c := capability(1); c < capEnd; c <<= 1 {
		if caps&c == 0 {
			continue
		}
		if n > 60 {
			sep, n = ",\n          ", 0
		}
		part := fmt.Sprintf("%s\"%s\"", sep, capabilityName(c))
		b.WriteString(part)
		n += len(part)
		sep = ", "
	}
	b.WriteString("];\n\n")
	return b.String()
}

// commandText and testText are the text of one command without its
// semicolon, and of one test, for traces.
func commandText(c *command) string {
	w := &writer{}
	w.command(c)
	return strings.TrimSpace(w.b.String())
}

func testText(t *test) string {
	w := &writer{}
	w.test(t, 0)
	return strings.TrimSpace(w.b.String())
}

// writer writes the text of commands and collects what they require.
type writer struct {
	b    strings.Builder
	caps capability
}

// word writes a word of the language, which needs c.
func (w *writer) word(s string, c capability) {
	w.caps |= c
	w.b.WriteString(s)
}

// tag writes a tag if on.
func (w *writer) tag(on bool, tag string, c capability) {
	if on {
		w.word(" "+tag, c)
	}
}

// str writes a blank and a string.
func (w *writer) str(s string) {
	w.b.WriteByte(' ')
	w.bare(s)
}

func (w *writer) bare(s string) {
	if strings.HasSuffix(s, "\n") {
		w.b.WriteString("text:\n")
		for _, line := range strings.SplitAfter(s, "\n") {
			if strings.HasPrefix(line, ".") {
				w.b.WriteByte('.')
			}
			w.b.WriteString(line)
		}
		w.b.WriteString(".\n")
		return
	}
	w.b.WriteByte('"')
	w.b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s))
	w.b.WriteByte('"')
}

// list writes a list of strings; one alone has no brackets.
func (w *writer) list(l []string) {
	if len(l) == 1 {
		w.str(l[0])
		return
	}
	w.b.WriteString(" [")
	for i, s := range l {
		if i > 0 {
			w.b.WriteString(", ")
		}
		w.bare(s)
	}
	w.b.WriteByte(']')
}

func (w *writer) strTag(tag string, s optional, c capability) {
	if s != nil {
		w.word(" "+tag, c)
		w.str(*s)
	}
}

func (w *writer) listTag(tag string, l []string, c capability) {
	if len(l) > 0 {
		w.word(" "+tag, c)
		w.list(l)
	}
}

func (w *writer) numTag(tag string, n int, c capability) {
	w.word(fmt.Sprintf(" %s %d", tag, n), c)
}

func (w *writer) index(i int, c capability) {
	if i != 0 {
		w.numTag(":index", abs(i), c)
		w.tag(i < 0, ":last", c)
	}
}

var (
	matchNames = map[int]string{vContains: ":contains", vMatches: ":matches", vRegex: ":regex", vCount: ":count",
		vValue: ":value", vList: ":list"}
	relationNames  = map[int]string{vGT: "gt", vGE: "ge", vLT: "lt", vLE: "le", vEQ: "eq", vNE: "ne"}
	collationNames = map[int]string{vOctet: "i;octet", vNumeric: "i;ascii-numeric"}
	partNames      = map[int]string{vLocalpart: ":localpart", vDomain: ":domain", vUser: ":user", vDetail: ":detail",
		vRaw: ":raw", vText: ":text", vContent: ":content"}
)

func (w *writer) match(m *match) {
	if name := matchNames[m.kind]; name != "" {
		w.word(" "+name, map[int]capability{vRegex: capRegex, vCount: capRelational, vValue: capRelational, vList: capExtlists}[m.kind])
		if m.kind == vCount || m.kind == vValue {
			w.str(relationNames[m.relation])
		}
	}
	if name := collationNames[m.collation]; name != "" {
		w.word(" :comparator", 0)
		w.str(name)
		if m.collation == vNumeric {
			w.caps |= capNumeric
		}
	}
}

// block writes commands.
func (w *writer) block(list []command, indent int) {
	for len(list) > 0 {
		c := &list[0]
		list = list[1:]
		switch c.op {
		case opIf:
			w.pad(indent)
			list = w.ifText(c, list, indent)
		case opNull, opJump:
		default:
			w.pad(indent)
			w.command(c)
			w.b.WriteString(";\n")
		}
	}
}

func (w *writer) pad(indent int) { w.b.WriteString(strings.Repeat(" ", indent)) }

// upTo splits commands at a word.
func upTo(list []command, word int) (before, after []command) {
	n, _ := slices.BinarySearchFunc(list, word, func(c command, w int) int { return c.at - w })
	return list[:n], list[n:]
}

// splitIf returns the blocks of an if, which list starts with behind its
// test, and what follows.
func splitIf(list []command) (then, or, rest []command) {
	if len(list) == 0 || list[0].op != opJump {
		return nil, nil, list
	}
	then, rest = upTo(list[1:], list[0].jump)
	if n := len(then); n > 0 && then[n-1].op == opJump {
		or, rest = upTo(rest, then[n-1].jump)
		then = then[:n-1]
	}
	return then, or, rest
}

// ifText writes if with its blocks, which list starts with, and returns what
// is behind them.
func (w *writer) ifText(c *command, list []command, indent int) []command {
	first := true
	then, or, rest := splitIf(list)
	for {
		if !first {
			w.pad(indent)
			w.b.WriteString("els")
		}
		first = false
		w.b.WriteString("if ")
		w.test(c.test, indent+10)
		w.b.WriteString(" {\n")
		w.block(then, indent+4)
		w.pad(indent)
		w.b.WriteString("}\n")
		if len(or) == 0 {
			return rest
		}
		if or[0].op == opIf {
			if t, o, behind := splitIf(or[1:]); len(behind) == 0 {
				c, then, or = &or[0], t, o
				continue
			}
		}
		w.pad(indent)
		w.b.WriteString("else {\n")
		w.block(or, indent+4)
		w.pad(indent)
		w.b.WriteString("}\n")
		return rest
	}
}

func (w *writer) folderTags(f *folderTags) {
	w.tag(f.create != 0, ":create", capMailbox)
	w.strTag(":specialuse", f.specialUse, capSpecialUse)
	w.strTag(":mailboxid", f.mailboxID, capMailboxID)
	w.listTag(":flags", f.flags, capFlags)
}

// command writes one command without its semicolon.
func (w *writer) command(c *command) {
	switch c.op {
	case opStop:
		w.word("stop", 0)
	case opKeep, opKeepOld, opKeepCopy:
		w.word("keep", 0)
		w.listTag(":flags", c.flags, capFlags)
	case opDiscard:
		w.word("discard", 0)
	case opReject, opEreject, opError, opLog:
		names := map[int]string{opReject: "reject", opEreject: "ereject", opError: "error", opLog: "log"}
		w.word(names[c.op], map[int]capability{opReject: capReject, opEreject: capEreject, opError: capIhave, opLog: capLog}[c.op])
		w.str(c.text)
	case opFileinto, opFileintoOld, opFileintoCopy, opFileintoFlags, opFileintoCreate, opFileintoSpecialUse:
		w.word("fileinto", capFileinto)
		w.tag(c.copy != 0, ":copy", capCopy)
		w.folderTags(&c.folderTags)
		w.str(c.folder)
	case opRedirect, opRedirectOld, opRedirectCopy, opRedirectList:
		w.redirect(c)
	case opMark, opUnmark:
		w.word(map[int]string{opMark: "mark", opUnmark: "unmark"}[c.op], capFlags)
	case opAddflag, opAddflagOld, opSetflag, opSetflagOld, opRemoveflag, opRemoveflagOld:
		w.word(flagNames[c.op], capFlags)
		if c.variable != "" { // compiles without the extension too
			w.str(c.variable)
		}
		w.list(c.flags)
	case opNotify, opEnotify, opDenotify:
		w.notify(c)
	case opVacation, opVacationOld, opVacationSeconds, opVacationFcc, opVacationSpecialUse:
		w.vacation(c)
	case opInclude:
		w.word("include", capInclude)
		w.tag(c.bits&incLocation == vGlobal, ":global", 0)
		w.tag(c.bits&incOnce != 0, ":once", 0)
		w.tag(c.bits&incOptional != 0, ":optional", 0)
		w.str(c.script)
	case opReturn:
		w.word("return", capInclude)
	case opSet:
		w.word("set", capVariables)
		for _, m := range modifierNames {
			w.tag(c.bits&m.bit != 0, m.tag, modifiers[keywords[m.tag]].needs)
		}
		w.str(c.variable)
		w.str(c.value)
	case opAddheader:
		w.word("addheader", capEditHeader)
		w.tag(c.index < 0, ":last", 0)
		w.str(c.name)
		w.str(c.value)
	case opDeleteheader:
		w.word("deleteheader", capEditHeader)
		w.index(c.index, 0)
		w.match(&c.match)
		w.str(c.name)
		if len(c.values) > 0 {
			w.list(c.values)
		}
	case opSnooze, opSnoozeOld, opSnoozeTzid:
		w.snooze(c)
	case opProcessIMIP:
		w.word("processimip", capIMIP)
		w.tag(c.bits&imipInvitesOnly != 0, ":invitesonly", 0)
		w.tag(c.bits&imipUpdatesOnly != 0, ":updatesonly", 0)
		w.tag(c.bits&imipDeleteCanceled != 0, ":deletecanceled", 0)
		w.strTag(":calendarid", c.calendarID, 0)
		w.strTag(":outcome", c.outcome, capVariables)
		w.strTag(":errstr", c.errstr, capVariables)
	}
}

var flagNames = map[int]string{opAddflag: "addflag", opAddflagOld: "addflag", opSetflag: "setflag",
	opSetflagOld: "setflag", opRemoveflag: "removeflag", opRemoveflagOld: "removeflag"}

var modifierNames = []struct {
	bit int
	tag string
}{{modLower, ":lower"}, {modUpper, ":upper"}, {modLowerFirst, ":lowerfirst"}, {modUpperFirst, ":upperfirst"},
	{modQuoteWildcard, ":quotewildcard"}, {modQuoteRegex, ":quoteregex"}, {modEncodeURL, ":encodeurl"}, {modLength, ":length"}}

func (w *writer) redirect(c *command) {
	w.word("redirect", 0)
	w.tag(c.copy != 0, ":copy", capCopy)
	w.tag(c.list != 0, ":list", capExtlists)
	w.strTag(":notify", c.dsnNotify, capRedirectDSN)
	w.strTag(":ret", c.dsnRet, capRedirectDSN)
	if c.bytime != nil {
		if n, ok := strings.CutPrefix(*c.bytime, "+"); ok {
			w.word(" :bytimerelative "+n, capRedirectDeliverBy)
		} else {
			w.strTag(":bytimeabsolute", c.bytime, capRedirectDeliverBy)
		}
	}
	w.strTag(":bymode", c.bymode, capRedirectDeliverBy)
	w.tag(c.bytrace != 0, ":bytrace", capRedirectDeliverBy)
	w.str(c.address)
}

func (w *writer) vacation(c *command) {
	w.word("vacation", capVacation)
	if s := c.seconds; c.op == opVacationOld {
		w.numTag(":days", s, 0)
	} else if s%daySeconds == 0 {
		w.numTag(":days", s/daySeconds, 0)
	} else {
		w.numTag(":seconds", s, capVacationSeconds)
	}
	w.strTag(":subject", c.subject, 0)
	w.strTag(":from", c.from, 0)
	w.strTag(":handle", c.handle, 0)
	w.listTag(":addresses", c.addresses, 0)
	w.strTag(":fcc", c.fcc, capFcc)
	if c.fcc != nil {
		w.folderTags(&c.folderTags)
	}
	w.tag(c.mime != 0, ":mime", 0)
	w.str(c.text)
}

func (w *writer) notify(c *command) {
	priority := map[int]string{vLow: ":low", vHigh: ":high"}[c.priority]
	if c.op == opDenotify {
		w.word("denotify", capNotify)
		if c.pattern != nil {
			if c.match.kind == vIs {
				w.word(" :is", 0)
			}
			w.match(&match{kind: c.match.kind, relation: c.match.relation, collation: vCasemap})
			w.str(*c.pattern)
		}
		w.tag(c.priority == vNormal, ":normal", 0)
		w.tag(priority != "", priority, 0)
		return
	}
	w.word("notify", 0)
	if c.op == opNotify {
		w.caps |= capNotify
		w.strTag(":method", c.method, 0)
		w.strTag(":id", c.id, 0)
		w.tag(priority != "", priority, 0)
	} else {
		w.caps |= capEnotify
		w.strTag(":from", c.from, 0)
		if n := map[int]string{vLow: "3", vHigh: "1"}[c.priority]; n != "" {
			w.strTag(":importance", &n, 0)
		}
	}
	w.listTag(":options", c.options, 0)
	w.strTag(":message", text(c.text), 0)
	if c.op == opEnotify && c.method != nil {
		w.str(*c.method)
	}
}

func (w *writer) snooze(c *command) {
	w.word("snooze", capSnooze)
	w.strTag(":mailbox", c.mailbox, 0)
	w.folderTags(&c.folderTags)
	w.listTag(":addflags", c.addFlags, capFlags)
	w.listTag(":removeflags", c.removeFlags, capFlags)
	if c.days != snoozeDays {
		var days []string
		for i := range 7 {
			if c.days&(1<<i) != 0 {
				days = append(days, fmt.Sprint(i))
			}
		}
		w.listTag(":weekdays", days, 0)
	}
	w.strTag(":tzid", c.tzid, 0)
	w.list(timesText(c.times))
}

// timesText are times of the day.
func timesText(times []int) []string {
	out := make([]string, len(times))
	for i, t := range times {
		out[i] = fmt.Sprintf("%02d:%02d:%02d", t/3600, t%3600/60, t%60)
	}
	return out
}

// testNames are the tests that are a word, tags of matching, and strings.
var testNames = map[int]string{
	testFalse: "false", testTrue: "true", testExists: "exists", testMailboxExists: "mailboxexists",
	testMailboxIDExists: "mailboxidexists", testMetadata: "metadata", testMetadataExists: "metadataexists",
	testServerMetadata: "servermetadata", testServerMetadataExists: "servermetadataexists", testString: "string",
	testHasflag: "hasflag", testValidExtlist: "valid_ext_list", testValidNotify: "valid_notify_method",
	testNotifyCapability: "notify_method_capability", testIhave: "ihave", testSpecialUseExists: "specialuse_exists",
	testEnvironment: "environment", testJMAPQuery: "jmapquery", testHeader: "header", testHeaderOld: "header",
	testAddress: "address", testAddressOld: "address", testEnvelope: "envelope", testBody: "body", testDate: "date",
	testDateOld: "date", testCurrentdate: "currentdate", testCurrentdateOld: "currentdate", testDuplicate: "duplicate",
	testSize: "size",
}

// test writes one test; tests within it start in new lines, indented.
func (w *writer) test(t *test, indent int) {
	switch t.op {
	case testNot:
		w.word("not ", 0)
		w.test(t.tests[0], indent)
		return
	case testAnyof, testAllof:
		w.word(map[int]string{testAnyof: "anyof (", testAllof: "allof ("}[t.op], 0)
		for i, x := range t.tests {
			if i > 0 {
				w.b.WriteString(",\n")
				w.pad(indent)
			}
			w.test(x, indent)
		}
		w.b.WriteByte(')')
		return
	}
	w.word(testNames[t.op], testNeeds[t.op])
	switch t.op {
	case testSize:
		w.numTag(map[bool]string{true: ":over", false: ":under"}[t.over], t.number, 0)
		return
	case testDuplicate:
		w.strTag(":handle", &t.handle, 0)
		w.strTag(map[bool]string{true: ":uniqueid", false: ":header"}[t.part == vUniqueID], &t.item, 0)
		w.numTag(":seconds", t.number, 0)
		w.tag(t.last != 0, ":last", 0)
		return
	case testDate, testDateOld, testCurrentdate, testCurrentdateOld:
		w.dateTest(t)
		return
	}
	if t.op == testHeader || t.op == testAddress {
		w.index(t.match.index, capIndex)
	}
	if t.match.kind != 0 {
		w.match(&t.match)
	}
	if name := partNames[t.part]; name != "" && t.part != vText {
		w.word(" "+name, map[int]capability{vUser: capSubaddress, vDetail: capSubaddress}[t.part])
	}
	if t.name != nil {
		w.str(*t.name)
	}
	if t.op == testEnvironment || t.op == testServerMetadata || t.op == testMetadata || t.op == testNotifyCapability || t.op == testJMAPQuery {
		w.str(t.item)
	}
	if len(t.names) > 0 && !(t.op == testBody && t.part != vContent) {
		w.list(t.names)
	}
	if t.keys != nil {
		w.list(t.keys)
	}
}

func (w *writer) dateTest(t *test) {
	date := t.op == testDate || t.op == testDateOld
	if date && t.match.index != 1 {
		w.index(t.match.index, capIndex)
	}
	w.strTag(":zone", t.offset, 0)
	w.tag(t.zone == vOriginalzone, ":originalzone", 0)
	w.match(&t.match)
	if date && t.name != nil {
		w.str(*t.name)
	}
	for name, v := range dateParts {
		if v == t.part {
			w.str(name)
		}
	}
	w.list(t.keys)
}
