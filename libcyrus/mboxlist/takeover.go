package mboxlist

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/syslog"
)

// What a take-over does, and what a crash after each step leaves. The list
// is old until the last step, so that all is done again; each step makes the
// same of what it has made already.
//
//	1 unique ids are chosen                  nothing
//	2 new ones are written to cyrus.header   step 1 finds them there
//	3 annotations.db has a second name       the name is used again
//	4 annotations.db is replaced, with ids   keys with ids are kept
//	5 mailboxes.db has a second name         the name is used again
//	6 mailboxes.db is replaced               it is done

// TakeOver converts the mailbox list and the annotations of a Cyrus before
// 3.6. No program of Cyrus's or ours may be working on the store.
type TakeOver struct {
	// Options: FS, Locks, Store, Layout, Names, Rights, Log, Admins,
	// ReverseACLs and Now are used.
	Options
	Path, Kind           string // of the mailbox list: the file, and the kind that it is to have
	AnnotPath, AnnotKind string
	// All has Plan look at every mailbox, not only at those whose id is
	// missing or not unique.
	All bool
	// Progress, if not nil, is told how many mailboxes of those that Plan
	// looks at it has seen.
	Progress func(done, total int)
}

// oldSuffix is appended to the names of the files that were replaced, as
// Cyrus does for annotations.db.
const oldSuffix = ".OLD"

// Summary counts what a take-over does.
type Summary struct {
	Mailboxes  int // all but the next three
	Deleted    int // waiting for their final deletion
	Names      int // tombstones and names without a mailbox
	Remote     int
	FromHeader int // mailboxes whose unique id comes from cyrus.header
	Made       int // mailboxes that get a new id because there was none
	Doubled    int // mailboxes that get a new id because another has theirs
	Missing    int // mailboxes that Plan looked at without a cyrus.header that can be read
	Damaged    int // entries that cannot be read
	Dropped    int // records of Cyrus's own bookkeeping
	Annots     int // annotations whose key changes
	LostAnnots int // annotations of mailboxes that are not in the list
}

// Plan is what a take-over would do.
type Plan struct {
	Summary
	List    *OldList
	Glances []mailbox.Glance // of the mailboxes that Plan looked at
	live    []*planned
	ghosts  []*planned // tombstones and remote mailboxes
	byName  map[string]*planned
	byID    map[string]*planned // live ones
}

// planned is an entry with its future.
type planned struct {
	*OldEntry
	glance mailbox.Glance
	assign bool // cyrus.header has to be told of the id
	taken  bool // the id in the list is another mailbox's
}

// here reports whether a mailbox has files on this machine.
func (p *planned) here() bool { return p.Exists() && !p.Has(Remote) }

// Plan reads the list and the heads of mailboxes, and changes nothing.
// Plan.List.Old is false if nothing is to be done.
func (t *TakeOver) Plan(ctx context.Context) (*Plan, error) {
	list, err := ReadOldList(ctx, t.FS, t.Locks, t.Path)
	if err != nil {
		return nil, err
	}
	p := &Plan{List: list, byName: map[string]*planned{}, byID: map[string]*planned{}}
	p.Damaged, p.Dropped = len(list.Damaged), list.Dropped
	for i := range list.Entries {
		p.add(&list.Entries[i], t.Names.DeletedPrefix)
	}
	if err := t.look(ctx, p); err != nil {
		return nil, err
	}
	p.chooseIDs()
	for _, x := range p.live {
		x.Type = withFlags(x.Type, string(LegacyDirs), "")
		p.byID[x.UniqueID] = x
	}
	for _, x := range p.ghosts {
		x.Type = withFlags(x.Type, string(LegacyDirs), "")
	}
	return p, nil
}

// add sorts an entry in.
func (p *Plan) add(o *OldEntry, deletedPrefix string) {
	x := &planned{OldEntry: o}
	p.byName[string(o.Name)] = x
	switch {
	case o.Has(Tombstone):
		p.Names++
	case o.Has(Remote):
		p.Remote++
	case !x.here():
		p.Names++
	case o.Name.IsDeleted(deletedPrefix):
		p.Deleted++
	default:
		p.Mailboxes++
	}
	if o.Has(Tombstone) || o.Has(Remote) {
		p.ghosts = append(p.ghosts, x)
		return
	}
	p.live = append(p.live, x)
}

// lookers is how many mailboxes are looked at side by side: a disk that has
// nothing of them in memory takes its time for each.
const lookers = 8

// look reads the heads of mailboxes.
func (t *TakeOver) look(ctx context.Context, p *Plan) error {
	uses := map[string]int{}
	for _, x := range p.live {
		uses[x.UniqueID]++
	}
	var todo []*planned
	for _, x := range p.live {
		if x.here() && (t.All || !mboxname.ValidID(x.UniqueID) || uses[x.UniqueID] > 1) {
			todo = append(todo, x)
		}
	}
	for done := 0; done < len(todo); {
		if err := ctx.Err(); err != nil {
			return err
		}
		group := todo[done:min(done+lookers, len(todo))]
		var wg sync.WaitGroup
		for _, x := range group {
			wg.Go(func() {
				ref := x.Ref()
				ref.Legacy = true
				x.glance = mailbox.Look(t.FS, t.Layout, ref)
			})
		}
		wg.Wait()
		if done += len(group); t.Progress != nil {
			t.Progress(done, len(todo))
		}
	}
	for _, x := range todo {
		p.Glances = append(p.Glances, x.glance)
		if x.glance.HeaderErr != nil {
			p.Missing++
		}
	}
	return nil
}

// chooseIDs gives every mailbox an id of its own. Who has one in the list
// keeps it; of several with the same one, he whose header agrees.
func (p *Plan) chooseIDs() {
	owner := map[string]*planned{}
	for _, x := range p.live {
		if !mboxname.ValidID(x.UniqueID) {
			x.UniqueID = ""
			continue
		}
		if o := owner[x.UniqueID]; o == nil || o.glance.ID != x.UniqueID && x.glance.ID == x.UniqueID {
			owner[x.UniqueID] = x
		}
	}
	for _, x := range p.live {
		x.taken = x.UniqueID != "" && owner[x.UniqueID] != x
	}
	for _, x := range p.live {
		if x.UniqueID != "" && !x.taken {
			continue
		}
		id := x.glance.ID
		if mboxname.ValidID(id) && owner[id] == nil {
			p.FromHeader++
		} else {
			id = x.newID(owner)
			x.assign = x.here() && x.glance.HeaderErr == nil
			p.Made++
		}
		if x.taken {
			p.Doubled++
		}
		x.UniqueID, owner[id] = id, x
	}
}

// newID makes up an id that nobody has: 24 characters of 0-9a-z, like
// Cyrus's. It is always the same for the same entry, so that a take-over that
// was interrupted comes to the same result.
func (x *planned) newID(taken map[string]*planned) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	for i := 0; ; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s\x00%s\x00%d\x00%d", i, x.Name, x.UniqueID, x.Partition, x.UIDValidity, x.CreatedModseq))
		id := make([]byte, 24)
		for j := range id {
			id[j] = digits[sum[j]%36]
		}
		if taken[string(id)] == nil {
			return string(id)
		}
	}
}

// Run does what Plan says.
func (t *TakeOver) Run(ctx context.Context, p *Plan) error {
	if !p.List.Old {
		return nil
	}
	if p.List.Format != t.Kind {
		t.Log.Log(ctx, syslog.LevelNotice, fmt.Sprintf("converting %s from %s to %s", t.Path, p.List.Format, t.Kind))
	}
	for _, d := range p.List.Damaged {
		t.Log.Error("DBERROR: entry of the mailbox list cannot be read, it is left out", "entry", d)
	}
	for _, x := range p.live {
		if err := t.assign(ctx, x); err != nil {
			return err
		}
	}
	if err := t.annotations(ctx, p); err != nil {
		return err
	}
	if err := t.replaceList(ctx, p); err != nil {
		return err
	}
	t.Log.Log(ctx, syslog.LevelNotice, "mailbox list taken over",
		"mailboxes", p.Mailboxes, "deleted", p.Deleted, "names", p.Names, "remote", p.Remote,
		"ids_from_header", p.FromHeader, "ids_made", p.Made, "ids_doubled", p.Doubled, "without_header", p.Missing,
		"damaged", p.Damaged, "annotations", p.Annots, "annotations_lost", p.LostAnnots)
	return nil
}

// assign tells the log of a new id, and cyrus.header of one that was made.
func (t *TakeOver) assign(ctx context.Context, x *planned) error {
	if x.taken {
		t.Log.Warn("mbentry had the uniqueid of another mailbox", "mboxname", string(x.Name), "newuniqueid", x.UniqueID)
	}
	if x.here() && x.glance.HeaderErr != nil {
		t.Log.Warn("mailbox needs reconstruct", "mboxname", string(x.Name), "uniqueid", x.UniqueID, "error", x.glance.HeaderErr)
	}
	if !x.assign {
		return nil
	}
	t.Log.Info("mailbox header had no uniqueid, creating one", "mboxname", string(x.Name), "newuniqueid", x.UniqueID)
	err := t.Store.AssignID(ctx, x.Ref())
	if err != nil && x.glance.IndexErr != nil {
		t.Log.Warn("mailbox needs reconstruct", "mboxname", string(x.Name), "uniqueid", x.UniqueID, "error", err)
		return nil
	}
	return err
}

// annotations gives the annotations of mailboxes their new keys.
func (t *TakeOver) annotations(ctx context.Context, p *Plan) error {
	r, err := t.rekey(ctx, p)
	if err != nil {
		return err
	}
	p.Annots, p.LostAnnots = r.Changed, len(r.Lost)
	if r.Changed == 0 && len(r.Lost) == 0 {
		return nil
	}
	for _, k := range r.Lost {
		t.Log.Warn("annotation of a mailbox that is not there is left out", "key", string(k), "kept_in", t.AnnotPath+oldSuffix)
	}
	if err := cyrusdb.Keep(t.FS, t.AnnotPath, oldSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return cyrusdb.WriteFile(ctx, t.FS, t.AnnotKind, t.AnnotPath, func(fn cyrusdb.ScanFunc) error {
		return each(r.Records, fn)
	})
}

// rekey reads the annotations, which may be there or not.
func (t *TakeOver) rekey(ctx context.Context, p *Plan) (*annot.Rekeyed, error) {
	r := &annot.Rekeyed{}
	db, _, err := cyrusdb.OpenAny(t.FS, t.Locks, t.AnnotPath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		defer db.Close()
		if r, err = annot.Rekey(ctx, db, p.scope(t.Names.DeletedPrefix)); err != nil {
			return nil, err
		}
	}
	uses := map[string]string{}
	for _, x := range p.live {
		if x.Use != "" && x.Name.Owner() != "" {
			uses[x.UniqueID] = x.Use
		}
	}
	r.AddOwners(annot.SpecialUse, uses)
	return r, nil
}

// scope says which mailbox a key of an annotation belongs to.
func (p *Plan) scope(deletedPrefix string) func(string) (id, owner string, ok bool) {
	return func(scope string) (string, string, bool) {
		x := p.byID[scope]
		if x == nil {
			x = p.byName[scope]
		}
		if x == nil || x.UniqueID == "" {
			return "", "", false
		}
		return x.UniqueID, x.Name.OwnerOf(deletedPrefix), true
	}
}

// CountAnnotations fills in what Plan says of annotations.
func (t *TakeOver) CountAnnotations(ctx context.Context, p *Plan) error {
	r, err := t.rekey(ctx, p)
	if err == nil {
		p.Annots, p.LostAnnots = r.Changed, len(r.Lost)
	}
	return err
}

func each(records []cyrusdb.KV, fn cyrusdb.ScanFunc) error {
	for _, r := range records {
		if more, err := fn(r.Key, r.Value); err != nil || !more {
			return err
		}
	}
	return nil
}

// replaceList writes the list in its new form.
func (t *TakeOver) replaceList(ctx context.Context, p *Plan) error {
	if err := cyrusdb.Keep(t.FS, t.Path, oldSuffix); err != nil {
		return err
	}
	records := t.records(p)
	return cyrusdb.WriteFile(ctx, t.FS, t.Kind, t.Path, func(fn cyrusdb.ScanFunc) error { return each(records, fn) })
}

// records is the new list, in the order of its octets.
func (t *TakeOver) records(p *Plan) []cyrusdb.KV {
	l := &List{o: t.Options}
	all := map[string][]byte{}
	put := func(k, v []byte) { all[string(k)] = v }
	now := t.Now
	if now == nil {
		now = time.Now
	}
	mtime := max(now().Unix(), 0)
	for _, id := range p.groups() {
		for _, x := range id {
			x.Mtime = mtime
			if x.ACL == nil {
				x.ACL = acl.List{}
			}
			put(keyOf(x.Name), x.encode())
			if t.ReverseACLs {
				for _, k := range l.raclKeys(&x.Entry) {
					put([]byte(k), []byte{})
				}
			}
		}
		if is := id[0]; is.UniqueID != "" {
			is.History = history(id[1:])
			put(keyOfID(is.UniqueID), is.encodeID())
		}
	}
	if t.ReverseACLs {
		put([]byte(raclShared), []byte{})
	}
	out := make([]cyrusdb.KV, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, cyrusdb.KV{Key: []byte(k), Value: all[k]})
	}
	return out
}

// groups is the entries that have one id: the mailbox, or if it is gone the
// youngest of its tombstones, comes first, then its former names. Entries
// without an id are by themselves.
func (p *Plan) groups() [][]*planned {
	byID := map[string][]*planned{}
	var out [][]*planned
	for _, x := range p.live {
		byID[x.UniqueID] = []*planned{x}
	}
	slices.SortStableFunc(p.ghosts, func(a, b *planned) int {
		return cmp.Or(cmp.Compare(b.Mtime, a.Mtime), cmp.Compare(b.FolderModseq, a.FolderModseq))
	})
	for _, x := range p.ghosts {
		if x.UniqueID == "" || x.Has(Remote) && byID[x.UniqueID] != nil {
			x.UniqueID = ""
			out = append(out, []*planned{x})
			continue
		}
		byID[x.UniqueID] = append(byID[x.UniqueID], x)
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		out = append(out, byID[id])
	}
	return out
}

// history is what the list keeps of former names.
func history(names []*planned) (h []Past) {
	for _, x := range names {
		h = append(h, Past{
			Name: x.Name, Type: x.Type, Partition: x.Partition, UIDValidity: x.UIDValidity,
			CreatedModseq: x.CreatedModseq, FolderModseq: x.FolderModseq, Mtime: x.Mtime,
		})
	}
	return h
}

// Old says whether a list has to be taken over, without looking at mailboxes.
func (t *TakeOver) Old(ctx context.Context) (bool, error) {
	db, _, err := openOld(t.FS, t.Locks, t.Path)
	if db == nil || err != nil {
		return false, err
	}
	defer db.Close()
	return IsOld(ctx, db)
}
