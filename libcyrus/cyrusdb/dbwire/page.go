package dbwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The page of generations is a file that server and clients map. For each
// bucket of keys it has a counter that is odd while a key of it changes and
// even otherwise. What a client has read may be used again as long as the
// counter is the even number that it was before the question.
//
//	0    magic "gocyrus page", 16 octets
//	16   u32 version, 20 u32 number of buckets (big endian)
//	2048 256 counters, one for each first octet of keys (databases)
//	4096 Buckets counters
//
// Counters are 64 bits in the machine's order. The file is never replaced
// or made shorter while anybody may have it mapped; if somebody else does
// that, clients see odd counters. Only the server writes; a new one raises
// all counters before it serves, because the one before may have ended in
// the middle of a change.
const (
	pageMagic    = "gocyrus page\x00\x00\x00\x00"
	pageVersion  = 1
	buckets      = 8192
	databasesAt  = 2048
	bucketsAt    = 4096
	pageFileSize = bucketsAt + 8*buckets
)

// ErrNoPage is the error of a file that is no page of this version.
var ErrNoPage = errors.New("no generation page of this version")

// Page is the mapped page. Its methods may be called from any goroutine;
// those that change it only by the server, one at a time.
type Page struct {
	mem []byte
}

// CreatePage opens the page for the server and raises all counters. A page
// of another version, which others may have mapped, is refused with
// ErrNoPage; any other file is overwritten.
func CreatePage(path string) (*Page, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, len(pageMagic))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// All octets are written, so that the disk cannot be full later.
	b, at := newPage(), int64(0)
	if string(head) == pageMagic {
		at = min(fi.Size(), pageFileSize) // somebody has cut it off
	}
	if _, err := f.WriteAt(b[at:], at); err != nil {
		return nil, err
	}
	p, err := mapPage(f, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range 256 {
		raise(p.database(byte(i)))
	}
	for i := range buckets {
		raise(p.counter(bucketsAt + 8*i))
	}
	return p, nil
}

// newPage is a page with all counters 0.
func newPage() []byte {
	b := make([]byte, pageFileSize)
	copy(b, pageMagic)
	binary.BigEndian.PutUint32(b[16:], pageVersion)
	binary.BigEndian.PutUint32(b[20:], buckets)
	return b
}

// OpenPage maps the page for a client.
func OpenPage(path string) (*Page, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return mapPage(f, unix.PROT_READ)
}

func mapPage(f *os.File, prot int) (*Page, error) {
	head := make([]byte, 24)
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if string(head[:16]) != pageMagic || binary.BigEndian.Uint32(head[16:]) != pageVersion ||
		binary.BigEndian.Uint32(head[20:]) != buckets || fi.Size() < pageFileSize {
		return nil, ErrNoPage
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, pageFileSize, prot, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &Page{mem}, nil
}

// Close unmaps the page. Nobody may use it any more.
func (p *Page) Close() error { return unix.Munmap(p.mem) }

func (p *Page) counter(at int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&p.mem[at]))
}

func (p *Page) database(first byte) *atomic.Uint64 { return p.counter(databasesAt + 8*int(first)) }

// raise makes a counter the next even number but one, or the next if it is odd.
func raise(c *atomic.Uint64) { c.Store((c.Load() + 3) &^ 1) }

// bucket finds the counter of a key (FNV-1a).
func (p *Page) bucket(first byte, key []byte) *atomic.Uint64 {
	h := (uint64(14695981039346656037) ^ uint64(first)) * 1099511628211
	for _, c := range key {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return p.counter(bucketsAt + 8*int(h%buckets))
}

// Generation returns the counter of a key of the database first. If it is
// odd the key may be changing.
func (p *Page) Generation(first byte, key []byte) uint64 { return load(p.bucket(first, key)) }

// Changes returns a number that is another one after any change to the
// database first. If it is odd a change is being made.
func (p *Page) Changes(first byte) uint64 { return load(p.database(first)) }

// load reads a counter. If the file has become too short that is a fault,
// which would end the process.
func load(c *atomic.Uint64) (n uint64) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if recover() != nil {
			n = 1 // odd: nothing remembered is used
		}
	}()
	return c.Load()
}

// Change calls fn, and keeps the counters of the keys (with the octets of
// their databases in front) odd meanwhile.
func (p *Page) Change(keys [][]byte, fn func() error) error {
	touched := map[*atomic.Uint64]bool{}
	for _, k := range keys {
		touched[p.bucket(k[0], k[1:])] = true
		touched[p.database(k[0])] = true
	}
	for c := range touched {
		c.Store(c.Load() | 1)
	}
	err := fn()
	for c := range touched {
		c.Store(c.Load() + 1)
	}
	return err
}

// ChangeAll is Change for all keys of the database first.
func (p *Page) ChangeAll(first byte, fn func() error) error {
	p.database(first).Store(p.database(first).Load() | 1)
	for i := range buckets {
		c := p.counter(bucketsAt + 8*i)
		c.Store(c.Load() | 1)
	}
	err := fn()
	p.database(first).Store(p.database(first).Load() + 1)
	for i := range buckets {
		c := p.counter(bucketsAt + 8*i)
		c.Store(c.Load() + 1)
	}
	return err
}
