package dbwire

import (
	"encoding/binary"

	"gocyrus/libcyrus/cyrusdb/kv"
)

// ClientID names a client process, across its connections.
type ClientID [16]byte

// HelloRequest is the first request.
type HelloRequest struct {
	Min, Max uint16 // versions the client speaks
	Client   ClientID
}

// Append appends the payload.
func (h HelloRequest) Append(b []byte) []byte {
	b = append(b, Magic...)
	b = binary.BigEndian.AppendUint16(b, h.Min)
	b = binary.BigEndian.AppendUint16(b, h.Max)
	b = binary.BigEndian.AppendUint32(b, 0) // features, none yet
	return append(b, h.Client[:]...)
}

// Decode reads the payload; false if it is none.
func (h *HelloRequest) Decode(b []byte) bool {
	r := Reader{B: b}
	if string(r.take(len(Magic))) != Magic {
		return false
	}
	h.Min, h.Max = r.U16(), r.U16()
	r.U32()
	copy(h.Client[:], r.take(len(h.Client)))
	return !r.Bad
}

// HelloReply says who serves.
type HelloReply struct {
	Version   uint16
	Features  Features
	Pid       uint32
	Temporary bool   // it leaves when nobody needs it
	ReadOnly  bool   // it cannot write now
	Site      string // names the data, as the markers do
	Epoch     uint64 // grows when the data are declared the true ones
}

// Append appends the payload.
func (h HelloReply) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, h.Version)
	b = binary.BigEndian.AppendUint32(b, uint32(h.Features))
	b = binary.BigEndian.AppendUint32(b, h.Pid)
	var flags uint8
	if h.Temporary {
		flags |= 1
	}
	if h.ReadOnly {
		flags |= 2
	}
	b = append(b, flags)
	b = AppendBytes(b, []byte(h.Site))
	return binary.BigEndian.AppendUint64(b, h.Epoch)
}

// Decode reads the payload; false if it is none.
func (h *HelloReply) Decode(b []byte) bool {
	r := Reader{B: b}
	h.Version = r.U16()
	h.Features = Features(r.U32())
	h.Pid = r.U32()
	flags := r.U8()
	h.Temporary, h.ReadOnly = flags&1 != 0, flags&2 != 0
	h.Site = string(r.Bytes())
	h.Epoch = r.U64()
	return !r.Bad
}

// CommitRequest is a transaction. It is done once however often it is sent:
// the server remembers the numbers of those it has committed, down to Done.
type CommitRequest struct {
	Seq  uint64 // grows by one with each transaction of the client
	Done uint64 // the client knows how all below this ended
	Tx   kv.Tx  // keys with the octet of their database in front
}

// Append appends the payload, with prefix in front of each key.
func (c CommitRequest) Append(b []byte, prefix byte) []byte {
	b = binary.BigEndian.AppendUint64(b, c.Seq)
	b = binary.BigEndian.AppendUint64(b, c.Done)
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.Tx.If)))
	for _, p := range c.Tx.If {
		b = AppendBytes(AppendKey(b, prefix, p.Key), p.Value)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.Tx.Set)))
	for _, p := range c.Tx.Set {
		b = AppendBytes(AppendKey(b, prefix, p.Key), p.Value)
	}
	return b
}

// AppendKey appends a key with the octet of its database.
func AppendKey(b []byte, prefix byte, key []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(key)+1))
	return append(append(b, prefix), key...)
}

// Decode reads the payload; false if it is none. Keys and values refer to it.
func (c *CommitRequest) Decode(b []byte) bool {
	r := Reader{B: b}
	c.Seq, c.Done = r.U64(), r.U64()
	const least = 8 // octets of a pair
	n := int(r.U32())
	if n > len(r.B)/least {
		return false
	}
	c.Tx.If = make([]kv.Cond, n)
	for i := range c.Tx.If {
		c.Tx.If[i] = kv.Cond{Key: r.Bytes(), Value: r.Bytes()}
	}
	if n = int(r.U32()); n > len(r.B)/least {
		return false
	}
	c.Tx.Set = make([]kv.KV, n)
	for i := range c.Tx.Set {
		c.Tx.Set[i] = kv.KV{Key: r.Bytes(), Value: r.Bytes()}
	}
	return !r.Bad && len(r.B) == 0
}
