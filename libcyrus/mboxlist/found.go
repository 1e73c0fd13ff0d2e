package mboxlist

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxname"
)

// Found is a mailbox as its files tell of it.
type Found struct {
	Entry
	Dir      string // where its messages are
	Glance   mailbox.Glance
	Messages int    // message files
	Note     string // what had to be guessed, or ""
}

// lostPrefix is the name, behind it the unique id, of a mailbox whose name
// nothing tells any more. Only admins see it.
const lostPrefix = "lost-and-found."

// Finder looks for mailboxes on partitions.
type Finder struct {
	FS        disk.FS
	Layout    *mboxname.Layout
	Rights    acl.Rules
	Partition string // "" is all

	found []*Found
}

// Find lists all directories that are mailboxes, whatever the list says, by
// name. What can be learned of each: the name is that of the directory, or
// in cyrus.header where directories have the names of unique ids; unique id,
// type and ACL are in cyrus.header; UIDVALIDITY and modseqs in cyrus.index.
// Mailboxes that wait for their removal are left out. Nothing is changed.
func (f *Finder) Find() ([]*Found, error) {
	f.found = nil
	for partition := range f.Layout.Partitions {
		if f.Partition != "" && f.Partition != partition {
			continue
		}
		for _, root := range f.roots(partition) {
			if err := f.byID(partition, root); err != nil {
				return nil, err
			}
			if err := f.byName(partition, root, root); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(f.found, func(a, b *Found) int {
		return cmp.Or(mboxname.Compare(a.Name, b.Name), cmp.Compare(a.Dir, b.Dir))
	})
	f.found = slices.CompactFunc(f.found, func(a, b *Found) bool { return a.Dir == b.Dir && a.Name == b.Name })
	return f.found, nil
}

// roots is where a partition has messages, headers and indexes.
func (f *Finder) roots(partition string) []string {
	l := f.Layout
	roots := []string{l.Partitions[partition]}
	for _, m := range []mboxname.MetaFile{mboxname.Header, mboxname.Index} {
		for _, root := range []string{l.MetaDirs[string(m)+"-"+partition], l.MetaPartitions[partition]} {
			if root != "" && !slices.Contains(roots, root) {
				roots = append(roots, root)
			}
		}
	}
	return roots
}

// dirs is the directories in dir; none if it is not there. Those of mailboxes
// have no dot in their names, those of domains may.
func (f *Finder) dirs(dir string, dots bool) ([]string, error) {
	entries, err := f.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, disk.Error("mboxlist.Find", dir, err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if dots {
			name = strings.TrimPrefix(strings.ReplaceAll(name, ".", ""), "stage")
		}
		if e.IsDir() && name != "" && !strings.Contains(name, ".") && name != "lost+found" {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// byID looks at the directories that have the names of unique ids.
func (f *Finder) byID(partition, root string) error {
	firsts, err := f.dirs(root+"/uuid", false)
	for _, a := range firsts {
		var seconds []string
		if seconds, err = f.dirs(root+"/uuid/"+a, false); err != nil {
			return err
		}
		for _, b := range seconds {
			var ids []string
			if ids, err = f.dirs(root+"/uuid/"+a+"/"+b, false); err != nil {
				return err
			}
			for _, id := range ids {
				if !mboxname.ValidID(id) || len(a) != 1 || len(b) != 1 || id[:2] != a+b {
					continue
				}
				if err := f.add(mailbox.Ref{UniqueID: id, Partition: partition}); err != nil {
					return err
				}
			}
		}
	}
	return err
}

// byName looks at a directory that is, or lies above, one with the name of a
// mailbox, and at those in it.
func (f *Finder) byName(partition, root, dir string) error {
	above := filepath.Dir(dir)
	domain := dir == root+"/domain" && !f.Layout.HashSpool || above == root+"/domain" && f.Layout.HashSpool
	names, err := f.dirs(dir, domain)
	if err != nil {
		return err
	}
	for _, name := range names {
		at := filepath.Join(dir, name)
		if at == root+"/uuid" {
			continue
		}
		if n, ok := f.nameOf(root, at); ok {
			if err := f.add(mailbox.Ref{Name: n, Partition: partition, Legacy: true}); err != nil {
				return err
			}
		}
		if err := f.byName(partition, root, at); err != nil {
			return err
		}
	}
	return nil
}

// nameOf is the name of the mailbox that a directory is for, if it is where
// such a mailbox would lie.
func (f *Finder) nameOf(root, dir string) (mboxname.Name, bool) {
	w := strings.Split(strings.TrimPrefix(dir, root+"/"), "/")
	domain := ""
	skip := func(n int) bool {
		if len(w) <= n {
			return false
		}
		w = w[n:]
		return true
	}
	if w[0] == "domain" && len(w) > 1 {
		n := 1
		if f.Layout.HashSpool {
			n = 2
		}
		if !skip(n) {
			return "", false
		}
		domain = w[0]
		if !skip(1) {
			return "", false
		}
	}
	if f.Layout.HashSpool && !skip(1) {
		return "", false
	}
	n := mboxname.Name(strings.Join(w, ".")).InDomain(domain)
	l := *f.Layout
	l.Partitions = map[string]string{"": root}
	is, err := l.MailboxDir("", n, "", true)
	return n, err == nil && is == dir && storable(n)
}

// add takes a directory into the list if it is a mailbox.
func (f *Finder) add(ref mailbox.Ref) error {
	x := &Found{Glance: mailbox.Look(f.FS, f.Layout, ref)}
	g := &x.Glance
	if g.Head != nil && g.Head.Options&mailbox.OptDeleted != 0 {
		return nil
	}
	var err error
	if x.Dir, err = f.Layout.MailboxDir(ref.Partition, ref.Name, ref.UniqueID, ref.Legacy); err != nil {
		return err
	}
	if x.Messages, err = f.messages(x.Dir); err != nil {
		return err
	}
	if g.HeaderErr != nil && x.Messages == 0 && g.Version == 0 {
		return nil // an empty directory above others, or what a creation has left
	}
	x.Entry = Entry{Name: ref.Name, UniqueID: ref.UniqueID, Partition: ref.Partition, Type: g.Type, ACL: acl.ParseList(g.ACL)}
	f.identify(x, ref)
	if g.Head != nil {
		x.UIDValidity = g.Head.UIDValidity
		x.FolderModseq, x.CreatedModseq = g.Head.HighestModseq, max(g.Head.CreatedModseq, 1)
	} else {
		x.note("cyrus.index cannot be read")
	}
	f.found = append(f.found, x)
	return nil
}

func (x *Found) note(text string) {
	if x.Note != "" {
		x.Note += "; "
	}
	x.Note += text
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// identify finds out name, id and ACL.
func (f *Finder) identify(x *Found, ref mailbox.Ref) {
	g := &x.Glance
	switch {
	case g.HeaderErr != nil:
		x.note("cyrus.header cannot be read")
	case !ref.Legacy && g.ID != "" && g.ID != ref.UniqueID:
		x.note("cyrus.header is that of another mailbox (" + g.ID + ")")
		x.ACL, x.Type = nil, ""
	case !ref.Legacy:
		x.Name = g.Name
	default:
		x.UniqueID = g.ID
	}
	if x.Name == "" || !storable(x.Name) {
		x.Name = mboxname.Name(lostPrefix + x.UniqueID)
		x.note("its name is not known")
	}
	if !mboxname.ValidID(x.UniqueID) {
		x.UniqueID = mailbox.NewUniqueID()
		x.note("it gets a new unique id")
	}
	if ref.Legacy {
		x.Type = withFlags(x.Type, string(LegacyDirs), "")
	} else {
		x.Type = withFlags(x.Type, "", string(LegacyDirs))
	}
	if x.Kind() == Email && strings.HasSuffix(string(x.Name), ".#sieve") {
		x.Type = string(Sieve) + x.Type[1:]
	}
	if len(x.ACL) == 0 {
		if owner := x.Name.OwnerOf(f.Layout.DeletedPrefix); owner != "" && !strings.HasPrefix(string(x.Name), lostPrefix) {
			x.ACL = acl.List{{ID: owner, Rights: f.Rights.Format(acl.All)}}
		} else {
			x.ACL = acl.List{}
		}
		if g.HeaderErr != nil {
			x.note("its access rights are lost")
		}
	}
}

// storable reports whether a name can stand in the list at all. Whether it
// could be given to a mailbox now does not matter.
func storable(n mboxname.Name) bool {
	local := string(n.Local())
	if local == "" || len(n) > 4096 || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return false
	}
	return !strings.ContainsFunc(string(n), func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' })
}

// messages counts the message files in a directory.
func (f *Finder) messages(dir string) (n int, err error) {
	entries, err := f.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), ".")
		if ok && digits != "" && strings.Trim(digits, "0123456789") == "" {
			n++
		}
	}
	return n, disk.Error("mboxlist.Find", dir, err)
}

// Choose decides which of several directories is the mailbox with a name, and
// which of several mailboxes keeps a unique id. Of those with one name it is
// the one whose id known has for the name; else the one with a sound index;
// then with more messages; then with the higher modseq. The others are
// returned as rest and stay as they are. Of directories by name with one id
// all are mailboxes, but only the first keeps the id.
func Choose(all []*Found, known func(mboxname.Name) string) (list, rest []*Found) {
	byName := map[mboxname.Name]*Found{}
	for _, x := range all {
		if have := byName[x.Name]; have == nil || better(x, have, known(x.Name)) {
			byName[x.Name] = x
		}
	}
	ids := map[string]*Found{}
	for _, x := range all {
		if byName[x.Name] != x {
			rest = append(rest, x)
			continue
		}
		other := ids[x.UniqueID]
		switch {
		case other == nil:
		case x.Has(LegacyDirs):
			x.UniqueID = mailbox.NewUniqueID()
			x.note("its unique id is that of " + string(other.Name) + ": it gets a new one")
		default: // two names in the headers of one id on two partitions
			if !better(x, other, "") {
				rest = append(rest, x)
				continue
			}
			rest = append(rest, other)
			list = slices.DeleteFunc(list, func(y *Found) bool { return y == other })
		}
		ids[x.UniqueID] = x
		list = append(list, x)
	}
	return list, rest
}

func better(x, than *Found, id string) bool {
	sound := func(f *Found) int { return b2i(f.Glance.Head != nil && f.Glance.HeaderErr == nil) }
	return cmp.Or(
		cmp.Compare(b2i(x.UniqueID == id), b2i(than.UniqueID == id)),
		cmp.Compare(sound(x), sound(than)),
		cmp.Compare(x.Messages, than.Messages),
		cmp.Compare(x.FolderModseq, than.FolderModseq),
	) > 0
}
