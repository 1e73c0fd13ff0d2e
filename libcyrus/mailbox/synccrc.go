package mailbox

import (
	"hash/crc32"
	"math/bits"
	"strconv"
	"strings"
	"sync/atomic"
)

// Sync CRCs tell two servers whether a mailbox is the same on both. They
// are XORed from one CRC per message, so that a change costs two.
//
// Source: Cyrus imap/mailbox.c, crc_basic, crc_annot, crc_virtannot.

// flagCRCs has the CRC of each user flag's name by its number.
type flagCRCs struct {
	user [MaxUserFlags]uint32
}

// systemCRCs has the CRC of each system flag's name by its bit.
var systemCRCs = [...]uint32{
	crc32.ChecksumIEEE([]byte(`\answered`)),
	crc32.ChecksumIEEE([]byte(`\flagged`)),
	crc32.ChecksumIEEE([]byte(`\deleted`)),
	crc32.ChecksumIEEE([]byte(`\draft`)),
	crc32.ChecksumIEEE([]byte(`\seen`)),
}

// newFlagCRCs prepares the CRCs of a mailbox's user flags.
func newFlagCRCs(names []string) *flagCRCs {
	c := new(flagCRCs)
	for i, n := range names {
		if n != "" {
			c.user[i] = crc32.ChecksumIEEE([]byte(strings.ToLower(n)))
		}
	}
	return c
}

// flags is the CRC of the flags of a message.
func (c *flagCRCs) flags(f Flags, u *UserFlags) uint32 {
	var sum uint32
	for i, crc := range systemCRCs {
		if f>>i&1 != 0 {
			sum ^= crc
		}
	}
	u.Each(func(n int) { sum ^= c.user[n] })
	return sum
}

// basic is the basic CRC of one message. Expunged ones have none.
func (c *flagCRCs) basic(r *Record) uint32 {
	if !r.Live() {
		return 0
	}
	b := make([]byte, 0, 128)
	b = strconv.AppendUint(b, uint64(r.UID), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, r.Modseq, 10)
	b = appendState(b, r.LastUpdated, c.flags(r.Flags, &r.User))
	b = append(b, ") "...)
	b = strconv.AppendUint(b, uint64(r.InternalDate), 10)
	b = append(b, ' ')
	const hexDigits = "0123456789abcdef"
	for _, x := range r.GUID {
		b = append(b, hexDigits[x>>4], hexDigits[x&15])
	}
	return crc32.ChecksumIEEE(b)
}

// appendState appends the part of the text of a basic CRC that a STORE of
// many messages makes the same for all.
func appendState(b []byte, updated Stamp, flags uint32) []byte {
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(updated), 10)
	b = append(b, " ("...)
	return strconv.AppendUint(b, uint64(flags), 10)
}

// states knows what the texts of appendState do to a CRC; neighbours mostly
// have the same.
type states struct {
	n       int    // octets of the text
	alone   uint32 // the register after it, if it was 0 before
	crcs    *flagCRCs
	updated Stamp
	flags   Flags
	user    UserFlags
}

func (s *states) of(c *flagCRCs, r *Record) {
	if s.crcs != c || s.updated != r.LastUpdated || s.flags != r.Flags || s.user != r.User {
		s.crcs, s.updated, s.flags, s.user = c, r.LastUpdated, r.Flags, r.User
		text := appendState(nil, r.LastUpdated, c.flags(r.Flags, &r.User))
		s.n, s.alone = len(text), register(0, text)
	}
}

// register is what octets make of the register of a CRC, which is the CRC
// inverted.
func register(crc uint32, text []byte) uint32 {
	for _, x := range text {
		crc = crc32.IEEETable[byte(crc)^x] ^ crc>>8
	}
	return crc
}

// crcChanges computes what changes of flags do to the sync CRC of a mailbox.
// In STORE 1:* a quarter of the time went to these CRCs.
type crcChanges struct {
	old, new states
}

// change is the basic CRC of old XORed with that of new: the same live
// message with other flags, modseq or time of change.
//
// CRCs are linear, so that only what is different from message to message,
// UID and modseq, need be looked at: what the texts of the states add is
// known, and of what follows, which is the same in both, only the length
// counts. One octet after the other was three times as slow, as each step
// waits for the one before.
func (x *crcChanges) change(c *flagCRCs, old, new *Record) uint32 {
	x.old.of(c, old)
	x.new.of(c, new)
	if max(old.Modseq, new.Modseq, uint64(old.UID)) >= maxPacked {
		return c.basic(old) ^ c.basic(new)
	}
	uid, n := packDigits(old.UID)
	start := register(skipOf(n).of(^uint32(0))^uid, []byte{' '})
	modseq, n := packDigits(uint32(old.Modseq))
	was := skipOf(x.old.n).of(skipOf(n).of(start)^modseq) ^ x.old.alone
	modseq, n = packDigits(uint32(new.Modseq))
	is := skipOf(x.new.n).of(skipOf(n).of(start)^modseq) ^ x.new.alone
	return skipOf(len(") ") + digits(uint32(old.InternalDate)) + len(" ") + 2*len(GUID{})).of(was ^ is)
}

// maxPacked is above the numbers that packDigits takes.
const maxPacked = 100_000_000

// packDigits is what the decimal digits of a number below maxPacked make of
// the register of a CRC, if it was 0 before, and how many they are. All eight
// digits are found at once, each in an octet, the first in the lowest.
func packDigits(n uint32) (crc uint32, count int) {
	const each = 0x0101010101010101
	x := uint64(n/10000) | uint64(n%10000)<<32
	hundreds := (x * 10486 >> 20) & 0x7f0000007f
	x = hundreds | (x-100*hundreds)<<16
	tens := (x * 103 >> 10) & 0x000f000f000f000f
	x = tens | (x-10*tens)<<8
	before := min(bits.TrailingZeros64(x)/8, 7) // zeros in front
	x = (x + '0'*each) >> (8 * before) << (8 * before)
	return skipOf(8).of(uint32(x)) ^ skipOf(4).of(uint32(x>>32)), 8 - before
}

// digits is the number of decimal digits of n.
func digits(n uint32) int {
	d := 1
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}

// skip takes the register of a CRC over octets that are all 0, and so the
// difference of two over octets that are the same in both texts.
type skip [4][256]uint32

func (s *skip) of(crc uint32) uint32 {
	return s[0][crc&0xff] ^ s[1][crc>>8&0xff] ^ s[2][crc>>16&0xff] ^ s[3][crc>>24]
}

// skips is by the number of octets, each made when it is wanted first. The
// longest is what follows the flags in the text of a basic CRC.
var skips [2 + 10 + 1 + 2*20 + 1]atomic.Pointer[skip]

func skipOf(n int) *skip {
	if s := skips[n].Load(); s != nil {
		return s
	}
	return makeSkip(n)
}

func makeSkip(n int) *skip {
	s := newSkip(n)
	skips[n].Store(s)
	return s
}

// newSkip is the skip of n octets.
func newSkip(n int) *skip {
	var bit [32]uint32 // what becomes of each bit alone
	for i := range bit {
		crc := uint32(1) << i
		for range n {
			crc = crc32.IEEETable[crc&0xff] ^ crc>>8
		}
		bit[i] = crc
	}
	s := new(skip)
	for i := range s {
		for x := 1; x < 256; x++ {
			low := bits.TrailingZeros(uint(x))
			s[i][x] = s[i][x&(x-1)] ^ bit[8*i+low]
		}
	}
	return s
}

// Entries that are kept in the record and hashed as if they were
// annotations, from the version on that has the field.
const (
	annotThread  = "/vendor/cmu/cyrus-imapd/thrid"
	annotSaved   = "/vendor/cmu/cyrus-imapd/savedate"
	annotCreated = "/vendor/cmu/cyrus-imapd/createdmodseq"
)

// annotCRC is the CRC of one annotation value. user is "" for shared ones.
func annotCRC(uid uint32, entry, user string, value []byte) uint32 {
	b := make([]byte, 0, 128)
	b = strconv.AppendUint(b, uint64(uid), 10)
	b = append(b, ' ')
	b = append(b, entry...)
	b = append(b, ' ')
	b = append(b, user...)
	b = append(b, ' ')
	b = append(b, value...)
	return crc32.ChecksumIEEE(b)
}

// virtualCRC is the part of the annotation CRC that comes from the record.
func virtualCRC(r *Record, version uint32) uint32 {
	if !r.Live() {
		return 0
	}
	var crc uint32
	if r.CID != 0 && version >= 13 {
		crc ^= annotCRC(r.UID, annotThread, "", strconv.AppendUint(nil, r.CID, 16))
	}
	if r.SaveDate != 0 && version >= 15 {
		crc ^= annotCRC(r.UID, annotSaved, "", strconv.AppendUint(nil, uint64(r.SaveDate), 10))
	}
	if r.CreatedModseq != 0 && version >= 16 {
		crc ^= annotCRC(r.UID, annotCreated, "", strconv.AppendUint(nil, r.CreatedModseq, 10))
	}
	return crc
}

// isVirtual reports whether an entry is kept in the record of a version.
func isVirtual(entry string, version uint32) bool {
	switch entry {
	case annotThread:
		return version >= 13
	case annotSaved:
		return version >= 15
	case annotCreated:
		return version >= 16
	}
	return false
}

// annotsCRC is the part of the annotation CRC that comes from stored
// annotations.
func annotsCRC(as []Annotation, version uint32) uint32 {
	var crc uint32
	for i := range as {
		a := &as[i]
		if len(a.Value) == 0 || isVirtual(a.Entry, version) {
			continue
		}
		crc ^= annotCRC(a.UID, a.Entry, a.User, a.Value)
	}
	return crc
}
