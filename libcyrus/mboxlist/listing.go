package mboxlist

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/dlist"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
)

// Listed is one line of an answer to LIST.
type Listed struct {
	External string        // external name
	Name     mboxname.Name // "" if there is no mailbox of this name, only below it
	Entry    *Entry        // nil if there is no mailbox of this name (\Noselect, or \NonExistent)
	// HasChildren says that there is a mailbox below it that the user may
	// look up.
	HasChildren bool
	NoInferiors bool // none can be made below it: the user's folder INBOX.INBOX
	Subscribed  bool // only with ListOptions.Subscribed or WantSubscribed
	// ChildSubscribed says, with ListOptions.Subscribed, that something below
	// it is subscribed.
	ChildSubscribed bool
}

// ListOptions says what is listed.
type ListOptions struct {
	Patterns       []mboxname.Matcher
	Subscribed     bool // only what is subscribed, also if it does not exist
	WantSubscribed bool // fill in Listed.Subscribed
	RecursiveMatch bool // RFC 5258: with Subscribed, also what has something subscribed below
	Services       bool // also mailboxes that are no mail: calendars, Sieve scripts, …; admins see them always
}

// category is the place of a mailbox in an answer to LIST.
//
// Source: mbname_category in Cyrus imap/mboxname.c.
type category uint8

const (
	catInbox    category = iota
	catInboxSub          // altnamespace: "INBOX/x"
	catOwner
	catAltInbox  // altnamespace: the folder named exactly INBOX
	catAltPrefix // altnamespace: what clashes with a prefix
	catOther
	catShared
	catDeleted
	catNone // not shown
)

// Each calls fn for what matches, in the order in which Cyrus answers:
// INBOX, own, other users', shared mailboxes, each in the order of the list;
// deleted ones last, for admins. Mailboxes that the user may not look up are
// left out, and what is above a mailbox without being one (or without being
// visible) is there only if a pattern ends at it.
//
// Source: mboxlist_do_find in Cyrus imap/mboxlist.c; list_cb in
// imap/imapd.c.
func (l *List) Each(ctx context.Context, who Actor, ns *mboxname.Namespace, o ListOptions, fn func(Listed) error) error {
	if len(o.Patterns) == 0 {
		return nil
	}
	v := &lister{l: l, who: who, ns: ns, o: o, fn: fn, inbox: l.o.Names.Inbox(who.User)}
	v.ownTree = v.inbox != "" && v.inbox.OwnerOf(ns.DeletedPrefix) == ns.User
	if o.Subscribed || o.WantSubscribed {
		names, err := l.o.Subs.List(ctx, who.User)
		if err != nil {
			return err
		}
		v.subscribed = names
	}
	if o.Subscribed {
		return v.subscriptions(ctx)
	}
	return v.mailboxes(ctx)
}

// lister is one answer to LIST in the making.
type lister struct {
	l          *List
	who        Actor
	ns         *mboxname.Namespace
	o          ListOptions
	fn         func(Listed) error
	inbox      mboxname.Name
	ownTree    bool            // what lies at and below inbox is the user's own
	subscribed []mboxname.Name // sorted

	waiting *Listed  // found, but its HasChildren depends on what follows
	told    []string // what was told and may be above what follows: external names, each above the next
}

// mailboxes lists what exists.
func (v *lister) mailboxes(ctx context.Context) error {
	// Cyrus does not show admins their own mailboxes.
	if v.inbox != "" && !v.ns.Admin {
		if err := v.own(ctx, v.inbox); err != nil {
			return err
		}
	}
	if v.ns.Admin || !v.ns.HideUsers {
		if err := v.others(ctx); err != nil {
			return err
		}
	}
	if v.ns.Admin || !v.ns.HideShared {
		if err := v.shared(ctx); err != nil {
			return err
		}
	}
	return v.end()
}

// own lists the user's own mailboxes, by category.
func (v *lister) own(ctx context.Context, inbox mboxname.Name) error {
	var all [catNone][]*Entry
	err := v.l.Tree(ctx, inbox, func(e *Entry) (bool, error) {
		c := v.category(e.Name)
		all[c] = append(all[c], e)
		return true, nil
	})
	if err != nil {
		return err
	}
	for c := catInbox; c <= catAltPrefix; c++ {
		for _, e := range all[c] {
			if err := v.visible(e, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// category is where a mailbox is shown to this user.
func (v *lister) category(n mboxname.Name) category {
	if v.ns.Admin && n.IsUser() && !v.inbox.Contains(n) {
		return catOther // most of them, without taking the name apart
	}
	if v.ownTree && !v.ns.AltNamespace && v.inbox.Contains(n) {
		if n == v.inbox {
			return catInbox
		}
		return catOwner
	}
	p := n.Parts(v.ns.DeletedPrefix)
	switch {
	case p.WasDeleted:
		return catDeleted
	case p.Localpart == "":
		return catShared
	case p.UserID() != v.ns.User:
		return catOther
	case len(p.Boxes) == 0:
		return catInbox
	case !v.ns.AltNamespace:
		return catOwner
	}
	switch top := p.Boxes[0]; {
	case top == "INBOX" && len(p.Boxes) == 1:
		return catAltInbox
	case top == "INBOX":
		return catInboxSub
	case strings.EqualFold(top, "INBOX"), top == v.ns.UserPrefix, top == v.ns.SharedPrefix, top == v.ns.AltPrefix:
		return catAltPrefix
	}
	return catOwner
}

// others lists other users' mailboxes.
func (v *lister) others(ctx context.Context) error {
	if !v.canMatch(strings.TrimSuffix(v.ns.Others(), string(v.ns.Separator()))) {
		return nil
	}
	// Most of what a user sees is his own: to decode that a second time was a
	// quarter of a LIST.
	inbox, below := keyOf(v.inbox), keyOf(v.inbox+".")
	mine := func(k []byte) bool {
		return v.inbox != "" && !v.ns.Admin && (bytes.Equal(k, inbox) || bytes.HasPrefix(k, below))
	}
	return v.scan(ctx, v.otherKeys(), mine, func(e *Entry) error {
		if v.category(e.Name) != catOther {
			return nil
		}
		return v.visible(e, catOther)
	})
}

// shared lists shared mailboxes, and for admins deleted ones.
func (v *lister) shared(ctx context.Context) error {
	if !v.canMatch(strings.TrimSuffix(v.ns.Shared(), string(v.ns.Separator()))) {
		return nil
	}
	var deleted []*Entry
	for _, r := range v.sharedKeys() {
		err := v.scan(ctx, r, func([]byte) bool { return false }, func(e *Entry) error {
			switch v.category(e.Name) {
			case catShared:
				return v.visible(e, catShared)
			case catDeleted:
				if v.ns.Admin {
					deleted = append(deleted, e)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, e := range deleted {
		if err := v.visible(e, catDeleted); err != nil {
			return err
		}
	}
	return nil
}

// canMatch reports whether some pattern can match names that begin with
// prefix, or the prefix itself.
func (v *lister) canMatch(prefix string) bool {
	return slices.ContainsFunc(v.o.Patterns, func(m mboxname.Matcher) bool {
		fixed := m.Prefix()
		return strings.HasPrefix(fixed, prefix) || strings.HasPrefix(prefix, fixed)
	})
}

// keyRange is the keys from From, to before To.
type keyRange struct{ from, to []byte }

// below is the range of all keys with a prefix that ends in a byte under
// 0xff.
func below(prefix string) keyRange {
	to := []byte(prefix)
	to[len(to)-1]++
	return keyRange{[]byte(prefix), to}
}

// domainKey is what the keys begin with that the user can see: those of
// his domain only, unless names show domains.
func (v *lister) domainKey() string {
	d := mboxname.UserParts(v.ns.User).Domain
	if d == "" || v.ns.Admin && v.ns.Virtual == mboxname.VirtualOff || v.ns.CrossDomains {
		return string(nameKey)
	}
	return string(keyOf(mboxname.Name(d + "!")))
}

// everyDomain reports whether mailboxes of all domains may be seen.
func (v *lister) everyDomain() bool {
	return v.ns.CrossDomains || v.ns.Admin && v.ns.Virtual != mboxname.VirtualOff && mboxname.UserParts(v.ns.User).Domain == ""
}

// otherKeys is where other users' mailboxes are.
func (v *lister) otherKeys() keyRange {
	if v.everyDomain() {
		return below(string(nameKey))
	}
	return below(v.domainKey() + mboxname.Name("user.").DBKey())
}

// sharedKeys is where shared mailboxes are: before users' and behind.
func (v *lister) sharedKeys() []keyRange {
	if v.everyDomain() {
		return []keyRange{below(string(nameKey))}
	}
	all, users := below(v.domainKey()), below(v.domainKey()+mboxname.Name("user.").DBKey())
	return []keyRange{{all.from, users.from}, {users.to, all.to}}
}

// scan calls fn for the mailboxes in a range that the user may look up, but
// for those whose keys are passed over.
func (v *lister) scan(ctx context.Context, r keyRange, pass func(key []byte) bool, fn func(*Entry) error) error {
	marks := v.marks()
	return v.l.db.Scan(ctx, r.from, func(k, val []byte) (bool, error) {
		if bytes.Compare(k, r.to) >= 0 {
			return false, nil
		}
		if pass(k) || !v.ns.Admin && !mayConcern(val, marks) {
			return true, nil
		}
		e, err := decode(k, val)
		if err != nil {
			v.l.o.Log.Error("DBERROR: entry of the mailbox list cannot be read", "key", string(k), "error", err)
			return true, nil
		}
		if !e.Exists() {
			return true, nil
		}
		return true, fn(e)
	})
}

// marks is what an entry's bytes must contain to give the user any right:
// most of a big list is somebody else's, and need not be decoded.
func (v *lister) marks() [][]byte {
	ids := []string{acl.Anyone, v.who.User}
	if v.who.User == "" {
		ids[1] = acl.Anonymous
	}
	for _, g := range v.who.Groups {
		ids = append(ids, "group:"+g)
	}
	var m [][]byte
	for _, id := range ids {
		// in the value: %(… A %(id rights id rights …))
		word := append(dlist.AppendString(nil, []byte(id)), ' ')
		m = append(m, append([]byte{'('}, word...), append([]byte{' '}, word...))
	}
	return m
}

func mayConcern(value []byte, marks [][]byte) bool {
	return slices.ContainsFunc(marks, func(m []byte) bool { return bytes.Contains(value, m) })
}

// visible takes the next mailbox in order, if the user may look it up.
func (v *lister) visible(e *Entry, c category) error {
	if !v.sees(e) {
		return nil
	}
	ext, ok := v.ns.External(e.Name)
	if !ok {
		return nil
	}
	item := &Listed{External: ext, Name: e.Name, Entry: e, NoInferiors: c == catAltInbox}
	if v.o.WantSubscribed {
		_, item.Subscribed = slices.BinarySearchFunc(v.subscribed, e.Name, mboxname.Compare)
	}
	return v.next(item)
}

// sees reports whether a mailbox is shown to the user at all.
func (v *lister) sees(e *Entry) bool {
	if v.ns.Admin {
		return true
	}
	return (e.Kind() == Email || e.Kind() == News || v.o.Services) && v.l.Rights(v.who, e).Has(acl.Lookup)
}

// next tells of the mailbox before, now that it is known what follows it.
func (v *lister) next(item *Listed) error {
	if w := v.waiting; w != nil {
		w.HasChildren = strings.HasPrefix(item.External, w.External+string(v.ns.Separator()))
		if err := v.tell(*w); err != nil {
			return err
		}
	}
	v.waiting = item
	return nil
}

// end tells of the last mailbox.
func (v *lister) end() error {
	w := v.waiting
	if v.waiting = nil; w == nil {
		return nil
	}
	return v.tell(*w)
}

// tell calls fn for a mailbox if it matches, and for what matches of the
// names above it and was not told yet.
func (v *lister) tell(item Listed) error {
	longest, every := -1, false
	for _, m := range v.o.Patterns {
		longest = max(longest, m.Longest(item.External))
	}
	if longest < 0 {
		return nil
	}
	sep := string(v.ns.Separator())
	for len(v.told) > 0 && !strings.HasPrefix(item.External, v.told[len(v.told)-1]+sep) {
		v.told = v.told[:len(v.told)-1]
	}
	if len(v.o.Patterns) == 1 {
		every = v.o.Patterns[0].ListsParents()
	}
	if every {
		for i := range item.External {
			if item.External[i] == sep[0] && v.o.Patterns[0].Matches(item.External[:i]) {
				if err := v.parent(item.External[:i]); err != nil {
					return err
				}
			}
		}
	}
	if longest < len(item.External) {
		return v.parent(item.External[:longest])
	}
	v.told = append(v.told, item.External)
	return v.fn(item)
}

// parent tells of a name that is above a mailbox, once.
func (v *lister) parent(ext string) error {
	if ext == "" || slices.Contains(v.told, ext) {
		return nil
	}
	v.told = append(v.told, ext)
	return v.fn(Listed{External: ext, HasChildren: true})
}

// subscriptions lists what the user has subscribed to, also what does not
// exist (or is hidden) by now.
func (v *lister) subscriptions(ctx context.Context) error {
	var all [catNone][]mboxname.Name
	for _, n := range v.subscribed {
		c := v.category(n)
		if c == catShared && v.ns.HideShared || c == catOther && v.ns.HideUsers || c == catDeleted {
			continue
		}
		all[c] = append(all[c], n)
	}
	if !v.ns.AltNamespace { // the INBOX and what is below it belong together
		all[catInbox], all[catOwner] = append(all[catInbox], all[catOwner]...), nil
	}
	for c, names := range all {
		for i, n := range names {
			hasNext := i+1 < len(names) && names[i+1].Below(n)
			if err := v.subscription(ctx, n, category(c), hasNext); err != nil {
				return err
			}
		}
	}
	return nil
}

// subscription tells of one subscribed name, if it matches; above says that
// another one lies below it.
func (v *lister) subscription(ctx context.Context, n mboxname.Name, c category, above bool) error {
	ext, ok := v.ns.External(n)
	if !ok {
		return nil
	}
	item := Listed{External: ext, Name: n, Subscribed: true, ChildSubscribed: above, NoInferiors: c == catAltInbox}
	e, err := v.l.Lookup(ctx, n)
	switch {
	case errs.Is(err, errs.NotFound):
	case err != nil:
		return err
	case v.sees(e):
		item.Entry = e
	}
	if item.Entry != nil {
		if item.HasChildren, err = v.childVisible(ctx, n, c); err != nil {
			return err
		}
	}
	for _, m := range v.o.Patterns {
		if m.Matches(ext) {
			v.told = append(v.told, ext)
			return v.fn(item)
		}
	}
	if !v.o.RecursiveMatch {
		return nil
	}
	return v.above(ctx, ext)
}

// above tells of the name above a subscribed one that a pattern matches
// (RFC 5258 section 3.5).
func (v *lister) above(ctx context.Context, ext string) error {
	longest := -1
	for _, m := range v.o.Patterns {
		longest = max(longest, m.Longest(ext))
	}
	if longest <= 0 || slices.Contains(v.told, ext[:longest]) {
		return nil
	}
	ext = ext[:longest]
	n, err := v.ns.Internal(ext)
	if err != nil {
		return nil
	}
	if _, subscribed := slices.BinarySearchFunc(v.subscribed, n, mboxname.Compare); subscribed {
		return nil // it is told of by itself
	}
	v.told = append(v.told, ext)
	item := Listed{External: ext, HasChildren: true, ChildSubscribed: true}
	e, err := v.l.Lookup(ctx, n)
	if err == nil && v.sees(e) {
		item.Name, item.Entry = n, e
	} else if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	return v.fn(item)
}

// childVisible reports whether there is a mailbox below n that the user may
// look up.
func (v *lister) childVisible(ctx context.Context, n mboxname.Name, c category) (found bool, err error) {
	if c == catAltInbox {
		return false, nil
	}
	err = v.l.Tree(ctx, n, func(e *Entry) (bool, error) {
		if e.Name == n || c == catInbox && v.ns.AltNamespace && v.category(e.Name) != catInboxSub {
			return true, nil
		}
		found = v.sees(e)
		return !found, nil
	})
	return found, err
}
