package view

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/message"
)

// Algorithm is a way to make threads.
type Algorithm uint8

// The algorithms of RFC 5256, and REFS, which knows no subjects and puts the
// thread with the latest message last.
const (
	OrderedSubject Algorithm = iota
	References
	Refs
)

// Algorithms is the algorithms by name.
var Algorithms = map[string]Algorithm{"ORDEREDSUBJECT": OrderedSubject, "REFERENCES": References, "REFS": Refs}

// threaded is what threading needs of one message.
type threaded struct {
	seq, uid uint32 // 0 for what stands for several messages
	date     uint32 // of Date:, else the internal date
	arrival  uint32
	subject  int32 // number of the base subject
	replied  bool  // it had a Re: or the like
}

// node is a message or a place for one that is not there. The links are
// numbers of nodes; 0 is none, as the first node is the root.
type node struct {
	parent, child, next int32
	msg                 int32 // of threader.msgs, -1 = none
}

// About what a message and a node need; a node stands for a message id, too.
const (
	threadedMemory = 24
	nodeMemory     = 16 + 16 + 64
)

// threader makes threads of the messages of one search.
type threader struct {
	msgs     []threaded
	nodes    []node
	subjects map[string]int32
	ids      map[string]int32 // nodes by message id
	copies   int              // of message ids
	// byArrival: of messages with the same date the one that arrived first
	// comes first.
	byArrival bool
	modseq    uint64
	used      int // octets of memory, about
}

// Thread sends the threads of the messages that fit a search, and returns
// how many messages that were. While they are sent, 40 octets are kept for each.
//
// Source: index_thread in Cyrus imap/index.c, an interpretation of RFC 5256
// whose results it has, also where they differ from the RFC's.
func (v *View) Thread(ctx context.Context, w *imapwire.Writer, how Algorithm, s *imapwire.Search, uid bool) (int, error) {
	t := threader{byArrival: how == Refs, subjects: map[string]int32{"": 0}, ids: map[string]int32{}, nodes: []node{{msg: -1}}}
	mem := v.memory()
	defer mem.end()
	err := v.eachWithin(ctx, v.All(), s, mem, func(c *candidate) {
		before := t.used
		t.add(c, how)
		mem.take(c, t.used-before)
	})
	if err != nil {
		return 0, err
	}
	n := len(t.msgs)
	t.ids = nil
	if n > 0 {
		switch how {
		case OrderedSubject:
			t.bySubject()
		case References:
			t.gather()
			t.prune(0)
			t.sortRoot()
			t.group()
		case Refs:
			t.gather()
			t.prune(0)
			t.datesOfThreads()
		}
		t.sort(0)
	}
	t.subjects = nil
	mem.end() // a client that reads slowly holds nobody up
	w.Text("* THREAD")
	if n > 0 {
		w.Text(" ")
		p := threadPrinter{t: &t, w: w, uid: uid}
		p.list(t.nodes[0].child)
		if s.Modseq {
			w.Text(" (MODSEQ ", strconv.FormatUint(t.modseq, 10), ")")
		}
	}
	w.Line()
	return n, nil
}

// add takes the next message.
func (t *threader) add(c *candidate, how Algorithm) {
	m := threaded{seq: c.seq, uid: c.r.UID, date: uint32(sentTime(c.r)), arrival: uint32(c.r.InternalDate)}
	t.modseq = max(t.modseq, c.r.Modseq)
	if how != Refs {
		subject, replies := baseSubject(c.item(message.ItemSubject))
		n, ok := t.subjects[subject]
		if !ok {
			n = int32(len(t.subjects))
			t.subjects[subject] = n
			t.used += textMemory + len(subject)
		}
		m.subject, m.replied = n, replies > 0
	}
	t.msgs = append(t.msgs, m)
	t.used += threadedMemory
	if how != OrderedSubject {
		t.link(c, int32(len(t.msgs)-1))
	}
}

// newNode makes a node of a message, or an empty one.
func (t *threader) newNode(msg int32) int32 {
	t.nodes = append(t.nodes, node{msg: msg})
	t.used += nodeMemory
	return int32(len(t.nodes) - 1)
}

// link puts a message below the one that it refers to.
//
// Source: ref_link_messages in Cyrus imap/index.c; step 1 of RFC 5256.
func (t *threader) link(c *candidate, msg int32) {
	envelope := c.item(message.ItemEnvelope)
	id, _ := nextMessageID(envelopeField(envelope, envelopeMessageID))
	if id == "" {
		id = "<Empty-ID: " + strconv.FormatUint(uint64(c.seq), 10) + ">"
	}
	cur, ok := t.ids[id]
	switch {
	case ok && t.nodes[cur].msg >= 0:
		id += "-dup" + strconv.Itoa(t.copies)
		t.copies++
		cur = t.newNode(msg)
		t.ids[id] = cur
	case ok:
		t.nodes[cur].msg = msg
	default:
		cur = t.newNode(msg)
		t.ids[id] = cur
	}
	parent := t.references(c, envelope)
	if t.nodes[cur].parent != 0 {
		t.orphan(cur)
	}
	if parent != 0 && !t.above(cur, parent) {
		t.adopt(parent, cur)
	}
}

// maxReferences bounds the references of one message: more than any client
// sends.
const maxReferences = 10000

// references links the messages that a message refers to, and returns the
// last of them, or 0.
func (t *threader) references(c *candidate, envelope []byte) (parent int32) {
	_, refs, _ := strings.Cut(string(c.headers("references")), ":")
	line := []byte(refs)
	line = massaged(line[:fieldEnd(line)])
	for range maxReferences {
		var id string
		if id, line = nextMessageID(line); id == "" {
			break
		}
		parent = t.reference(id, parent)
	}
	if parent == 0 {
		if id, _ := nextMessageID(envelopeField(envelope, envelopeInReplyTo)); id != "" {
			parent = t.reference(id, 0)
		}
	}
	return parent
}

// reference finds or makes the node of an id, and links it to the one before.
func (t *threader) reference(id string, parent int32) int32 {
	ref, ok := t.ids[id]
	if !ok {
		ref = t.newNode(-1)
		t.ids[id] = ref
	}
	if parent != 0 && t.nodes[ref].parent == 0 && !t.above(ref, parent) {
		t.adopt(parent, ref)
	}
	return ref
}

// above reports whether b is a, or below it.
func (t *threader) above(a, b int32) bool {
	if t.nodes[a].child == 0 {
		return a == b
	}
	for ; b != 0; b = t.nodes[b].parent {
		if a == b {
			return true
		}
	}
	return false
}

// adopt makes a node the first child of another.
func (t *threader) adopt(parent, child int32) {
	t.nodes[child].parent = parent
	t.nodes[child].next = t.nodes[parent].child
	t.nodes[parent].child = child
}

// orphan takes a node from its parent.
func (t *threader) orphan(n int32) {
	for p := &t.nodes[t.nodes[n].parent].child; *p != 0; p = &t.nodes[*p].next {
		if *p == n {
			*p = t.nodes[n].next
			break
		}
	}
	t.nodes[n].parent, t.nodes[n].next = 0, 0
}

// gather puts all nodes without parent below the root.
func (t *threader) gather() {
	for n := len(t.nodes) - 1; n > 0; n-- {
		if t.nodes[n].parent == 0 {
			t.nodes[n].next = t.nodes[0].child
			t.nodes[0].child = int32(n)
		}
	}
}

// prune removes empty nodes below n. Below the root those stay that hold
// several threads together.
//
// Source: ref_prune_tree in Cyrus imap/index.c; step 3 of RFC 5256.
func (t *threader) prune(n int32) {
	at := &t.nodes[n].child
	for *at != 0 {
		cur := *at
		c := &t.nodes[cur]
		switch {
		case c.msg < 0 && c.child == 0:
			*at = c.next
		case c.msg < 0 && (c.parent != 0 || t.nodes[c.child].next == 0):
			*at = c.child
			last := c.child
			for t.nodes[last].parent = c.parent; t.nodes[last].next != 0; t.nodes[last].parent = c.parent {
				last = t.nodes[last].next
			}
			t.nodes[last].next = c.next
			c.child, c.next = 0, 0
		case c.child != 0:
			if t.prune(cur); c.msg < 0 && c.child == 0 {
				*at = c.next
				continue
			}
			at = &c.next
		default:
			at = &c.next
		}
	}
}

// first is the message of a node, or of its first child.
func (t *threader) first(n int32) int32 {
	if t.nodes[n].msg < 0 {
		n = t.nodes[n].child
	}
	return t.nodes[n].msg
}

// compare compares nodes by date, then arrival (if that counts), then place.
func (t *threader) compare(a, b int32) int {
	x, y := &t.msgs[t.first(a)], &t.msgs[t.first(b)]
	if t.byArrival {
		return cmp.Or(cmp.Compare(x.date, y.date), cmp.Compare(x.arrival, y.arrival), cmp.Compare(x.seq, y.seq))
	}
	return cmp.Or(cmp.Compare(x.date, y.date), cmp.Compare(x.seq, y.seq))
}

// sortChildren sorts the children of one node.
func (t *threader) sortChildren(n int32) {
	var list []int32
	for c := t.nodes[n].child; c != 0; c = t.nodes[c].next {
		list = append(list, c)
	}
	slices.SortStableFunc(list, t.compare)
	at := &t.nodes[n].child
	for _, c := range list {
		*at = c
		at = &t.nodes[c].next
	}
	*at = 0
}

// sort sorts all below a node, the inner ones first.
func (t *threader) sort(n int32) {
	for c := t.nodes[n].child; c != 0; c = t.nodes[c].next {
		if t.nodes[c].child != 0 {
			t.sort(c)
		}
	}
	if c := t.nodes[n].child; c != 0 && t.nodes[c].next != 0 {
		t.sortChildren(n)
	}
}

// sortRoot sorts the threads by date (step 4 of RFC 5256).
func (t *threader) sortRoot() {
	for c := t.nodes[0].child; c != 0; c = t.nodes[c].next {
		if t.nodes[c].msg < 0 {
			t.sortChildren(c)
		}
	}
	t.sortChildren(0)
}

// datesOfThreads gives the root of each thread the date of its latest
// message.
//
// Source: refs_thread_proc in Cyrus imap/index.c.
func (t *threader) datesOfThreads() {
	for c := t.nodes[0].child; c != 0; c = t.nodes[c].next {
		latest := t.latest(c)
		if t.nodes[c].msg < 0 {
			t.msgs = append(t.msgs, threaded{})
			t.nodes[c].msg = int32(len(t.msgs) - 1)
		}
		t.msgs[t.nodes[c].msg].date = latest
	}
}

// latest is the highest internal date in a thread.
func (t *threader) latest(n int32) uint32 {
	var d uint32
	if m := t.nodes[n].msg; m >= 0 {
		d = t.msgs[m].arrival
	}
	for c := t.nodes[n].child; c != 0; c = t.nodes[c].next {
		d = max(d, t.latest(c))
	}
	return d
}

// bySubject makes threads of messages with the same subject.
//
// Source: index_thread_orderedsubj in Cyrus imap/index.c.
func (t *threader) bySubject() {
	order := make([]int32, len(t.msgs))
	for i := range order {
		order[i] = int32(i)
	}
	place := t.subjectOrder()
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &t.msgs[a], &t.msgs[b]
		return cmp.Or(cmp.Compare(place[x.subject], place[y.subject]), cmp.Compare(x.date, y.date), cmp.Compare(x.seq, y.seq))
	})
	thread, last := int32(0), int32(-1)
	for _, m := range order {
		n := t.newNode(m)
		if s := t.msgs[m].subject; s != last {
			thread, last = n, s
			t.adopt(0, n)
		} else {
			t.adopt(thread, n)
		}
	}
}

// subjectOrder is the place of each subject among all.
func (t *threader) subjectOrder() []int32 {
	all := make([]string, 0, len(t.subjects))
	for s := range t.subjects {
		all = append(all, s)
	}
	slices.Sort(all)
	place := make([]int32, len(all))
	for i, s := range all {
		place[t.subjects[s]] = int32(i)
	}
	return place
}
