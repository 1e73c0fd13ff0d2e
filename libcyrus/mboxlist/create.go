package mboxlist

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// CreateOptions says what a new mailbox is like.
type CreateOptions struct {
	Kind       byte     // of its type; 0 is Email
	Partition  string   // "" is the parent's, or chooses; only admins may say
	SpecialUse []string // `\Junk`, …
	UniqueID   string   // "" makes one
	Options    mailbox.IndexOptions
	ACL        acl.List // nil: the parent's, or the default
	// Force skips the rights: for what the server does by itself.
	Force bool
}

// What goes wrong with special uses; the text is Cyrus's. The errors that
// wrap them are of kind errs.NotSupported.
var (
	ErrUseTaken   = errors.New("SPECIAL-USE flag conflict")
	ErrUseUnknown = errors.New("Invalid annotation entry")
)

// Create makes a mailbox, and its parents where there are none.
//
// Kinds: errs.BadName, errs.Denied, errs.Exists, errs.BadPartition,
// errs.OverQuota (X-NUM-FOLDERS), errs.NotSupported for ErrUseTaken and
// ErrUseUnknown.
//
// Source: cmd_create in Cyrus imap/imapd.c, mboxlist_createmailbox in
// imap/mboxlist.c.
func (l *List) Create(ctx context.Context, who Actor, n mboxname.Name, o CreateOptions) (e *Entry, err error) {
	l.Resume(ctx)
	err = retry(ctx, func() error {
		e, err = l.create(ctx, who, n, o)
		return err
	})
	return e, err
}

func (l *List) create(ctx context.Context, who Actor, n mboxname.Name, o CreateOptions) (*Entry, error) {
	if err := l.checkUses(ctx, n, o.SpecialUse); err != nil {
		return nil, err
	}
	p, err := l.mayCreate(ctx, who, n, o)
	if err != nil {
		return nil, err
	}
	todo := l.makeSteps(p, p.missing, n, o)
	var e *Entry
	err = l.asOne(ctx, who, todo, func(took func()) (err error) {
		e, err = l.takeMakes(ctx, who, todo, took)
		return err
	})
	if err == nil { // also if it came to its end only after a failure
		if e, err = l.Lookup(ctx, n); err == nil {
			l.tell(event.MailboxCreate, who, e)
		}
		return e, err
	}
	return e, err
}

// makeSteps is the steps that make parents, the topmost first, and then n; n
// may be "": then only them.
func (l *List) makeSteps(p *plan, missing []mboxname.Name, n mboxname.Name, o CreateOptions) (todo []step) {
	above := *p // what the entries are made by
	for _, parent := range missing {
		todo = append(todo, l.makeStep(&above, parent, CreateOptions{ACL: o.ACL}))
		above.parent = todo[len(todo)-1].madeEntry()
	}
	if n != "" {
		todo = append(todo, l.makeStep(&above, n, o))
	}
	return todo
}

// takeMakes makes the mailboxes of steps, and returns the last one.
func (l *List) takeMakes(ctx context.Context, who Actor, todo []step, took func()) (e *Entry, err error) {
	for i := range todo {
		if e, err = l.takeMake(ctx, who, &todo[i]); err != nil {
			return e, err
		}
		took()
	}
	return e, nil
}

// takeMake makes the mailbox of a step.
func (l *List) takeMake(ctx context.Context, who Actor, s *step) (*Entry, error) {
	e := s.madeEntry()
	o := CreateOptions{Kind: e.Kind(), UniqueID: s.ID, ACL: e.ACL, Options: mailbox.IndexOptions(s.Options)}
	if o.ACL == nil {
		o.ACL = acl.List{} // not the default
	}
	e, err := l.make(ctx, who, &plan{partition: s.Partition, legacy: e.Has(LegacyDirs), fresh: s.fresh}, s.Name, o)
	if err == nil && s.Uses != "" {
		err = l.SetSpecialUse(ctx, e, s.Uses)
	}
	return e, err
}

// newEntry is the entry of a mailbox that will be made.
func (l *List) newEntry(p *plan, n mboxname.Name, o CreateOptions) *Entry {
	e := &Entry{Name: n, UniqueID: o.UniqueID, Partition: p.partition, ACL: l.newACL(p, n, o)}
	if e.UniqueID == "" {
		e.UniqueID = mailbox.NewUniqueID()
	}
	if o.Kind == 0 {
		o.Kind = Email
	}
	e.Type = string(o.Kind)
	if p.legacy {
		e.Type = withFlags(e.Type, string(LegacyDirs), "")
	}
	return e
}

// plan is what is known about a mailbox that may be made.
type plan struct {
	parent    *Entry          // the nearest that exists, nil if there is none
	missing   []mboxname.Name // parents to be made first, the topmost first
	partition string
	legacy    bool
	fresh     bool // its unique id was made just now: nobody has it
}

// mayCreate decides whether who may make a mailbox.
//
// Source: mboxlist_create_namecheck and mboxlist_createmailboxcheck in
// Cyrus imap/mboxlist.c.
func (l *List) mayCreate(ctx context.Context, who Actor, n mboxname.Name, o CreateOptions) (*plan, error) {
	admin := o.Force || l.isAdmin(who, n)
	if err := l.o.Names.Valid(n); err != nil {
		return nil, err
	}
	if o.Partition != "" && !admin {
		return nil, denied("mboxlist.Create", n)
	}
	old, err := l.Lookup(ctx, n)
	switch {
	case err == nil && (admin || l.Rights(who, old).Has(acl.Lookup)):
		return nil, errs.New(errs.Exists, "mboxlist.Create", string(n), nil)
	case err == nil:
		return nil, denied("mboxlist.Create", n)
	case !errs.Is(err, errs.NotFound):
		return nil, err
	}
	p, err := l.plan(ctx, n)
	if err != nil {
		return nil, err
	}
	switch {
	case n.IsInbox():
		if !admin {
			return nil, denied("mboxlist.Create", n)
		}
	case p.parent != nil:
		if !admin && !l.Rights(who, p.parent).Has(acl.Create) {
			return nil, denied("mboxlist.Create", n)
		}
		if err := l.mayHaveChildren(ctx, p.parent); err != nil {
			return nil, err
		}
	case n.IsUser() || !admin:
		return nil, denied("mboxlist.Create", n)
	}
	return p, l.place(p, o.Partition)
}

// plan finds the nearest parent of n that exists, and those between that
// do not.
func (l *List) plan(ctx context.Context, n mboxname.Name) (*plan, error) {
	p := &plan{}
	err := parents(n, func(name mboxname.Name) (bool, error) {
		e, err := l.Lookup(ctx, name)
		if errs.Is(err, errs.NotFound) {
			// INBOX/x of the alternative namespace needs no mailbox INBOX.
			if name.Base() != "INBOX" || !name.Parent().IsInbox() {
				p.missing = append(p.missing, name)
			}
			return true, nil
		}
		p.parent = e
		return false, err
	})
	slices.Reverse(p.missing)
	p.legacy = l.o.LegacyDirs
	if err != nil || p.parent == nil || !n.IsUser() {
		return p, err
	}
	_, p.legacy, err = l.HomeOf(ctx, n.Owner())
	return p, err
}

// place chooses the partition.
func (l *List) place(p *plan, asked string) (err error) {
	switch {
	case asked != "":
		p.partition = asked
	case p.parent != nil:
		p.partition = p.parent.Partition
	default:
		if p.partition, err = l.choosePartition(); err != nil {
			return err
		}
	}
	_, err = l.o.Layout.Root(p.partition)
	return err
}

// make makes one mailbox whose parent exists, on disk and in the list.
func (l *List) make(ctx context.Context, who Actor, p *plan, n mboxname.Name, o CreateOptions) (*Entry, error) {
	old, err := l.fetch(ctx, keyOf(n))
	if err != nil {
		return nil, err
	}
	e := l.newEntry(p, n, o)
	root, err := l.roomForFolder(ctx, n)
	if err != nil {
		return nil, err
	}
	fresh := p.fresh
	if n.IsInbox() && old.Entry == nil {
		fresh = false // after this
		if old, err = l.announce(ctx, who, e); err != nil {
			return nil, err
		}
	}
	opts := mailbox.CreateOptions{
		SessionID:   who.SessionID,
		ACL:         e.ACL.String(),
		QuotaRoot:   root,
		MinValidity: floor(old.Entry),
		Options:     o.Options | l.o.NewOptions,
	}
	_, err = l.o.Store.Create(ctx, e.Ref(), opts, func(c mailbox.Created) error {
		e.UIDValidity, e.CreatedModseq, e.FolderModseq = c.UIDValidity, c.Modseq, c.Modseq
		e.Mtime = l.now()
		return l.enter(ctx, who, old, e, fresh)
	})
	return e, err
}

// enter puts a new mailbox into the list. With fresh nothing stands at its
// unique id.
func (l *List) enter(ctx context.Context, who Actor, old stored, e *Entry, fresh bool) error {
	c := l.begin(who)
	c.name(old, e)
	if fresh {
		c.newID(e)
	} else if err := c.id(ctx, e, nil); err != nil {
		return err
	}
	if old.Entry != nil && old.UniqueID != e.UniqueID && old.UniqueID != "" {
		if err := c.forgetDead(ctx, old.UniqueID); err != nil {
			return err
		}
	}
	return c.commit(ctx)
}

// forgetDead removes what stands at the unique id of a tombstone, unless the
// mailbox lives on under another name.
func (c *change) forgetDead(ctx context.Context, id string) error {
	s, err := c.l.fetch(ctx, keyOfID(id))
	if err == nil && s.Entry != nil && !s.Exists() {
		c.tx.Require(keyOfID(id), s.raw)
		c.forget(id)
	}
	if errs.Is(err, errs.BadFormat) {
		return nil
	}
	return err
}

// announce writes the entry of a new user's INBOX as an intermediate, so
// that his files already have a place when the mailbox is made.
func (l *List) announce(ctx context.Context, who Actor, e *Entry) (stored, error) {
	i := &Entry{Name: e.Name, UniqueID: e.UniqueID, Type: withFlags(e.Type, string(Intermediate), ""), Mtime: l.now()}
	c := l.begin(who)
	c.name(stored{}, i)
	if err := c.id(ctx, i, nil); err != nil {
		return stored{}, err
	}
	return stored{i, i.encode()}, c.commit(ctx)
}

// roomForFolder finds the quota root of a new mailbox and asks whether it
// allows one more.
func (l *List) roomForFolder(ctx context.Context, n mboxname.Name) (mboxname.Name, error) {
	root, err := l.o.Quota.FindRoot(ctx, n)
	if err != nil {
		return "", err
	}
	var one quota.Usage
	one[quota.NumFolders] = 1
	return root, l.o.Quota.Check(ctx, root, one)
}

// newACL is the access control list of a new mailbox.
func (l *List) newACL(p *plan, n mboxname.Name, o CreateOptions) acl.List {
	switch {
	case o.ACL != nil:
		return o.ACL.Clone()
	case n.IsInbox():
		return acl.List{{ID: n.Owner(), Rights: l.o.Rights.Format(acl.All)}}
	case p.parent != nil:
		return append(acl.List{}, p.parent.ACL...)
	}
	return append(acl.List{}, l.o.Rights.Default...)
}

// mayHaveChildren refuses mailboxes below one with a use that is named in
// specialuse_nochildren.
func (l *List) mayHaveChildren(ctx context.Context, parent *Entry) error {
	if len(l.o.ChildlessUses) == 0 {
		return nil
	}
	uses, err := l.SpecialUses(ctx, parent)
	if err == nil && overlap(uses, l.o.ChildlessUses) {
		return denied("mboxlist.Create", parent.Name)
	}
	return err
}

// overlap reports whether two lists have a word in common, in any case.
func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return strings.EqualFold(x, y) })
	})
}
