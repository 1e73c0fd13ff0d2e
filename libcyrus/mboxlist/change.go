package mboxlist

import (
	"context"
	"errors"
	"slices"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/counters"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
)

// change is a transaction on the list. Whatever it replaces must still be
// as it was read, else commit fails with errChanged.
type change struct {
	l       *List
	session string // for the audit log
	tx      cyrusdb.Tx
	audit   []func()
	removed []removal // that the counters must know
}

// errChanged means that somebody else was faster: the operation has to be
// decided anew.
var errChanged = errors.New("mailbox list has changed meanwhile")

func (l *List) begin(who Actor) *change { return &change{l: l, session: who.SessionID} }

// name puts e at its name in the place of old, which was read from there.
func (c *change) name(old stored, e *Entry) {
	k := keyOf(e.Name)
	c.tx.Require(k, old.raw)
	c.tx.Put(k, e.encode())
	c.racl(old.Entry, e)
	c.audit = append(c.audit, func() { c.auditACL(old.Entry, e) })
}

// gone removes the entry at old's name.
func (c *change) gone(old stored) {
	k := keyOf(old.Name)
	c.tx.Require(k, old.raw)
	c.tx.Delete(k)
	c.racl(old.Entry, nil)
}

// id puts e at its unique id, with a history.
func (c *change) id(ctx context.Context, e *Entry, history func([]Past) []Past) error {
	old, err := c.l.fetch(ctx, keyOfID(e.UniqueID))
	if err != nil && !errs.Is(err, errs.BadFormat) {
		return err
	}
	with := *e
	with.History = nil
	if old.Entry != nil {
		with.History = slices.Clone(old.History)
	}
	if history != nil {
		with.History = history(with.History)
	}
	k := keyOfID(e.UniqueID)
	if err == nil {
		c.tx.Require(k, old.raw)
	}
	c.tx.Put(k, with.encodeID())
	return nil
}

// newID puts e at its unique id, where nothing may be.
func (c *change) newID(e *Entry) {
	with := *e
	with.History = nil
	k := keyOfID(e.UniqueID)
	c.tx.Require(k, nil)
	c.tx.Put(k, with.encodeID())
}

// forget removes the entry at a unique id.
func (c *change) forget(id string) { c.tx.Delete(keyOfID(id)) }

// commitWait is how long a transaction may take. It is longer than anybody
// waits for locks: see commit.
const commitWait = 60 * time.Second

// commit makes the change last, and writes the audit log. It goes on when
// the session ends: whether a transaction happened decides which files of a
// mailbox are removed, so an answer that is cut off would be the worst.
func (c *change) commit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWait)
	defer cancel()
	err := c.l.db.Commit(ctx, c.tx)
	if errors.Is(err, cyrusdb.ErrConflict) {
		return errs.New(errs.Locked, "mboxlist.commit", "", errChanged)
	}
	if err != nil {
		return err
	}
	for _, write := range c.audit {
		write()
	}
	c.countRemoved(ctx)
	return nil
}

// removal is a mailbox that is deleted.
type removal struct {
	*Entry
	what counters.Change
}

// remove records for the counters that a mailbox is deleted, or that a
// deleted one is gone for good.
func (c *change) remove(e *Entry, what counters.Change) {
	if c.l.o.Counters != nil {
		c.removed = append(c.removed, removal{e, what | counters.Removal})
	}
}

// countRemoved tells the counters of the owners, as far as they have any.
//
// Source: mboxlist_deletemailbox in Cyrus imap/mboxlist.c.
func (c *change) countRemoved(ctx context.Context) {
	for _, r := range c.removed {
		owner := r.Name.OwnerOf(c.l.o.Names.DeletedPrefix)
		if owner != "" {
			if _, err := c.l.Lookup(ctx, c.l.o.Names.Inbox(owner)); err != nil {
				continue
			}
		}
		err := c.l.o.Counters.Update(ctx, r.Name, func(n *counters.Counters) {
			n.Raise(counters.KindOf(r.Name, r.Type), r.what, r.FolderModseq)
		})
		if err != nil {
			c.l.o.Log.Error("counters cannot be changed", "mailbox", r.Name, "error", err)
		}
	}
}

// retry repeats an operation that came too late.
func retry(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, errChanged) || ctx.Err() != nil {
			return err
		}
	}
}

// tombstone is what stays at the name of a mailbox that is gone.
func tombstone(e *Entry, folderModseq uint64, mtime int64) *Entry {
	return &Entry{
		Name:          e.Name,
		Type:          withFlags(e.Type, string(Tombstone), string(Intermediate)),
		UniqueID:      e.UniqueID,
		UIDValidity:   e.UIDValidity,
		CreatedModseq: e.CreatedModseq,
		FolderModseq:  folderModseq,
		Mtime:         mtime,
	}
}

// auditACL is the line that Cyrus writes whenever an entry's ACL changes.
//
// Source: mboxlist_update_entry_full in Cyrus imap/mboxlist.c.
func (c *change) auditACL(old, e *Entry) {
	was := "NONE"
	if old != nil {
		was = old.ACL.String()
	}
	is := "(null)"
	if e.ACL != nil {
		is = e.ACL.String()
	}
	if old != nil && was == is {
		return
	}
	c.l.audit("acl: sessionid=<%s> mailbox=<%s> uniqueid=<%s> mbtype=<%s> oldacl=<%s> acl=<%s> foldermodseq=<%d> ",
		c.session, e.Name, e.UniqueID, e.Type, was, is, e.FolderModseq)
}

// The separator and the two kinds of keys of the reverse index: what
// somebody may see of users' and of shared mailboxes.
const (
	raclSep    = "\x1e"
	raclUser   = "AU" + raclSep
	raclShared = "AS" + raclSep
)

// racl keeps the reverse index, if the site has one. One that others keep
// is left alone.
//
// Source: mboxlist_update_racl in Cyrus imap/mboxlist.c.
func (c *change) racl(old, e *Entry) {
	if !c.l.o.ReverseACLs {
		return
	}
	was, is := c.l.raclKeys(old), c.l.raclKeys(e)
	for _, k := range was {
		if !slices.Contains(is, k) {
			c.tx.Delete([]byte(k))
		}
	}
	for _, k := range is {
		if !slices.Contains(was, k) {
			c.tx.Put([]byte(k), []byte{})
		}
	}
}

// raclKeys is the entries of a mailbox in the reverse index: one for each
// identifier that may look it up or read it, but the owner and the admins.
func (l *List) raclKeys(e *Entry) []string {
	if e == nil || !e.Exists() {
		return nil
	}
	owner := e.Name.OwnerOf(l.o.Names.DeletedPrefix)
	prefix := raclShared
	if owner != "" {
		prefix = raclUser
	}
	var keys []string
	for _, a := range e.ACL {
		r, _ := l.o.Rights.Parse(a.Rights)
		if a.ID[0] == '-' || a.ID == owner || !r.Any(acl.Lookup|acl.Read) || slices.Contains(l.o.Admins, a.ID) {
			continue
		}
		keys = append(keys, prefix+a.ID+raclSep+e.Name.DBKey())
	}
	return keys
}

// renamed is the history of a mailbox after it had the name of p.
func renamed(p *Entry, partition string) func([]Past) []Past {
	past := Past{
		Name:          p.Name,
		Type:          p.Type,
		UIDValidity:   p.UIDValidity,
		CreatedModseq: p.CreatedModseq,
		FolderModseq:  p.FolderModseq,
		Mtime:         p.Mtime,
		Partition:     partition,
	}
	return func(h []Past) []Past {
		h = slices.DeleteFunc(h, func(q Past) bool { return q.Name == past.Name })
		return slices.Insert(h, 0, past)
	}
}

// floor is the least UIDVALIDITY that a new mailbox may get at a name where
// old is now.
func floor(old *Entry) uint32 {
	if old == nil {
		return 0
	}
	return old.UIDValidity + 1
}

// parents calls fn for the names above n, the nearest first.
func parents(n mboxname.Name, fn func(mboxname.Name) (more bool, err error)) error {
	for p := n.Parent(); p != "" && p.Local() != "user"; p = p.Parent() {
		if more, err := fn(p); err != nil || !more {
			return err
		}
	}
	return nil
}
