package mboxlist

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/event"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
	"gocyrus/libcyrus/syslog"
)

// noticeLevel is LOG_NOTICE.
const noticeLevel = syslog.LevelNotice

// quotaLock is the name of the lock that a change of quota roots and
// "quota -f" hold.
const quotaLock = "$QUOTACHANGE"

// QuotaLock is the lock under which quota roots come and go and are counted
// anew, held by this process.
type QuotaLock struct {
	list *List
	held *lock.Held
}

// LockQuota takes the lock under which quota roots come and go and are
// counted anew: while it is held nobody else does that. Its holder must not
// call Recount, SetQuota or RemoveQuota.
func (l *List) LockQuota(ctx context.Context) (*QuotaLock, error) {
	l.recounts.hold(1)
	held, err := l.o.Locks.Name(ctx, l.o.Layout.LockPath(quotaLock), lock.Exclusive)
	if err != nil {
		l.recounts.hold(-1)
		return nil, err
	}
	return &QuotaLock{l, held}, nil
}

// Release gives the lock back, and counts what RecountSoon has put off.
func (q *QuotaLock) Release() {
	q.held.Release()
	q.list.recounts.hold(-1)
	q.list.recountAll()
}

// recounts is the quota roots that wait to be counted anew.
type recounts struct {
	mu      sync.Mutex
	holders int // who has, or waits for, the quota lock in this process
	todo    []mboxname.Name
}

func (r *recounts) hold(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holders += n
}

// next takes a root from the list; "" if there is none, or if it must wait.
func (r *recounts) next() mboxname.Name {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holders > 0 || len(r.todo) == 0 {
		return ""
	}
	root := r.todo[0]
	r.todo = r.todo[1:]
	return root
}

// RecountSoon is Recount for a mailbox that was repaired while it was opened:
// maybe by the holder of the quota lock, whom Recount would wait for. So
// the root is counted when no quota lock is held in this process: now, or when
// it is released. What is corrected is logged.
func (l *List) RecountSoon(root mboxname.Name) {
	l.recounts.mu.Lock()
	if !slices.Contains(l.recounts.todo, root) {
		l.recounts.todo = append(l.recounts.todo, root)
	}
	l.recounts.mu.Unlock()
	l.recountAll()
}

// recountAll counts all roots that wait for it.
func (l *List) recountAll() {
	for root := l.recounts.next(); root != ""; root = l.recounts.next() {
		was, is, err := l.Recount(context.Background(), root)
		if err != nil {
			l.o.Log.Error("use of a quota root cannot be counted", "quotaroot", string(root), "error", err)
		} else if was != is {
			l.o.Log.Warn("use of a quota root was corrected", "quotaroot", string(root), "was", was, "is", is)
		}
	}
}

// SetQuota sets the limits of a quota root, and makes the root if the
// mailbox has none of its own: what is used below it is then counted there.
// "dom!" is the root of a whole domain. force makes a root where there is no
// mailbox yet. Only admins may.
//
// Kinds: errs.Denied, errs.NotFound (no mailbox), errs.BadName.
//
// Source: mboxlist_setquotas in Cyrus imap/mboxlist.c.
func (l *List) SetQuota(ctx context.Context, who Actor, root mboxname.Name, limits quota.Limits, force bool) error {
	if !l.isAdmin(who, root) {
		return denied("mboxlist.SetQuota", root)
	}
	if root == "" || root == "user" || strings.ContainsAny(string(root), "/*%?") || root[0] == '.' {
		return errs.New(errs.BadName, "mboxlist.SetQuota", string(root), nil)
	}
	if l.o.Events.Wants(event.QuotaChange) {
		ctx = event.InSession(ctx, who.SessionID)
	}
	old, err := l.o.Quota.Get(ctx, root)
	switch {
	case err == nil:
		if old.Limit != limits {
			_, err = l.o.Quota.SetLimits(ctx, root, limits)
		}
		if err == nil {
			l.auditQuota("setquota", root, &old.Limit, &limits)
		}
		return err
	case !errs.Is(err, errs.QuotaNotFound):
		return err
	}
	if !force && !strings.HasSuffix(string(root), "!") {
		if has, err := l.anyIn(ctx, root); err != nil || !has {
			return orNotFound(err, root)
		}
	}
	return l.newRoot(ctx, root, limits)
}

func orNotFound(err error, n mboxname.Name) error {
	if err != nil {
		return err
	}
	return notFound(n)
}

// anyIn reports whether n or something below it is a mailbox.
func (l *List) anyIn(ctx context.Context, n mboxname.Name) (has bool, err error) {
	err = l.Tree(ctx, n, func(*Entry) (bool, error) {
		has = true
		return false, nil
	})
	return has, err
}

// newRoot makes a quota root and puts all mailboxes below it, that have no
// root nearer to them, under it.
func (l *List) newRoot(ctx context.Context, root mboxname.Name, limits quota.Limits) error {
	held, err := l.LockQuota(ctx)
	if err != nil {
		return err
	}
	defer held.Release()
	if _, err := l.o.Quota.SetLimits(ctx, root, limits); err != nil {
		return err
	}
	l.auditQuota("newquota", root, nil, &limits)
	return l.eachUnder(ctx, root, func(box *mailbox.Mailbox) bool {
		if len(box.QuotaRoot()) >= len(root) {
			return false
		}
		box.SetQuotaRoot(root)
		return true
	})
}

// RemoveQuota removes a quota root; mailboxes below it get the next one
// above. Only admins may. It is no error if there is none.
//
// Source: mboxlist_unsetquota in Cyrus imap/mboxlist.c.
func (l *List) RemoveQuota(ctx context.Context, who Actor, root mboxname.Name) error {
	if !l.isAdmin(who, root) {
		return denied("mboxlist.RemoveQuota", root)
	}
	held, err := l.LockQuota(ctx)
	if err != nil {
		return err
	}
	defer held.Release()
	err = l.o.Quota.Delete(ctx, root)
	if errs.Is(err, errs.QuotaNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	l.audit("rmquota root=<%s>", root)
	next := mboxname.Name("")
	if !strings.HasSuffix(string(root), "!") {
		if next, err = l.o.Quota.FindRoot(ctx, root); err != nil {
			return err
		}
	}
	return l.eachUnder(ctx, root, func(box *mailbox.Mailbox) bool {
		if box.QuotaRoot() != root {
			return false
		}
		box.SetQuotaRoot(next)
		return true
	})
}

// Recount counts anew what is used of a quota root ("quota -f"), and gives
// the mailboxes below it that have another one, or none, theirs. It returns
// what was thought to be used, and what is.
//
// Source: fixquota_dopass in Cyrus imap/quota.c.
func (l *List) Recount(ctx context.Context, root mboxname.Name) (was, is quota.Usage, err error) {
	held, err := l.LockQuota(ctx)
	if err != nil {
		return was, is, err
	}
	defer held.Release()
	count, err := l.o.Quota.Recount(ctx, root)
	if err != nil {
		return was, is, err
	}
	end := func() (err error) {
		was, is, err = count.End(ctx)
		return err
	}
	if l.CanCountStill(root) {
		for range CountTries {
			done, err := l.CountStill(ctx, count, root, false, func(int) error { return end() })
			if done || err != nil {
				return was, is, err
			}
			if err := l.eachRight(ctx, root); err != nil {
				return was, is, err
			}
		}
		return was, is, errs.New(errs.Locked, "mboxlist.Recount", string(root), nil)
	}
	for tries := 1; ; tries++ {
		all, err := l.covered(ctx, root)
		if err != nil {
			return was, is, err
		}
		slices.SortFunc(all, func(a, b *Entry) int { return strings.Compare(string(a.Name), string(b.Name)) })
		for _, e := range all {
			if err := l.countBox(ctx, count, e, root); err != nil {
				return was, is, err
			}
		}
		done, err := l.Settle(ctx, count, root, all, tries == CountTries, end)
		if done || err != nil {
			return was, is, err
		}
	}
}

// eachRight gives the mailboxes below a user's root the roots that they
// should have.
func (l *List) eachRight(ctx context.Context, root mboxname.Name) error {
	all, err := l.covered(ctx, root)
	if err != nil {
		return err
	}
	for _, e := range all {
		right, err := l.o.Quota.FindRoot(ctx, e.Name)
		if err == nil {
			err = l.changeBox(ctx, e, func(box *mailbox.Mailbox) bool {
				if box.QuotaRoot() == right {
					return false
				}
				box.SetQuotaRoot(right)
				return true
			})
		}
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return nil
}

// CanCountStill reports whether CountStill works for a root: all mailboxes
// below it are one user's.
func (l *List) CanCountStill(root mboxname.Name) bool {
	return root.OwnerOf(l.o.Names.DeletedPrefix) != ""
}

// CountStill counts all mailboxes of a user's quota root while nobody can
// change any of them, and calls end with how many they are. If the header of
// one has the wrong root, or one must be repaired, it returns false, and
// nothing has ended; with byName it does not look at the root in headers. The
// caller has the quota lock.
func (l *List) CountStill(ctx context.Context, count *quota.Recount, root mboxname.Name, byName bool, end func(boxes int) error) (done bool, err error) {
	still, err := l.o.Store.HoldStill(ctx, root)
	if err != nil {
		return false, err
	}
	defer still.Release()
	all, err := l.covered(ctx, root)
	if err != nil {
		return false, err
	}
	var use quota.Usage
	boxes := 0
	for _, e := range all {
		right, err := l.o.Quota.FindRoot(ctx, e.Name)
		if err != nil {
			return false, err
		}
		box, err := still.Open(ctx, e.Ref())
		switch {
		case errors.Is(err, mailbox.ErrDefect):
			return false, nil
		case errs.Is(err, errs.NotFound):
			continue
		case err != nil:
			return false, err
		}
		is, its := box.QuotaRoot(), boxUse(box)
		box.Close()
		if !byName && is != right && (is == root || right == root) {
			return false, nil
		}
		if right == root {
			boxes++
			use = use.Add(its)
		}
	}
	if err := count.Again(ctx); err != nil {
		return false, err
	}
	if err := count.Add(ctx, root, use); err != nil {
		return false, err
	}
	return true, end(boxes)
}

// Settle ends the count of a root by calling end while nobody can make, rename
// or delete a mailbox of its owner. If mailboxes have appeared since those of
// before were read, it begins the count anew and returns false, but with force
// it ends it nevertheless. The caller has the quota lock.
func (l *List) Settle(ctx context.Context, count *quota.Recount, root mboxname.Name, before []*Entry, force bool, end func() error) (done bool, err error) {
	held, err := l.o.Locks.Name(ctx, l.o.Layout.LockPath(l.o.Layout.NamespaceLock(root)), lock.Exclusive)
	if err != nil {
		return false, err
	}
	defer held.Release()
	if !force {
		now, err := l.covered(ctx, root)
		if err != nil {
			return false, err
		}
		if appeared(before, now) {
			return false, count.Again(ctx)
		}
	}
	return true, end()
}

// CountTries is how often a count of a quota root is begun anew because
// mailboxes appeared meanwhile: one that did so behind the count is in it,
// one before it, but after the list was read, is not.
const CountTries = 10

// appeared reports whether there is a mailbox now that was not there before.
func appeared(before, now []*Entry) bool {
	known := map[mboxname.Name]string{}
	for _, e := range before {
		known[e.Name] = e.UniqueID
	}
	return slices.ContainsFunc(now, func(e *Entry) bool { return known[e.Name] != e.UniqueID })
}

// Still reports whether a mailbox that was opened as e has still that name.
func (l *List) Still(ctx context.Context, e *Entry) (bool, error) {
	now, err := l.Lookup(ctx, e.Name)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return err == nil && now.UniqueID == e.UniqueID, err
}

// countBox counts one mailbox if it is the root's.
func (l *List) countBox(ctx context.Context, count *quota.Recount, e *Entry, root mboxname.Name) error {
	right, err := l.o.Quota.FindRoot(ctx, e.Name)
	if err != nil {
		return err
	}
	box, err := l.o.Store.Open(ctx, e.Ref(), mailbox.Write)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer box.Close()
	if still, err := l.Still(ctx, e); err != nil || !still {
		return err
	}
	if box.QuotaRoot() == root && right == root {
		return count.Add(ctx, e.Name, boxUse(box))
	}
	if box.QuotaRoot() == right {
		return nil
	}
	if right == root { // from now on its use is counted, also by Update below
		if err := count.Add(ctx, e.Name, quota.Usage{}); err != nil {
			return err
		}
	}
	box.SetQuotaRoot(right)
	return box.Commit(ctx)
}

// boxUse is what a mailbox uses of its quota root.
func boxUse(box *mailbox.Mailbox) quota.Usage {
	h := box.Header()
	return quota.Usage{
		quota.Storage: int64(h.QuotaUsed), quota.Message: int64(h.Exists),
		quota.AnnotStorage: int64(h.AnnotUsed), quota.NumFolders: 1,
	}
}

// covered is all mailboxes at and below a root, also those with a root
// nearer to them.
func (l *List) covered(ctx context.Context, root mboxname.Name) (all []*Entry, err error) {
	collect := func(e *Entry) (bool, error) {
		if e.Exists() && !e.Name.IsDeleted(l.o.Names.DeletedPrefix) {
			all = append(all, e)
		}
		return true, nil
	}
	if domain, whole := strings.CutSuffix(string(root), "!"); whole {
		prefix := keyOf(mboxname.Name(domain + "!"))
		err = l.scan(ctx, prefix, prefix, collect)
	} else {
		err = l.Tree(ctx, root, collect)
	}
	return all, err
}

// eachUnder opens every mailbox that a root may cover for writing, and
// commits those for which fn returns true. One that fails is logged: quota -f
// corrects it.
func (l *List) eachUnder(ctx context.Context, root mboxname.Name, fn func(*mailbox.Mailbox) bool) error {
	all, err := l.covered(ctx, root)
	if err != nil {
		return err
	}
	for _, e := range all {
		if err := l.changeBox(ctx, e, fn); err != nil {
			l.o.Log.Error("LOSTQUOTA: unable to change quota root for "+string(e.Name), "quotaroot", string(root), "error", err)
		}
	}
	return nil
}

// changeBox opens a mailbox for writing, and commits what fn has changed.
func (l *List) changeBox(ctx context.Context, e *Entry, fn func(*mailbox.Mailbox) bool) error {
	box, err := l.o.Store.Open(ctx, e.Ref(), mailbox.Write)
	if err != nil {
		return err
	}
	defer box.Close()
	if !fn(box) {
		return nil
	}
	return box.Commit(ctx)
}

// auditQuota is the line of a change of limits.
func (l *List) auditQuota(what string, root mboxname.Name, old, limits *quota.Limits) {
	var b strings.Builder
	for r := range quota.Resource(quota.Resources) {
		if old != nil {
			fmt.Fprintf(&b, " old%s=<%d>", r, old[r])
		}
		fmt.Fprintf(&b, " new%s=<%d>", r, limits[r])
	}
	l.audit("%s root=<%s>%s", what, root, b.String())
}
