package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mboxname"
)

const rehashUse = `usage: %s [-v] [-n] imapd.conf

       -v verbose
       -n no change - just show what would be done
       -f force fulldirhash: no
       -F force fulldirhash: yes
       -i force hashimapspool: no
       -I force hashimapspool: yes

imapd.conf must be given. It says which hashing is right, unless an option
does. With -v each directory that is made, renamed or removed is printed;
-n prints the same and changes nothing. Stop master first.
`

// rehasher is one run of rehash. The first error ends it; what was moved is
// where it belongs, so that another run does the rest.
type rehasher struct {
	*program
	fsys          disk.FS
	layout        *mboxname.Layout
	domains       bool // virtdomains
	look, verbose bool
	touched       map[string]bool // directories in which names have changed
}

// rehash moves the directories by name of users and mailboxes to where
// hashimapspool and fulldirhash want them. Those by unique id stay.
//
// Source: Cyrus tools/rehash. Its hash of names with a dot is not that of the
// server, and it takes uuid for a mailbox.
func rehash(p *program) int { return p.end((&rehasher{program: p, fsys: disk.OS()}).run()) }

func (r *rehasher) run() error {
	use := fmt.Sprintf(rehashUse, r.called)
	opts, operands, err := r.options("vnhfFiI", use, exMinusOne)
	if err != nil {
		return err
	}
	set := map[byte]bool{}
	for _, o := range opts {
		set[o.Letter] = true
	}
	if set['h'] || len(operands) == 0 {
		return r.misused(use, exMinusOne)
	}
	r.look, r.verbose, r.touched = set['n'], set['v'] || set['n'], map[string]bool{}
	c, err := r.configure(operands[0])
	if err != nil {
		return err
	}
	r.layout = mboxname.LayoutFrom(c)
	if set['f'] || set['F'] {
		r.layout.FullHash = set['F']
	}
	if set['i'] || set['I'] {
		r.layout.HashSpool = set['I']
	}
	if r.domains = config.Virtdomains.In(c) != "off"; r.domains {
		fmt.Fprintln(r.out, "i will deal with virtual domains.")
	}
	if r.layout.HashSpool {
		fmt.Fprintln(r.out, "i will also hash partitions.")
	}
	err = r.all(config.Sieveusehomedir.In(c))
	if serr := r.sync(); err == nil {
		err = serr
	}
	if err != nil {
		return &exit{exMinusOne, err}
	}
	return nil
}

// all goes through configdirectory, the Sieve scripts and the partitions.
func (r *rehasher) all(sieveAtHome bool) error {
	l := r.layout
	fmt.Fprintf(r.out, "converting configuration directory %s... ", l.ConfigDir)
	for _, d := range []string{"user", "proc", "lock", "db", "socket", "log", "msg", "quota"} {
		if err := r.makeDir(filepath.Join(l.ConfigDir, d)); err != nil {
			return err
		}
	}
	if r.domains {
		fmt.Fprint(r.out, "domain ")
		if err := r.eachDomain(filepath.Join(l.ConfigDir, "domain"), true, r.confDir); err != nil {
			return err
		}
	}
	fmt.Fprint(r.out, "user quota ")
	if err := r.confDir(l.ConfigDir); err != nil {
		return err
	}
	fmt.Fprintln(r.out, "done")
	if !sieveAtHome {
		fmt.Fprintf(r.out, "sieve %s... ", l.SieveDir)
		if err := r.tree(l.SieveDir, true, r.sieveDir); err != nil {
			return err
		}
		fmt.Fprintln(r.out, "done")
	}
	for _, root := range r.roots() {
		fmt.Fprintf(r.out, "partition %s... ", root)
		if slices.Contains(sortedValues(l.Partitions), root) {
			if err := r.makeDir(filepath.Join(root, "stage.")); err != nil {
				return err
			}
		}
		if err := r.tree(root, l.HashSpool, r.spoolDir); err != nil {
			return err
		}
		fmt.Fprintln(r.out, "done")
	}
	return nil
}

// roots is the directories of all partitions, without repetitions.
func (r *rehasher) roots() []string {
	var all []string
	for _, m := range []map[string]string{r.layout.Partitions, r.layout.MetaPartitions, r.layout.ArchivePartitions, r.layout.MetaDirs} {
		for _, root := range sortedValues(m) {
			if !slices.Contains(all, root) {
				all = append(all, root)
			}
		}
	}
	return all
}

func sortedValues(m map[string]string) []string {
	var out []string
	for _, k := range sortedKeys(m) {
		out = append(out, filepath.Clean(m[k]))
	}
	return out
}

// tree does what is below a root, in the domains first.
func (r *rehasher) tree(root string, hashed bool, do func(dir string) error) error {
	if err := r.makeDir(root); err != nil {
		return err
	}
	if r.domains {
		if err := r.eachDomain(filepath.Join(root, "domain"), hashed, do); err != nil {
			return err
		}
	}
	return do(root)
}

// eachDomain does what is in the directories of domains, and moves them.
func (r *rehasher) eachDomain(dir string, hashed bool, do func(dir string) error) error {
	items, err := r.items(dir)
	if err != nil || len(items) == 0 {
		return err
	}
	for _, i := range items {
		if err := do(i.path); err != nil {
			return err
		}
	}
	return r.move(dir, items, hashed, func(name string) string { return name }, false)
}

// confDir does users and quota roots below configdirectory or a domain in it.
func (r *rehasher) confDir(dir string) error {
	users := filepath.Join(dir, "user")
	items, err := r.items(users)
	if err == nil {
		err = r.move(users, items, true, func(name string) string { return name }, false)
	}
	if err != nil {
		return err
	}
	quotas := filepath.Join(dir, "quota")
	if dir == r.layout.ConfigDir && r.layout.QuotaDir != "" {
		quotas = filepath.Clean(r.layout.QuotaDir)
	}
	if items, err = r.items(quotas, "root"); err != nil {
		return err
	}
	return r.move(quotas, items, true, func(name string) string {
		if _, after, ok := strings.Cut(name, "."); ok {
			return after
		}
		return name
	}, false)
}

// sieveDir does the users' directories of Sieve scripts.
func (r *rehasher) sieveDir(dir string) error {
	items, err := r.items(dir, "global")
	if err != nil {
		return err
	}
	return r.move(dir, items, true, func(name string) string { return name }, false)
}

// spoolDir does the mailboxes of a partition, or of a domain in it: the
// directories "user/NAME" and the like.
func (r *rehasher) spoolDir(dir string) error {
	all := itemSet{}
	err := r.each(dir, func(top, path string) error { return r.below(all, top+"/", path) })
	if err != nil {
		return err
	}
	return r.move(dir, all.sorted(), r.layout.HashSpool, func(name string) string {
		top, below, _ := strings.Cut(name, "/")
		if strings.Contains(below, ".") {
			return top // a file of the mailbox itself
		}
		return strings.ReplaceAll(below, "^", ".")
	}, true)
}

// item is something that is to be hashed, and where it lies.
type item struct{ name, path string }

// itemSet is items by name, of which there cannot be two of one name.
type itemSet map[string]string

func (s itemSet) add(name, path string) error {
	if have, ok := s[name]; ok {
		return fmt.Errorf("FOUND BOTH %s and %s - you need to fix this by hand", have, path)
	}
	s[name] = path
	return nil
}

func (s itemSet) sorted() (items []item) {
	for _, name := range sortedKeys(s) {
		items = append(items, item{name, s[name]})
	}
	return items
}

// notHashed is what is never moved.
var notHashed = []string{"lost+found", "stage.", "sync.", "domain", "uuid"}

// items is what lies in a directory, hashed or not, sorted by name.
func (r *rehasher) items(dir string, except ...string) ([]item, error) {
	all := itemSet{}
	err := r.each(dir, func(name, path string) error {
		if slices.Contains(except, name) {
			return nil
		}
		return all.add(name, path)
	})
	return all.sorted(), err
}

// each calls fn for what lies in a directory, hashed or not, with its path.
// The directory need not be there.
func (r *rehasher) each(dir string, fn func(name, path string) error) error {
	entries, err := r.fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, path := e.Name(), filepath.Join(dir, e.Name())
		switch {
		case name[0] == '.' || slices.Contains(notHashed, name):
		case isHash(name):
			below := itemSet{}
			if err = r.below(below, "", path); err == nil {
				for _, i := range below.sorted() {
					if err = fn(i.name, i.path); err != nil {
						break
					}
				}
			}
		default:
			err = fn(name, path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// below adds what lies in a directory, with a prefix to the names.
func (r *rehasher) below(all itemSet, prefix, dir string) error {
	entries, err := r.fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name()[0] == '.' {
			continue
		}
		if err := all.add(prefix+e.Name(), filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// isHash reports whether a directory is one of those that hashing makes.
func isHash(name string) bool {
	return len(name) == 1 && (name[0] >= 'a' && name[0] <= 'z' || name[0] >= 'A' && name[0] <= 'W')
}

// move brings items to where they belong, and removes the directories that
// are not wanted any more; deeper says that these have directories in them.
func (r *rehasher) move(dir string, items []item, hashed bool, of func(name string) string, deeper bool) error {
	for _, i := range items {
		to := filepath.Join(dir, i.name)
		if hashed {
			to = filepath.Join(dir, mboxname.DirHash(of(i.name), r.layout.FullHash), i.name)
		}
		if i.path == to {
			continue
		}
		if err := r.makeDir(filepath.Dir(to)); err != nil {
			return err
		}
		err := r.act("rename "+i.path+" to "+to, func() error {
			r.touched[filepath.Dir(i.path)], r.touched[filepath.Dir(to)] = true, true
			return r.fsys.Rename(i.path, to)
		})
		if err != nil {
			return fmt.Errorf("failed to rename %s to %s: %w", i.path, to, err)
		}
	}
	return r.tidy(dir, hashed, deeper)
}

// tidy removes the empty directories of the other kind of hash.
func (r *rehasher) tidy(dir string, hashed, deeper bool) error {
	first, last := byte('a'), byte('z')
	for range 2 {
		wanted := hashed && (first == 'A') == r.layout.FullHash
		for c := first; c <= last && !wanted; c++ {
			d := filepath.Join(dir, string(c))
			entries, err := r.fsys.ReadDir(d)
			if err != nil {
				continue
			}
			for _, e := range entries {
				if deeper && e.Name()[0] != '.' {
					if err := r.removeDir(filepath.Join(d, e.Name())); err != nil {
						return err
					}
				}
			}
			if err := r.removeDir(d); err != nil {
				return err
			}
		}
		first, last = 'A', 'W'
	}
	return nil
}

// act prints what is done, and does it unless -n.
func (r *rehasher) act(what string, do func() error) error {
	word := "done"
	if r.look {
		word = "skipped"
	} else if err := do(); err != nil {
		return err
	}
	if r.verbose {
		fmt.Fprintf(r.out, "%s: %s\n", what, word)
	}
	return nil
}

// makeDir makes a directory and those above it, unless they are there.
func (r *rehasher) makeDir(dir string) error {
	if fi, err := r.fsys.Stat(dir); err == nil && fi.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := r.makeDir(parent); err != nil {
			return err
		}
	}
	return r.act("mkdir "+dir, func() error {
		r.touched[filepath.Dir(dir)] = true
		err := r.fsys.MkdirAll(dir, 0o755)
		if err != nil {
			return fmt.Errorf("Failed to create %s: %w", dir, err)
		}
		return nil
	})
}

// removeDir removes an empty directory.
func (r *rehasher) removeDir(dir string) error {
	fi, err := r.fsys.Lstat(dir)
	if err != nil || !fi.IsDir() {
		return nil
	}
	entries, err := r.fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	if n := len(entries); n > 0 && !r.look {
		if r.verbose {
			s := "s"
			if n == 1 {
				s = ""
			}
			fmt.Fprintf(r.out, "rmdir %s: skipped, %d extra item%s found, including %s\n", dir, n, s, filepath.Join(dir, entries[0].Name()))
		}
		return nil
	}
	return r.act("rmdir "+dir, func() error {
		r.touched[filepath.Dir(dir)] = true
		return r.fsys.Remove(dir)
	})
}

// sync makes the new names last.
func (r *rehasher) sync() error {
	for _, dir := range sortedKeys(r.touched) {
		if err := r.fsys.SyncDir(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
