package mailbox

import (
	"errors"
	"fmt"
	"hash/crc32"
)

// IndexOptions is the option word of an index header.
//
// Source: Cyrus imap/mailbox.h, OPT_*.
type IndexOptions uint32

// Options of a mailbox.
const (
	OptPOP3NewUIDL    IndexOptions = 1 << 0 // UIDL is uidvalidity.uid
	OptSharedSeen     IndexOptions = 1 << 2 // one \Seen for all readers
	OptDuplicate      IndexOptions = 1 << 3 // duplicate delivery is allowed
	OptHasAlarms      IndexOptions = 1 << 4
	OptNeedsUnlink    IndexOptions = 1 << 29 // files of Unlinked records wait to be removed
	OptNeedsRepack    IndexOptions = 1 << 30
	OptDeleted        IndexOptions = 1 << 31 // the mailbox is gone; its files wait to be removed
	knownIndexOptions              = OptPOP3NewUIDL | 1<<1 | OptSharedSeen | OptDuplicate | OptHasAlarms | OptNeedsUnlink | OptNeedsRepack | OptDeleted

	// optDirty is ours, not Cyrus's: a writer has begun to change
	// records and has not yet written the header that counts them.
	// Every index version has this bit, while spare bytes exist only in
	// some; Cyrus ignores it, and drops it when it writes the header.
	optDirty IndexOptions = 1 << 23
)

// IndexHeader is the head of cyrus.index. Fields that the version of the
// file lacks are zero when decoded.
//
// Source: Cyrus imap/mailbox.h, OFFSET_*.
type IndexHeader struct {
	Generation    uint32 // +1 with every repack; record numbers hold for one generation
	Version       uint32 // "minor version"
	NumRecords    uint32 // with expunged ones
	LastAppend    Stamp
	LastUID       uint32 // highest ever given; never shrinks
	QuotaUsed     uint64 // octets of messages that are not expunged
	POP3LastLogin Stamp
	UIDValidity   uint32
	Deleted       uint32 // messages with that flag, expunged ones not counted
	Answered      uint32
	Flagged       uint32
	Options       IndexOptions
	LeakedCache   uint32
	HighestModseq uint64 // version 8
	DeletedModseq uint64 // highest modseq of a record that was dropped; version 12
	Exists        uint32 // messages that are not expunged; version 12
	FirstExpunged Stamp  // lowest LastUpdated of expunged records, 0 = there are none; version 12
	LastRepack    Stamp
	HeaderCRC     uint32 // of the file cyrus.header; version 12
	SyncCRC       uint32 // "basic"; version 12
	RecentUID     uint32 // highest UID that was told as \Recent, for the owner or with shared \Seen; version 12
	RecentTime    Stamp
	POP3ShowAfter Stamp  // version 13
	AnnotUsed     uint64 // octets of annotation values, 32 bits on disk; version 13
	SyncCRCAnnot  uint32 // version 13
	Unseen        uint32 // messages without Seen; version 14
	CreatedModseq uint64 // version 16
	ChangesEpoch  Stamp  // since when all changes are known; version 17
	damagedCRC    bool   // the checksum was wrong

}

// annotCRCInit is the annotation sync CRC of an empty mailbox (Cyrus
// imap/mailbox.h, CRC_INIT_ANNOT).
const annotCRCInit = 12345678

// maxHeader is the size of the longest index header.
const maxHeader = 160

var errBadIndex = errors.New("not an index of a known version")

func (h *IndexHeader) layout() *layout { return layoutOf(h.Version) }

// Sizes is how many octets the head of the file and each record have.
func (h *IndexHeader) Sizes() (header, record int) {
	l := h.layout()
	return l.header, l.record
}

// dirty reports whether a writer was interrupted.
func (h *IndexHeader) dirty() bool { return h.Options&optDirty != 0 }

// decodeIndexHeader reads the head of cyrus.index from b, which holds the
// first 160 bytes of the file, or the whole file if it is shorter. A
// wrong checksum sets damagedCRC and is no error.
func decodeIndexHeader(b []byte) (*IndexHeader, error) {
	if len(b) < 24 {
		return nil, fmt.Errorf("index of %d bytes: %w", len(b), errBadIndex)
	}
	h := &IndexHeader{Generation: be.Uint32(b), Version: be.Uint32(b[8:])}
	l := h.layout()
	if l == nil {
		return nil, fmt.Errorf("index version %d: %w", h.Version, errBadIndex)
	}
	if len(b) < l.header {
		return nil, fmt.Errorf("index header of %d bytes: %w", len(b), errBadIndex)
	}
	if start, size := be.Uint32(b[12:]), be.Uint32(b[16:]); int(start) != l.header || int(size) != l.record {
		return nil, fmt.Errorf("index version %d with sizes %d and %d: %w", h.Version, start, size, errBadIndex)
	}
	h.decodeOld(b, l)
	if l.hasExists {
		h.decodeV12(b)
	}
	if l.hasAnnot {
		h.POP3ShowAfter = Stamp(be.Uint32(b[112:]))
		h.AnnotUsed = uint64(be.Uint32(b[116:]))
		h.SyncCRCAnnot = be.Uint32(b[120:])
	}
	if l.hasUnseen {
		h.Unseen = be.Uint32(b[124:])
	}
	if h.Version >= 16 {
		h.CreatedModseq = be.Uint64(b[128:])
	}
	if h.Version >= 17 {
		h.ChangesEpoch = Stamp(be.Uint32(b[136:]))
	}
	if l.headerCRC != 0 {
		h.damagedCRC = crc32.ChecksumIEEE(b[:l.headerCRC]) != be.Uint32(b[l.headerCRC:])
	}
	return h, nil
}

// decodeOld reads what every version has, and the modseq of version 8.
func (h *IndexHeader) decodeOld(b []byte, l *layout) {
	h.NumRecords = be.Uint32(b[20:])
	h.LastAppend = Stamp(be.Uint32(b[24:]))
	h.LastUID = be.Uint32(b[28:])
	h.QuotaUsed = be.Uint64(b[32:])
	h.POP3LastLogin = Stamp(be.Uint32(b[40:]))
	h.UIDValidity = be.Uint32(b[44:])
	h.Deleted = be.Uint32(b[48:])
	h.Answered = be.Uint32(b[52:])
	h.Flagged = be.Uint32(b[56:])
	h.Options = IndexOptions(be.Uint32(b[60:]))
	h.LeakedCache = be.Uint32(b[64:])
	if l.hasHeaderMod {
		h.HighestModseq = be.Uint64(b[68:])
	}
	if !l.hasExists {
		h.Exists = h.NumRecords
	}
}

func (h *IndexHeader) decodeV12(b []byte) {
	h.DeletedModseq = be.Uint64(b[76:])
	h.Exists = be.Uint32(b[84:])
	h.FirstExpunged = Stamp(be.Uint32(b[88:]))
	h.LastRepack = Stamp(be.Uint32(b[92:]))
	h.HeaderCRC = be.Uint32(b[96:])
	h.SyncCRC = be.Uint32(b[100:])
	h.RecentUID = be.Uint32(b[104:])
	h.RecentTime = Stamp(be.Uint32(b[108:]))
}

// encode returns the head as the file's version has it, with checksum.
// Option bits that nobody knows are dropped, as Cyrus does.
func (h *IndexHeader) encode() []byte {
	l := h.layout()
	b := make([]byte, l.header)
	be.PutUint32(b, h.Generation)
	be.PutUint32(b[8:], h.Version)
	be.PutUint32(b[12:], uint32(l.header))
	be.PutUint32(b[16:], uint32(l.record))
	be.PutUint32(b[20:], h.NumRecords)
	be.PutUint32(b[24:], uint32(h.LastAppend))
	be.PutUint32(b[28:], h.LastUID)
	be.PutUint64(b[32:], h.QuotaUsed)
	be.PutUint32(b[40:], uint32(h.POP3LastLogin))
	be.PutUint32(b[44:], h.UIDValidity)
	be.PutUint32(b[48:], h.Deleted)
	be.PutUint32(b[52:], h.Answered)
	be.PutUint32(b[56:], h.Flagged)
	be.PutUint32(b[60:], uint32(h.Options&(knownIndexOptions|optDirty)))
	be.PutUint32(b[64:], h.LeakedCache)
	if l.hasHeaderMod {
		be.PutUint64(b[68:], h.HighestModseq)
	}
	if l.hasExists {
		h.encodeV12(b)
	}
	if l.hasAnnot {
		be.PutUint32(b[112:], uint32(h.POP3ShowAfter))
		be.PutUint32(b[116:], uint32(min(h.AnnotUsed, 1<<32-1)))
		be.PutUint32(b[120:], h.SyncCRCAnnot)
	}
	if l.hasUnseen {
		be.PutUint32(b[124:], h.Unseen)
	}
	if h.Version >= 16 {
		be.PutUint64(b[128:], h.CreatedModseq)
	}
	if h.Version >= 17 {
		be.PutUint32(b[136:], uint32(h.ChangesEpoch))
	}
	if l.headerCRC != 0 {
		be.PutUint32(b[l.headerCRC:], crc32.ChecksumIEEE(b[:l.headerCRC]))
	}
	return b
}

func (h *IndexHeader) encodeV12(b []byte) {
	be.PutUint64(b[76:], h.DeletedModseq)
	be.PutUint32(b[84:], h.Exists)
	be.PutUint32(b[88:], uint32(h.FirstExpunged))
	be.PutUint32(b[92:], uint32(h.LastRepack))
	be.PutUint32(b[96:], h.HeaderCRC)
	be.PutUint32(b[100:], h.SyncCRC)
	be.PutUint32(b[104:], h.RecentUID)
	be.PutUint32(b[108:], uint32(h.RecentTime))
}
