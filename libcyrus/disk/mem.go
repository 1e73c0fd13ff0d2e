package disk

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Mem is a file system in memory that knows what a power cut would leave
// of it. The root directory exists; relative names start there. It may be
// used from several goroutines. It has no permissions and no owners.
type Mem struct {
	mu     sync.Mutex
	root   *inode
	strict bool
	ino    uint64
	now    int64    // a clock that ticks with every change, in nanoseconds
	names  []nameOp // changes of names that are not yet safe, oldest first
}

// NewMem returns an empty file system in which a new name lasts after a
// Sync of the file or a SyncDir of its directory (ext4, xfs, btrfs).
func NewMem() *Mem {
	m := &Mem{now: 1e18}
	m.root = m.newInode(fs.ModeDir | 0o755)
	return m
}

// NewStrictMem is NewMem, but only SyncDir makes names last, as POSIX has it.
func NewStrictMem() *Mem {
	m := NewMem()
	m.strict = true
	return m
}

// inode is a file, directory or symbolic link.
type inode struct {
	ino   uint64
	mode  fs.FileMode
	mtime time.Time
	links int

	data    []byte    // contents; target of a symbolic link
	safe    []byte    // contents on disk
	pending []writeOp // what happened to data since it was safe

	dir, safeDir map[string]*inode // entries now, and on disk
}

func (m *Mem) newInode(mode fs.FileMode) *inode {
	m.ino++
	n := &inode{ino: m.ino, mode: mode, mtime: m.tick()}
	if mode.IsDir() {
		n.dir, n.safeDir = map[string]*inode{}, map[string]*inode{}
		n.links = 2
	}
	return n
}

// nameOp is a change of directory entries that a power cut may undo as a
// whole: one entry, or two for a rename.
type nameOp struct {
	set []entry
}

type entry struct {
	dir  *inode
	name string
	to   *inode // nil: removed
}

// change does op now and remembers it as not yet safe.
func (m *Mem) change(set ...entry) {
	for _, e := range set {
		if old := e.dir.dir[e.name]; old != nil {
			old.links--
		}
		if e.to != nil {
			e.dir.dir[e.name] = e.to
			e.to.links++
		} else {
			delete(e.dir.dir, e.name)
		}
		e.dir.mtime = m.tick()
	}
	m.names = append(m.names, nameOp{set})
}

// settle makes those entries last for which safe is true. Older changes of
// the same name are forgotten: they cannot come back.
func (m *Mem) settle(safe func(entry) bool) {
	var left []nameOp
	done := map[entry]bool{}
	for i := len(m.names) - 1; i >= 0; i-- {
		var set []entry
		for _, e := range m.names[i].set {
			key := entry{dir: e.dir, name: e.name}
			switch {
			case done[key]:
			case safe(e):
				e.apply(e.dir.safeDir)
				done[key] = true
			default:
				set = append(set, e)
			}
		}
		if set != nil {
			left = append(left, nameOp{set})
		}
	}
	for i, j := 0, len(left)-1; i < j; i, j = i+1, j-1 {
		left[i], left[j] = left[j], left[i]
	}
	m.names = left
}

func (e entry) apply(dir map[string]*inode) {
	if e.to != nil {
		dir[e.name] = e.to
	} else {
		delete(dir, e.name)
	}
}

// settleFile makes the names of n last. A rename is one change: with the
// new name the disappearance of the old one lasts as well.
func (m *Mem) settleFile(n *inode) {
	gone := map[entry]bool{}
	for _, op := range m.names {
		for _, e := range op.set {
			if e.to == n {
				for _, e := range op.set {
					gone[e] = true
				}
			}
		}
	}
	m.settle(func(e entry) bool { return gone[e] })
}

func (m *Mem) tick() time.Time {
	m.now += 1e6
	return time.Unix(0, m.now)
}

// Crash returns the file system as it may be found after a power cut now;
// m itself goes on. Seed 0 loses everything that was not synced; any other
// seed chooses at random how much of it is on disk: a number of the
// oldest changes of names, and for each file a size and, for each page,
// how many of the writes to it.
func (m *Mem) Crash(seed uint64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &crash{
		to:   &Mem{strict: m.strict, ino: m.ino, now: m.now},
		seen: map[*inode]*inode{},
		dirs: map[*inode]map[string]*inode{},
	}
	if seed != 0 {
		c.rnd = rand.New(rand.NewPCG(seed, 0))
		for _, op := range m.names[:c.rnd.IntN(len(m.names)+1)] {
			for _, e := range op.set {
				if c.dirs[e.dir] == nil {
					c.dirs[e.dir] = cloneDir(e.dir.safeDir)
				}
				e.apply(c.dirs[e.dir])
			}
		}
	}
	c.to.root = c.clone(m.root)
	return c.to
}

// crash is the copying of what a power cut leaves.
type crash struct {
	to   *Mem
	rnd  *rand.Rand // nil: nothing unsynced survives
	seen map[*inode]*inode
	dirs map[*inode]map[string]*inode // directories of which more than safeDir survives
}

func (c *crash) clone(n *inode) *inode {
	if d := c.seen[n]; d != nil {
		d.links++
		return d
	}
	d := &inode{ino: n.ino, mode: n.mode, mtime: n.mtime, links: 1}
	c.seen[n] = d
	if !n.mode.IsDir() {
		d.data = n.survivor(c.rnd)
		d.safe = append([]byte(nil), d.data...)
		return d
	}
	d.links, d.dir = 2, map[string]*inode{}
	from := c.dirs[n]
	if from == nil {
		from = n.safeDir
	}
	names := make([]string, 0, len(from))
	for name := range from {
		names = append(names, name)
	}
	sort.Strings(names) // so that a seed always gives the same
	for _, name := range names {
		d.dir[name] = c.clone(from[name])
	}
	d.safeDir = cloneDir(d.dir)
	return d
}

func cloneDir(d map[string]*inode) map[string]*inode {
	c := make(map[string]*inode, len(d))
	for k, v := range d {
		c[k] = v
	}
	return c
}

// maxSymlinks is how many symbolic links a path may lead through (Linux: 40).
const maxSymlinks = 40

// walk finds the directory that holds the last element of name, and the
// inode there or nil. With follow a symbolic link at the end is followed.
func (m *Mem) walk(name string, follow bool) (dir *inode, base string, n *inode, err error) {
	rest := split(name)
	dir, n, base = m.root, m.root, "."
	stack := []*inode{m.root}
	for links := 0; len(rest) > 0; {
		base, rest = rest[0], rest[1:]
		if base == ".." {
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
			n = stack[len(stack)-1]
			continue
		}
		dir = stack[len(stack)-1]
		n = dir.dir[base]
		switch {
		case n == nil && len(rest) == 0:
			return dir, base, nil, nil
		case n == nil:
			return nil, "", nil, syscall.ENOENT
		case n.mode&fs.ModeSymlink != 0 && (follow || len(rest) > 0):
			if links++; links > maxSymlinks {
				return nil, "", nil, syscall.ELOOP
			}
			target := string(n.data)
			rest = append(split(target), rest...)
			if path.IsAbs(target) {
				stack = stack[:1]
			}
			n = stack[len(stack)-1]
		case n.mode.IsDir():
			stack = append(stack, n)
		case len(rest) > 0:
			return nil, "", nil, syscall.ENOTDIR
		}
	}
	return dir, base, n, nil
}

// split returns the elements of a path, without empty ones and ".".
func split(name string) []string {
	var out []string
	for e := range strings.SplitSeq(name, "/") {
		if e != "" && e != "." {
			out = append(out, e)
		}
	}
	return out
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func linkError(op, oldname, newname string, err error) error {
	return &os.LinkError{Op: op, Old: oldname, New: newname, Err: err}
}
