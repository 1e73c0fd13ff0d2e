package snapshot

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/site"
	"gocyrus/libcyrus/version"
)

// Options says how Take works.
type Options struct {
	Copy     bool                  // message files are copied, also where they could be linked
	Progress func(done, total int) // in mailboxes; may be nil
	Warn     func(error)           // what is wrong with the site, and is left out; may be nil
	Now      func() time.Time      // nil: time.Now
}

// Result says what Take has made.
type Result struct {
	Snapshot
	Tail
	Copied   int64 // octets that were copied, not linked
	Warnings int
}

// taking is one run of Take.
type taking struct {
	Options
	site   *site.Site
	dir    *Dir
	name   string
	copier *copier
	out    *writer
	list   *mboxlist.List  // of the snapshot
	files  map[string]bool // that were copied, of those outside mailboxes
	linked map[string]bool // partitions from which files can be linked, or not
	warned int
}

// Take makes a snapshot of a site in dir while it works on. If it fails
// nothing is left of it. Kinds of error: errs.Locked (another one is being
// made there), errs.DiskFull, errs.Unavailable, errs.IO.
func Take(ctx context.Context, s *site.Site, dir *Dir, o Options) (res *Result, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	held, err := dir.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer held.Release()
	t := &taking{Options: o, site: s, dir: dir, files: map[string]bool{}, linked: map[string]bool{}}
	began := time.Now()
	release, err := s.Store.KeepExpunged(ctx)
	if err != nil {
		return nil, err
	}
	if release != nil {
		defer func() {
			release()
			t.dropKept(context.WithoutCancel(ctx), began)
		}()
	}
	all, err := dir.List()
	if err == nil {
		err = dir.clean()
	}
	if err != nil {
		return nil, disk.Error("snapshot.Take", dir.Path, err)
	}
	t.name = newName(all, o.Now())
	t.copier = &copier{
		fs: dir.fs, root: dir.partial(t.name), known: map[string]File{}, made: map[string]bool{},
	}
	t.previous(all)
	err = t.run(ctx)
	if err == nil {
		err = disk.Error("snapshot.Take", dir.Path, dir.publish(t.name))
	}
	if err != nil {
		if cerr := t.undo(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("and cannot be removed, which the next backup does: %w", cerr))
		}
		return nil, err
	}
	at, _ := time.Parse(nameFormat, t.name)
	return &Result{Snapshot{t.name, filepath.Join(dir.Path, t.name), at}, t.out.tail, t.copier.copied, t.warned}, nil
}

// dropKept drops what was expunged and kept meanwhile. What cannot be removed
// stays until cyr_expire -X.
func (t *taking) dropKept(ctx context.Context, since time.Time) {
	err := t.site.List.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if e.Exists() && !e.Has(mboxlist.Remote) {
			if err := t.site.Store.DropKept(ctx, e.Ref(), since); err != nil && !errs.Is(err, errs.NotFound) {
				t.site.Log.Warn("what was expunged during the backup stays", "mailbox", e.Name, "error", err)
			}
		}
		return true, nil
	})
	if err != nil {
		t.site.Log.Warn("what was expunged during the backup stays", "error", err)
	}
}

// undo removes what there is of a snapshot that fails.
func (t *taking) undo() error {
	var err error
	if t.out != nil {
		err = t.out.close()
	}
	return errors.Join(err, disk.RemoveTree(t.dir.fs, t.dir.partial(t.name)))
}

// previous reads what the newest snapshot has. One that cannot be read is not used.
func (t *taking) previous(all []Snapshot) {
	if len(all) == 0 {
		return
	}
	last := all[len(all)-1]
	note := func(f *File) error { t.copier.known[f.Path] = *f; return nil }
	head, _, err := ReadManifest(t.dir.fs, last.Path, note, func(m *Mailbox) error {
		for i := range m.Files {
			t.copier.known[m.Files[i].Path] = m.Files[i]
		}
		return nil
	})
	if err != nil {
		t.warn(fmt.Errorf("the snapshot before cannot be used: %w", err))
		t.copier.known = map[string]File{}
		return
	}
	t.copier.prev, t.copier.began = last.Path, head.Began
}

func (t *taking) warn(err error) {
	t.warned++
	if t.Warn != nil {
		t.Warn(err)
	}
}

// run makes everything below the partial name.
func (t *taking) run(ctx context.Context) error {
	root, fsys := t.copier.root, t.dir.fs
	fail := func(err error) error { return disk.Error("snapshot.Take", root, err) }
	for _, d := range []string{root, root + "/conf", root + "/sieve", root + "/etc", root + "/spool"} {
		if err := fsys.MkdirAll(d, dirMode); err != nil {
			return fail(err)
		}
	}
	head := t.head()
	for _, p := range head.Partitions {
		if err := fsys.MkdirAll(filepath.Join(root, "spool", p), dirMode); err != nil {
			return fail(err)
		}
	}
	var err error
	if t.out, err = createManifest(fsys, root, head); err != nil {
		return fail(err)
	}
	if err := t.databases(ctx); err != nil {
		return err
	}
	err = t.mailboxes(ctx)
	if cerr := t.list.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := t.trees(ctx); err != nil {
		return fail(err)
	}
	for _, f := range cyrusdb.SiteCopy { // the list may have lost mailboxes that were deleted meanwhile
		if err := t.described("conf/" + f.File); err != nil {
			return fail(err)
		}
	}
	return fail(t.out.finish(t.Now().UTC()))
}

// kept is the options that say where and under which names files lie.
var kept = []*config.Row{
	config.Hashimapspool.Row(), config.Fulldirhash.Row(), config.Virtdomains.Row(), config.Defaultdomain.Row(),
	config.Unixhierarchysep.Row(), config.Altnamespace.Row(), config.Deletedprefix.Row(), config.Userprefix.Row(),
	config.Sharedprefix.Row(), config.Altprefix.Row(), config.SubscriptionDb.Row(), config.SeenstateDb.Row(),
}

// head is the first line of the manifest.
func (t *taking) head() *Head {
	s, c := t.site, t.site.Config
	h := &Head{
		Format: format, Program: "gocyrus " + version.Version, Server: c.ServerName(), Mode: "shared",
		Began: t.Now().UTC(), Options: map[string]string{},
	}
	if s.Server != nil {
		h.Mode = "own"
	}
	for _, row := range kept {
		h.Options[row.Name] = c.Text(row)
	}
	for p := range s.Layout.Partitions {
		h.Partitions = append(h.Partitions, p)
	}
	for p := range s.Layout.ArchivePartitions {
		h.Archives = append(h.Archives, p)
	}
	slices.Sort(h.Partitions)
	slices.Sort(h.Archives)
	return h
}

// databases copies the site's databases and opens the copy of the list.
func (t *taking) databases(ctx context.Context) error {
	s, conf := t.site, filepath.Join(t.copier.root, "conf")
	if err := cyrusdb.CopySite(ctx, s.Config, t.dir.fs, s.Locks, s.Server, conf); err != nil {
		return err
	}
	db, err := cyrusdb.Open(t.dir.fs, s.Locks, "twoskip", filepath.Join(conf, "mailboxes.db"), cyrusdb.Create)
	if err != nil {
		return err
	}
	t.list = mboxlist.New(mboxlist.Options{DB: db, FS: t.dir.fs, Locks: s.Locks, Layout: s.Layout, Names: s.Names, Rights: s.Rights, Log: s.Log})
	return nil
}

// group is the mailboxes that are copied at one moment: those of a user, or
// one that is shared.
type group struct {
	owner   string
	entries []*mboxlist.Entry
}

// mailboxes copies all mailboxes.
func (t *taking) mailboxes(ctx context.Context) error {
	total, done := 0, 0
	real := func(e *mboxlist.Entry) bool { return e.Exists() && !e.Has(mboxlist.Remote) }
	err := t.list.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if real(e) {
			total++
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	var g group
	var gone []mboxname.Name
	flush := func() error {
		if len(g.entries) == 0 {
			return nil
		}
		lost, err := t.group(ctx, &g)
		gone = append(gone, lost...)
		done += len(g.entries)
		if t.Progress != nil && total > 0 {
			t.Progress(done, total)
		}
		g.entries = nil
		return err
	}
	err = t.list.Scan(ctx, "", func(e *mboxlist.Entry) (bool, error) {
		if !real(e) {
			return true, ctx.Err()
		}
		owner := e.Name.OwnerOf(t.site.Names.DeletedPrefix)
		if len(g.entries) > 0 && (owner != g.owner || owner == "") {
			if err := flush(); err != nil {
				return false, err
			}
		}
		g.owner = owner
		g.entries = append(g.entries, e)
		return true, ctx.Err()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	for _, n := range gone {
		if err := t.list.Unlist(ctx, n); err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return nil
}

// rel is where the directory of a mailbox lies in the snapshot.
func (t *taking) rel(kind string, e *mboxlist.Entry) (string, error) {
	l := mboxname.Layout{
		Partitions: map[string]string{e.Partition: kind + "/" + e.Partition},
		HashSpool:  t.site.Layout.HashSpool, FullHash: t.site.Layout.FullHash, DeletedPrefix: t.site.Layout.DeletedPrefix,
	}
	if strings.ContainsRune(e.Partition, '/') || e.Partition == "" || e.Partition[0] == '.' {
		return "", errs.New(errs.BadPartition, "snapshot.Take", string(e.Name), fmt.Errorf("partition %q", e.Partition))
	}
	return l.MailboxDir(e.Partition, e.Name, e.UniqueID, e.Has(mboxlist.LegacyDirs))
}
