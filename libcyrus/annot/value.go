package annot

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Value is a stored annotation.
type Value struct {
	Data    []byte // nil only if Deleted
	Modseq  uint64 // of message annotations
	Deleted bool   // what is left of a removed message annotation
}

var errValue = errors.New("annotation value is damaged")

// contentType stands in every value and means nothing.
const contentType = "text/plain"

// flagDeleted is the bit of a removed annotation.
const flagDeleted = 1

// decode reads a value:
//
//	u32 length, big endian; 4 zero bytes   (a long of the host that holds htonl(length))
//	data, NUL
//	content type, NUL
//	8 zero bytes                           (once the time of the change)
//	u64 modseq, big endian; u8 flags       missing in old values
//
// Source: split_attribs in Cyrus imap/annotate.c; layout of 64-bit,
// little-endian hosts.
func decode(b []byte) (Value, error) {
	if len(b) < 8 {
		return Value{}, errValue
	}
	n := int64(binary.BigEndian.Uint32(b))
	b = b[8:]
	if n >= int64(len(b)) || b[n] != 0 {
		return Value{}, errValue
	}
	v := Value{Data: bytes.Clone(b[:n:n])}
	_, rest, ok := bytes.Cut(b[n+1:], []byte{0})
	if !ok {
		return v, nil
	}
	if len(rest) >= 8+8+1 {
		v.Modseq = binary.BigEndian.Uint64(rest[8:])
		v.Deleted = rest[16]&flagDeleted != 0
	}
	if v.Deleted {
		v.Data = nil
	} else if v.Data == nil {
		v.Data = []byte{}
	}
	return v, nil
}

// encode writes what decode reads.
func (v Value) encode() []byte {
	b := make([]byte, 0, 8+len(v.Data)+1+len(contentType)+1+8+8+1)
	b = binary.BigEndian.AppendUint32(b, uint32(len(v.Data)))
	b = append(b, 0, 0, 0, 0)
	b = append(append(b, v.Data...), 0)
	b = append(append(b, contentType...), 0)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, v.Modseq)
	var flags byte
	if v.Deleted {
		flags = flagDeleted
	}
	return append(b, flags)
}
