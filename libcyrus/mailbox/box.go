package mailbox

import (
	"container/list"
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mboxname"
)

// paths says where the files of a mailbox lie.
type paths struct {
	dir, archiveDir     string // of messages
	header, index       string
	cache, archiveCache string
	annotations         string
}

func layoutPaths(l *mboxname.Layout, r *Ref) (p paths, err error) {
	set := func(to *string, path string, e error) {
		*to = path
		if err == nil {
			err = e
		}
	}
	dir, e := l.MailboxDir(r.Partition, r.Name, r.UniqueID, r.Legacy)
	set(&p.dir, dir, e)
	dir, e = l.ArchiveDir(r.Partition, r.Name, r.UniqueID, r.Legacy)
	set(&p.archiveDir, dir, e)
	for _, f := range []struct {
		to   *string
		kind mboxname.MetaFile
	}{
		{&p.header, mboxname.Header}, {&p.index, mboxname.Index},
		{&p.cache, mboxname.Cache}, {&p.archiveCache, mboxname.ArchiveCache},
		{&p.annotations, mboxname.Annotations},
	} {
		path, e := l.MetaPath(f.kind, r.Partition, r.Name, r.UniqueID, r.Legacy)
		set(f.to, path, e)
	}
	return p, err
}

// openFile is a file that several users share; the last one closes it.
type openFile struct {
	disk.File
	ino  uint64
	refs atomic.Int32
	seen atomic.Uint64 // of a cache: 1 + index generation it was compared with
}

func (f *openFile) acquire() *openFile {
	f.refs.Add(1)
	return f
}

func (f *openFile) release() {
	if f != nil && f.refs.Add(-1) == 0 {
		f.File.Close()
	}
}

// box is what this process knows of one mailbox. It lives while somebody
// uses the mailbox, and some time longer. Nothing in it is believed before
// the locks are held and it has been compared with the disk.
type box struct {
	store *Store
	key   string
	paths paths

	users int           // guarded by store.mu
	idle  *list.Element // in store.idle; guarded by store.mu

	mu           sync.Mutex
	locks        lockPaths
	index        *openFile
	cache        *openFile
	archiveCache *openFile
	head         *header   // as of headID
	crcs         *flagCRCs // of head
	headID       fileID
	live         liveUIDs
	judged       judged
	checked      bool // looked at after an unclean boot
	suspect      bool // there was a panic: whatever its age, it is looked at

	appends  appendQueue
	watchers watchers
}

// lockPaths is the files of the locks of a mailbox with a name.
type lockPaths struct {
	of        mboxname.Name
	namespace string // "" for shared mailboxes
	mailbox   string
}

// lockPaths returns the files of ref's locks.
func (b *box) lockPaths(ref *Ref) lockPaths {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.locks.of != ref.Name || b.locks.mailbox == "" {
		l := b.store.o.Layout
		b.locks = lockPaths{of: ref.Name, mailbox: l.LockPath(ref.lockName())}
		if ref.Name.OwnerOf(l.DeletedPrefix) != "" {
			b.locks.namespace = l.LockPath(l.NamespaceLock(ref.Name))
		}
	}
	return b.locks
}

// fileID tells whether a file that is replaced by renaming is another one.
type fileID struct {
	ino   uint64
	size  int64
	mtime time.Time
}

func idOf(fi fs.FileInfo) fileID { return fileID{disk.Inode(fi), fi.Size(), fi.ModTime()} }

// key identifies what ref means on disk.
func (r *Ref) key() string {
	if r.Legacy {
		return r.Partition + "\x00n" + string(r.Name)
	}
	return r.Partition + "\x00i" + r.UniqueID
}

// box returns what is known of a mailbox; release must follow.
func (s *Store) box(ref *Ref) (*box, error) {
	key := ref.key()
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[key]
	if b == nil {
		p, err := layoutPaths(s.o.Layout, ref)
		if err != nil {
			return nil, err
		}
		b = &box{store: s, key: key, paths: p}
		s.boxes[key] = b
	}
	if b.idle != nil {
		s.idle.Remove(b.idle)
		b.idle = nil
	}
	b.users++
	return b, nil
}

// release ends the use of b. Of mailboxes that nobody uses only the
// latest keep their files open.
func (b *box) release() {
	s := b.store
	s.mu.Lock()
	defer s.mu.Unlock()
	b.users--
	if b.users > 0 {
		return
	}
	b.idle = s.idle.PushBack(b)
	for s.idle.Len() > s.o.MaxOpen {
		old := s.idle.Remove(s.idle.Front()).(*box)
		delete(s.boxes, old.key)
		old.forget()
	}
}

// forget closes the files and drops all that is known.
func (b *box) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index.release()
	b.cache.release()
	b.archiveCache.release()
	b.index, b.cache, b.archiveCache = nil, nil, nil
	b.head, b.crcs, b.headID = nil, nil, fileID{}
	b.live = liveUIDs{}
}

// file returns the file that path names now, opened before if it is the
// same one. *slot remembers it. The caller releases what is returned.
func (b *box) file(slot **openFile, path string, flag int) (*openFile, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := *slot; f != nil {
		fi, err := b.store.o.FS.Stat(path)
		if err == nil && disk.Inode(fi) == f.ino {
			return f.acquire(), nil
		}
		f.release()
		*slot = nil
	}
	return b.open(slot, path, flag)
}

// indexFile returns the index file as it was opened last, which need not
// be the one that is there now. The caller releases it.
func (b *box) indexFile() (*openFile, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.index != nil {
		return b.index.acquire(), nil
	}
	return b.open(&b.index, b.paths.index, os.O_RDWR)
}

// dropIndex forgets f, which is no longer the index.
func (b *box) dropIndex(f *openFile) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.index == f {
		b.index.release()
		b.index = nil
	}
}

// open opens a file into *slot. Only caches are made by it. b.mu is held.
func (b *box) open(slot **openFile, path string, flag int) (*openFile, error) {
	f, err := b.store.o.FS.OpenFile(path, flag, cacheMode)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	of := &openFile{File: f, ino: disk.Inode(fi)}
	of.refs.Store(2) // the slot's and the caller's
	*slot = of
	return of, nil
}

// fileMode and dirMode are what Cyrus asks for; the umask of imapd.conf takes
// its part away.
const (
	fileMode  fs.FileMode = 0o666
	cacheMode fs.FileMode = 0o644
	dirMode   fs.FileMode = 0o755
)

// fsError classifies a failure on a file of a mailbox. A file that must be
// there and is not means that the mailbox is gone.
func fsError(op string, name mboxname.Name, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return errs.New(errs.NotFound, op, string(name), err)
	}
	return disk.Error(op, string(name), err)
}
