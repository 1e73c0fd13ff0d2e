package mailbox

import (
	"hash/crc32"
	"io/fs"
	"os"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/message"
)

// newFile is a file that is being written to replace another.
type newFile struct {
	fs   disk.FS
	path string // that it will have
	f    disk.File
	off  int64 // octets written, with those in buf
	buf  []byte
}

func createNew(fsys disk.FS, path string, perm fs.FileMode) (*newFile, error) {
	f, err := fsys.OpenFile(path+disk.NewSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, perm)
	return &newFile{fs: fsys, path: path, f: f}, err
}

func (n *newFile) write(b []byte) error {
	n.buf = append(n.buf, b...)
	n.off += int64(len(b))
	if len(n.buf) >= windowSize {
		return n.flush()
	}
	return nil
}

func (n *newFile) flush() error {
	_, err := n.f.WriteAt(n.buf, n.off-int64(len(n.buf)))
	n.buf = n.buf[:0]
	return err
}

// sync makes the contents last and closes the file.
func (n *newFile) sync() error {
	err := n.flush()
	if err == nil {
		err = n.f.Sync()
	}
	if cerr := n.f.Close(); err == nil {
		err = cerr
	}
	n.f = nil
	return err
}

func (n *newFile) rename() error { return n.fs.Rename(n.path+disk.NewSuffix, n.path) }

// abort removes the file, unless it has replaced the other one.
func (n *newFile) abort() {
	if n == nil {
		return
	}
	if n.f != nil {
		n.f.Close()
	}
	n.fs.Remove(n.path + disk.NewSuffix)
}

// rebuild writes a mailbox's index anew, and its caches if the old ones
// are not to be kept. The mailbox is open Exclusive. What a crash leaves:
//
//	while writing            temporary files; the next rebuild overwrites them
//	index renamed            the new index with the old cache, whose
//	                         generation is lower: finishRepack
//	caches renamed           the result, as soon as the directory is synced;
//	                         until then any of the three
type rebuild struct {
	m      *Mailbox
	hdr    IndexHeader // of the new file
	index  *newFile
	caches [2]*newFile // nil: not rewritten
	buf    CacheBuffer
	rec    []byte
}

// newRebuild begins. version is that of the new index.
func (m *Mailbox) newRebuild(version uint32, caches bool) (*rebuild, error) {
	rb := &rebuild{m: m, hdr: m.hdr}
	rb.hdr.Version = version
	rb.hdr.Generation++
	rb.hdr.NumRecords = 0
	rb.hdr.Options &^= optDirty
	rb.rec = make([]byte, rb.hdr.layout().record)
	var err error
	if rb.index, err = createNew(m.store.o.FS, m.box.paths.index, fileMode); err != nil {
		return nil, rb.fail(err)
	}
	if err := rb.index.write(make([]byte, rb.hdr.layout().header)); err != nil {
		return nil, rb.fail(err)
	}
	if caches {
		if rb.caches[0], err = rb.newCache(m.box.paths.cache); err != nil {
			return nil, rb.fail(err)
		}
	}
	return rb, nil
}

func (rb *rebuild) newCache(path string) (*newFile, error) {
	n, err := createNew(rb.m.store.o.FS, path, cacheMode)
	if err != nil {
		return nil, err
	}
	return n, n.write(be.AppendUint32(nil, rb.hdr.Generation))
}

// fail ends the rebuild; nothing has changed.
func (rb *rebuild) fail(err error) error {
	rb.buf.Free()
	rb.index.abort()
	for _, c := range rb.caches {
		c.abort()
	}
	return disk.Error("mailbox.rebuild", string(rb.m.ref.Name), err)
}

// add appends a record, and its cache record to the new cache. With parse
// the cache record is made anew.
func (rb *rebuild) add(r *Record, parse bool) error {
	if rb.caches[0] != nil {
		if err := rb.addCache(r, parse); err != nil {
			return err
		}
	}
	rb.hdr.NumRecords++
	r.Recno = rb.hdr.NumRecords
	rb.hdr.layout().encode(rb.rec, r)
	return rb.index.write(rb.rec)
}

func (rb *rebuild) addCache(r *Record, parse bool) error {
	c := &rb.caches[rb.m.cacheSlot(r)]
	if *c == nil {
		var err error
		if *c, err = rb.newCache(rb.m.box.paths.archiveCache); err != nil {
			return err
		}
	}
	var b []byte
	var err error
	version := message.CacheVersion
	if parse {
		b, err = rb.m.parsedCache(r)
	} else {
		b, version, err = rb.m.CacheBytes(r, &rb.buf)
	}
	if err != nil {
		// No file any more, so nothing can be read of it anyway.
		rb.m.store.o.Log.Warn("no cache record can be made", "mailbox", rb.m.ref.Name, "uid", r.UID, "error", err)
		r.CacheOffset, r.CacheVersion, r.CacheCRC = 0, 0, 0
		return nil
	}
	r.CacheOffset, r.CacheVersion, r.CacheCRC = uint64((*c).off), uint16(version), crc32.ChecksumIEEE(b)
	return (*c).write(b)
}

func (m *Mailbox) parsedCache(r *Record) ([]byte, error) {
	msg, err := m.parse(r)
	if err != nil {
		return nil, err
	}
	return msg.CacheRecord(), nil
}

// finish puts the new files in the place of the old ones. The Mailbox must
// not be used any more but to be closed.
func (rb *rebuild) finish() error {
	m := rb.m
	err := rb.index.flush()
	if err == nil {
		_, err = rb.index.f.WriteAt(rb.hdr.encode(), 0)
	}
	files := []*newFile{rb.index}
	paths := []string{rb.index.path}
	for _, c := range rb.caches {
		if c != nil {
			files = append(files, c)
			paths = append(paths, c.path)
		}
	}
	tasks := make([]func() error, len(files))
	for i, f := range files {
		tasks[i] = f.sync
	}
	if err == nil {
		err = together(tasks...)
	}
	if err == nil {
		err = rb.index.rename()
	}
	if err != nil {
		return rb.fail(err)
	}
	rb.buf.Free()
	m.box.dropIndex(m.file)
	m.box.notify()
	// A new cache must not be there with the old index. If what follows
	// fails, the caches are renamed when they are opened.
	err = m.store.syncDirs(rb.index.path)
	for i := 1; err == nil && i < len(files); i++ {
		err = files[i].rename()
	}
	if err == nil && len(files) > 1 {
		err = m.store.syncDirs(paths[1:]...)
	}
	return disk.Error("mailbox.rebuild", string(m.ref.Name), err)
}
