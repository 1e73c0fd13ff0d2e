package mailbox

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/message"
)

// The cache file is read by pread into buffers, not mapped: a record is a
// few KiB, so that the copy costs less than the page faults of a map that
// must be made anew when the file grows, and a file that is truncated under
// us is an error like any other instead of a SIGBUS.

// Sizes of what is read of a cache file at once: a guess at one record for
// single ones, and many for readers that go through the file.
const (
	cacheOne  = 8 << 10
	cacheMany = 128 << 10
	// maxCacheRecord is more than any message can need: header fields are
	// limited by maxheaderlines. Larger lengths are damage.
	maxCacheRecord = 64 << 20
)

// CacheBuffer is a window of a cache file. The zero value is ready. It may
// be kept for as long as a client reads; Free gives back the memory.
type CacheBuffer struct {
	file *openFile
	off  int64
	data []byte
}

// Free gives back the memory. The buffer may be used again.
func (b *CacheBuffer) Free() {
	if b.file != nil {
		b.file.release()
	}
	*b = CacheBuffer{}
}

// at returns the window from off on, which has at least n bytes if the file
// has them.
func (b *CacheBuffer) at(f *openFile, off int64, n int) ([]byte, error) {
	if b.file == f && off >= b.off && off+int64(n) <= b.off+int64(len(b.data)) {
		return b.data[off-b.off:], nil
	}
	size := cacheOne
	if b.file == f && off >= b.off && off <= b.off+int64(len(b.data))+cacheMany {
		size = cacheMany // the reader goes forward
	}
	if n > cacheMany { // no memory for a length that is damage
		fi, err := f.Stat()
		if err != nil {
			return nil, err
		}
		if off+int64(n) > fi.Size() {
			return nil, io.ErrUnexpectedEOF
		}
	}
	size = max(size, n)
	if cap(b.data) < size {
		b.data = make([]byte, size)
	}
	if b.file != f {
		if b.file != nil {
			b.file.release()
		}
		b.file = f.acquire()
	}
	got, err := f.ReadAt(b.data[:size], off)
	b.off, b.data = off, b.data[:got]
	if err != nil && err != io.EOF {
		return nil, err
	}
	if got < n {
		return nil, io.ErrUnexpectedEOF
	}
	return b.data, nil
}

var errCacheDamaged = errors.New("damaged cache record")

// record returns the bytes of the record at off.
func (b *CacheBuffer) record(f *openFile, off int64) ([]byte, error) {
	n := 4
	for item := 0; item < int(message.Items); item++ {
		w, err := b.at(f, off, n)
		if err != nil {
			return nil, err
		}
		length := int64(be.Uint32(w[n-4:]))
		if length > maxCacheRecord || int64(n)+length > maxCacheRecord {
			return nil, errCacheDamaged
		}
		n += int(length+3) &^ 3
		if item < int(message.Items)-1 {
			n += 4
		}
	}
	w, err := b.at(f, off, n)
	if err != nil {
		return nil, err
	}
	return w[:n], nil
}

// cacheFile is one of the two cache files of an open mailbox.
type cacheFile struct {
	file *openFile
	err  error // why there is none
}

func (c *cacheFile) close() {
	if c.file != nil {
		c.file.release()
		c.file = nil
	}
}

// cacheSlot is 1 if r's cache record is in a cache of archived messages, 0
// if it is in the one for all others.
func (m *Mailbox) cacheSlot(r *Record) int {
	if r.Flags&Archived != 0 && m.box.paths.archiveCache != m.box.paths.cache {
		return 1
	}
	return 0
}

// cacheOf is where the file of a cache slot is kept open, and its path.
func (b *box) cacheOf(slot int) (**openFile, string) {
	if slot == 1 {
		return &b.archiveCache, b.paths.archiveCache
	}
	return &b.cache, b.paths.cache
}

// cacheFile returns the cache file that holds r's record.
func (m *Mailbox) cacheFile(r *Record) (*openFile, error) {
	n := m.cacheSlot(r)
	slot, path := m.box.cacheOf(n)
	c := &m.cacheIO[n]
	if c.file == nil && c.err == nil {
		c.file, c.err = m.box.file(slot, path, os.O_RDWR)
		if c.err == nil && m.finishRepack(c.file, path) {
			c.file.release()
			c.file, c.err = m.box.file(slot, path, os.O_RDWR)
		}
	}
	return c.file, c.err
}

// finishRepack looks whether a repack was interrupted after it had replaced
// the index, and before the cache: then the new cache is still there under
// its temporary name, with the index's generation, and gets its own. It
// reports whether the cache was replaced.
//
// That is safe with any lock: nobody repacks while there is one.
func (m *Mailbox) finishRepack(f *openFile, path string) bool {
	if f.seen.Load() == uint64(m.hdr.Generation)+1 {
		return false
	}
	fsys, tmp := m.store.o.FS, path+disk.NewSuffix
	have, err := generation(f)
	if err == nil && have < m.hdr.Generation {
		if n, err := fsys.Open(tmp); err == nil {
			have, err = generation(n)
			n.Close()
			if err == nil && have == m.hdr.Generation && fsys.Rename(tmp, path) == nil {
				m.store.o.Log.Warn("finished an interrupted repack", "mailbox", m.ref.Name)
				fsys.SyncDir(filepath.Dir(path))
				return true
			}
		}
	}
	f.seen.Store(uint64(m.hdr.Generation) + 1)
	return false
}

// generation reads the head of a cache file.
func generation(f io.ReaderAt) (uint32, error) {
	var b [4]byte
	_, err := f.ReadAt(b[:], 0)
	return be.Uint32(b[:]), err
}

// CacheBytes returns the bytes of a message's cache record, valid until buf
// is used again, and their version; see Cache.
func (m *Mailbox) CacheBytes(r *Record, buf *CacheBuffer) ([]byte, int, error) {
	b, err := m.storedCache(r, buf)
	if err == nil {
		return b, int(r.CacheVersion), nil
	}
	m.store.o.Log.Warn("cache record cannot be used; parsing the message",
		"mailbox", m.ref.Name, "uid", r.UID, "error", err)
	msg, err := m.parse(r)
	if err != nil {
		return nil, 0, err
	}
	return msg.CacheRecord(), message.CacheVersion, nil
}

// storedCache returns the cache record as it is on disk.
func (m *Mailbox) storedCache(r *Record, buf *CacheBuffer) ([]byte, error) {
	if r.CacheVersion == 0 || r.CacheOffset < 4 {
		return nil, errors.New("none")
	}
	f, err := m.cacheFile(r)
	if err != nil {
		return nil, err
	}
	b, err := buf.record(f, int64(r.CacheOffset))
	if err != nil {
		return nil, err
	}
	if m.hdr.layout().cacheCRC != 0 && crc32.ChecksumIEEE(b) != r.CacheCRC {
		return nil, errCacheDamaged
	}
	return b, nil
}

// parse parses the file of a message.
func (m *Mailbox) parse(r *Record) (*message.Message, error) {
	f, err := m.OpenMessage(r)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, disk.Error("mailbox.parse", f.Name(), err)
	}
	return message.ParseReader(f, fi.Size(), m.store.o.Message)
}

// Cache returns the cache record of a message. buf is a window of the cache
// file; with the same one, reading records in ascending order costs few
// system calls. What is returned is valid until buf is used again. If the
// cache record is missing or damaged the message is parsed.
func (m *Mailbox) Cache(r *Record, buf *CacheBuffer) (message.Cache, error) {
	b, version, err := m.CacheBytes(r, buf)
	if err != nil {
		return message.Cache{}, err
	}
	c, _, err := message.ParseCache(b, version)
	if err != nil {
		return c, fmt.Errorf("cache of %s uid %d: %w", m.ref.Name, r.UID, err)
	}
	return c, nil
}

// cacheEnd is the end of a cache file, where records are appended.
type cacheEnd struct {
	file *openFile // nil: nothing is appended
	dirs []string  // directories with new names: of the message and of the cache
	base int64     // where buf goes
	buf  []byte
}

// open makes sure that the cache for r, and the directories, are there, and
// finds the end.
func (c *cacheEnd) open(m *Mailbox, r *Record) error {
	if c.file != nil {
		return nil
	}
	slot, path := m.box.cacheOf(m.cacheSlot(r))
	dir := filepath.Dir(m.messagePath(r))
	if r.Flags&Archived != 0 {
		if err := m.store.makeDir(dir); err != nil {
			return err
		}
		if err := m.store.makeDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	f, err := m.cacheFile(r)
	if errors.Is(err, os.ErrNotExist) {
		io := &m.cacheIO[m.cacheSlot(r)]
		io.file, io.err = m.box.file(slot, path, os.O_RDWR|os.O_CREATE)
		f, err = io.file, io.err
	}
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if c.base = fi.Size(); c.base < 4 {
		c.base = 4
		if _, err = f.WriteAt(be.AppendUint32(nil, m.hdr.Generation), 0); err != nil {
			return err
		}
	}
	c.file, c.dirs = f, []string{dir + "/x", path}
	return nil
}

// add appends a record and returns its offset.
func (c *cacheEnd) add(record []byte) uint64 {
	off := uint64(c.base) + uint64(len(c.buf))
	c.buf = append(c.buf, record...)
	return off
}

// tasks writes the records and makes them, and the names in the
// directories, last.
func (c *cacheEnd) tasks(m *Mailbox) []func() error {
	if c.file == nil {
		return nil
	}
	return []func() error{func() error {
		_, err := c.file.WriteAt(c.buf, c.base)
		if err == nil {
			err = c.file.Datasync()
		}
		return err
	}, func() error { return m.store.syncDirs(c.dirs...) }}
}
