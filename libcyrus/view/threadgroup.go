package view

import "gocyrus/libcyrus/imapwire"

// group joins threads with the same subject.
//
// Source: ref_group_subjects in Cyrus imap/index.c; step 5 of RFC 5256.
func (t *threader) group() {
	bySubject := t.rootsBySubject()
	prev := int32(0)
	for cur := t.nodes[0].child; cur != 0; {
		next := t.nodes[cur].next
		old := bySubject[t.msgs[t.first(cur)].subject]
		if old == 0 || old == cur {
			prev, cur = cur, next
			continue
		}
		if prev == 0 {
			t.nodes[0].child = next
		} else {
			t.nodes[prev].next = next
		}
		t.nodes[cur].next = 0
		t.join(old, cur)
		cur = next
	}
}

// rootsBySubject is the thread of each subject that the others join: one
// without a message if there is one, else one that is no reply.
func (t *threader) rootsBySubject() []int32 {
	roots := make([]int32, len(t.subjects))
	for cur := t.nodes[0].child; cur != 0; cur = t.nodes[cur].next {
		s := t.msgs[t.first(cur)].subject
		if s == 0 {
			continue // no subject
		}
		old := roots[s]
		cm := t.nodes[cur].msg
		if old != 0 {
			om := t.nodes[old].msg
			better := cm < 0 && om >= 0 || om >= 0 && t.msgs[om].replied && cm >= 0 && !t.msgs[cm].replied
			if !better {
				continue
			}
		}
		roots[s] = cur
	}
	return roots
}

// join puts the thread cur into the thread old.
func (t *threader) join(old, cur int32) {
	om, cm := t.nodes[old].msg, t.nodes[cur].msg
	switch {
	case om < 0 && cm < 0:
		last := t.nodes[old].child
		for t.nodes[last].next != 0 {
			last = t.nodes[last].next
		}
		t.nodes[last].next = t.nodes[cur].child
		t.setParent(t.nodes[cur].child, old)
		t.nodes[cur].child = 0
	case om < 0, cm >= 0 && t.msgs[cm].replied && !t.msgs[om].replied:
		t.adopt(old, cur)
	default:
		// Neither is above the other: both come below a new place, for which
		// old is taken, as others know it.
		n := t.newNode(om)
		t.nodes[n].child = t.nodes[old].child
		t.setParent(t.nodes[n].child, n)
		t.nodes[cur].parent, t.nodes[n].parent = old, old
		t.nodes[old].msg, t.nodes[old].child = -1, cur
		t.nodes[cur].next = n
	}
}

// setParent makes parent the parent of a list.
func (t *threader) setParent(n, parent int32) {
	for ; n != 0; n = t.nodes[n].next {
		t.nodes[n].parent = parent
	}
}

// threadPrinter prints threads.
type threadPrinter struct {
	t   *threader
	w   *imapwire.Writer
	uid bool
}

// list prints threads that stand side by side.
//
// Source: _index_thread_print in Cyrus imap/index.c.
func (p *threadPrinter) list(n int32) {
	for ; n != 0; n = p.t.nodes[n].next {
		p.w.Text("(")
		p.number(n)
		for c := p.t.nodes[n].child; c != 0; c = p.t.nodes[c].child {
			if p.t.nodes[c].next != 0 {
				p.list(c)
				break
			}
			p.number(c)
		}
		p.w.Text(")")
	}
}

// number prints the number of a message, and a blank if others follow.
func (p *threadPrinter) number(n int32) {
	m := p.t.nodes[n].msg
	if m < 0 || p.t.msgs[m].uid == 0 {
		return
	}
	number := p.t.msgs[m].seq
	if p.uid {
		number = p.t.msgs[m].uid
	}
	b := imapwire.AppendUint(p.w.Buffer(), number)
	if p.t.nodes[n].child != 0 {
		b = append(b, ' ')
	}
	p.w.SetBuffer(b)
}
