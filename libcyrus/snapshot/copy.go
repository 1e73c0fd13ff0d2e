package snapshot

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/mailbox"
)

// copier puts files into a snapshot.
type copier struct {
	fs      disk.FS
	root    string // of the snapshot that is being made
	noLinks bool   // messages of this partition are not linked from the site

	// Of the snapshot before, if there is one:
	prev   string
	began  time.Time       // when it began
	known  map[string]File // its files, by path
	made   map[string]bool // directories that are there
	copied int64           // octets that were copied
}

// racy is how long before the last snapshot a file must have been changed
// last to be taken for the same by its time: clocks of file systems tick.
const racy = 2 * time.Second

// unchanged reports whether a file of the snapshot before still is what the
// original holds.
func (c *copier) unchanged(rel string, fi fs.FileInfo) (File, bool) {
	old, ok := c.known[rel]
	ok = ok && old.SHA1 != "" && old.Size == fi.Size() && old.Mtime == fi.ModTime().UnixNano() &&
		old.Inode == disk.Inode(fi) && fi.ModTime().Before(c.began.Add(-racy))
	return old, ok
}

// parent makes the directory of a file.
func (c *copier) parent(rel string) error {
	dir := filepath.Dir(rel)
	if c.made[dir] {
		return nil
	}
	c.made[dir] = true
	return c.fs.MkdirAll(filepath.Join(c.root, dir), dirMode)
}

// create opens a new file of the snapshot. What has its name goes first: it
// may be a link to a file of another snapshot.
func (c *copier) create(rel string) (disk.File, error) {
	if err := c.parent(rel); err != nil {
		return nil, err
	}
	path := filepath.Join(c.root, rel)
	f, err := c.fs.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, fs.ErrExist) {
		if err = c.fs.Remove(path); err == nil {
			f, err = c.fs.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		}
	}
	return f, err
}

// link gives a file of the snapshot before its name in this one.
func (c *copier) link(rel string) bool {
	if c.prev == "" || c.parent(rel) != nil {
		return false
	}
	path := filepath.Join(c.root, rel)
	err := c.fs.Link(filepath.Join(c.prev, rel), path)
	if errors.Is(err, fs.ErrExist) {
		if err = c.fs.Remove(path); err == nil {
			err = c.fs.Link(filepath.Join(c.prev, rel), path)
		}
	}
	return err == nil
}

// open copies a file that is open and does not change meanwhile, up to size.
func (c *copier) open(in disk.File, size int64, rel string) (File, error) {
	fi, err := in.Stat()
	if err != nil {
		return File{}, err
	}
	if old, same := c.unchanged(rel, fi); same && old.Size == size && c.link(rel) {
		return old, nil
	}
	out, err := c.create(rel)
	if err != nil {
		return File{}, err
	}
	sum := sha1.New()
	from := io.Reader(io.NewSectionReader(in, 0, size))
	to := io.Writer(out)
	if size == fi.Size() && size > 0 && disk.Clone(out, in) {
		to = io.Discard
	} else {
		c.copied += size
	}
	n, err := io.Copy(io.MultiWriter(to, sum), from)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return File{}, err
	}
	return File{
		Path: rel, Size: n, SHA1: hex.EncodeToString(sum.Sum(nil)), Mtime: fi.ModTime().UnixNano(), Inode: disk.Inode(fi),
	}, nil
}

// place puts the file of a message into the snapshot. same says that the
// snapshot before has the same message there. The error is fs.ErrNotExist if
// there is no such file.
func (c *copier) place(path, rel string, same bool) error {
	if err := c.parent(rel); err != nil {
		return err
	}
	if !c.noLinks {
		err := c.fs.Link(path, filepath.Join(c.root, rel))
		switch {
		case err == nil, errors.Is(err, fs.ErrExist):
			return nil
		case errors.Is(err, syscall.EXDEV):
			c.noLinks = true // the partition is on another file system
		case errors.Is(err, syscall.EMLINK), errors.Is(err, syscall.EPERM):
		default:
			return err
		}
	}
	if same && c.link(rel) {
		return nil
	}
	in, err := c.fs.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := c.create(rel)
	if err != nil {
		return err
	}
	if !disk.Clone(out, in) {
		c.copied += fi.Size()
		_, err = io.Copy(out, in)
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = c.fs.Chtimes(filepath.Join(c.root, rel), fi.ModTime())
	}
	return err
}

// before returns the messages that the snapshot before has of a mailbox, by
// their UIDs: what of them is the same message need not be copied again.
func (c *copier) before(dir string) map[uint32]mailbox.GUID {
	if c.prev == "" {
		return nil
	}
	have := map[uint32]mailbox.GUID{}
	_, err := mailbox.ReadIndex(c.fs, filepath.Join(c.prev, dir, indexName), func(r *mailbox.Record) bool {
		if r.Flags&mailbox.Unlinked == 0 {
			have[r.UID] = r.GUID
		}
		return true
	})
	if err != nil {
		return nil
	}
	return have
}

// The names of metadata in a snapshot.
const (
	headerName = "cyrus.header"
	indexName  = "cyrus.index"
	cacheName  = "cyrus.cache"
	annotName  = "cyrus.annotations"
)
