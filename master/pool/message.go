// Package pool decides when worker processes are started: it keeps the
// table of services and their processes, counts who is ready, and holds
// back what dies or multiplies too fast. It makes no system call but to
// read the clock, so that every rule can be tested.
//
// Nothing here may be used by two goroutines at once.
package pool

import "encoding/binary"

// Kind is what a worker says on its status pipe.
type Kind int32

// The kinds of message. Source: Cyrus master/service.h.
const (
	Available       Kind = 1 // it can take a client again
	Unavailable     Kind = 2 // it takes a client, or leaves
	Connection      Kind = 3 // the client that it takes is let in
	ConnectionMulti Kind = 4 // one more client; it can take others still
)

// MessageSize is the length of a message on the pipe, in bytes.
const MessageSize = 8

// Message is one message: two ints in the byte order of the machine.
type Message struct {
	Kind Kind
	PID  int32
}

// DecodeMessages returns the whole messages in b, and how many bytes at the
// end are none. Writes of up to 4096 bytes to a pipe are not torn, so a rest
// is the work of a process that does not know the protocol.
func DecodeMessages(b []byte) (all []Message, rest int) {
	for len(b) >= MessageSize {
		all = append(all, Message{
			Kind: Kind(binary.NativeEndian.Uint32(b)),
			PID:  int32(binary.NativeEndian.Uint32(b[4:])),
		})
		b = b[MessageSize:]
	}
	return all, len(b)
}
