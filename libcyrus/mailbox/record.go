package mailbox

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
)

// GUID identifies the content of a message: the SHA-1 of its file.
type GUID [20]byte

// String is g in lower-case hex digits.
func (g GUID) String() string { return hex.EncodeToString(g[:]) }

// IsZero reports whether there is none (index versions below 10).
func (g GUID) IsZero() bool { return g == GUID{} }

// Record is one entry of cyrus.index: a message. Fields that the version
// of the file lacks are zero when read and are not written.
//
// Source: Cyrus imap/mailbox.h, OFFSET_*.
type Record struct {
	Recno         uint32 // its place in the file, from 1; valid for one generation
	UID           uint32
	InternalDate  Stamp
	SentDate      Stamp  // local midnight of the day in Date:, or of InternalDate
	Size          uint32 // octets of the file
	HeaderSize    uint32 // octets up to the first of the body
	GMTime        Stamp  // Date:, or InternalDate; version 12
	CacheOffset   uint64 // of the cache record in cyrus.cache; 48 bits
	LastUpdated   Stamp  // when Modseq changed last
	Flags         Flags
	User          UserFlags
	SaveDate      Stamp  // when it was put into this mailbox; version 15
	CacheVersion  uint16 // of the cache record; 0 = there is none
	GUID          GUID   // version 10
	Modseq        uint64 // version 8
	CID           uint64 // conversation, 0 = none; version 13
	CreatedModseq uint64 // version 16
	CacheCRC      uint32 // of the cache record; version 12
}

// Live reports whether clients see the message.
func (r *Record) Live() bool { return r.Flags&Expunged == 0 }

// layout says where the parts of a record lie in one version.
type layout struct {
	header, record         int // sizes
	modseq                 int // offset; 0 = none
	guid, cid, created     int
	saveDate, cacheCRC     int
	crc                    int // of the record's own checksum; 0 = none
	headerCRC              int // offset in the header; 0 = none
	gmtime                 bool
	offsetHigh             bool
	hasUnseen, hasExists   bool
	hasAnnot, hasHeaderMod bool
}

// Index versions. Versions 10 to 17 are kept as they are found; older ones
// are rewritten as Version when they are opened first. Version 11 was
// never released.
const (
	Version       = 17
	oldestVersion = 6
	OldestKept    = 10
)

// layouts is indexed by version.
//
// Source: Cyrus imap/mailbox.h and the history of it (versions 6 to 17).
var layouts = [Version + 1]layout{
	6:  {header: 76, record: 60},
	7:  {header: 76, record: 72},
	8:  {header: 92, record: 80, modseq: 72, hasHeaderMod: true},
	9:  {header: 96, record: 80, modseq: 72, hasHeaderMod: true},
	10: {header: 96, record: 88, modseq: 80, guid: 60, hasHeaderMod: true},
	12: {header: 128, record: 96, modseq: 80, guid: 60, cacheCRC: 88, crc: 92, headerCRC: 124, gmtime: true, offsetHigh: true, hasExists: true, hasHeaderMod: true},
	13: {header: 128, record: 104, modseq: 80, guid: 60, cid: 88, cacheCRC: 96, crc: 100, headerCRC: 124, gmtime: true, offsetHigh: true, hasExists: true, hasAnnot: true, hasHeaderMod: true},
	14: {header: 160, record: 104, modseq: 80, guid: 60, cid: 88, cacheCRC: 96, crc: 100, headerCRC: 156, gmtime: true, offsetHigh: true, hasExists: true, hasAnnot: true, hasUnseen: true, hasHeaderMod: true},
	15: {header: 160, record: 104, modseq: 80, guid: 60, cid: 88, saveDate: 52, cacheCRC: 96, crc: 100, headerCRC: 156, gmtime: true, offsetHigh: true, hasExists: true, hasAnnot: true, hasUnseen: true, hasHeaderMod: true},
	16: {header: 160, record: 112, modseq: 80, guid: 60, cid: 88, created: 96, saveDate: 52, cacheCRC: 104, crc: 108, headerCRC: 156, gmtime: true, offsetHigh: true, hasExists: true, hasAnnot: true, hasUnseen: true, hasHeaderMod: true},
	17: {header: 160, record: 112, modseq: 80, guid: 60, cid: 88, created: 96, saveDate: 52, cacheCRC: 104, crc: 108, headerCRC: 156, gmtime: true, offsetHigh: true, hasExists: true, hasAnnot: true, hasUnseen: true, hasHeaderMod: true},
}

// layoutOf returns the layout of a version, or nil if it is not known.
func layoutOf(version uint32) *layout {
	if version < oldestVersion || version > Version || layouts[version].record == 0 {
		return nil
	}
	return &layouts[version]
}

var (
	be = binary.BigEndian
	ne = binary.NativeEndian
)

// decode sets all fields of r but Recno from b, which holds one record. It
// reports whether the checksum is right (always, where there is none).
func (l *layout) decode(r *Record, b []byte) bool {
	_ = b[l.record-1]
	r.UID = be.Uint32(b)
	r.InternalDate = Stamp(be.Uint32(b[4:]))
	r.SentDate = Stamp(be.Uint32(b[8:]))
	r.Size = be.Uint32(b[12:])
	r.HeaderSize = be.Uint32(b[16:])
	r.GMTime = 0
	if l.gmtime {
		r.GMTime = Stamp(be.Uint32(b[20:]))
	}
	r.LastUpdated = Stamp(be.Uint32(b[28:]))
	r.Flags = Flags(be.Uint32(b[32:]))
	for i := range r.User {
		r.User[i] = be.Uint32(b[36+4*i:])
	}
	cache := be.Uint32(b[56:])
	r.CacheVersion = uint16(cache)
	r.CacheOffset = uint64(be.Uint32(b[24:]))
	if l.offsetHigh {
		r.CacheOffset |= uint64(cache>>16) << 32
	}
	r.SaveDate = Stamp(field32(b, l.saveDate))
	r.Modseq = field64(b, l.modseq)
	r.CID = field64(b, l.cid)
	r.CreatedModseq = field64(b, l.created)
	r.CacheCRC = field32(b, l.cacheCRC)
	r.GUID = GUID{}
	if l.guid != 0 {
		copy(r.GUID[:], b[l.guid:])
	}
	return l.crc == 0 || recordCRC(b[:l.crc]) == be.Uint32(b[l.crc:])
}

// encode writes r with its checksum to b, which has room for one record.
func (l *layout) encode(b []byte, r *Record) {
	b = b[:l.record]
	clear(b)
	be.PutUint32(b, r.UID)
	be.PutUint32(b[4:], uint32(r.InternalDate))
	be.PutUint32(b[8:], uint32(r.SentDate))
	be.PutUint32(b[12:], r.Size)
	be.PutUint32(b[16:], r.HeaderSize)
	be.PutUint32(b[20:], r.HeaderSize) // below version 12: offset of the content
	if l.gmtime {
		be.PutUint32(b[20:], uint32(r.GMTime))
	}
	be.PutUint32(b[24:], uint32(r.CacheOffset))
	be.PutUint32(b[28:], uint32(r.LastUpdated))
	be.PutUint32(b[32:], uint32(r.Flags))
	for i, w := range r.User {
		be.PutUint32(b[36+4*i:], w)
	}
	cache := uint32(r.CacheVersion)
	if l.offsetHigh {
		cache |= uint32(r.CacheOffset>>32) << 16
	}
	be.PutUint32(b[56:], cache)
	putField32(b, l.saveDate, uint32(r.SaveDate))
	putField64(b, l.modseq, r.Modseq)
	putField64(b, l.cid, r.CID)
	putField64(b, l.created, r.CreatedModseq)
	putField32(b, l.cacheCRC, r.CacheCRC)
	if l.guid != 0 {
		copy(b[l.guid:], r.GUID[:])
	}
	if l.crc != 0 {
		be.PutUint32(b[l.crc:], recordCRC(b[:l.crc]))
	}
}

// field32 is the word at off, or 0 if off is 0: a field the version lacks.
func field32(b []byte, off int) uint32 {
	if off == 0 {
		return 0
	}
	return be.Uint32(b[off:])
}

func field64(b []byte, off int) uint64 {
	if off == 0 {
		return 0
	}
	return be.Uint64(b[off:])
}

func putField32(b []byte, off int, v uint32) {
	if off != 0 {
		be.PutUint32(b[off:], v)
	}
}

func putField64(b []byte, off int, v uint64) {
	if off != 0 {
		be.PutUint64(b[off:], v)
	}
}

// recordCRC is the checksum of the octets of a record before it. The library
// is fast on multiples of 16, and of the last 12 it takes one after the other:
// half of the time of the whole.
func recordCRC(b []byte) uint32 {
	whole := len(b) &^ 15
	crc := ^crc32.ChecksumIEEE(b[:whole])
	b = b[whole:]
	if len(b) >= 4 {
		s := skipOf(4)
		for ; len(b) >= 4; b = b[4:] {
			crc = s.of(crc ^ binary.LittleEndian.Uint32(b))
		}
	}
	return ^register(crc, b)
}

// checksum is the CRC that all files of a mailbox use.
func checksum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }
