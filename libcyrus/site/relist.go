package site

import (
	"context"
	"log/slog"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/cyrusdb"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/lock"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
)

// Relisted is what a mailbox list that was made anew is made of.
type Relisted struct {
	Found []*mboxlist.Found // mailboxes whose entries were made from their files
	Rest  []*mboxlist.Found // directories that are not in the list
	Kept  []*mboxlist.Entry // entries that could still be read, of mailboxes and other names
	Gone  []*mboxlist.Entry // entries whose directories are not there: they are left out
	Aside []string          // files and directories of the old list
}

// Relist makes the mailbox list of a site anew: from what can be read of the
// old one, and from the mailboxes that are on the partitions. With look
// nothing is changed, and in own mode the old list is not asked. No other
// program may be running.
func Relist(ctx context.Context, fsys disk.FS, c *config.Config, log *slog.Logger, look bool) (*Relisted, error) {
	s := &Site{Config: c, Log: log, FS: fsys, Names: mboxname.RulesFrom(c), Layout: mboxname.LayoutFrom(c)}
	err := s.check()
	if err == nil {
		s.Rights, err = rightsFrom(c)
	}
	if err != nil {
		return nil, err
	}
	s.Locks = lock.NewTable(fsys, log)
	defer s.Locks.Close()
	all, err := s.finder("").Find()
	if err != nil {
		return nil, err
	}
	r := &Relisted{}
	contents := func(old cyrusdb.DB) ([]cyrusdb.KV, error) {
		var known map[mboxname.Name]*mboxlist.Entry
		if old != nil {
			known = mboxlist.Salvage(ctx, old)
		}
		return mboxlist.New(s.listOptions(nil)).Records(r.merge(all, known)), nil
	}
	if look {
		_, err = contents(nil)
		return r, err
	}
	r.Aside, err = cyrusdb.Relist(ctx, c, fsys, s.Locks, log, contents)
	return r, err
}

// finder looks for mailboxes on a partition, or on all.
func (s *Site) finder(partition string) *mboxlist.Finder {
	return &mboxlist.Finder{FS: s.FS, Layout: s.Layout, Rights: s.Rights, Partition: partition}
}

// FindMailboxes lists the mailboxes that are on a partition ("" is all),
// whatever the mailbox list says.
func (s *Site) FindMailboxes(partition string) ([]*mboxlist.Found, error) {
	return s.finder(partition).Find()
}

// merge decides what is in the new list. Known entries are better than what
// files tell, as long as there are such files.
func (r *Relisted) merge(all []*mboxlist.Found, known map[mboxname.Name]*mboxlist.Entry) []*mboxlist.Entry {
	aside := r.Aside
	*r = Relisted{Aside: aside}
	copies := make([]*mboxlist.Found, len(all)) // Choose may give new ids
	for i, x := range all {
		y := *x
		copies[i] = &y
	}
	ids := map[string]*mboxlist.Entry{}
	for _, e := range known {
		if e.Exists() {
			ids[e.UniqueID] = e
		}
	}
	for _, x := range copies {
		// The list knew better what a mailbox is called.
		if e := ids[x.UniqueID]; e != nil && !x.Has(mboxlist.LegacyDirs) && !e.Has(mboxlist.LegacyDirs) && e.Partition == x.Partition {
			x.Name = e.Name
		}
	}
	found, rest := mboxlist.Choose(copies, func(n mboxname.Name) string {
		if e := known[n]; e != nil && e.Exists() {
			return e.UniqueID
		}
		return ""
	})
	r.Rest = rest
	var list []*mboxlist.Entry
	taken := map[mboxname.Name]bool{}
	for _, x := range found {
		taken[x.Name] = true
		e := known[x.Name]
		if e != nil && e.Exists() && e.UniqueID == x.UniqueID && e.Partition == x.Partition {
			r.Kept = append(r.Kept, e)
			list = append(list, e)
			continue
		}
		r.Found = append(r.Found, x)
		list = append(list, &x.Entry)
	}
	for n, e := range known {
		switch {
		case taken[n]:
		case e.Exists() && !e.Has(mboxlist.Remote):
			r.Gone = append(r.Gone, e)
		default:
			r.Kept = append(r.Kept, e)
			list = append(list, e)
		}
	}
	return list
}
