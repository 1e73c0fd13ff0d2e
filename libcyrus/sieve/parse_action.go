package sieve

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A reader reads what follows the word of a command.
type reader func(*parser) (*node, bool)

// controlReaders are the control commands but if and require; each reads its
// semicolon itself.
func controlReaders() map[token]reader {
	return map[token]reader{
		tStop:    func(p *parser) (*node, bool) { return p.plainControl(opStop, 0) },
		tReturn:  func(p *parser) (*node, bool) { return p.plainControl(opReturn, capInclude) },
		tError:   (*parser).errorControl,
		tInclude: (*parser).include,
	}
}

// actionReaders are the actions, read up to their semicolons. To add one: a
// keyword, a line here, its op in code.go, decode.go and text.go, its case
// in run.go.
func actionReaders() map[token]reader {
	return map[token]reader{
		tKeep:     (*parser).keep,
		tDiscard:  func(*parser) (*node, bool) { return &node{op: opDiscard}, true },
		tFileinto: (*parser).fileinto, tRedirect: (*parser).redirect, tSet: (*parser).set,
		tVacation:   (*parser).vacation,
		tSetflag:    func(p *parser) (*node, bool) { return p.flagAction(opSetflag) },
		tAddflag:    func(p *parser) (*node, bool) { return p.flagAction(opAddflag) },
		tRemoveflag: func(p *parser) (*node, bool) { return p.flagAction(opRemoveflag) },
		tMark:       func(p *parser) (*node, bool) { return p.mark(opAddflag) },
		tUnmark:     func(p *parser) (*node, bool) { return p.mark(opRemoveflag) },
		tAddheader:  (*parser).addheader, tDeleteheader: (*parser).deleteheader,
		tReject:  func(p *parser) (*node, bool) { return p.textAction(opReject, capReject) },
		tEreject: func(p *parser) (*node, bool) { return p.textAction(opEreject, capEreject) },
		tLog:     func(p *parser) (*node, bool) { return p.textAction(opLog, capLog) },
		tNotify:  (*parser).notify, tDenotify: (*parser).denotify,
		tSnooze: (*parser).snooze, tProcessIMIP: (*parser).processIMIP,
	}
}

func (p *parser) plainControl(op int, c capability) (*node, bool) {
	if !p.expect(';') {
		return nil, false
	}
	p.newCommand(c)
	return &node{op: op}, true
}

func (p *parser) errorControl() (*node, bool) {
	s, ok := p.string()
	if !ok || !p.expect(';') {
		return nil, false
	}
	p.checkUTF8(s)
	p.newCommand(capIhave)
	return &node{op: opError, args: []any{s}}, true
}

// textAction is an action with one string.
func (p *parser) textAction(op int, c capability) (*node, bool) {
	s, ok := p.string()
	if !ok {
		return nil, false
	}
	p.checkUTF8(s)
	p.newCommand(c)
	return &node{op: op, args: []any{s}}, true
}

// include is the command of RFC 6609 section 3.2.
func (p *parser) include() (*node, bool) {
	p.newCommand(capInclude)
	location, bits := -1, 0
	flag := func(bit int, tag string) {
		if bits&bit != 0 {
			p.duplicateTag(tag)
		}
		bits |= bit
	}
	for {
		switch t := p.peek(); t {
		case tPersonal, tGlobal:
			p.take()
			if location != -1 {
				p.conflictingTags(":personal", ":location")
			}
			location = vPersonal
			if t == tGlobal {
				location = vGlobal
			}
		case tOnce:
			p.take()
			flag(incOnce, ":once")
		case tOptional:
			p.take()
			flag(incOptional, ":optional")
		default:
			s, ok := p.string()
			if !ok || !p.expect(';') {
				return nil, false
			}
			if strings.Contains(s, "/") {
				p.fault("invalid script-name value")
			}
			if location == -1 {
				location = vPersonal
			}
			return &node{op: opInclude, args: []any{location | bits, s}}, true
		}
	}
}

func (p *parser) keep() (*node, bool) {
	var f folderTags
	if !tags(func() (tag, ok bool) { return p.folderTag(&f, tFlags) }) {
		return nil, false
	}
	return &node{op: opKeep, args: []any{p.canonFlags(f.flags)}}, true
}

func (p *parser) fileinto() (*node, bool) {
	p.newCommand(capFileinto)
	var f folderTags
	copies := 0
	if !tags(func() (tag, ok bool) {
		if p.peek() == tCopy {
			p.copyTag(&copies)
			return true, true
		}
		return p.folderTag(&f, tFlags, tCreate, tSpecialUse, tMailboxID)
	}) {
		return nil, false
	}
	folder, ok := p.string()
	if !ok {
		return nil, false
	}
	flags := p.canonFlags(f.flags)
	p.checkMailbox(folder)
	return &node{op: opFileinto, args: []any{f.mailboxID, f.specialUse, f.create, flags, copies, folder}}, true
}

func (p *parser) copyTag(n *int) {
	p.take()
	*n++
	if *n > 1 {
		p.duplicateTag(":copy")
	} else {
		p.need(capCopy)
	}
}

// redirectTags are the tags of redirect.
type redirectTags struct {
	copies, list, trace          int
	time, mode, notify, whatBack optional
}

func (p *parser) redirect() (*node, bool) {
	var r redirectTags
	if !tags(func() (tag, ok bool) { return p.redirectTag(&r) }) {
		return nil, false
	}
	address, ok := p.string()
	if !ok {
		return nil, false
	}
	if r.list > 0 {
		if p.opt.ValidList != nil && !p.opt.ValidList(address) {
			p.faultf("list '%s': is not valid/supported", address)
		}
	} else {
		p.checkAddress(address)
	}
	p.checkDeliverBy(&r)
	p.checkDSN(&r)
	return &node{op: opRedirect, args: []any{r.time, r.mode, r.trace, r.notify, r.whatBack, r.list, r.copies, address}}, true
}

func (p *parser) redirectTag(r *redirectTags) (tag, ok bool) {
	t := p.peek()
	switch t {
	case tCopy:
		p.copyTag(&r.copies)
		return true, true
	case tList:
		p.take()
		r.list++
		if r.list > 1 {
			p.duplicateTag(":list")
		} else {
			p.need(capExtlists)
		}
		return true, true
	case tByTimeRelative, tByTimeAbsolute:
		p.take()
		ok = p.byTime(r, t)
	case tByMode:
		p.take()
		ok = p.stringTag(&r.mode, ":bymode", 0, nil, "")
	case tByTrace:
		p.take()
		if r.trace != 0 {
			p.duplicateTag(":bytrace")
		}
		r.trace, ok = 1, true
	case tNotifyTag:
		p.take()
		ok = p.stringTag(&r.notify, ":notify", 0, nil, "")
	case tDSNRet:
		p.take()
		ok = p.stringTag(&r.whatBack, ":ret", 0, nil, "")
	default:
		return false, true
	}
	switch {
	case !ok:
	case t == tNotifyTag || t == tDSNRet:
		p.need(capRedirectDSN)
	default:
		p.need(capRedirectDeliverBy)
	}
	return true, ok
}

// byTime reads what stands behind :bytimerelative and :bytimeabsolute.
func (p *parser) byTime(r *redirectTags, t token) bool {
	tag, other, text := ":bytimeabsolute", ":bytimerelative", ""
	if t == tByTimeRelative {
		tag, other = other, tag
		n, ok := p.number()
		if !ok {
			return false
		}
		text = fmt.Sprintf("+%d", n)
	} else {
		s, ok := p.string()
		if !ok {
			return false
		}
		text = s
	}
	if r.time != nil {
		absolute := *r.time != "" && isDigit((*r.time)[0])
		if absolute == (t == tByTimeAbsolute) {
			p.duplicateTag(tag)
		} else {
			p.conflictingTags(tag, other)
		}
	}
	r.time = &text
	return true
}

func (p *parser) checkDeliverBy(r *redirectTags) {
	if r.time == nil {
		if r.mode != nil || r.trace != 0 {
			p.missingTag(":bytimerelative OR :bytimeabsolute")
		}
		return
	}
	if p.has(capVariables) {
		return
	}
	if !strings.HasPrefix(*r.time, "+") {
		if _, ok := parseISO8601(*r.time); !ok {
			p.faultf("string '%s': not a valid DELIVERBY time value", *r.time)
		}
	}
	if r.mode != nil && !strings.EqualFold(*r.mode, "NOTIFY") && !strings.EqualFold(*r.mode, "RETURN") {
		p.faultf("string '%s': not a valid DELIVERBY mode value", *r.mode)
	}
}

func (p *parser) checkDSN(r *redirectTags) {
	if p.has(capVariables) {
		return
	}
	if r.notify != nil {
		never := false
		for _, w := range strings.FieldsFunc(*r.notify, func(c rune) bool { return c == ',' }) {
			w = strings.Trim(w, " \t\r\n\v\f")
			switch {
			case strings.EqualFold(w, "NEVER"):
				never = true
				continue
			case never:
				p.fault("DSN NOTIFY value 'NEVER' MUST be used by itself")
			case !slices.ContainsFunc([]string{"SUCCESS", "FAILURE", "DELAY"}, func(v string) bool { return strings.EqualFold(v, w) }):
				p.faultf("string '%s': not a valid DSN NOTIFY value", w)
			default:
				continue
			}
			break
		}
	}
	if r.whatBack != nil && !strings.EqualFold(*r.whatBack, "FULL") && !strings.EqualFold(*r.whatBack, "HDRS") {
		p.faultf("string '%s': not a valid DSN RET value", *r.whatBack)
	}
}

// modifiers are the tags of set with the others of their precedence
// (RFC 5229 section 4.1).
var modifiers = map[token]struct {
	bit, group int
	precedence int
	needs      capability
}{
	tLower: {modLower, modCase, 40, 0}, tUpper: {modUpper, modCase, 40, 0},
	tLowerFirst: {modLowerFirst, modFirst, 30, 0}, tUpperFirst: {modUpperFirst, modFirst, 30, 0},
	tQuoteWildcard: {modQuoteWildcard, modQuote, 20, 0}, tQuoteRegex: {modQuoteRegex, modQuote, 20, capRegex},
	tEncodeURL: {modEncodeURL, modEncodeURL, 15, capEnotify}, tLength: {modLength, modLength, 10, 0},
}

func (p *parser) set() (*node, bool) {
	p.newCommand(capVariables)
	bits := 0
	for {
		m, ok := modifiers[p.peek()]
		if !ok {
			break
		}
		p.take()
		p.need(m.needs)
		if bits&m.group != 0 {
			p.multipleTags(fmt.Sprintf("precedence %d modifier", m.precedence))
		}
		bits |= m.bit
	}
	name, ok := p.string()
	if !ok {
		return nil, false
	}
	value, ok := p.string()
	if !ok {
		return nil, false
	}
	p.checkIdentifier(name)
	p.checkUTF8(value)
	return &node{op: opSet, args: []any{bits, name, value}}, true
}

// flagAction reads setflag, addflag or removeflag. A first string is the
// name of a variable if another string or a list follows.
func (p *parser) flagAction(op int) (*node, bool) {
	p.newCommand(capFlags)
	var variable optional
	for p.peek() == tString {
		s, ok := p.string()
		if !ok {
			return nil, false
		}
		if p.peek() == ';' {
			return p.flagNode(op, variable, []string{s}), true
		}
		if variable != nil {
			p.fault("duplicate variablename argument")
		} else {
			p.need(capFlags)
		}
		variable = &s
	}
	flags, ok := p.stringList()
	if !ok {
		return nil, false
	}
	return p.flagNode(op, variable, flags), true
}

func (p *parser) flagNode(op int, variable optional, flags []string) *node {
	flags = p.canonFlags(flags)
	name := ""
	if variable != nil {
		name = *variable
		if !isIdentifier(name) {
			p.fault("invalid variablename value")
		}
	}
	return &node{op: op, args: []any{name, flags}}
}

// mark is an action of the older draft of imap4flags.
func (p *parser) mark(op int) (*node, bool) {
	p.newCommand(capFlags)
	return p.flagNode(op, nil, []string{`\Flagged`}), true
}

func (p *parser) addheader() (*node, bool) {
	p.newCommand(capEditHeader)
	index := 0
	for p.peek() == tLast {
		p.take()
		if index < 0 {
			p.duplicateTag(":last")
		}
		index = -1
	}
	name, ok := p.string()
	if !ok {
		return nil, false
	}
	value, ok := p.string()
	if !ok {
		return nil, false
	}
	p.checkHeader(name)
	p.checkUTF8(value)
	if index == 0 {
		index = 1
	}
	return &node{op: opAddheader, args: []any{index, name, value}}, true
}

func (p *parser) deleteheader() (*node, bool) {
	p.newCommand(capEditHeader)
	m := newMatch()
	if !p.matchTags(&m, withList|withComparator|withEditIndex) {
		return nil, false
	}
	name, ok := p.string()
	if !ok {
		return nil, false
	}
	var values []string
	if t := p.peek(); t == tString || t == '[' {
		if values, ok = p.stringList(); !ok {
			return nil, false
		}
	}
	if strings.EqualFold(name, "Received") || strings.EqualFold(name, "Auto-Submitted") {
		p.fault("MUST NOT delete Received or Auto-Submitted headers")
	} else if m.index == lastOnly {
		p.missingTag(":index")
	}
	p.checkHeader(name)
	p.checkPatterns(values, &m, p.checkUTF8)
	args := append([]any{m.index}, m.args()...)
	return &node{op: opDeleteheader, args: append(args, name, values)}, true
}

// processIMIP is an action of Cyrus's own (vnd.cyrus.imip).
func (p *parser) processIMIP() (*node, bool) {
	p.newCommand(capIMIP)
	bits := 0
	var calendar, outcome, errstr optional
	for {
		ok := true
		t := p.peek()
		switch t {
		case tInvitesOnly, tUpdatesOnly, tDeleteCanceled:
			p.take()
			p.imipBit(&bits, t, calendar)
		case tCalendarID:
			p.take()
			first := calendar == nil
			ok = p.stringTag(&calendar, ":calendarid", 0, nil, "")
			if ok && first && bits&imipUpdatesOnly != 0 {
				p.conflictingTags(":updatesonly", ":calendarid")
			}
		case tOutcome:
			p.take()
			ok = p.stringTag(&outcome, ":outcome", capVariables, nil, "")
		case tErrstr:
			p.take()
			ok = p.stringTag(&errstr, ":errstr", capVariables, nil, "")
		default:
			for _, name := range []optional{outcome, errstr} {
				if name != nil {
					p.checkIdentifier(*name)
				}
			}
			return &node{op: opProcessIMIP, args: []any{bits, calendar, outcome, errstr}}, true
		}
		if !ok {
			return nil, false
		}
	}
}

func (p *parser) imipBit(bits *int, t token, calendar optional) {
	f := imipFlags[t]
	if *bits&f.bit != 0 {
		p.duplicateTag(f.tag)
		return
	}
	*bits |= f.bit
	const both = imipInvitesOnly | imipUpdatesOnly
	if *bits&both == both && f.bit&both != 0 {
		p.conflictingTags(":invitesonly", ":updatesonly")
	}
	if f.bit == imipUpdatesOnly && calendar != nil {
		p.conflictingTags(":updatesonly", ":calendarid")
	}
}

// imipFlags are the tags of processimip without a value.
var imipFlags = map[token]struct {
	bit int
	tag string
}{
	tInvitesOnly: {imipInvitesOnly, ":invitesonly"}, tUpdatesOnly: {imipUpdatesOnly, ":updatesonly"},
	tDeleteCanceled: {imipDeleteCanceled, ":deletecanceled"},
}

// snoozeTimes reads one entry or a list of entries.
func (p *parser) snoozeTimes(entry func() (int, bool)) ([]int, bool) {
	if p.peek() != '[' {
		n, ok := entry()
		return []int{n}, ok
	}
	return list(p, entry)
}

// snooze is the action of draft-ietf-extra-sieve-snooze.
func (p *parser) snooze() (*node, bool) {
	p.newCommand(capSnooze)
	var f folderTags
	var mailbox, tzid optional
	var add, remove []string
	days := 0
	for more := true; more; {
		ok := true
		switch p.peek() {
		case tMailboxTag:
			p.take()
			ok = p.stringTag(&mailbox, ":mailbox", 0, nil, "")
		case tAddflags:
			p.take()
			ok = p.listTag(&add, ":addflags", capFlags)
		case tRemoveflags:
			p.take()
			ok = p.listTag(&remove, ":removeflags", capFlags)
		case tTzid:
			p.take()
			ok = p.stringTag(&tzid, ":tzid", 0, nil, "")
		case tWeekdays:
			p.take()
			var list []int
			if list, ok = p.snoozeTimes(p.weekday); ok {
				if days != 0 {
					p.duplicateTag(":weekdays")
				}
				days = 0
				for _, d := range list {
					days |= d
				}
			}
		default:
			more, ok = p.folderTag(&f, tCreate, tSpecialUse, tMailboxID)
		}
		if !ok {
			return nil, false
		}
	}
	times, ok := p.snoozeTimes(p.timeOfDay)
	if !ok {
		return nil, false
	}
	if mailbox != nil {
		p.checkMailbox(*mailbox)
	}
	add, remove = p.canonFlags(add), p.canonFlags(remove)
	if days == 0 {
		days = snoozeDays
	}
	slices.Sort(times)
	return &node{op: opSnooze, args: []any{mailbox, f.mailboxID, f.specialUse, f.create, add, remove, days, tzid, times}}, true
}

// weekday is a day of the week as a bit.
func (p *parser) weekday() (int, bool) {
	s, ok := p.rawString()
	if ok && len(s) == 1 && s[0] >= '0' && s[0] <= '6' {
		return 1 << (s[0] - '0'), true
	}
	if ok {
		p.faultf("'%s': not a valid weekday for snooze", s)
	}
	return 0, ok
}

// timeOfDay is a time in seconds of the day.
func (p *parser) timeOfDay() (int, bool) {
	s, ok := p.rawString()
	if !ok {
		return 0, false
	}
	f := strings.Split(s, ":")
	total := 0
	if len(f) == 3 {
		for i, limit := range []int{23, 59, 60} {
			n, err := strconv.Atoi(f[i])
			if err != nil || n < 0 || n > limit || len(f[i]) > 2 {
				total = -1
				break
			}
			total = total*60 + n
		}
		if total >= 0 {
			return total, true
		}
	}
	p.faultf("'%s': not a valid time for snooze", s)
	return 0, true
}
