package disk

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"syscall"
	"time"
)

// Open opens name for reading.
func (m *Mem) Open(name string) (File, error) { return m.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile is open(2): O_CREATE, O_EXCL, O_TRUNC, O_APPEND and the access
// modes mean what they mean there.
func (m *Mem) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, n, err := m.walk(name, true)
	writes := flag&(os.O_WRONLY|os.O_RDWR) != 0
	switch {
	case err != nil:
	case n == nil && flag&os.O_CREATE == 0:
		err = syscall.ENOENT
	case n == nil:
		n = m.newInode(perm.Perm())
		m.change(entry{dir, base, n})
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		err = syscall.EEXIST
	case n.mode.IsDir() && writes:
		err = syscall.EISDIR
	case flag&os.O_TRUNC != 0 && writes:
		m.write(n, writeOp{truncate: true, off: 0})
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &memFile{m: m, n: n, name: name, flag: flag}, nil
}

// MkdirAll makes a directory and those above it, as os.MkdirAll does.
func (m *Mem) MkdirAll(name string, perm fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	sofar := "/"
	for _, e := range split(name) {
		sofar = path.Join(sofar, e)
		dir, base, n, err := m.walk(sofar, true)
		switch {
		case err != nil:
			return pathError("mkdir", name, err)
		case n == nil:
			m.change(entry{dir, base, m.newInode(fs.ModeDir | perm.Perm())})
		case !n.mode.IsDir():
			return pathError("mkdir", name, syscall.ENOTDIR)
		}
	}
	return nil
}

// Rename moves a name, replacing a file of the new name.
func (m *Mem) Rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	fail := func(err error) error { return linkError("rename", oldname, newname, err) }
	odir, obase, o, err := m.walk(oldname, false)
	if err != nil {
		return fail(err)
	}
	ndir, nbase, n, err := m.walk(newname, false)
	switch {
	case err != nil:
		return fail(err)
	case o == nil:
		return fail(syscall.ENOENT)
	case o == n:
		return nil
	case n != nil && n.mode.IsDir() && !o.mode.IsDir():
		return fail(syscall.EISDIR)
	case n != nil && !n.mode.IsDir() && o.mode.IsDir():
		return fail(syscall.ENOTDIR)
	case n != nil && len(n.dir) > 0:
		return fail(syscall.ENOTEMPTY)
	}
	m.change(entry{ndir, nbase, o}, entry{odir, obase, nil})
	return nil
}

// Link gives a file another name.
func (m *Mem) Link(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	fail := func(err error) error { return linkError("link", oldname, newname, err) }
	_, _, o, err := m.walk(oldname, false)
	if err != nil {
		return fail(err)
	}
	dir, base, n, err := m.walk(newname, false)
	switch {
	case err != nil:
		return fail(err)
	case o == nil:
		return fail(syscall.ENOENT)
	case n != nil:
		return fail(syscall.EEXIST)
	case o.mode.IsDir():
		return fail(syscall.EPERM)
	}
	m.change(entry{dir, base, o})
	return nil
}

// Symlink makes a symbolic link. Its contents last as soon as its name does.
func (m *Mem) Symlink(target, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, n, err := m.walk(name, false)
	switch {
	case err != nil:
	case n != nil:
		err = syscall.EEXIST
	default:
		n = m.newInode(fs.ModeSymlink | 0o777)
		n.data, n.safe = []byte(target), []byte(target)
		m.change(entry{dir, base, n})
	}
	if err != nil {
		return linkError("symlink", target, name, err)
	}
	return nil
}

// Readlink returns the target of a symbolic link.
func (m *Mem) Readlink(name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name, false)
	if err == nil && n.mode&fs.ModeSymlink == 0 {
		err = syscall.EINVAL
	}
	if err != nil {
		return "", pathError("readlink", name, err)
	}
	return string(n.data), nil
}

// Remove removes a name or an empty directory. An open file lives on.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, n, err := m.walk(name, false)
	switch {
	case err != nil:
	case n == nil:
		err = syscall.ENOENT
	case n == m.root || base == "..":
		err = syscall.EBUSY
	case len(n.dir) > 0:
		err = syscall.ENOTEMPTY
	default:
		m.change(entry{dir, base, nil})
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	return nil
}

func (m *Mem) find(name string, follow bool) (*inode, error) {
	_, _, n, err := m.walk(name, follow)
	if err == nil && n == nil {
		err = syscall.ENOENT
	}
	return n, err
}

// Stat describes a file, following symbolic links.
func (m *Mem) Stat(name string) (fs.FileInfo, error) { return m.stat("stat", name, true) }

// Lstat is Stat without following a link at the end.
func (m *Mem) Lstat(name string) (fs.FileInfo, error) { return m.stat("lstat", name, false) }

func (m *Mem) stat(op, name string, follow bool) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name, follow)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	return n.info(filepath.Base(name)), nil
}

// ReadDir lists a directory, sorted by name.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name, true)
	if err == nil && !n.mode.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	var out []fs.DirEntry
	for name, e := range n.dir {
		out = append(out, fs.FileInfoToDirEntry(e.info(name)))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name() < out[j].Name() })
	return out, nil
}

// Chtimes sets a file's time of last change.
func (m *Mem) Chtimes(name string, mtime time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name, true)
	if err != nil {
		return pathError("chtimes", name, err)
	}
	n.mtime = mtime
	return nil
}

// SyncDir makes the names in dir last.
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(dir, true)
	if err != nil {
		return pathError("open", dir, err)
	}
	m.settle(func(e entry) bool { return e.dir == n })
	if !m.strict {
		m.settleFile(n)
	}
	return nil
}

// ReadFile returns the contents of a file.
func (m *Mem) ReadFile(name string) ([]byte, error) { return ReadFile(m, name) }

// WriteFile makes a file with these contents, and makes both last.
func (m *Mem) WriteFile(name string, data []byte) error {
	if err := m.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	if err := ReplaceSync(m, name, data, 0o600); err != nil {
		return err
	}
	for d := path.Dir(path.Clean(name)); d != "/" && d != "."; d = path.Dir(d) {
		if err := m.SyncDir(path.Dir(d)); err != nil {
			return err
		}
	}
	return nil
}

// memStat is Sys of a FileInfo of Mem.
type memStat struct {
	ino   uint64
	links int
}

type memInfo struct {
	name  string
	size  int64
	mode  fs.FileMode
	mtime time.Time
	stat  memStat
}

func (n *inode) info(name string) fs.FileInfo {
	return &memInfo{name, int64(len(n.data)), n.mode, n.mtime, memStat{n.ino, n.links}}
}

func (i *memInfo) Name() string       { return i.name }
func (i *memInfo) Size() int64        { return i.size }
func (i *memInfo) Mode() fs.FileMode  { return i.mode }
func (i *memInfo) ModTime() time.Time { return i.mtime }
func (i *memInfo) IsDir() bool        { return i.mode.IsDir() }
func (i *memInfo) Sys() any           { return &i.stat }
