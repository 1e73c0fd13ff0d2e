package mailbox

import (
	"hash/crc32"
	"strconv"
	"strings"
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

// basic is the basic CRC of one message. Expunged ones have none.
func (c *flagCRCs) basic(r *Record) uint32 {
	if !r.Live() {
		return 0
	}
	var flags uint32
	for i, crc := range systemCRCs {
		if r.Flags>>i&1 != 0 {
			flags ^= crc
		}
	}
	r.User.Each(func(n int) { flags ^= c.user[n] })
	b := make([]byte, 0, 128)
	b = strconv.AppendUint(b, uint64(r.UID), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, r.Modseq, 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(r.LastUpdated), 10)
	b = append(b, " ("...)
	b = strconv.AppendUint(b, uint64(flags), 10)
	b = append(b, ") "...)
	b = strconv.AppendUint(b, uint64(r.InternalDate), 10)
	b = append(b, ' ')
	const hexDigits = "0123456789abcdef"
	for _, x := range r.GUID {
		b = append(b, hexDigits[x>>4], hexDigits[x&15])
	}
	return crc32.ChecksumIEEE(b)
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
