package sieve

// This file has the actions that send something: vacation and notify.

func (p *parser) vacation() (*node, bool) {
	p.newCommand(capVacation)
	var f folderTags
	var subject, from, handle optional
	var addresses []string
	seconds, mime := -1, -1
	for more := true; more; {
		ok := true
		switch t := p.peek(); t {
		case tDays:
			p.take()
			if ok = p.numberTag(&seconds, ":days"); ok {
				seconds = int(int32(seconds) * daySeconds)
			}
		case tSeconds:
			p.take()
			n := 0
			if n, ok = p.number(); ok {
				p.need(capVacationSeconds)
				if seconds != -1 {
					p.duplicateTag(":seconds")
				}
				seconds = n
			}
		case tSubject:
			p.take()
			ok = p.stringTag(&subject, ":subject", 0, nil, "")
		case tFrom:
			p.take()
			ok = p.stringTag(&from, ":from", 0, nil, "")
		case tHandle:
			p.take()
			ok = p.stringTag(&handle, ":handle", 0, nil, "")
		case tAddresses:
			p.take()
			ok = p.listTag(&addresses, ":addresses", 0)
		case tMime:
			p.take()
			if mime != -1 {
				p.duplicateTag(":mime")
			}
			mime = 1
		default:
			more, ok = p.folderTag(&f, tFcc, tCreate, tFlags, tSpecialUse, tMailboxID)
		}
		if !ok {
			return nil, false
		}
	}
	message, ok := p.string()
	if !ok {
		return nil, false
	}
	p.checkVacation(subject, from, handle, addresses)
	if mime == -1 {
		p.checkUTF8(message)
		mime = 0
	}
	p.checkFcc(&f)
	args := []any{addresses, subject, message, p.vacationTime(seconds), mime, from, handle, f.fcc}
	if f.fcc != nil {
		args = append(args, f.create, f.flags, f.specialUse, f.mailboxID)
	}
	return &node{op: opVacation, args: args}, true
}

func (p *parser) checkVacation(subject, from, handle optional, addresses []string) {
	if handle != nil {
		p.checkUTF8(*handle)
	}
	if subject != nil {
		p.checkUTF8(*subject)
	}
	if from != nil {
		p.checkAddress(*from)
	}
	p.checkAll(addresses, p.checkAddress)
}

// vacationTime is the time between responses in seconds, within its bounds.
func (p *parser) vacationTime(seconds int) int {
	lo, hi := p.opt.vacationBounds()
	if seconds == -1 {
		seconds = 7 * daySeconds
	}
	return min(max(seconds, lo), hi)
}

// checkFcc looks at the mailbox for a copy of what is sent (RFC 8580).
func (p *parser) checkFcc(f *folderTags) {
	if f.fcc != nil {
		p.checkMailbox(*f.fcc)
		f.flags = p.canonFlags(f.flags)
	} else if f.given() {
		p.missingTag(":fcc")
	}
}

// notifyTags are the tags of both forms of notify.
type notifyTags struct {
	from, id, method, message optional
	options                   []string
	priority                  int
	fcc                       folderTags
}

// notify reads notify: with a last argument that of RFC 5435, else that of
// draft-martin-sieve-notify-01.
func (p *parser) notify() (*node, bool) {
	n := notifyTags{priority: -1}
	if !tags(func() (tag, ok bool) { return p.notifyTag(&n) }) {
		return nil, false
	}
	op := opNotify
	if p.peek() == tString {
		method, ok := p.string()
		if !ok {
			return nil, false
		}
		op = opEnotify
		p.checkEnotify(&n)
		n.method = &method
	} else {
		p.checkNotify(&n)
		if n.method == nil {
			n.method = text("default")
		}
	}
	if n.priority == -1 {
		n.priority = vNormal
	}
	if n.message == nil {
		n.message = text("$from$: $subject$")
	}
	who := n.id
	if op == opEnotify {
		who = n.from
	}
	return &node{op: op, args: []any{n.method, who, n.options, n.priority, n.message}}, true
}

func text(s string) optional { return &s }

func (p *parser) notifyTag(n *notifyTags) (tag, ok bool) {
	t := p.peek()
	strings := map[token]struct {
		to   *optional
		name string
	}{
		tFrom: {&n.from, ":from"}, tID: {&n.id, ":id"}, tMethod: {&n.method, ":method"}, tMessage: {&n.message, ":message"},
	}
	if s, ok := strings[t]; ok {
		p.take()
		return true, p.stringTag(s.to, s.name, 0, nil, "")
	}
	switch t {
	case tImportance:
		p.take()
		v, ok := priorities[p.peek()]
		if !ok {
			return true, p.syntaxFault()
		}
		p.take()
		if n.priority != -1 {
			p.duplicateTag(":importance")
		}
		n.priority = v
		return true, true
	case tLow, tNormal, tHigh:
		p.take()
		if n.priority != -1 {
			p.multipleTags("priority")
		}
		n.priority = priorities[t]
		return true, true
	case tOptions:
		p.take()
		return true, p.listTag(&n.options, ":options", 0)
	}
	return p.folderTag(&n.fcc, tFcc, tCreate, tFlags, tSpecialUse, tMailboxID)
}

func (p *parser) checkEnotify(n *notifyTags) {
	p.need(capEnotify)
	if n.id != nil {
		p.unexpectedTag(":id")
	}
	if n.method != nil {
		p.unexpectedTag(":method")
	}
	p.checkFcc(&n.fcc)
}

func (p *parser) checkNotify(n *notifyTags) {
	p.need(capNotify)
	if n.from != nil {
		p.unexpectedTag(":from")
	}
	if n.fcc.fcc != nil {
		p.unexpectedTag(":fcc")
	}
	if n.fcc.create != 0 {
		p.unexpectedTag(":create")
	}
	if n.fcc.flags != nil {
		p.unexpectedTag(":flags")
	}
	if n.fcc.specialUse != nil {
		p.unexpectedTag(":specialuse")
	}
}

func (p *parser) denotify() (*node, bool) {
	p.newCommand(capNotify)
	m := newMatch()
	m.collation = vCasemap
	priority := -1
	var pattern optional
	for {
		if v, ok := priorities[p.peek()]; ok {
			p.take()
			if priority != -1 {
				p.multipleTags("priority")
			}
			priority = v
			continue
		}
		tag, ok := p.matchTag(&m, 0)
		if !ok {
			return nil, false
		}
		if !tag {
			break
		}
		s, ok := p.string()
		if !ok {
			return nil, false
		}
		pattern = &s
	}
	p.canon(&m)
	if priority == -1 {
		priority = vAny
	}
	if pattern != nil {
		p.checkPatterns([]string{*pattern}, &m, nil)
	}
	return &node{op: opDenotify, args: []any{priority, m.kind, m.relation, pattern}}, true
}
