package message

import (
	"encoding/binary"
	"errors"

	"gocyrus/libcyrus/errs"
)

// Item names one item of a cache record.
type Item uint8

// The items, in the order of the record.
const (
	ItemEnvelope Item = iota
	ItemBodyStructure
	ItemBody
	ItemSection
	ItemHeaders
	ItemFrom
	ItemTo
	ItemCc
	ItemBcc
	ItemSubject
	Items // number of items
)

// Cache is a view of one cache record; it refers to the octets it was made
// of and reads nothing else.
type Cache struct {
	items   [Items][]byte
	version int
}

// ParseCache reads the record at the start of b, which may be longer, and
// returns it and its length. version is the cache version of the index
// record; it says how the SECTION item reads. The error is of kind
// errs.BadFormat.
func ParseCache(b []byte, version int) (c Cache, n int, err error) {
	c.version = version
	for i := range c.items {
		if len(b)-n < 4 {
			return Cache{}, 0, badCache("record is cut off")
		}
		size := uint64(binary.BigEndian.Uint32(b[n:]))
		n += 4
		if uint64(len(b)-n) < (size+3)&^3 {
			return Cache{}, 0, badCache("item is longer than the record")
		}
		c.items[i] = b[n : n+int(size) : n+int(size)]
		n += int(size+3) &^ 3
	}
	return c, n, nil
}

func badCache(text string) error {
	return errs.New(errs.BadFormat, "message.ParseCache", "", errors.New(text))
}

// Item returns the octets of item i without padding.
func (c *Cache) Item(i Item) []byte { return c.items[i] }

// Version is the cache version the view was made with.
func (c *Cache) Version() int { return c.version }

// noHeader is the size of a part that has no header or text of its own.
const noHeader = 1<<32 - 1

// Section is one part of a message as the SECTION item describes it.
// Offsets count from the start of the message file.
type Section struct {
	HeaderOffset, HeaderSize   uint32 // size 2^32-1: the part has no header
	ContentOffset, ContentSize uint32
	Encoding                   Encoding
	Charset                    string // "" = none
	Content                    GUID   // of the decoded content; zero before cache version 5
	DecodedSize                uint32 // 0 before version 8
	Lines                      uint32 // 0 before version 9
	// Parts of an inner message or multipart; Parts[0] is the header and text
	// of the whole of it. Nil for a leaf.
	Parts []Section
}

// Sections decodes the SECTION item. The root stands for a message/rfc822
// part that holds the whole message: only its Parts are set. The error is of
// kind errs.BadFormat.
func (c *Cache) Sections() (*Section, error) {
	d := sectionReader{b: c.items[ItemSection], version: c.version}
	var root Section
	d.node(&root, 0)
	if d.bad || len(d.b) != 0 {
		return nil, badCache("bad SECTION item")
	}
	return &root, nil
}

type sectionReader struct {
	b       []byte
	version int
	bad     bool
}

// u32 reads a number; 0 at the end, and bad is set.
func (d *sectionReader) u32() uint32 {
	if len(d.b) < 4 {
		d.bad = true
		d.b = nil
		return 0
	}
	v := binary.BigEndian.Uint32(d.b)
	d.b = d.b[4:]
	return v
}

// bytes reads n octets.
func (d *sectionReader) bytes(n int) []byte {
	if len(d.b) < n {
		d.bad = true
		d.b = nil
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

// maxSectionDepth bounds the nesting; a multipart takes one level and a
// message two, and the parser makes no more than maxDepth of either.
const maxSectionDepth = 2*maxDepth + 8

func (d *sectionReader) node(s *Section, depth int) {
	n := d.u32()
	if n == 0 || d.bad {
		return
	}
	if depth > maxSectionDepth || uint64(n)*20 > uint64(len(d.b)) {
		d.bad = true
		return
	}
	s.Parts = make([]Section, n)
	for i := range s.Parts {
		d.part(&s.Parts[i])
	}
	for i := 1; i < len(s.Parts) && !d.bad; i++ {
		d.node(&s.Parts[i], depth+1)
	}
}

func (d *sectionReader) part(p *Section) {
	p.HeaderOffset, p.HeaderSize = d.u32(), d.u32()
	p.ContentOffset, p.ContentSize = d.u32(), d.u32()
	word := d.u32()
	p.Encoding = Encoding(word & 0xff)
	if n := int(word >> 16); n > 0 && d.version >= 4 {
		name := d.bytes(n)
		for len(name) > 0 && name[len(name)-1] == 0 {
			name = name[:len(name)-1]
		}
		p.Charset = string(name)
	}
	if d.version >= 5 {
		copy(p.Content[:], d.bytes(len(p.Content)))
	}
	if d.version >= 8 {
		p.DecodedSize = d.u32()
	}
	if d.version >= 9 {
		p.Lines = d.u32()
	}
}

// Kind says what of a part BODY[…] asks for.
type Kind uint8

// The kinds of section text (RFC 3501 section 6.4.5).
const (
	Whole        Kind = iota // BODY[1.2], BODY[]
	Header                   // BODY[1.2.HEADER]
	Text                     // BODY[1.2.TEXT]
	MIME                     // BODY[1.2.MIME]
	HeaderFields             // BODY[1.2.HEADER.FIELDS (…)], also .NOT: the header to choose from
)

// Span is a range of octets of the message file, and how they are encoded.
type Span struct {
	Offset, Size uint32
	Encoding     Encoding // of content; None for headers
}

// Find returns the octets that BODY[path.kind] names; false if there is no
// such part, which is NIL to the client. The receiver is the root. For BODY[]
// itself nothing needs to be found: it is the message file.
//
// HEADER is for messages only, but HEADER.FIELDS of any other part chooses
// from its MIME header, as in Cyrus; of an empty header it is NIL.
//
// Source: index_fetchsection in Cyrus imap/index.c.
func (s *Section) Find(path []uint32, kind Kind) (Span, bool) {
	if len(s.Parts) == 0 {
		return Span{}, false
	}
	node := s // node.Parts are what the next number of the path chooses from
	var part *Section
	for _, n := range path {
		if n == 0 || uint64(n) >= uint64(len(node.Parts)) {
			return Span{}, false
		}
		part = &node.Parts[n]
		node = part
	}
	if len(node.Parts) == 0 && kind != Whole && kind != MIME && kind != HeaderFields {
		return Span{}, false
	}
	switch kind {
	case Whole:
		if part == nil {
			top := &s.Parts[0]
			return Span{Offset: top.HeaderOffset, Size: top.HeaderSize + top.ContentSize, Encoding: Unknown}, true
		}
		return part.contentSpan()
	case MIME:
		if part == nil {
			return Span{}, false
		}
		return part.headerSpan()
	case Header:
		return node.Parts[0].headerSpan()
	case HeaderFields:
		if len(node.Parts) > 0 && node.Parts[0].HeaderSize != noHeader {
			node = &node.Parts[0]
		}
		span, ok := node.headerSpan()
		return span, ok && span.Size > 0
	}
	// A message whose only part repeats the header is no multipart: its text
	// is that part, which is empty for a broken multipart.
	inner := &node.Parts[0]
	if len(node.Parts) == 2 && node.Parts[1].HeaderOffset == inner.HeaderOffset {
		inner = &node.Parts[1]
	}
	return inner.contentSpan()
}

func (s *Section) headerSpan() (Span, bool) {
	if s.HeaderSize == noHeader {
		return Span{}, false
	}
	return Span{Offset: s.HeaderOffset, Size: s.HeaderSize}, true
}

func (s *Section) contentSpan() (Span, bool) {
	if s.ContentSize == noHeader {
		return Span{}, false
	}
	return Span{s.ContentOffset, s.ContentSize, s.Encoding}, true
}
