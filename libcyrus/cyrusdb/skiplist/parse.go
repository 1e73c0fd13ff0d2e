package skiplist

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const (
	headerSize = 48
	version    = 1
	maxLevel   = 20
	endOfPtrs  = 0xffffffff
)

// Types of records.
const (
	typeDummy   = 257
	typeInOrder = 1
	typeAdd     = 2
	typeDelete  = 4
	typeCommit  = 255
)

// Parse returns all records of a file: those in order, and what the
// committed part of the log makes of them. A log that ends in the middle of
// a record was interrupted; its last transaction does not count.
func Parse(b []byte) (map[string][]byte, error) {
	if len(b) < headerSize || string(b[:len(Magic)]) != Magic {
		return nil, ErrNotSkiplist
	}
	if v := binary.BigEndian.Uint32(b[20:]); v != version {
		return nil, fmt.Errorf("version %d", v)
	}
	p := parser{b: b, at: headerSize, values: map[string][]byte{}, keyAt: map[uint32]string{}}
	for p.at < len(b) && !p.cut && p.err == nil {
		p.record()
	}
	return p.values, p.err
}

type parser struct {
	b       []byte
	at      int
	cut     bool // the file ends before the record does
	err     error
	values  map[string][]byte
	keyAt   map[uint32]string // key of the record at an offset
	pending []change          // since the last commit
}

// change is a logged one; a nil value removes the key.
type change struct {
	key   string
	value []byte
}

// record reads one record.
func (p *parser) record() {
	start := uint32(p.at)
	switch typ := p.number(); {
	case p.cut:
	case typ == typeDummy, typ == typeInOrder, typ == typeAdd:
		key, value := p.padded(), p.padded()
		p.pointers()
		switch {
		case p.cut || p.err != nil || typ == typeDummy:
			return
		case typ == typeInOrder:
			p.values[string(key)] = value
		default:
			p.pending = append(p.pending, change{string(key), value})
		}
		p.keyAt[start] = string(key)
	case typ == typeDelete:
		key, ok := p.keyAt[p.number()]
		if !p.cut && !ok {
			p.err = fmt.Errorf("at %08X: deletes no record", start)
		}
		p.pending = append(p.pending, change{key: key})
	case typ == typeCommit:
		p.commit()
	case len(bytes.Trim(p.b[start:], "\x00")) == 0: // space that was never written
		p.cut = true
	default:
		p.err = fmt.Errorf("at %08X: unknown type of record %d", start, typ)
	}
}

func (p *parser) commit() {
	for _, c := range p.pending {
		if c.value == nil {
			delete(p.values, c.key)
		} else {
			p.values[c.key] = c.value
		}
	}
	p.pending = p.pending[:0]
}

// number reads 32 bits.
func (p *parser) number() uint32 {
	if p.cut = p.cut || len(p.b)-p.at < 4; p.cut {
		return 0
	}
	p.at += 4
	return binary.BigEndian.Uint32(p.b[p.at-4:])
}

// padded reads a length and that many octets; it never returns nil.
func (p *parser) padded() []byte {
	n := int(p.number())
	if p.cut = p.cut || n > len(p.b)-p.at; p.cut {
		return []byte{}
	}
	s := p.b[p.at : p.at+n : p.at+n]
	p.at += (n + 3) &^ 3
	return s
}

// pointers skips the forward pointers.
func (p *parser) pointers() {
	for range maxLevel + 1 {
		if p.number() == endOfPtrs || p.cut {
			return
		}
	}
	p.err = fmt.Errorf("at %08X: too many pointers", p.at)
}
