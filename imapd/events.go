package main

import (
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// slowRound is how often the list is gone through at most for a client that
// has asked for many mailboxes: it takes the longer the more there are.
func slowRound(boxes int) time.Duration { return time.Duration(boxes) * 200 * time.Microsecond }

// mayRead reports whether the user may read a mailbox.
func (s *session) mayRead(e *mboxlist.Entry) bool {
	return s.site.List.Rights(s.who, e).Has(acl.Read)
}

// tellEvents tells the client of what it has asked for and what has happened
// since. idle: it is in IDLE, where also SELECTED-DELAYED tells of expunged
// messages.
func (s *session) tellEvents(idle bool) error {
	n := s.notifier
	s.watchSelected(n)
	what, dirty := n.take()
	if what&changedSelected != 0 || idle {
		if err := s.tellSelected(n, idle); err != nil {
			return err
		}
	}
	if what&(changedList|changedSubscriptions) != 0 {
		if wait := time.Until(n.nextRound); wait > 0 {
			time.AfterFunc(wait, func() { n.poke(what) })
		} else if err := s.tellNames(n); err != nil {
			return err
		}
	}
	if what&changedAnnotations != 0 {
		s.tellAnnotations(n)
	}
	if len(dirty) > 0 {
		return s.tellBoxes(n, dirty)
	}
	return nil
}

// watchSelected watches the mailbox that is selected now, if the client wants
// to hear of it.
func (s *session) watchSelected(n *notifier) {
	id := ""
	if s.view != nil && n.selected != nil {
		id = s.view.Ref().UniqueID
	}
	if id == n.watched {
		return
	}
	if n.unwatch != nil {
		n.unwatch()
		n.unwatch = nil
	}
	if n.watched = id; id != "" {
		n.unwatch = s.site.Store.WatchFunc(s.view.Ref(), func() { n.poke(changedSelected) })
		n.poke(changedSelected)
	}
}

// tellSelected tells of the selected mailbox (RFC 5465 sections 5.1 to 5.3).
func (s *session) tellSelected(n *notifier, idle bool) error {
	g := n.selected
	if s.view == nil || g == nil {
		return nil
	}
	if err := s.view.Refresh(s.ctx); err != nil {
		return err
	}
	if g.events&eventExpunge != 0 && (idle || g.filter == filterSelected) {
		s.view.ReportGone(s.w)
	}
	if g.events&eventNew != 0 {
		s.view.ReportNew(s.w)
	}
	if g.events&eventFlags != 0 {
		s.view.ReportFlags(s.w)
	}
	if err := s.tellUpdates(); err != nil {
		return err
	}
	if n.wantsAnnotations() {
		return s.tellMessageAnnotations(n)
	}
	return nil
}

// sortedNames is the names of mailboxes in the list's order.
func sortedNames(boxes map[mboxname.Name]*notifyBox) []mboxname.Name {
	return slices.SortedFunc(maps.Keys(boxes), mboxname.Compare)
}

// tellNames goes through the list again and tells what names and subscriptions
// have changed (RFC 5465 sections 5.4, 5.5 and 5.9).
func (s *session) tellNames(n *notifier) error {
	if n.stamps == nil {
		return nil
	}
	subscribed := n.subscribed
	now, err := s.gather(n)
	if err == errOverflow {
		s.w.Line("* OK [NOTIFICATIONOVERFLOW] Too many mailboxes")
		s.notifier.stop()
		s.notifier = newNotifier(nil)
		return nil
	}
	if err != nil {
		return err
	}
	n.nextRound = time.Now().Add(slowRound(len(now)))
	before := n.boxes
	n.boxes = now
	r := renames(before, now)
	if len(n.moved) > maxWatched {
		clear(n.moved)
	}
	if len(n.lost) > maxWatched {
		clear(n.lost)
	}
	maps.Copy(n.moved, r.from)
	r.subscribed = subscribed
	r.parents = n.parents(before, now, r)
	for _, name := range sortedNames(now) {
		s.tellDifference(n, name, before[name], now[name], r)
	}
	for _, name := range sortedNames(before) {
		b := before[name]
		if now[name] == nil {
			b.unwatch()
			if _, renamed := r.to[name]; !renamed && !n.own[name] {
				s.tellLoss(n, name, b)
			}
		}
	}
	clear(n.own)
	return nil
}

// tellLoss tells that a name is not among those any more that the client has
// asked for: one that is there still is not subscribed any more; else it does not
// exist, if he wants to hear of names, or he has lost the right to see it (RFC
// 5465 sections 5.4, 5.5 and 5.9).
func (s *session) tellLoss(n *notifier, name mboxname.Name, b *notifyBox) {
	e, err := s.site.List.Lookup(s.ctx, name)
	switch {
	case err == nil && s.shownTo(e):
		if b.events&eventSubscription != 0 {
			s.tellName(name, "")
		}
	case b.events&eventName != 0:
		s.tellName(name, "")
	case err == nil && b.readable:
		s.tellNameWith(name, "", []string{`\NoAccess`})
		n.lost[name] = true
	}
}

// parents is the mailboxes of which a child has been made or deleted by others:
// they count as changed themselves (RFC 5465 section 5.4). One that has only been
// subscribed, or is not any more, does not.
func (n *notifier) parents(before, now map[mboxname.Name]*notifyBox, r renamed) map[mboxname.Name]bool {
	p := map[mboxname.Name]bool{}
	for name, b := range now {
		_, renamed := r.from[name]
		if before[name] == nil && !renamed && !n.own[name] && !n.lost[name] && (!b.subscribed || r.subscribed[name]) {
			p[name.Parent()] = true
		}
	}
	for name, b := range before {
		_, renamed := r.to[name]
		if now[name] == nil && !renamed && !n.own[name] && (!b.subscribed || n.subscribed[name]) {
			p[name.Parent()] = true
		}
	}
	return p
}

// renamed is which mailboxes have got other names, and which have got or lost
// children.
type renamed struct {
	to, from map[mboxname.Name]mboxname.Name
	parents  map[mboxname.Name]bool
	// subscribed is what was subscribed before.
	subscribed map[mboxname.Name]bool
}

// renames finds mailboxes by their unique ids.
func renames(before, now map[mboxname.Name]*notifyBox) renamed {
	r := renamed{to: map[mboxname.Name]mboxname.Name{}, from: map[mboxname.Name]mboxname.Name{}}
	byID := map[string]mboxname.Name{}
	for name, b := range before {
		byID[b.ref.UniqueID] = name
	}
	for name, b := range now {
		if old, ok := byID[b.ref.UniqueID]; ok && old != name && now[old] == nil {
			r.to[old], r.from[name] = name, old
		}
	}
	return r
}

// tellDifference tells what has changed of one name, and goes on watching its
// mailbox.
func (s *session) tellDifference(n *notifier, name mboxname.Name, was, is *notifyBox, r renamed) {
	var attributes []string
	if is.subscribed {
		attributes = []string{`\Subscribed`}
	}
	switch from, renamed := r.from[name]; {
	case renamed && is.events&eventName != 0 && !n.own[name] && (n.moved[name.Parent()] == "" || n.moved[name.Parent()] != from.Parent()):
		s.tellNameWith(name, s.ns.ExternalOr(from), attributes)
	case renamed:
	case was == nil && n.lost[name], was != nil && !was.readable && is.readable:
		s.tellName(name, "")
	case was == nil && !n.own[name] && (is.events&eventName != 0 || is.events&eventSubscription != 0 && is.subscribed):
		s.tellNameWith(name, "", attributes)
	case was != nil && was.readable && !is.readable:
		s.tellNameWith(name, "", []string{`\NoAccess`})
	case was != nil && is.events&eventName != 0 && (r.parents[name] || was.children != is.children && !n.ownBelow(name)):
		s.tellName(name, "")
	}
	delete(n.lost, name)
	if was != nil && was.subscribed != is.subscribed && is.events&eventSubscription != 0 && !n.own[name] {
		s.tellNameWith(name, "", attributes)
	}
	if was != nil && was.ref == is.ref && was.readable == is.readable {
		is.known, is.unseen, is.metadata, is.stop, was.stop = was.known, was.unseen, was.metadata, was.stop, nil
		if is.stop != nil || is.events&messageEvents == 0 {
			return
		}
	}
	if was != nil {
		was.unwatch()
	}
	if is.readable {
		_ = s.after(s.beginBox(n, is)) // one that cannot be read is told of when it can be
	}
}

// ownBelow reports whether this client has changed names below one.
func (n *notifier) ownBelow(name mboxname.Name) bool {
	for own := range n.own {
		if own.Below(name) {
			return true
		}
	}
	return false
}

// tellBoxes tells of mailboxes that are not selected (RFC 5465 sections 5.1 to
// 5.3).
func (s *session) tellBoxes(n *notifier, dirty map[string]bool) error {
	for _, name := range sortedNames(n.boxes) {
		b := n.boxes[name]
		if !dirty[b.ref.UniqueID] || !b.readable {
			continue
		}
		old, unseen := b.known, b.unseen
		if err := s.lookAt(b); errs.Is(err, errs.NotFound) {
			continue // its name will be told of
		} else if err != nil {
			return err
		}
		if s.view != nil && s.view.Ref().UniqueID == b.ref.UniqueID {
			continue
		}
		var items []statusItem
		if b.known.UIDValidity != old.UIDValidity {
			items = append(items, statusUIDValidity)
		}
		if b.known.Exists != old.Exists || b.known.LastUID != old.LastUID {
			items = append(items, statusMessages, statusUIDNext)
		}
		flags := b.events&eventFlags != 0 && b.known.HighestModseq != old.HighestModseq
		if flags && b.unseen != unseen {
			items = append(items, statusUnseen)
		}
		if (flags || b.annotated(&old)) && s.client.Condstore && !slices.Contains(items, statusUIDValidity) {
			items = append(items, statusUIDValidity)
		}
		if len(items) == 0 {
			continue
		}
		if s.client.Condstore {
			items = append(items, statusHighestModseq)
		}
		s.tellStatus(name, items)
	}
	return nil
}

// annotated reports whether annotations of messages have changed since, of which
// the client wants to know.
func (b *notifyBox) annotated(old *mailbox.IndexHeader) bool {
	was := annotationNews{head: *old}
	return b.events&eventAnnotations != 0 && was.stale(&b.known)
}

// tellStatus sends the STATUS of a mailbox that the user may still read.
func (s *session) tellStatus(name mboxname.Name, items []statusItem) {
	e, err := s.site.List.Need(s.ctx, s.who, name, acl.Read)
	if err == nil {
		err = s.sendStatus(s.ns.ExternalOr(name), e, items)
	}
	_ = s.after(err) // one that is gone is told of by its name
}

// tellAnnotations tells which annotations have changed (RFC 5465 sections 5.6
// and 5.7).
func (s *session) tellAnnotations(n *notifier) {
	if n.events&eventServerMetadata != 0 {
		now := s.annotationsNow("", "")
		s.tellEntries("", n.server, now)
		n.server = now
	}
	if n.events&eventMetadata == 0 {
		return
	}
	for _, name := range sortedNames(n.boxes) {
		b := n.boxes[name]
		if b.events&eventMetadata == 0 || !b.readable {
			continue
		}
		now := s.annotationsNow(b.ref.UniqueID, name.OwnerOf(s.site.Names.DeletedPrefix))
		s.tellEntries(s.ns.ExternalOr(name), b.metadata, now)
		b.metadata = now
	}
}

// annotatedBox notes that this client has set annotations of a mailbox, or of the
// server if b is nil, of which it is not told. What others have set meanwhile is
// told, unless it is of the same entries.
func (s *session) annotatedBox(b *notifyBox, sets []annot.Set) {
	n := s.notifier
	known, id, owner := n.server, "", ""
	if b != nil {
		known, id, owner = b.metadata, b.ref.UniqueID, b.ref.Name.OwnerOf(s.site.Names.DeletedPrefix)
	}
	if known == nil {
		return
	}
	now := s.annotationsNow(id, owner)
	for _, set := range sets {
		for _, prefix := range []string{"/private", "/shared"} {
			entry := prefix + set.Entry
			if sum, ok := now[entry]; ok {
				known[entry] = sum
			} else {
				delete(known, entry)
			}
		}
	}
}

// tellEntries sends the names of the entries that differ.
func (s *session) tellEntries(mailbox string, was, is map[string]uint64) {
	var changed []string
	for entry, sum := range is {
		if old, ok := was[entry]; !ok || old != sum {
			changed = append(changed, entry)
		}
	}
	for entry := range was {
		if _, ok := is[entry]; !ok {
			changed = append(changed, entry)
		}
	}
	if len(changed) == 0 {
		return
	}
	slices.Sort(changed)
	b := s.appendName(append(s.w.Buffer(), "* METADATA "...), mailbox)
	for _, entry := range changed {
		b = imapwire.AppendAString(append(b, ' '), entry)
	}
	s.w.SetBuffer(append(b, "\r\n"...))
}

// hashAnnotations is a number for each annotation that is stored of a mailbox,
// or with id "" of the server, shared or the user's own, by its name in METADATA.
func (s *session) hashAnnotations(ctx context.Context, id, owner string) map[string]uint64 {
	sums := map[string]uint64{}
	err := s.site.Annot.Each(ctx, annot.Scope{MailboxID: id, Owner: owner}, func(k annot.Key, value []byte) error {
		prefix := "/shared"
		if k.User != "" {
			if prefix = "/private"; k.User != s.who.User {
				return nil
			}
		}
		h := fnv.New64a()
		_, _ = h.Write(value)
		sums[prefix+k.Entry] = h.Sum64()
		return nil
	})
	if ofServer(err) {
		s.log.Error("annotations cannot be read", "mailbox", id, "error", err)
	}
	return sums
}
