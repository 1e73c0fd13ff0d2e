package restore

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/quota"
)

// box brings back one mailbox.
func (r *Run) box(ctx context.Context, w *want, sel *Select) error {
	if r.dry[w.to] {
		return nil
	}
	e, err := r.site.List.Lookup(ctx, w.to)
	switch {
	case errs.Is(err, errs.NotFound) && sel == nil:
		if e, err = r.make(ctx, w); err != nil || r.o.DryRun {
			return err
		}
	case errs.Is(err, errs.NotFound):
		if e, err = r.empty(ctx, w); err != nil {
			return err
		}
		err = r.merge(ctx, w, e, sel)
	case err == nil:
		err = r.merge(ctx, w, e, sel)
	}
	if err != nil || e == nil || sel != nil {
		return err
	}
	r.ids[w.entry.UniqueID] = e.UniqueID
	return r.annotations(ctx, w, e)
}

// open opens the mailbox in the snapshot. The use of it ends with Close.
func (w *want) open(ctx context.Context) (*mailbox.Mailbox, error) {
	return w.src.Site.Store.Open(ctx, w.entry.Ref(), mailbox.Read)
}

// make makes a mailbox that is not there, as it was.
func (r *Run) make(ctx context.Context, w *want) (*mboxlist.Entry, error) {
	m, err := w.open(ctx)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	take, err := r.taker(ctx, w, m)
	if err != nil {
		return nil, err
	}
	if r.o.DryRun {
		n := 0
		err := m.Each(1, func(rec *mailbox.Record) bool {
			c := *rec
			if rec.Flags&mailbox.Unlinked == 0 && take(&c) && c.Live() {
				n++
			}
			return true
		})
		r.dry[w.to] = true
		r.totals.Made++
		r.totals.Messages += n
		r.say("%s: would be made again with %d messages", r.shown(w.to), n)
		return nil, err
	}
	e := *w.entry
	e.Name, e.ACL = w.to, w.acl
	o := mailbox.InstallOptions{IgnoreQuota: r.o.IgnoreQuota, Take: take}
	taken, err := r.taken(ctx, &e, &o)
	if err != nil {
		return nil, err
	}
	if taken {
		e.UniqueID = ""
	}
	made, in, err := r.site.List.Install(ctx, r.who, &e, m, o)
	if err != nil {
		return nil, r.explain(w, err)
	}
	if o.QuotaRoot, err = r.site.Quota.FindRoot(ctx, made.Name); err == nil && o.QuotaRoot != "" {
		r.roots[o.QuotaRoot] = true
	}
	if owner := made.Name.Owner(); owner != "" {
		r.owners[owner] = true
	}
	r.totals.Made++
	r.totals.Messages += in.Messages
	r.say("%s: made again with %d messages", r.shown(w.to), in.Messages)
	if n := len(in.Lost); n > 0 {
		r.warn(fmt.Errorf("%s: the snapshot %s has no file of %d messages, the first is uid %d", r.shown(w.to), w.src.Name, n, in.Lost[0]))
	}
	return made, r.seenAgain(ctx, w, made)
}

// explain says which option helps.
func (r *Run) explain(w *want, err error) error {
	if errs.Is(err, errs.OverQuota) {
		return fmt.Errorf("%s: %w (--ignore-quota restores it all the same)", r.shown(w.to), err)
	}
	return fmt.Errorf("%s: %w", r.shown(w.to), err)
}

// taken reports whether the unique id belongs to a mailbox, such as the
// deleted one itself. Then the new one goes on above its last UID.
func (r *Run) taken(ctx context.Context, e *mboxlist.Entry, o *mailbox.InstallOptions) (bool, error) {
	have, err := r.site.List.LookupID(ctx, e.UniqueID)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if m, err := r.site.Store.Open(ctx, have.Ref(), mailbox.Read); err == nil {
		if m.Header().UIDValidity == e.UIDValidity {
			o.LastUID = m.Header().LastUID
		}
		m.Close()
	}
	return true, nil
}

// taker says which messages of a mailbox are made again.
func (r *Run) taker(ctx context.Context, w *want, m *mailbox.Mailbox) (func(*mailbox.Record) bool, error) {
	gone, err := r.expungedBy(ctx, w)
	if err != nil {
		return nil, err
	}
	seen, err := r.ownerSeen(ctx, w, m)
	if err != nil {
		return nil, err
	}
	all := r.o.At.IsZero()
	return func(rec *mailbox.Record) bool {
		if gone[rec.UID] || !all && !w.src.present(rec) {
			return false
		}
		seen(rec)
		return true // without a time with its expunged messages, for unexpunge
	}, nil
}

// ownerSeen sets the \Seen flags that the owner's seen database has for an
// index from before version 12.
func (r *Run) ownerSeen(ctx context.Context, w *want, m *mailbox.Mailbox) (func(*mailbox.Record), error) {
	const inIndex = 12
	owner := w.entry.Name.OwnerOf(w.src.Site.Names.DeletedPrefix)
	if m.Header().Version >= inIndex || owner == "" {
		return func(*mailbox.Record) {}, nil
	}
	st, err := w.src.Site.Seen.Get(ctx, owner, w.entry.UniqueID)
	return func(rec *mailbox.Record) {
		if st.Seen.Has(rec.UID) {
			rec.Flags |= mailbox.Seen
		}
	}, err
}

// expungedBy returns the messages of a mailbox that were expunged by the
// time, as the later snapshot says.
func (r *Run) expungedBy(ctx context.Context, w *want) (map[uint32]bool, error) {
	if r.o.Later == nil || w.src.after {
		return nil, nil
	}
	l := r.o.Later.Site
	e, err := l.List.LookupID(ctx, w.entry.UniqueID)
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := l.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	gone := map[uint32]bool{}
	at := mailbox.StampOf(r.o.At)
	err = m.Each(1, func(rec *mailbox.Record) bool {
		if !rec.Live() && rec.LastUpdated <= at {
			gone[rec.UID] = true
		}
		return true
	})
	return gone, err
}

// empty makes a mailbox for chosen messages.
func (r *Run) empty(ctx context.Context, w *want) (*mboxlist.Entry, error) {
	r.totals.Made++
	if r.o.DryRun {
		r.say("%s: would be made", r.shown(w.to))
		return nil, nil
	}
	e, err := r.site.List.Create(ctx, r.who, w.to, mboxlist.CreateOptions{Kind: w.entry.Kind(), ACL: w.acl, Force: true})
	if err != nil {
		return nil, r.explain(w, err)
	}
	r.say("%s: made", r.shown(w.to))
	return e, nil
}

// annotations brings back the annotations of a mailbox that it has not got.
func (r *Run) annotations(ctx context.Context, w *want, e *mboxlist.Entry) error {
	if r.o.DryRun {
		return nil
	}
	names := w.src.Site.Names
	was, is := w.entry.Name.OwnerOf(names.DeletedPrefix), e.Name.OwnerOf(r.site.Names.DeletedPrefix)
	return w.src.Site.Annot.Each(ctx, annot.Scope{MailboxID: w.entry.UniqueID, Owner: was}, func(k annot.Key, data []byte) error {
		if k.User == was && was != "" {
			k.User = is
		}
		set, err := r.site.List.AnnotateIfNone(ctx, e, k, append([]byte{}, data...))
		if set {
			r.say("%s: annotation %s set", r.shown(e.Name), k.Entry)
		}
		return err
	})
}

// batch is how many messages are appended at once.
const batch = 100

// kept tells messages apart.
type kept struct {
	guid mailbox.GUID
	date mailbox.Stamp
}

// have counts the messages of a mailbox here.
func (r *Run) have(ctx context.Context, e *mboxlist.Entry) (map[kept]int, error) {
	m, err := r.site.Store.Open(ctx, e.Ref(), mailbox.Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	out := map[kept]int{}
	err = m.Each(1, func(rec *mailbox.Record) bool {
		if rec.Live() {
			out[kept{rec.GUID, rec.InternalDate}]++
		}
		return true
	})
	return out, err
}

// merge appends the messages that a mailbox has not got. e is nil in a dry
// run if there is none.
func (r *Run) merge(ctx context.Context, w *want, e *mboxlist.Entry, sel *Select) error {
	have := map[kept]int{}
	var err error
	if e != nil {
		if have, err = r.have(ctx, e); err != nil {
			return err
		}
	}
	files, uids, there, err := r.missing(ctx, w, have, sel)
	if err != nil {
		return err
	}
	r.totals.There += there
	r.totals.Messages += len(files)
	if r.o.DryRun {
		r.say("%s: %d messages would be restored, %d are there", r.shown(w.to), len(files), there)
		return nil
	}
	o := mailbox.AppendOptions{FlagLimit: mailbox.MaxUserFlags}
	if r.o.IgnoreQuota {
		o.Check = &quota.Usage{}
	}
	pairs := make(map[uint32]uint32, len(files))
	for len(files) > 0 {
		n := min(batch, len(files))
		done, err := r.site.Store.AppendFiles(ctx, e.Ref(), files[:n], o)
		if err != nil {
			return r.explain(w, err)
		}
		for i := range done {
			pairs[uids[i]] = done[i].UID
		}
		files, uids = files[n:], uids[n:]
	}
	if len(pairs) > 0 || there > 0 {
		r.say("%s: %d messages restored, %d were there", r.shown(w.to), len(pairs), there)
	}
	return r.seenOf(ctx, w, e, pairs)
}

// missing returns what is to be appended, with the UIDs in the snapshot, and
// how many messages are there.
func (r *Run) missing(ctx context.Context, w *want, have map[kept]int, sel *Select) (files []mailbox.MessageFile, uids []uint32, there int, err error) {
	m, err := w.open(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	defer m.Close()
	gone, err := r.expungedBy(ctx, w)
	if err != nil {
		return nil, nil, 0, err
	}
	seen, err := r.ownerSeen(ctx, w, m)
	if err != nil {
		return nil, nil, 0, err
	}
	annots, err := r.messageAnnotations(ctx, w, m)
	if err != nil {
		return nil, nil, 0, err
	}
	var buf mailbox.CacheBuffer
	defer buf.Free()
	names := m.Flags()
	var failed error
	err = m.Each(1, func(rec *mailbox.Record) bool {
		c := *rec
		if gone[c.UID] || c.Flags&mailbox.Unlinked != 0 || !w.src.present(&c) {
			return true
		}
		chosen := true
		if chosen, failed = sel.has(m, &c, &buf); failed != nil || !chosen {
			return failed == nil
		}
		key := kept{c.GUID, c.InternalDate}
		if have[key] > 0 {
			have[key]--
			there++
			return true
		}
		path := m.MessagePath(rec)
		if _, err := r.site.FS.Stat(path); err != nil {
			r.warn(fmt.Errorf("%s: uid %d cannot be restored: %w", r.shown(w.to), c.UID, err))
			return true
		}
		seen(&c)
		f := mailbox.MessageFile{Path: path, Flags: c.Flags, InternalDate: c.InternalDate, GUID: c.GUID, Annotations: annots[c.UID]}
		c.User.Each(func(n int) {
			if n < len(names) && names[n] != "" {
				f.Keywords = append(f.Keywords, names[n])
			}
		})
		files, uids = append(files, f), append(uids, c.UID)
		return true
	})
	return files, uids, there, errors.Join(err, failed)
}

// messageAnnotations are the annotations of messages by UID, the owner's
// under the name of the new owner.
func (r *Run) messageAnnotations(ctx context.Context, w *want, m *mailbox.Mailbox) (map[uint32][]mailbox.Annotation, error) {
	was, is := w.entry.Name.OwnerOf(w.src.Site.Names.DeletedPrefix), w.to.OwnerOf(r.site.Names.DeletedPrefix)
	out := map[uint32][]mailbox.Annotation{}
	err := m.Annotations(ctx, func(a mailbox.Annotation) error {
		if was != is && is != "" && a.User == is {
			return nil // what the new owner had noted as a reader gives way
		}
		if a.User == was && was != "" {
			a.User = is
		}
		a.Value = append([]byte{}, a.Value...)
		out[a.UID] = append(out[a.UID], a)
		return nil
	})
	return out, err
}

// inbox is the name of a user's INBOX.
func (r *Run) inbox(user string) (mboxname.Name, error) {
	n := r.site.Names.Inbox(user)
	if n == "" {
		return "", errs.New(errs.BadName, "restore", user, nil)
	}
	return n, nil
}
