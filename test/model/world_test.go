package model

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// universe is the flags that clients set.
var universe = []string{`\Answered`, `\Deleted`, `\Draft`, `\Flagged`, `\Seen`, "k0", "k1", "k2"}

// state is a message at a quiet point.
type state struct {
	flags  string // sorted
	modseq uint64
	token  string
}

// A kind is what an operation does to messages.
type kind int

const (
	adds    kind = iota // flags
	removes             // flags
	expunge             // those with \Deleted
	take                // by MOVE
)

// op is a command that changes messages of a mailbox.
type op struct {
	kind  kind
	uids  []uint32 // nil: all
	flags []string
	sure  bool // it was answered OK and cannot have left a message out
}

// concerns reports whether an operation may change a message.
func (o *op) concerns(uid uint32) bool { return o.uids == nil || slices.Contains(o.uids, uid) }

// born is a message that was made since the last quiet point.
type born struct {
	token string
	flags string
	known bool // its flags are known: not a copy's
}

// box is the model of a mailbox. Between quiet points it only notes what was
// done and what was told.
type box struct {
	name string

	mu      sync.Mutex // guards what follows
	truth   map[uint32]state
	uidNext uint32
	ops     []op
	made    map[uint32]born
	gone    map[uint32]string // for good; who says so
	tokens  map[uint32]string
	history map[uint32]map[uint64]string
}

func newBox(name string) *box {
	return &box{name: name, truth: map[uint32]state{}, made: map[uint32]born{}, gone: map[uint32]string{},
		tokens: map[uint32]string{}, history: map[uint32]map[uint64]string{}}
}

// did notes an operation.
func (b *box) did(o op) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ops = append(b.ops, o)
}

// makes notes new messages.
func (b *box) makes(uid uint32, n born) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, twice := b.made[uid]; twice {
		return fmt.Errorf("%s: UID %d is given twice", b.name, uid)
	}
	if _, old := b.truth[uid]; old {
		return fmt.Errorf("%s: UID %d is given again", b.name, uid)
	}
	b.made[uid] = n
	return b.is(uid, n.token)
}

// is notes which message a UID stands for; b.mu is held.
func (b *box) is(uid uint32, token string) error {
	if was, ok := b.tokens[uid]; ok && was != token {
		return fmt.Errorf("%s: UID %d was %q and is %q", b.name, uid, was, token)
	}
	b.tokens[uid] = token
	return nil
}

// tokenOf is the message that a UID stands for.
func (b *box) tokenOf(uid uint32) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens[uid]
}

// told notes what a client was told of a message, and compares it with what
// others were told of it.
func (b *box) told(f *fetched) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.uid == 0 {
		return nil
	}
	if f.token != "" {
		if err := b.is(f.uid, f.token); err != nil {
			return err
		}
	}
	if f.modseq == 0 || !f.has {
		return nil
	}
	h := b.history[f.uid]
	if h == nil {
		h = map[uint64]string{}
		b.history[f.uid] = h
	}
	if was, ok := h[f.modseq]; ok && was != f.flags {
		return fmt.Errorf("%s: UID %d has with modseq %d the flags %q, and was told to have %q", b.name, f.uid, f.modseq, f.flags, was)
	}
	h[f.modseq] = f.flags
	return nil
}

// leaves notes that a message is gone.
func (b *box) leaves(uid uint32, who string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone[uid] = who
}

// settle compares what a mailbox is at a quiet point with what must be, and
// begins anew from there.
func (b *box) settle(now map[uint32]state, uidNext uint32, highest uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if uidNext < b.uidNext {
		return fmt.Errorf("%s: UIDNEXT went from %d to %d", b.name, b.uidNext, uidNext)
	}
	for uid, s := range now {
		if uid >= uidNext || s.modseq > highest {
			return fmt.Errorf("%s: UID %d modseq %d, but UIDNEXT %d HIGHESTMODSEQ %d", b.name, uid, s.modseq, uidNext, highest)
		}
		if err := b.explain(uid, s); err != nil {
			return err
		}
	}
	for uid := range b.made {
		if _, there := now[uid]; !there {
			if err := b.explainGone(uid); err != nil {
				return err
			}
		}
	}
	for uid := range b.truth {
		if _, there := now[uid]; !there {
			if err := b.explainGone(uid); err != nil {
				return err
			}
		}
	}
	b.truth, b.uidNext, b.ops, b.made, b.history = now, uidNext, nil, map[uint32]born{}, map[uint32]map[uint64]string{}
	for uid, s := range now {
		b.history[uid] = map[uint64]string{s.modseq: s.flags}
	}
	return nil
}

// explain looks whether a message that is there may be, as it is.
func (b *box) explain(uid uint32, s state) error {
	if who, gone := b.gone[uid]; gone {
		return fmt.Errorf("%s: UID %d is there, but %s saw it go", b.name, uid, who)
	}
	if err := b.is(uid, s.token); err != nil {
		return err
	}
	was, old := b.truth[uid]
	n, made := b.made[uid]
	switch {
	case !old && !made:
		return fmt.Errorf("%s: nobody has made UID %d (%q)", b.name, uid, s.token)
	case old && s.modseq < was.modseq:
		return fmt.Errorf("%s: the modseq of UID %d went from %d to %d", b.name, uid, was.modseq, s.modseq)
	case old && s.modseq == was.modseq && s.flags != was.flags:
		return fmt.Errorf("%s: the flags of UID %d went from %q to %q, its modseq stayed", b.name, uid, was.flags, s.flags)
	}
	flags, known := was.flags, old
	if made {
		flags, known = n.flags, n.known
	}
	for _, f := range universe {
		if err := b.explainFlag(uid, f, known, has(flags, f), has(s.flags, f)); err != nil {
			return err
		}
	}
	return nil
}

// has reports whether flags hold one.
func has(flags, flag string) bool { return slices.Contains(strings.Fields(flags), flag) }

// explainFlag looks whether a flag may be what it is: was, if known, and what
// the operations made of it.
func (b *box) explainFlag(uid uint32, flag string, known, was, is bool) error {
	var touched [2]bool // by adding, by removing
	var sure [2]bool
	for i := range b.ops {
		o := &b.ops[i]
		if o.kind <= removes && o.concerns(uid) && slices.Contains(o.flags, flag) {
			touched[o.kind] = true
			sure[o.kind] = sure[o.kind] || o.sure
		}
	}
	ok := true
	switch {
	case touched[adds] && touched[removes]:
	case touched[adds]:
		ok = is || !sure[adds] && !(known && was)
	case touched[removes]:
		ok = !is || !sure[removes] && !(known && !was)
	default:
		ok = !known || was == is
	}
	if !ok {
		return fmt.Errorf("%s: UID %d has the flag %s: %v; before (known: %v): %v; added %v, removed %v, surely %v",
			b.name, uid, flag, is, known, was, touched[adds], touched[removes], sure)
	}
	return nil
}

// explainGone looks whether somebody may have removed a message.
func (b *box) explainGone(uid uint32) error {
	n, made := b.made[uid]
	deleted := made && (!n.known || has(n.flags, `\Deleted`)) || has(b.truth[uid].flags, `\Deleted`)
	for i := range b.ops {
		o := &b.ops[i]
		deleted = deleted || o.kind == adds && o.concerns(uid) && slices.Contains(o.flags, `\Deleted`)
	}
	for i := range b.ops {
		o := &b.ops[i]
		if o.concerns(uid) && (o.kind == take || o.kind == expunge && deleted) {
			return nil
		}
	}
	return fmt.Errorf("%s: UID %d is gone, and nobody has removed it", b.name, uid)
}
