// Package quotalegacy keeps records as one small file each, in a tree of
// hashed directories: Cyrus's quota files, which other programs read too
// (Cyrus lib/cyrusdb_quotalegacy.c).
//
//	BASE/quota/H/user.fred                      root user.fred
//	BASE/domain/D/example.org/quota/H/user.fred root example.org!user.fred
//	BASE/domain/D/example.org/quota/root        root example.org!
//
// A file is the value and a line end. In a value that does not begin with
// "%" the first blank is written as a line end (the form before 2.5).
package quotalegacy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/libcyrus/cyrusdb/kv"
	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/lock"
)

// Layout is how names of files are made from keys.
type Layout struct {
	Base     string // configdirectory
	FullHash bool   // fulldirhash
	Domains  bool   // virtdomains is not off
}

// DB is a tree of quota files. It implements kv.DB, but each file changes
// for itself: if the machine stops in the middle of a Commit of several
// keys, the first of them in order are changed and the others not. Other
// processes never see that while the Commit runs if they use Commit as well.
type DB struct {
	fs     disk.FS
	locks  *lock.Table
	layout Layout
}

var _ kv.DB = (*DB)(nil)

// Open opens the tree. Nothing need be there yet.
func Open(fsys disk.FS, locks *lock.Table, layout Layout) *DB {
	return &DB{fs: fsys, locks: locks, layout: layout}
}

// Close does nothing.
func (d *DB) Close() error { return nil }

// DirHash is the letter of the directory of a name (Cyrus lib/util.c dir_hash_c).
func DirHash(name string, full bool) string {
	if !full {
		if name != "" {
			if c := name[0] | 0x20; 'a' <= c && c <= 'z' && name[0] < 0x80 && name[0] >= 'A' {
				return string(rune(c))
			}
		}
		return "q"
	}
	var n uint32
	for i := 0; i < len(name) && name[i] != '.'; i++ {
		n = (n<<3 ^ n>>5) ^ uint32(name[i])
	}
	return string(rune('A' + n%23))
}

// Path is the file of a root.
func (l Layout) Path(root string) string {
	dir, name := l.Base, root
	if domain, local, ok := strings.Cut(root, "!"); ok && l.Domains {
		dir = l.domainDir(domain)
		if name = local; name == "" {
			return filepath.Join(dir, "quota", "root")
		}
	}
	hashed := name
	if _, after, ok := strings.Cut(name, "."); ok {
		hashed = after
	}
	return filepath.Join(dir, "quota", DirHash(hashed, l.FullHash), name)
}

func (l Layout) domainDir(domain string) string {
	return filepath.Join(l.Base, "domain", DirHash(domain, l.FullHash), domain)
}

// valid reports whether a key can be the name of a file.
func (l Layout) valid(root string) bool {
	domain, local, ok := strings.Cut(root, "!")
	if !ok || !l.Domains {
		domain, local = "x", root
	}
	if strings.ContainsAny(root, "/\x00\n") || domain == "" || domain[0] == '.' {
		return false
	}
	return local != "" && local[0] != '.' || ok && l.Domains && local == ""
}

// Get returns the value of a root.
func (d *DB) Get(ctx context.Context, key []byte) ([]byte, error) {
	root := string(key)
	if !d.layout.valid(root) {
		return nil, kv.ErrNotFound
	}
	if err := ctx.Err(); err != nil {
		return nil, errs.New(errs.Locked, "quotalegacy.Get", root, err)
	}
	path := d.layout.Path(root)
	b, err := disk.ReadFile(d.fs, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, kv.ErrNotFound
	}
	if err != nil {
		return nil, disk.Error("quotalegacy.Get", path, err)
	}
	return parse(path, b)
}

// parse reads the contents of a file. An empty one is about to be written
// for the first time: nothing is there yet.
func parse(path string, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, kv.ErrNotFound
	}
	value, ok := bytes.CutSuffix(b, []byte{'\n'})
	if !ok {
		return nil, errs.New(errs.BadFormat, "quotalegacy", path, errors.New("no line end"))
	}
	if i := bytes.IndexByte(value, '\n'); i >= 0 && value[0] != '%' {
		value[i] = ' '
	}
	return value, nil
}

// format is the contents of a file.
func format(value []byte) []byte {
	b := append(append(make([]byte, 0, len(value)+1), value...), '\n')
	if i := bytes.IndexByte(b, ' '); i >= 0 && b[0] != '%' {
		b[i] = '\n'
	}
	return b
}

// Scan calls fn for the roots from a name on, in the order of their octets.
func (d *DB) Scan(ctx context.Context, from []byte, fn kv.ScanFunc) error {
	roots, err := d.roots(ctx)
	if err != nil {
		return err
	}
	i, _ := slices.BinarySearch(roots, string(from))
	for _, root := range roots[i:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		value, err := d.Get(ctx, []byte(root))
		if errors.Is(err, kv.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		more, err := fn([]byte(root), value)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// ScanPrefix calls fn for the roots that begin with prefix.
func (d *DB) ScanPrefix(ctx context.Context, prefix []byte, fn kv.ScanFunc) error {
	return kv.ScanPrefix(ctx, d, prefix, fn)
}

// roots lists all roots that have a file.
func (d *DB) roots(ctx context.Context) ([]string, error) {
	roots, err := d.rootsBelow(ctx, d.layout.Base, "")
	if err != nil || !d.layout.Domains {
		return roots, err
	}
	hashes, err := d.names(filepath.Join(d.layout.Base, "domain"))
	for _, h := range hashes {
		var domains []string
		if domains, err = d.names(filepath.Join(d.layout.Base, "domain", h)); err != nil {
			return nil, err
		}
		for _, domain := range domains {
			more, err := d.rootsBelow(ctx, d.layout.domainDir(domain), domain+"!")
			if err != nil {
				return nil, err
			}
			roots = append(roots, more...)
		}
	}
	slices.Sort(roots)
	return slices.Compact(roots), err
}

// rootsBelow lists the roots of the tree DIR/quota, sorted.
func (d *DB) rootsBelow(ctx context.Context, dir, prefix string) ([]string, error) {
	var roots []string
	quota := filepath.Join(dir, "quota")
	hashes, err := d.names(quota)
	if err != nil {
		return nil, err
	}
	for _, h := range hashes {
		if h == "root" && prefix != "" {
			roots = append(roots, prefix)
		}
		if len(h) != 1 {
			continue
		}
		names, err := d.names(filepath.Join(quota, h))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			root := prefix + name
			if d.layout.valid(root) && d.layout.Path(root) == filepath.Join(quota, h, name) {
				roots = append(roots, root)
			}
		}
	}
	slices.Sort(roots)
	return slices.DeleteFunc(slices.Clone(roots), func(r string) bool {
		of, is := strings.CutSuffix(r, ".NEW")
		_, there := slices.BinarySearch(roots, of)
		return is && there && d.passing(ctx, of, r)
	}), nil
}

// passing reports whether what looks like a root is the next version of
// another one: it is not there while that one is locked.
func (d *DB) passing(ctx context.Context, of, next string) bool {
	f, held, err := d.locks.OpenFile(ctx, d.layout.Path(of), os.O_RDWR, lock.Shared)
	if err != nil {
		return false
	}
	defer f.Close()
	defer held.Release()
	_, err = d.fs.Stat(d.layout.Path(next))
	return errors.Is(err, fs.ErrNotExist)
}

// names lists a directory; one that is not there is empty.
func (d *DB) names(dir string) ([]string, error) {
	list, err := d.fs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out, disk.Error("quotalegacy.Scan", dir, err)
}

// locked is a root whose file is locked for a transaction.
type locked struct {
	root   string
	path   string    // "" if there can be no such file
	create bool      // make the file if it is not there
	f      disk.File // nil: there is no file
	held   *lock.Held
	value  []byte // nil: not there
	write  bool   // the value has changed
}

// Commit changes roots. All that are named in tx are locked meanwhile, in
// the order of their names.
func (d *DB) Commit(ctx context.Context, tx kv.Tx) error {
	files, err := d.lockAll(ctx, tx)
	defer func() {
		for _, l := range files {
			d.unlock(l)
		}
	}()
	if err != nil {
		return err
	}
	at := func(key []byte) *locked {
		i, _ := slices.BinarySearchFunc(files, string(key), func(l *locked, k string) int { return cmp.Compare(l.root, k) })
		return files[i]
	}
	for _, c := range tx.If {
		l := at(c.Key)
		if (c.Value == nil) != (l.value == nil) || !bytes.Equal(c.Value, l.value) {
			return kv.ErrConflict
		}
	}
	for _, c := range tx.Set {
		l := at(c.Key)
		if (c.Value == nil) != (l.value == nil) || !bytes.Equal(c.Value, l.value) {
			l.value, l.write = c.Value, true
		}
	}
	for _, l := range files {
		if err := d.store(l); err != nil {
			return err
		}
	}
	return nil
}

// lockAll locks the files of all keys of a transaction, making those that
// it writes.
func (d *DB) lockAll(ctx context.Context, tx kv.Tx) ([]*locked, error) {
	writes := map[string]bool{}
	for _, c := range tx.If {
		writes[string(c.Key)] = false
	}
	for _, c := range tx.Set {
		if !d.layout.valid(string(c.Key)) {
			return nil, errs.New(errs.BadArgument, "quotalegacy.Commit", string(c.Key), errors.New("no valid name of a quota root"))
		}
		writes[string(c.Key)] = writes[string(c.Key)] || c.Value != nil
	}
	var files []*locked
	for root, create := range writes {
		l := &locked{root: root, create: create}
		if d.layout.valid(root) {
			l.path = d.layout.Path(root)
		}
		files = append(files, l)
	}
	slices.SortFunc(files, func(a, b *locked) int { return cmp.Compare(a.root, b.root) })
	for _, l := range files {
		if err := d.lock(ctx, l); err != nil {
			return files, err
		}
	}
	return files, nil
}

// lock locks the file of l and reads it.
func (d *DB) lock(ctx context.Context, l *locked) (err error) {
	if l.path == "" {
		return nil
	}
	flag := os.O_RDWR
	if l.create {
		flag |= os.O_CREATE
	}
	l.f, l.held, err = d.locks.OpenFile(ctx, l.path, flag, lock.Exclusive)
	if errors.Is(err, fs.ErrNotExist) && l.create {
		if err = disk.MkdirSync(d.fs, filepath.Dir(l.path), 0o755); err == nil {
			l.f, l.held, err = d.locks.OpenFile(ctx, l.path, flag, lock.Exclusive)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return disk.Error("quotalegacy.lock", l.path, err)
	}
	l.value, err = d.Get(ctx, []byte(l.root))
	if errors.Is(err, kv.ErrNotFound) {
		err = nil
	}
	return err
}

// unlock ends lock. A file that was made for nothing is removed.
func (d *DB) unlock(l *locked) {
	if l.held == nil {
		return
	}
	if l.value == nil && !l.write {
		if fi, err := l.f.Stat(); err == nil && fi.Size() == 0 {
			d.fs.Remove(l.path)
		}
	}
	l.held.Release()
	l.f.Close()
}

// store writes or removes the file of l. The new contents are put together
// one directory above, where no quota root can have that name: Cyrus makes
// NAME.NEW beside it, which may be the file of another root.
func (d *DB) store(l *locked) error {
	dir := filepath.Dir(l.path)
	switch {
	case !l.write:
		return nil
	case l.value == nil && l.f == nil:
		return nil
	case l.value == nil:
		if err := d.fs.Remove(l.path); err != nil {
			return disk.Error("quotalegacy.remove", l.path, err)
		}
		return disk.Error("quotalegacy.remove", l.path, d.fs.SyncDir(dir))
	}
	tmp := filepath.Join(filepath.Dir(dir), filepath.Base(l.path)+disk.NewSuffix)
	return disk.Error("quotalegacy.store", l.path, d.replace(tmp, l.path, format(l.value)))
}

// replace writes data to tmp and renames that to path. A tmp that is there
// must not be written to: a power cut during the renaming may have left two
// names of one file.
func (d *DB) replace(tmp, path string, data []byte) error {
	const flag = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := d.fs.OpenFile(tmp, flag, 0o666)
	if errors.Is(err, fs.ErrExist) {
		if err = d.fs.Remove(tmp); err == nil {
			f, err = d.fs.OpenFile(tmp, flag, 0o666)
		}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = d.fs.Rename(tmp, path)
	}
	if err != nil {
		d.fs.Remove(tmp)
		return err
	}
	return d.fs.SyncDir(filepath.Dir(path))
}
