// Package restore brings back what is in a snapshot into the site that it
// was made of, or another one, while that works: a user, a mailbox, messages,
// or everything.
//
// Nothing that is there is changed or removed. A mailbox that is not there
// any more is made again as it was, with its UIDs. To one that is there the
// messages are appended that it has not got: those of which there are fewer
// with the same contents (GUID) and INTERNALDATE. So what is done twice, or
// again after it was interrupted, is done once. All is written by the normal
// operations of the store, each of which lasts when it is done.
//
// # A point in time
//
// With Options.At the newest snapshot not later than that is what is brought
// back. If there is a later one as well it tells what came between, for
// expunged messages stay in an index for some time, with when that was:
// messages that were saved until then and not yet expunged are there,
// those that were expunged by then are not. Flags are those of the snapshot
// that a message comes from. What was cleaned up (cyr_expire) before the
// later snapshot cannot be known from it.
package restore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/snapshot"
)

// Options says what is brought back from where.
type Options struct {
	Site *site.Site     // where to
	From *snapshot.Open // what is brought back
	// Later is a snapshot made after At, which corrects From; or nil.
	Later       *snapshot.Open
	At          time.Time // zero: as From is
	DryRun      bool      // nothing is changed, only told
	IgnoreQuota bool
	Say         func(format string, args ...any) // what is done; may be nil
	Warn        func(error)                      // what could not be brought back, while the rest goes on; may be nil
	Progress    func(done, total int)            // in mailboxes; may be nil
}

// Totals is what was done, or would be.
type Totals struct {
	Made     int // mailboxes
	Messages int // brought back, those of made mailboxes too
	There    int // messages that were there already
	Warnings int
}

// Run is one restoring.
type Run struct {
	o      Options
	site   *site.Site
	totals Totals
	ids    map[string]string // unique ids that are others here than in the snapshot
	users  []string          // of the snapshot, once they are asked for
	roots  map[mboxname.Name]bool
	owners map[string]bool        // whose mailboxes were made
	dry    map[mboxname.Name]bool // mailboxes that would have been made
	who    mboxlist.Actor
}

// New returns a Run.
func New(o Options) *Run {
	return &Run{o: o, site: o.Site, ids: map[string]string{}, roots: map[mboxname.Name]bool{}, owners: map[string]bool{}, dry: map[mboxname.Name]bool{},
		who: mboxlist.Actor{Identity: acl.Identity{User: "restore", Admin: true}}}
}

// Totals says what was done.
func (r *Run) Totals() Totals { return r.totals }

func (r *Run) say(format string, args ...any) {
	if r.o.Say != nil {
		r.o.Say(format, args...)
	}
}

func (r *Run) warn(err error) {
	r.totals.Warnings++
	if r.o.Warn != nil {
		r.o.Warn(err)
	}
}

// shown is how a mailbox is called in messages: as an admin would.
func (r *Run) shown(n mboxname.Name) string { return r.site.Namespace("", true).ExternalOr(n) }

// source is a snapshot, and what counts as being there at the time.
type source struct {
	*snapshot.Open
	// present says whether a message was there, and makes its record what it
	// was then.
	present func(*mailbox.Record) bool
	// after says that the snapshot was made after the time.
	after bool
}

// sources are the snapshots in the order in which they are brought back.
func (r *Run) sources() []source {
	first := source{r.o.From, live, false}
	if !r.o.At.IsZero() && r.o.From.Head.Began.After(r.o.At) {
		first.present, first.after = r.presentAt, true
	}
	all := []source{first}
	if r.o.Later != nil {
		all = append(all, source{r.o.Later, r.presentAt, true})
	}
	return all
}

func live(rec *mailbox.Record) bool { return rec.Live() }

// presentAt is for snapshots made after the time.
func (r *Run) presentAt(rec *mailbox.Record) bool {
	at := mailbox.StampOf(r.o.At)
	saved := rec.SaveDate
	if saved == 0 { // the index is of an old version
		saved = rec.InternalDate
	}
	if saved > at {
		return false
	}
	if !rec.Live() {
		if rec.LastUpdated <= at {
			return false
		}
		rec.Flags &^= mailbox.Expunged | mailbox.Deleted // which EXPUNGE wants
	}
	return true
}

// want is a mailbox that shall be brought back.
type want struct {
	src   source
	entry *mboxlist.Entry // in the snapshot
	to    mboxname.Name
	acl   acl.List
}

// wanted calls fn for the mailboxes of a snapshot at and below a name that
// were there at the time, with their names then; only that one if it is not
// deep.
func (r *Run) wanted(ctx context.Context, src source, n mboxname.Name, deep bool, fn func(*mboxlist.Entry, mboxname.Name) error) error {
	prefix := src.Site.Names.DeletedPrefix
	each := func(e *mboxlist.Entry) (bool, error) {
		name := e.Name
		if e.Has(mboxlist.Remote) {
			return true, nil
		}
		if t, ok := name.DeletedAt(prefix); ok {
			if !src.after || int64(t) <= r.o.At.Unix() {
				return true, nil
			}
			name = name.Undeleted(prefix)
		}
		if name != n && !deep {
			return true, nil
		}
		// UIDVALIDITY is the time at which a mailbox was made, plus one.
		if src.after && int64(e.UIDValidity) > r.o.At.Unix()+1 {
			return true, nil
		}
		return true, fn(e, name)
	}
	if err := src.Site.List.Tree(ctx, n, each); err != nil || !src.after {
		return err
	}
	gone := mboxname.Name(prefix + "." + string(n.Local())).InDomain(n.Domain())
	return src.Site.List.Tree(ctx, gone, each)
}

// Mailbox brings back a mailbox, with deep those below it too; into is where
// to, "" is its own name. sel, if not nil, chooses messages.
//
// Kinds: errs.NotFound if no snapshot has it, and those of the store.
func (r *Run) Mailbox(ctx context.Context, n, into mboxname.Name, deep bool, sel *Select) error {
	if into == "" {
		into = n
	}
	if deep {
		if err := r.limits(ctx, n, into); err != nil {
			return err
		}
	}
	found, err := r.boxes(ctx, n, into, deep, sel)
	if err == nil && found == 0 {
		err = errs.New(errs.NotFound, "restore", r.shown(n), fmt.Errorf("there is no such mailbox in %s", r.where()))
	}
	if err == nil {
		err = r.recount(ctx)
	}
	return err
}

// where names the snapshots.
func (r *Run) where() string {
	text := "the snapshot " + r.o.From.Name
	if r.o.Later != nil {
		text += " or " + r.o.Later.Name
	}
	return text
}

// boxes brings back mailboxes from all sources. It returns how many the
// snapshots have.
func (r *Run) boxes(ctx context.Context, n, into mboxname.Name, deep bool, sel *Select) (found int, err error) {
	for _, src := range r.sources() {
		var all []*want
		err := r.wanted(ctx, src, n, deep, func(e *mboxlist.Entry, name mboxname.Name) error {
			w := &want{src: src, entry: e, to: name.Move(n, into), acl: e.ACL}
			if was, is := name.Owner(), w.to.Owner(); was != is && is != "" {
				w.acl = renamed(e.ACL, was, is)
			}
			all = append(all, w)
			return nil
		})
		if err != nil {
			return found, err
		}
		// Parents first: what was deleted comes behind what was not.
		slices.SortStableFunc(all, func(a, b *want) int { return mboxname.Compare(a.to, b.to) })
		for i, w := range all {
			if err := r.box(ctx, w, sel); err != nil {
				return found, err
			}
			if r.o.Progress != nil && deep {
				r.o.Progress(i+1, len(all))
			}
		}
		found += len(all)
	}
	return found, nil
}

// renamed is an access control list with the owner's new name.
func renamed(l acl.List, was, is string) acl.List {
	out := l.Clone()
	for i := range out {
		switch out[i].ID {
		case was:
			out[i].ID = is
		case "-" + was:
			out[i].ID = "-" + is
		}
	}
	return out
}

// limits brings back the limits of quota roots at and below a name.
func (r *Run) limits(ctx context.Context, n, into mboxname.Name) error {
	roots, err := r.o.From.Site.Quota.Below(ctx, n)
	if err != nil {
		return err
	}
	for _, q := range roots {
		to := q.Name
		if n != "" {
			to = q.Name.Move(n, into)
		}
		if r.o.DryRun {
			if _, err := r.site.Quota.Get(ctx, to); errs.Is(err, errs.QuotaNotFound) {
				r.say("%s: quota limits would be set", r.shown(to))
			}
			continue
		}
		set, err := r.site.List.LimitIfNone(ctx, to, q.Limit)
		if err != nil {
			return err
		}
		if set {
			r.say("%s: quota limits set", r.shown(to))
		}
	}
	return nil
}

// recount counts the quota roots of mailboxes that were made, for a run that
// was killed before may have left the count wrong, and lets the conversations
// of their owners know the messages.
func (r *Run) recount(ctx context.Context) error {
	for user := range r.owners {
		err := r.site.Store.CountConversations(ctx, user, nil)
		if err == nil {
			err = r.site.Store.SetConversations(ctx, user, true, func(ref mailbox.Ref, err error) {
				r.warn(fmt.Errorf("%s: %w", r.shown(ref.Name), err))
			})
		}
		if err != nil {
			return err
		}
	}
	for root := range r.roots {
		if _, _, err := r.site.List.Recount(ctx, root); err != nil && !errs.Is(err, errs.QuotaNotFound) {
			return err
		}
	}
	return nil
}
