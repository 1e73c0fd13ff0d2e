package twoskip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"gocyrus/libcyrus/errs"
)

// Magic is how a file begins (Cyrus lib/cyrusdb_twoskip.c HEADER_MAGIC).
const Magic = "\xa1\x02\x8b\x0dtwoskip file\x00\x00\x00\x00"

const (
	version    = 1
	headerSize = 64
	maxLevel   = 31
	dummyStart = headerSize
	// emptySize is the size of a database without records: header, and
	// the list head with its 32 pointers.
	emptySize = dummyStart + leadSize + 8*(maxLevel+1) + crcSize
	leadSize  = 8 // type, level, lengths
	crcSize   = 8 // of head and of tail
	minRecord = leadSize + 8 + crcSize
	// blockSize is what a disk writes as a whole; the heads of records,
	// which are rewritten in place, never cross its borders.
	blockSize = 512
	// From minRepack octets on a file is repacked when it has doubled.
	minRepack = 16834
)

// blank fills gaps between records.
const blank = " BLANK\x07\xa0"

// Types of records.
const (
	typeDummy  = '='
	typeRecord = '+'
	typeDelete = '-'
	typeCommit = '$'
)

// header is the first 64 octets.
type header struct {
	generation uint64 // grows with each repack
	records    uint64 // live ones
	repackSize uint64 // size after the last repack
	size       uint64 // committed size
	dirty      bool   // a transaction has begun to write
}

func (h *header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, Magic)
	be := binary.BigEndian
	be.PutUint32(b[20:], version)
	be.PutUint64(b[24:], h.generation)
	be.PutUint64(b[32:], h.records)
	be.PutUint64(b[40:], h.repackSize)
	be.PutUint64(b[48:], h.size)
	if h.dirty {
		be.PutUint32(b[56:], 1)
	}
	be.PutUint32(b[60:], crc32.ChecksumIEEE(b[:60]))
	return b
}

func (h *header) decode(b []byte) error {
	be := binary.BigEndian
	switch {
	case len(b) < headerSize:
		return badFormat("", "file not large enough for header")
	case string(b[:len(Magic)]) != Magic:
		return badFormat("", "invalid magic header")
	case be.Uint32(b[20:]) > version:
		return badFormat("", fmt.Sprintf("version %d", be.Uint32(b[20:])))
	case crc32.ChecksumIEEE(b[:60]) != be.Uint32(b[60:]):
		return badFormat("", "header CRC failure")
	}
	h.generation = be.Uint64(b[24:])
	h.records = be.Uint64(b[32:])
	h.repackSize = be.Uint64(b[40:])
	h.size = be.Uint64(b[48:])
	h.dirty = be.Uint32(b[56:])&1 != 0
	if h.size < emptySize {
		return badFormat("", "committed size is too small")
	}
	return nil
}

// record is the head of a record. Offset 0 stands for the end of the list.
type record struct {
	offset   uint64
	typ      byte
	level    int
	keyLen   uint64
	valueLen uint64
	next     [maxLevel + 1]uint64 // next[0] and next[1] are both of level 1
	tailCRC  uint32
	headLen  uint64 // up to and with the CRCs
}

// pad rounds up to a multiple of 8.
func pad(n uint64) uint64 { return (n + 7) &^ 7 }

// tailLen is the size of key, value and padding.
func (r *record) tailLen() uint64 { return pad(r.keyLen + r.valueLen) }

// end is where the next record may start.
func (r *record) end() uint64 { return r.offset + r.headLen + r.tailLen() }

// lead reads type, level and short lengths, and returns how long the head
// is. Lengths that do not fit follow the lead and are read by decode.
func (r *record) lead(b []byte) (headLen int, err error) {
	r.typ, r.level = b[0], int(b[1])
	r.keyLen = uint64(binary.BigEndian.Uint16(b[2:]))
	r.valueLen = uint64(binary.BigEndian.Uint32(b[4:]))
	switch r.typ {
	case typeDummy, typeRecord, typeDelete, typeCommit:
	default:
		return 0, errBadType
	}
	if r.level > maxLevel {
		return 0, errBadLevel
	}
	n := leadSize + 8*(r.level+1) + crcSize
	if r.keyLen == 0xffff {
		n += 8
	}
	if r.valueLen == 0xffffffff {
		n += 8
	}
	return n, nil
}

// decode reads a head from the octets that lead counted.
func (r *record) decode(b []byte) error {
	be := binary.BigEndian
	n := len(b)
	if crc32.ChecksumIEEE(b[:n-crcSize]) != be.Uint32(b[n-crcSize:]) {
		return errHeadCRC
	}
	r.tailCRC = be.Uint32(b[n-4:])
	r.headLen = uint64(n)
	b = b[leadSize:]
	if r.keyLen == 0xffff {
		r.keyLen, b = be.Uint64(b), b[8:]
	}
	if r.valueLen == 0xffffffff {
		r.valueLen, b = be.Uint64(b), b[8:]
	}
	for i := range r.level + 1 {
		r.next[i] = be.Uint64(b[8*i:])
	}
	return nil
}

// encode appends the head to b, and sets headLen.
func (r *record) encode(b []byte) []byte {
	be := binary.BigEndian
	from := len(b)
	b = append(b, r.typ, byte(r.level))
	b = be.AppendUint16(b, uint16(min(r.keyLen, 0xffff)))
	b = be.AppendUint32(b, uint32(min(r.valueLen, 0xffffffff)))
	if r.keyLen >= 0xffff {
		b = be.AppendUint64(b, r.keyLen)
	}
	if r.valueLen >= 0xffffffff {
		b = be.AppendUint64(b, r.valueLen)
	}
	for _, p := range r.next[:r.level+1] {
		b = be.AppendUint64(b, p)
	}
	b = be.AppendUint32(b, crc32.ChecksumIEEE(b[from:]))
	b = be.AppendUint32(b, r.tailCRC)
	r.headLen = uint64(len(b) - from)
	return b
}

// encodedHead is how long the head will be.
func (r *record) encodedHead() uint64 {
	n := uint64(leadSize + 8*(r.level+1) + crcSize)
	if r.keyLen >= 0xffff {
		n += 8
	}
	if r.valueLen >= 0xffffffff {
		n += 8
	}
	return n
}

// appendRecord appends fillers, head and tail of a new record to b, which is
// what comes at offset base of the file. It sets r's offset and tailCRC.
func appendRecord(b []byte, base uint64, r *record, key, value []byte) []byte {
	r.keyLen, r.valueLen = uint64(len(key)), uint64(len(value))
	r.headLen = r.encodedHead()
	for range fillers(base+uint64(len(b)), r.headLen) {
		b = append(b, blank...)
	}
	r.offset = base + uint64(len(b))
	zeros := make([]byte, 8)[:r.tailLen()-r.keyLen-r.valueLen]
	crc := crc32.ChecksumIEEE(key)
	crc = crc32.Update(crc, crc32.IEEETable, value)
	r.tailCRC = crc32.Update(crc, crc32.IEEETable, zeros)
	b = r.encode(b)
	return append(append(append(b, key...), value...), zeros...)
}

// fillers is how many blanks go before a head of n octets at offset end, so
// that what is rewritten later lies in one block.
func fillers(end, n uint64) int {
	if n > blockSize-8 {
		return 0
	}
	count := 0
	for (end+8)%blockSize > (end-8+n)%blockSize {
		end += 8
		count++
	}
	return count
}

// level returns the pointer of a level, from 0; valid ones are below end.
func (r *record) pointer(level int, end uint64) uint64 {
	a, b := r.next[0], r.next[1]
	switch {
	case level > 0:
		return r.next[level+1]
	case a >= end:
		return b
	case b >= end:
		return a
	}
	return max(a, b)
}

// setPointer changes the pointer of a level. On the lowest one the pointer
// that was valid when the transaction began (below committed) is kept, so
// that the transaction can be undone.
func (r *record) setPointer(level int, to, committed uint64) {
	a, b := r.next[0], r.next[1]
	switch {
	case level > 0:
		r.next[level+1] = to
	case a >= committed:
		r.next[0] = to
	case b >= committed:
		r.next[1] = to
	case b > a:
		r.next[0] = to
	default:
		r.next[1] = to
	}
}

// emptyFile is a database without records.
func emptyFile() []byte {
	b := (&header{generation: 1, repackSize: emptySize, size: emptySize}).encode()
	return appendRecord(b, 0, &record{typ: typeDummy, level: maxLevel}, nil, nil)
}

// isUnwritten reports whether a file was created but nothing written to it,
// or only zeros are left of that after a power cut.
func isUnwritten(b []byte) bool {
	return len(bytes.Trim(b, "\x00")) == 0
}

// formatError is an errs.Error of kind BadFormat without a path yet.
type formatError string

func (e formatError) Error() string { return string(e) }

const (
	errBadType  = formatError("unknown type of record")
	errBadLevel = formatError("invalid level")
	errHeadCRC  = formatError("checksum head error")
	errTailCRC  = formatError("invalid tail crc")
	errPastEnd  = formatError("record reaches past end of file")
)

func badFormat(path, text string) error {
	return errs.New(errs.BadFormat, "twoskip", path, formatError(text))
}

func badRecord(path string, offset uint64, err error) error {
	return errs.New(errs.BadFormat, "twoskip", path, fmt.Errorf("at %08X: %w", offset, err))
}
