package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// copying is one mailbox on its way into the snapshot.
type copying struct {
	entry   *mboxlist.Entry // in the list of the snapshot
	ref     mailbox.Ref     // where the mailbox is now
	dir     string          // of its messages, below the snapshot
	archive string          // of archived ones; the same without an archive partition
	gone    bool            // it was deleted since the list was copied
	box     Mailbox
	placed  []placed // messages that are in the snapshot, by UID
	stale   []placed // … and not in the index
	caches  []growing
}

// placed is a message in the snapshot.
type placed struct {
	uid      uint32
	archived bool
}

// growing is a file that only grows: what it had at one time can be read
// later.
type growing struct {
	file disk.File
	size int64
	rel  string
}

// rel is where the file of a message lies below the snapshot.
func (c *copying) rel(p placed) string {
	dir := c.dir
	if p.archived {
		dir = c.archive
	}
	return dir + "/" + strconv.FormatUint(uint64(p.uid), 10) + "."
}

// closeCaches closes what is still open.
func (c *copying) closeCaches() {
	for _, g := range c.caches {
		g.file.Close()
	}
	c.caches = nil
}

// group copies the mailboxes of a group. It returns the names of those that
// are gone.
func (t *taking) group(ctx context.Context, g *group) ([]mboxname.Name, error) {
	all := make([]*copying, len(g.entries))
	defer func() {
		for _, c := range all {
			if c != nil {
				c.closeCaches()
			}
		}
	}()
	for i, e := range g.entries {
		c := &copying{entry: e, ref: e.Ref()}
		all[i] = c
		var err error
		if c.dir, err = t.rel("spool", e); err != nil {
			return nil, err
		}
		c.archive = c.dir
		if t.site.Layout.ArchivePartitions[e.Partition] != "" {
			if c.archive, err = t.rel("archive", e); err != nil {
				return nil, err
			}
		}
		if err := t.messages(ctx, c); err != nil {
			return nil, err
		}
	}
	if err := t.still(ctx, g, all); err != nil {
		return nil, err
	}
	var gone []mboxname.Name
	for _, c := range all {
		if err := t.settle(c); err != nil {
			return nil, disk.Error("snapshot.Take", string(c.entry.Name), err)
		}
		if c.gone {
			gone = append(gone, c.entry.Name)
		}
	}
	return gone, nil
}

// messages places the files of a mailbox's messages, without a lock. Those
// that vanish meanwhile are left out. The mailbox is repaired if it must be.
func (t *taking) messages(ctx context.Context, c *copying) error {
	m, err := t.open(ctx, c, t.read)
	if err != nil || c.gone {
		return err
	}
	type message struct {
		placed
		guid mailbox.GUID
	}
	var all []message
	err = m.Each(1, func(r *mailbox.Record) bool {
		if r.Flags&mailbox.Unlinked == 0 {
			all = append(all, message{placed{r.UID, r.Flags&mailbox.Archived != 0}, r.GUID})
		}
		return true
	})
	dir := filepath.Dir(m.MessagePath(&mailbox.Record{}))
	archive := filepath.Dir(m.MessagePath(&mailbox.Record{Flags: mailbox.Archived}))
	m.Close()
	if err != nil {
		return err
	}
	linked, known := t.linked[c.ref.Partition]
	t.copier.noLinks = t.Copy || known && !linked
	var have map[uint32]mailbox.GUID
	if !linked {
		have = t.copier.before(c.dir)
	}
	if len(all) > 0 {
		defer func() { t.linked[c.ref.Partition] = !t.copier.noLinks }()
	}
	for _, x := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		from := dir
		if x.archived {
			from = archive
		}
		rel := c.rel(x.placed)
		guid, known := have[x.uid]
		err := t.copier.place(from+"/"+filepath.Base(rel), rel, known && guid == x.guid && !guid.IsZero())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return disk.Error("snapshot.Take", rel, err)
		}
		c.placed = append(c.placed, x.placed)
	}
	return nil
}

// patience is how long a mailbox is waited for that others keep locked.
const patience = 60 * time.Second

// read opens a mailbox for reading, and repairs it before if it must be.
func (t *taking) read(ctx context.Context, ref mailbox.Ref) (*mailbox.Mailbox, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return t.site.Store.Open(ctx, ref, mailbox.Read)
}

// open opens a mailbox of the list where it is now: it may have been renamed
// or deleted since the list was copied.
func (t *taking) open(ctx context.Context, c *copying, open func(context.Context, mailbox.Ref) (*mailbox.Mailbox, error)) (*mailbox.Mailbox, error) {
	m, err := open(ctx, c.ref)
	if err == nil && (m.UniqueID() == c.entry.UniqueID || m.UniqueID() == "") {
		return m, nil
	}
	if err == nil { // another one has its name by now
		m.Close()
		err = errs.New(errs.NotFound, "snapshot.Take", string(c.ref.Name), nil)
	}
	if !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	e, lerr := t.site.List.LookupID(ctx, c.entry.UniqueID)
	if errs.Is(lerr, errs.NotFound) {
		c.gone = true
		return nil, nil
	}
	if lerr != nil {
		return nil, lerr
	}
	if e.Ref() == c.ref { // it is in the list, and not on disk
		t.warn(fmt.Errorf("%s is in the mailbox list, but cannot be opened, and is left out: %w", c.ref.Name, err))
		c.gone = true
		return nil, nil
	}
	c.ref = e.Ref()
	return open(ctx, c.ref)
}

// stillTries is how often the mailboxes of a user are held still again,
// because one of them had to be repaired or had another name by then.
const stillTries = 4

// still copies what may change, while nobody can change it.
func (t *taking) still(ctx context.Context, g *group, all []*copying) error {
	var err error
	for range stillTries {
		if err = t.stillOnce(ctx, g, all); !errors.Is(err, mailbox.ErrDefect) {
			return err
		}
		for _, c := range all { // Store.Open repairs
			if m, err := t.open(ctx, c, t.read); err != nil {
				return err
			} else if m != nil {
				m.Close()
			}
		}
	}
	return err
}

func (t *taking) stillOnce(ctx context.Context, g *group, all []*copying) error {
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	held, err := t.site.Store.HoldStill(wait, g.entries[0].Name)
	if err != nil {
		return err
	}
	defer held.Release()
	for _, c := range all {
		if c.gone {
			continue
		}
		m, err := t.open(wait, c, held.Open)
		if err != nil {
			return err
		}
		if c.gone {
			continue
		}
		err = t.metadata(ctx, c, m)
		m.Close()
		if err != nil {
			return disk.Error("snapshot.Take", string(c.entry.Name), err)
		}
	}
	return nil
}

// metadata copies what belongs together of a mailbox that is locked, and
// completes the messages.
func (t *taking) metadata(ctx context.Context, c *copying, m *mailbox.Mailbox) error {
	c.closeCaches()
	c.box = Mailbox{Name: string(c.entry.Name), ID: c.entry.UniqueID, Dir: c.dir}
	if c.archive != c.dir {
		c.box.Archive = c.archive
	}
	f := m.Files()
	for _, x := range [][2]string{{f.Header, headerName}, {f.Index, indexName}} {
		if err := t.meta(c, x[0], c.dir+"/"+x[1]); err != nil {
			return err
		}
	}
	if err := t.locked(ctx, f.Annotations, c.dir+"/"+annotName, &c.box); err != nil {
		return err
	}
	if err := t.cache(c, f.Cache, c.dir+"/"+cacheName); err != nil {
		return err
	}
	if c.archive != c.dir {
		if err := t.cache(c, f.ArchiveCache, c.archive+"/"+cacheName); err != nil {
			return err
		}
	}
	return t.complete(c, m)
}

// meta copies a file that nobody can change now.
func (t *taking) meta(c *copying, path, rel string) error {
	in, err := t.dir.fs.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	file, err := t.copier.open(in, fi.Size(), rel)
	if err == nil {
		c.box.Files = append(c.box.Files, file)
	}
	return err
}

// cache opens a cache to be copied later.
func (t *taking) cache(c *copying, path, rel string) error {
	in, err := t.dir.fs.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	fi, err := in.Stat()
	if err != nil {
		in.Close()
		return err
	}
	c.caches = append(c.caches, growing{in, fi.Size(), rel})
	return nil
}

// complete places the messages that have come since, and finds those that
// are gone.
func (t *taking) complete(c *copying, m *mailbox.Mailbox) error {
	var now []placed
	var failed error
	old, i := c.placed, 0
	err := m.Each(1, func(r *mailbox.Record) bool {
		if r.Flags&mailbox.Unlinked != 0 {
			return true
		}
		p := placed{r.UID, r.Flags&mailbox.Archived != 0}
		for i < len(old) && old[i].uid < p.uid {
			c.stale = append(c.stale, old[i])
			i++
		}
		have := i < len(old) && old[i].uid == p.uid
		if have && old[i] != p {
			c.stale = append(c.stale, old[i]) // it was archived meanwhile
			have = false
			i++
		} else if have {
			i++
		}
		if !have {
			failed = t.copier.place(m.MessagePath(r), c.rel(p), false)
		}
		if errors.Is(failed, fs.ErrNotExist) {
			failed = nil
			c.box.Missing = append(c.box.Missing, r.UID)
			return true
		}
		now = append(now, p)
		c.box.Messages++
		c.box.Bytes += int64(r.Size)
		return failed == nil
	})
	c.stale = append(c.stale, old[i:]...)
	c.placed = now
	if err == nil {
		err = failed
	}
	return err
}

// settle does what needs no lock, and puts the mailbox into the manifest.
func (t *taking) settle(c *copying) error {
	if c.gone {
		c.stale, c.placed = append(c.stale, c.placed...), nil
		for i := range c.box.Files {
			if err := t.dir.fs.Remove(filepath.Join(t.copier.root, c.box.Files[i].Path)); err != nil {
				return err
			}
		}
	}
	for _, p := range c.stale {
		if slices.Contains(c.placed, p) { // it has come back
			continue
		}
		err := t.dir.fs.Remove(filepath.Join(t.copier.root, c.rel(p)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if c.gone {
		return nil
	}
	for _, g := range c.caches {
		file, err := t.copier.open(g.file, g.size, g.rel)
		if err != nil {
			return err
		}
		c.box.Files = append(c.box.Files, file)
	}
	c.closeCaches()
	if n := len(c.box.Missing); n > 0 {
		t.warn(fmt.Errorf("%s: %d messages have no file, the first is uid %d (reconstruct mends the mailbox)", c.entry.Name, n, c.box.Missing[0]))
	}
	return t.out.mailbox(&c.box)
}

// locked copies a database or another small file while nobody can change it.
// One that is not there is no error. The entry goes to box, or if that is nil
// into the manifest.
func (t *taking) locked(ctx context.Context, path, rel string, box *Mailbox) error {
	in, held, err := t.site.Locks.OpenFile(ctx, path, os.O_RDONLY, lock.Shared)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return disk.Error("snapshot.Take", path, err)
	}
	defer in.Close()
	defer held.Release()
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	file, err := t.copier.open(in, fi.Size(), rel)
	if err != nil {
		return err
	}
	if box != nil {
		box.Files = append(box.Files, file)
		return nil
	}
	return t.out.line(&file)
}
