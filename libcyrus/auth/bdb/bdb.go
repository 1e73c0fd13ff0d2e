// Package bdb reads Berkeley DB files of the access method "hash",
// versions 8 to 10, as db_load and saslpasswd2 write them. It only reads,
// and only whole files in memory: a password database is small.
//
// Source: dbinc/db_page.h of Berkeley DB 5.3; what it writes was looked at
// with `db_dump -da`.
package bdb

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrFormat is wrapped by all errors of Parse.
var ErrFormat = errors.New("not a Berkeley DB hash file that can be read")

// The metadata page (page 0), offsets in bytes.
const (
	magicHash   = 0x061561
	offMagic    = 12
	offVersion  = 16
	offPageSize = 20
	offEncrypt  = 24 // algorithm, one byte; 0 is none
	offPageType = 25
	offMetaFlag = 26 // one byte
	offLastPage = 32
	metaLength  = 72
)

// Flags of the metadata page's one byte.
const metaChecksum = 0x01 // DBMETA_CHKSUM: pages carry a sum

// A page's header, offsets in bytes.
const (
	offNext    = 16 // number of the next page, 0 is none
	offEntries = 20 // count of items, two bytes
	offHigh    = 22 // on overflow pages: bytes of data here, two bytes
	offType    = 25
	pageHeader = 26
	sumHeader  = 32 // length of the header if pages carry a sum
)

// Page types.
const (
	pageHashUnsorted = 2
	pageOverflow     = 7
	pageHashMeta     = 8
	pageHash         = 13
)

// Item types.
const (
	itemKeyData   = 1 // the bytes follow
	itemDuplicate = 2
	itemOffPage   = 3 // the bytes are in overflow pages
	itemOffDup    = 4
)

// file is a file being read.
type file struct {
	data     []byte
	order    binary.ByteOrder
	pageSize int
	pages    int
	header   int // length of a page's header
}

// Parse returns all keys of the file with their values. Of a key with
// several values it returns the first.
func Parse(data []byte) (map[string][]byte, error) {
	f, err := open(data)
	if err != nil {
		return nil, err
	}
	values := make(map[string][]byte)
	for n := 1; n < f.pages; n++ {
		p := f.page(n)
		if t := p[offType]; t != pageHash && t != pageHashUnsorted {
			continue
		}
		if err := f.readPage(p, values); err != nil {
			return nil, fmt.Errorf("%w: page %d: %w", ErrFormat, n, err)
		}
	}
	return values, nil
}

// open reads the metadata page. The byte order is that in which the magic
// number is right.
func open(data []byte) (*file, error) {
	if len(data) < metaLength {
		return nil, fmt.Errorf("%w: %d bytes", ErrFormat, len(data))
	}
	f := &file{data: data, header: pageHeader}
	switch {
	case binary.LittleEndian.Uint32(data[offMagic:]) == magicHash:
		f.order = binary.LittleEndian
	case binary.BigEndian.Uint32(data[offMagic:]) == magicHash:
		f.order = binary.BigEndian
	default:
		return nil, fmt.Errorf("%w: wrong magic number", ErrFormat)
	}
	if v := f.order.Uint32(data[offVersion:]); v < 8 || v > 10 {
		return nil, fmt.Errorf("%w: version %d", ErrFormat, v)
	}
	if data[offEncrypt] != 0 {
		return nil, fmt.Errorf("%w: it is encrypted", ErrFormat)
	}
	if data[offPageType] != pageHashMeta {
		return nil, fmt.Errorf("%w: page 0 has type %d", ErrFormat, data[offPageType])
	}
	if data[offMetaFlag]&metaChecksum != 0 {
		f.header = sumHeader
	}
	size := f.order.Uint32(data[offPageSize:])
	if size < 512 || size > 65536 || size&(size-1) != 0 {
		return nil, fmt.Errorf("%w: page size %d", ErrFormat, size)
	}
	f.pageSize = int(size)
	f.pages = min(len(data)/f.pageSize, int(f.order.Uint32(data[offLastPage:]))+1)
	return f, nil
}

func (f *file) page(n int) []byte { return f.data[n*f.pageSize:][:f.pageSize] }

// readPage adds the pairs of a hash page to values. A page begins with the
// offsets of its items, which are keys and values in turn and fill it from
// the end.
func (f *file) readPage(p []byte, values map[string][]byte) error {
	count := int(f.order.Uint16(p[offEntries:]))
	if f.header+2*count > len(p) {
		return fmt.Errorf("%d items", count)
	}
	end := len(p)
	var key []byte
	for i := range count {
		start := int(f.order.Uint16(p[f.header+2*i:]))
		if start < f.header+2*count || start >= end {
			return fmt.Errorf("item %d at %d", i, start)
		}
		item, err := f.item(p[start:end])
		if err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		end = start
		if i%2 == 0 {
			key = item
		} else if _, ok := values[string(key)]; !ok {
			values[string(key)] = item
		}
	}
	return nil
}

// item returns the bytes of one item.
func (f *file) item(b []byte) ([]byte, error) {
	switch b[0] {
	case itemKeyData:
		return append([]byte(nil), b[1:]...), nil
	case itemOffPage:
		// type, three unused bytes, page number, length
		if len(b) < 12 {
			return nil, errors.New("short reference")
		}
		return f.overflow(f.order.Uint32(b[4:]), f.order.Uint32(b[8:]))
	case itemDuplicate:
		// each value: length, bytes, length
		if len(b) < 5 {
			return nil, errors.New("short duplicate")
		}
		n := int(f.order.Uint16(b[1:]))
		if 3+n > len(b) {
			return nil, errors.New("duplicate too long")
		}
		return append([]byte(nil), b[3:3+n]...), nil
	case itemOffDup:
		return nil, errors.New("value with a tree of duplicates")
	}
	return nil, fmt.Errorf("type %d", b[0])
}

// overflow collects length bytes from the chain of pages that begins at n.
func (f *file) overflow(n, length uint32) ([]byte, error) {
	if int64(length) > int64(len(f.data)) {
		return nil, errors.New("item longer than the file")
	}
	out := make([]byte, 0, length)
	for steps := 0; n != 0; steps++ {
		if int64(n) >= int64(f.pages) || steps > f.pages {
			return nil, fmt.Errorf("chain leads to page %d", n)
		}
		p := f.page(int(n))
		here := int(f.order.Uint16(p[offHigh:]))
		if p[offType] != pageOverflow || f.header+here > len(p) {
			return nil, fmt.Errorf("bad overflow page %d", n)
		}
		out = append(out, p[f.header:f.header+here]...)
		if len(out) > int(length) {
			return nil, errors.New("chain longer than the item")
		}
		n = f.order.Uint32(p[offNext:])
	}
	if len(out) != int(length) {
		return nil, errors.New("chain shorter than the item")
	}
	return out, nil
}
