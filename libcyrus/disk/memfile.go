package disk

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// pageSize is the unit in which unsynced data reaches the disk.
const pageSize = 4096

// writeOp is one change of a file's contents.
type writeOp struct {
	truncate bool
	off      int64  // or the new size
	data     []byte // a copy
}

func (op writeOp) end() int64 { return op.off + int64(len(op.data)) }

// write does op and remembers it as not yet safe.
func (m *Mem) write(n *inode, op writeOp) {
	n.data = op.apply(n.data)
	n.pending = append(n.pending, op)
	n.mtime = m.tick()
}

// apply returns b changed by op.
func (op writeOp) apply(b []byte) []byte {
	size := op.off
	if !op.truncate {
		size = max(op.end(), int64(len(b)))
	}
	if size > int64(len(b)) {
		b = append(b, make([]byte, size-int64(len(b)))...)
	}
	b = b[:size]
	copy(b[min(op.off, size):], op.data)
	return b
}

// applyPage changes the part of b that lies in page p; b has its final size.
func (op writeOp) applyPage(b []byte, p int64) {
	lo, hi := p*pageSize, min((p+1)*pageSize, int64(len(b)))
	if op.truncate {
		if from := max(lo, op.off); from < hi {
			clear(b[from:hi])
		}
		return
	}
	from, to := max(lo, op.off), min(hi, op.end())
	if from < to {
		copy(b[from:to], op.data[from-op.off:to-op.off])
	}
}

// touches reports whether op changes page p.
func (op writeOp) touches(p int64) bool {
	if op.truncate {
		return op.off < (p+1)*pageSize
	}
	return op.off < (p+1)*pageSize && op.end() > p*pageSize
}

// survivor is what a power cut may leave of a file: one of the sizes it has
// had since it was safe, and each page as it was after some of its writes.
func (n *inode) survivor(rnd *rand.Rand) []byte {
	if rnd == nil || len(n.pending) == 0 {
		return slices.Clone(n.safe)
	}
	sizes := []int64{int64(len(n.safe))}
	for _, op := range n.pending {
		size := op.off
		if !op.truncate {
			size = max(op.end(), sizes[len(sizes)-1])
		}
		sizes = append(sizes, size)
	}
	b := make([]byte, sizes[rnd.IntN(len(sizes))])
	copy(b, n.safe)
	for p := int64(0); p*pageSize < int64(len(b)); p++ {
		var ops []writeOp
		for _, op := range n.pending {
			if op.touches(p) {
				ops = append(ops, op)
			}
		}
		for _, op := range ops[:rnd.IntN(len(ops)+1)] {
			op.applyPage(b, p)
		}
	}
	return b
}

// memFile is an open file of a Mem.
type memFile struct {
	m    *Mem
	n    *inode
	name string
	flag int

	posMu sync.Mutex
	pos   int64

	closed bool // guarded by m.mu
}

// begin locks the file system for an operation of this file.
func (f *memFile) begin(op string, writing bool) error {
	f.m.mu.Lock()
	var err error
	access := f.flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
	switch {
	case f.closed:
		err = fs.ErrClosed
	case op == "read" && f.n.mode.IsDir():
		err = syscall.EISDIR
	case op == "read" && access == os.O_WRONLY, writing && access == os.O_RDONLY:
		err = syscall.EBADF
	}
	if err != nil {
		f.m.mu.Unlock()
		return pathError(op, f.name, err)
	}
	return nil
}

func (f *memFile) Name() string { return f.name }
func (f *memFile) Fd() uintptr  { return NoFd }

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.begin("read", false); err != nil {
		return 0, err
	}
	defer f.m.mu.Unlock()
	if off < 0 {
		return 0, pathError("read", f.name, syscall.EINVAL)
	}
	if off >= int64(len(f.n.data)) {
		if len(b) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := copy(b, f.n.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Read(b []byte) (int, error) {
	f.posMu.Lock()
	defer f.posMu.Unlock()
	n, err := f.ReadAt(b, f.pos)
	f.pos += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.begin("write", true); err != nil {
		return 0, err
	}
	defer f.m.mu.Unlock()
	if off < 0 {
		return 0, pathError("write", f.name, syscall.EINVAL)
	}
	if len(b) > 0 {
		f.m.write(f.n, writeOp{off: off, data: slices.Clone(b)})
	}
	return len(b), nil
}

func (f *memFile) Write(b []byte) (int, error) {
	f.posMu.Lock()
	defer f.posMu.Unlock()
	if f.flag&os.O_APPEND != 0 {
		f.m.mu.Lock()
		f.pos = int64(len(f.n.data))
		f.m.mu.Unlock()
	}
	n, err := f.WriteAt(b, f.pos)
	f.pos += int64(n)
	return n, err
}

func (f *memFile) Seek(off int64, whence int) (int64, error) {
	f.posMu.Lock()
	defer f.posMu.Unlock()
	switch whence {
	case io.SeekCurrent:
		off += f.pos
	case io.SeekEnd:
		f.m.mu.Lock()
		off += int64(len(f.n.data))
		f.m.mu.Unlock()
	}
	if off < 0 {
		return 0, pathError("seek", f.name, syscall.EINVAL)
	}
	f.pos = off
	return off, nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.begin("truncate", true); err != nil {
		return err
	}
	defer f.m.mu.Unlock()
	if size < 0 {
		return pathError("truncate", f.name, syscall.EINVAL)
	}
	f.m.write(f.n, writeOp{truncate: true, off: size})
	return nil
}

func (f *memFile) Sync() error {
	if err := f.begin("fsync", false); err != nil {
		return err
	}
	defer f.m.mu.Unlock()
	f.n.settleData()
	if !f.m.strict {
		f.m.settleFile(f.n)
	}
	return nil
}

func (f *memFile) Datasync() error { return f.Sync() }

// settleData makes the contents last.
func (n *inode) settleData() {
	if len(n.pending) > 0 {
		n.safe, n.pending = slices.Clone(n.data), nil
	}
}

func (f *memFile) Stat() (fs.FileInfo, error) {
	if err := f.begin("stat", false); err != nil {
		return nil, err
	}
	defer f.m.mu.Unlock()
	return f.n.info(filepath.Base(f.name)), nil
}

func (f *memFile) Close() error {
	if err := f.begin("close", false); err != nil {
		return err
	}
	defer f.m.mu.Unlock()
	f.closed = true
	return nil
}
