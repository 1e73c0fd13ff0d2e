// Package dbwire is what cyrusdbd and its clients must agree on: the frames
// of their protocol, and the page of generations that they all map.
//
// A frame is, with all numbers big endian:
//
//	u32 length of what follows
//	u32 id, chosen by the client; the reply has the same
//	u8  operation in a request, status in a reply
//	    payload
//
// Octet strings are a u32 length and the octets; length 0xFFFFFFFF is nil.
// A client may send requests without waiting for replies, which come in any
// order. The first request is Hello.
package dbwire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Magic begins the payload of Hello.
const Magic = "gocyrus database"

// Versions of the protocol that this code speaks. Both sides use the highest
// that both know. To change it, raise Version; the previous one stays.
const (
	MinVersion = 1
	Version    = 1
)

// MaxFrame is the longest frame in octets. A transaction must fit.
const MaxFrame = 64 << 20

// Op is what a client asks for.
type Op uint8

// The operations, with the payload of request and of an OK reply.
const (
	Hello      Op = 1  // HelloRequest; HelloReply
	Ping       Op = 2  // nothing; nothing
	Get        Op = 3  // key; value
	Scan       Op = 4  // from, end, u32 limit of octets; u8 more, then key, value …
	Commit     Op = 5  // CommitRequest; nothing
	Checkpoint Op = 6  // path of a new directory; nothing
	Flush      Op = 7  // nothing; nothing: all is in table files
	Handover   Op = 8  // nothing; nothing: a temporary server goes away
	Clear      Op = 9  // first key, end; nothing: removes all keys between
	SetEpoch   Op = 10 // u64; nothing: see HelloReply
	Freeze     Op = 11 // nothing; u64 handle: all databases as they are now, for this connection (FeatureFreeze)
	ScanFrozen Op = 12 // u64 handle, then as Scan; as Scan, NotFound if the handle is not known
	Thaw       Op = 13 // u64 handle; nothing
)

// Features are what one side can do beyond the version of the protocol.
// Each is a bit in Hello's answer; whoever does not know a bit ignores it.
type Features uint32

// FeatureFreeze says that Freeze, ScanFrozen and Thaw are there.
const FeatureFreeze Features = 1 << 0

// Status is how an operation ended.
type Status uint8

// The statuses. The payload of all but OK and NotFound is a text.
const (
	OK       Status = 0
	NotFound Status = 1 // Get: no such key; ScanFrozen: no such handle
	Conflict Status = 2 // Commit: a condition does not hold
	DiskFull Status = 3 // nothing can be written until there is room
	Refused  Status = 4 // the request is wrong, or not allowed
	Failed   Status = 5 // an error of the server's
	Leaving  Status = 6 // the server is about to end: ask the next one
)

// ErrTooLong is the error of a frame longer than MaxFrame.
var ErrTooLong = errors.New("frame too long")

// headSize is length, id and operation.
const headSize = 9

// AppendHead appends the head of a frame whose payload follows. When that is
// complete, Finish fills in the length.
func AppendHead(b []byte, id uint32, op uint8) []byte {
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, id)
	return append(b, op)
}

// Finish sets the length of the frame that begins at start.
func Finish(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// ReadFrame reads a frame. The payload is in buf if it fits, and valid as
// long as buf is not changed.
func ReadFrame(r *bufio.Reader, buf []byte) (id uint32, op uint8, payload []byte, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n > MaxFrame {
		return 0, 0, nil, ErrTooLong
	}
	if n < headSize-4 {
		return 0, 0, nil, fmt.Errorf("frame of %d octets", n)
	}
	n -= headSize - 4
	if n > cap(buf) {
		buf = make([]byte, n)
	}
	payload = buf[:n]
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, 0, nil, io.ErrUnexpectedEOF
	}
	return binary.BigEndian.Uint32(head[4:]), head[8], payload, nil
}

const nilLength = 0xffffffff

// AppendBytes appends an octet string or nil.
func AppendBytes(b, s []byte) []byte {
	if s == nil {
		return binary.BigEndian.AppendUint32(b, nilLength)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// Reader reads a payload. After the first error all it returns is zero.
type Reader struct {
	B   []byte // what has not been read yet
	Bad bool   // the payload was too short
}

func (r *Reader) take(n int) []byte {
	if n > len(r.B) {
		r.Bad, r.B = true, nil
	}
	if r.Bad {
		return nil
	}
	s := r.B[:n:n]
	r.B = r.B[n:]
	return s
}

// U8 reads one octet.
func (r *Reader) U8() uint8 {
	if s := r.take(1); s != nil {
		return s[0]
	}
	return 0
}

// U16 reads 16 bits.
func (r *Reader) U16() uint16 {
	if s := r.take(2); s != nil {
		return binary.BigEndian.Uint16(s)
	}
	return 0
}

// U32 reads 32 bits.
func (r *Reader) U32() uint32 {
	if s := r.take(4); s != nil {
		return binary.BigEndian.Uint32(s)
	}
	return 0
}

// U64 reads 64 bits.
func (r *Reader) U64() uint64 {
	if s := r.take(8); s != nil {
		return binary.BigEndian.Uint64(s)
	}
	return 0
}

// Bytes reads an octet string, which refers to the payload, or nil.
func (r *Reader) Bytes() []byte {
	n := r.U32()
	if n == nilLength || r.Bad {
		return nil
	}
	if n > MaxFrame {
		r.Bad = true
		return nil
	}
	return r.take(int(n))
}
