package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// maxWatched bounds the mailboxes that one NOTIFY is about.
const maxWatched = 1000

// errOverflow refuses a NOTIFY that would be too much.
const errOverflow = refusal("[NOTIFICATIONOVERFLOW] Too many mailboxes")

// news is a set of what has changed.
type news uint8

const (
	changedSelected news = 1 << iota
	changedList
	changedSubscriptions
	changedAnnotations
)

// notifier is what a client has asked for by NOTIFY, and what it knows.
type notifier struct {
	groups   []notifyGroup
	selected *notifyGroup // nil: nothing of the selected mailbox
	events   notifyEvent  // of all other groups
	wake     chan struct{}

	mu    sync.Mutex // guards what follows
	dirty map[string]bool
	what  news

	subscriptions string // path of their file, "" does not matter
	lastSubs      stamp  // of package-level stamps only

	stamps *stamps // nil: not needed
	boxes  map[mboxname.Name]*notifyBox
	// subscribed is what the user was subscribed to when boxes was made.
	subscribed map[mboxname.Name]bool
	own        map[mboxname.Name]bool // changed by this client: not told
	server     map[string]uint64      // annotations of the server
	// moved has the old names of mailboxes that have got others: those below
	// them, which follow, are not told.
	moved map[mboxname.Name]mboxname.Name
	lost  map[mboxname.Name]bool // told as \NoAccess when they could not be looked up any more

	annotations *annotationNews // of the selected mailbox; nil: not looked at yet

	watched   string // unique id of the selected mailbox that is watched
	unwatch   func()
	nextRound time.Time // when the list may be gone through again
}

// notifyBox is a mailbox that some group is about.
type notifyBox struct {
	ref        mailbox.Ref
	events     notifyEvent
	readable   bool
	children   bool
	subscribed bool
	known      mailbox.IndexHeader
	unseen     uint32
	metadata   map[string]uint64
	stop       func()
}

func newNotifier(groups []notifyGroup) *notifier {
	n := &notifier{groups: groups, wake: make(chan struct{}, 1), dirty: map[string]bool{}, own: map[mboxname.Name]bool{}, moved: map[mboxname.Name]mboxname.Name{}, lost: map[mboxname.Name]bool{}}
	for i := range groups {
		if g := &groups[i]; g.filter > filterDelayed {
			n.events |= g.events
		} else if g.events != 0 {
			n.selected = g
		}
	}
	return n
}

// wantsAnnotations reports whether the client wants to know of annotations in the
// selected mailbox.
func (n *notifier) wantsAnnotations() bool {
	return n.selected != nil && n.selected.events&eventAnnotations != 0
}

// stop ends all watching.
func (n *notifier) stop() {
	if n.stamps != nil {
		n.stamps.remove(n)
	}
	if n.unwatch != nil {
		n.unwatch()
	}
	for _, b := range n.boxes {
		b.unwatch()
	}
	n.boxes, n.unwatch, n.watched, n.stamps = nil, nil, "", nil
}

func (b *notifyBox) unwatch() {
	if b.stop != nil {
		b.stop()
		b.stop = nil
	}
}

// poke notes that something has changed, and wakes the session.
func (n *notifier) poke(c news) {
	n.mu.Lock()
	n.what |= c
	n.mu.Unlock()
	n.ring()
}

// pokeBox notes that a mailbox has changed.
func (n *notifier) pokeBox(id string) {
	n.mu.Lock()
	n.dirty[id] = true
	n.mu.Unlock()
	n.ring()
}

func (n *notifier) ring() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// take returns what has changed since it was called last.
func (n *notifier) take() (news, map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c, d := n.what, n.dirty
	n.what = 0
	if len(d) > 0 {
		n.dirty = map[string]bool{}
	}
	return c, d
}

// forgetNotify ends what NOTIFY has begun.
func (s *session) forgetNotify() {
	if s.notifier != nil {
		s.notifier.stop()
		s.notifier = nil
	}
}

// didMyself notes that this client changes names or subscriptions, of which it
// is not told (RFC 5465 section 5).
func (s *session) didMyself(names ...mboxname.Name) {
	if s.notifier == nil {
		return
	}
	for _, n := range names {
		s.notifier.own[n] = true
	}
}

// follows begins what a client has asked for. With status it is told how each
// mailbox is now.
func (s *session) follows(n *notifier, status bool) error {
	if n.events == 0 {
		return nil
	}
	n.subscriptions = s.subscriptionsOf()
	n.lastSubs = ofFile(n.subscriptions)
	s.stamps.add(n)
	n.stamps = s.stamps
	boxes, err := s.gather(n)
	if err != nil {
		return err
	}
	n.boxes = boxes
	for name, b := range boxes {
		if !b.readable {
			s.tellNameWith(name, "", []string{`\NoAccess`})
			continue
		}
		if err := s.beginBox(n, b); err != nil && ofServer(err) {
			return err
		}
	}
	if n.events&eventServerMetadata != 0 {
		n.server = s.annotationsNow("", "")
	}
	if !status {
		return nil
	}
	for _, name := range sortedNames(boxes) {
		b := boxes[name]
		if !b.readable || b.events&messageEvents == 0 || s.view != nil && s.view.Ref().UniqueID == b.ref.UniqueID {
			continue
		}
		items := []statusItem{statusMessages, statusUIDNext, statusUIDValidity}
		if b.events&(eventFlags|eventAnnotations) != 0 {
			items = append(items, statusHighestModseq)
		}
		s.tellStatus(name, items)
	}
	return nil
}

// beginBox begins to watch a mailbox.
func (s *session) beginBox(n *notifier, b *notifyBox) error {
	id := b.ref.UniqueID
	if b.events&messageEvents != 0 && b.stop == nil {
		b.stop = s.site.Store.WatchFunc(b.ref, func() { n.pokeBox(id) })
	}
	if b.events&eventMetadata != 0 {
		b.metadata = s.annotationsNow(id, b.ref.Name.OwnerOf(s.site.Names.DeletedPrefix))
	}
	return s.lookAt(b)
}

// lookAt notes how a mailbox is.
func (s *session) lookAt(b *notifyBox) error {
	m, err := s.site.Store.Open(s.ctx, b.ref, mailbox.Read)
	if err != nil {
		return err
	}
	defer m.Close()
	b.known = m.Header()
	b.unseen = b.known.Unseen
	return nil
}

// gather finds the mailboxes that the groups are about and the user may look
// up.
func (s *session) gather(n *notifier) (map[mboxname.Name]*notifyBox, error) {
	subscribed, err := s.site.Subs.List(s.ctx, s.who.User)
	if err != nil {
		return nil, err
	}
	g := gathering{s: s, boxes: map[mboxname.Name]*notifyBox{}, subscribed: map[mboxname.Name]bool{}}
	for _, name := range subscribed {
		g.subscribed[name] = true
	}
	for i := range n.groups {
		if n.groups[i].filter <= filterDelayed || n.groups[i].events == 0 {
			continue
		}
		if err := g.group(&n.groups[i], subscribed); err != nil {
			return nil, err
		}
	}
	names := sortedNames(g.boxes)
	for i, name := range names { // what is below a name comes right behind it
		g.boxes[name].children = i+1 < len(names) && names[i+1].Below(name)
	}
	n.subscribed = g.subscribed
	return g.boxes, nil
}

// gathering is gather at work.
type gathering struct {
	s          *session
	boxes      map[mboxname.Name]*notifyBox
	subscribed map[mboxname.Name]bool
}

// group adds the mailboxes of one group.
func (g *gathering) group(of *notifyGroup, subscribed []mboxname.Name) error {
	s := g.s
	add := func(e *mboxlist.Entry) (bool, error) { return true, g.add(e, of.events) }
	switch of.filter {
	case filterPersonal:
		return s.site.List.User(s.ctx, s.who.User, false, add)
	case filterSubscribed:
		return g.named(subscribed, of.events)
	}
	var names []mboxname.Name
	for _, external := range of.names {
		if name, err := s.internal(external); err == nil { // others do not exist
			names = append(names, name)
		}
	}
	if of.filter == filterMailboxes {
		return g.named(names, of.events)
	}
	for _, name := range names {
		if err := s.site.List.Tree(s.ctx, name, add); err != nil {
			return err
		}
	}
	return nil
}

// named adds those of the names that there are.
func (g *gathering) named(names []mboxname.Name, events notifyEvent) error {
	for _, name := range names {
		e, err := g.s.site.List.Lookup(g.s.ctx, name)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err == nil {
			err = g.add(e, events)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add takes a mailbox, if the user may look it up.
func (g *gathering) add(e *mboxlist.Entry, events notifyEvent) error {
	if !g.s.shownTo(e) {
		return nil
	}
	b := g.boxes[e.Name]
	if b == nil {
		if len(g.boxes) == maxWatched {
			return errOverflow
		}
		b = &notifyBox{ref: e.Ref(), readable: g.s.mayRead(e), subscribed: g.subscribed[e.Name]}
		g.boxes[e.Name] = b
	}
	b.events |= events
	return nil
}

// waitNotified is wait for a client that is told of events meanwhile; false
// if the session must end.
func (s *session) waitNotified() bool {
	end := time.Now().Add(s.timeout)
	poll := config.Imapidlepoll.In(s.conf) // for what nobody tells of: the shutdown file
	if poll <= 0 {
		poll = s.timeout
	}
	for {
		if err := s.after(s.tellEvents(false)); err != nil || s.w.Flush() != nil {
			return false
		}
		s.r.Release()
		s.w.Release()
		left := time.Until(end)
		err := s.park(s.notifier.wake, min(left, poll))
		switch {
		case err == nil:
			return true
		case errors.Is(err, os.ErrDeadlineExceeded) && left > poll:
			if !s.mayGoOn() {
				return false
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.idleTooLong()
			return false
		case !errors.Is(err, errChanged):
			return false
		}
	}
}

// annotationsNow is a number for each stored annotation of a mailbox, or of the
// server, that the user may know of.
func (s *session) annotationsNow(id, owner string) map[string]uint64 {
	return s.hashAnnotations(context.WithoutCancel(s.ctx), id, owner)
}

// inodeOf is the number of a file.
func inodeOf(fi os.FileInfo) uint64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
