// Package message reads Internet messages as Cyrus 3.6.1 does: structure
// with byte offsets, the ten items of a cyrus.cache record, transfer
// encodings, charsets, search form, and the rules by which a message is
// accepted by APPEND and LMTP.
package message

import (
	"crypto/sha1"
	"io"
	"math"
	"time"

	"gocyrus/libcyrus/errs"
)

// CacheVersion is the version of the cache records made here
// (MAILBOX_CACHE_MINOR_VERSION of Cyrus 3.6).
const CacheVersion = 11

// GUID is the SHA-1 of some octets; all zero stands for none.
type GUID [20]byte

// Options are the settings that Parse obeys. The zero value has Cyrus's
// defaults.
type Options struct {
	MaxHeaderLines int            // maxheaderlines; 0 = 1000, negative = no limit
	BoundaryLimit  int            // boundary_limit; 0 = 1000, negative = no limit
	RFC2046Strict  bool           // rfc2046_strict
	RFC2047UTF8    bool           // rfc2047_utf8: 8-bit header octets are UTF-8
	Location       *time.Location // for Times; nil = time.Local
}

// Message is a parsed message.
type Message struct {
	Size       int64 // octets of the whole message
	HeaderSize int64 // octets before the body, with the empty line
	GUID       GUID  // of all its octets

	root   part
	cached []byte // the HEADERS item
	header []byte
	utf8   bool
	loc    *time.Location
}

// Parse reads a message that is in memory. The result refers to b.
func Parse(b []byte, o Options) (*Message, error) {
	m, err := parse(memorySource(b), o)
	if err == nil {
		m.GUID = sha1.Sum(b)
	}
	return m, err
}

// ParseReader reads a message of size octets from r, which may be read twice
// and more. It keeps header blocks in memory, never content. The error is
// of kind errs.IO if r fails or ends early.
func ParseReader(r io.ReaderAt, size int64, o Options) (*Message, error) {
	m, err := parse(readerSource(r, size), o)
	if err != nil {
		return nil, err
	}
	h := sha1.New()
	if err := eachPiece(io.NewSectionReader(r, 0, size), func(p []byte) { h.Write(p) }); err != nil {
		return nil, errs.New(errs.IO, "message.ParseReader", "", err)
	}
	h.Sum(m.GUID[:0])
	return m, nil
}

func parse(src *source, o Options) (*Message, error) {
	if src.size > math.MaxUint32 {
		return nil, errs.New(errs.TooBig, "message.Parse", "", nil)
	}
	p := parser{src: src, o: o, maxLines: limitOf(o.MaxHeaderLines), limit: int(limitOf(o.BoundaryLimit))}
	m := &Message{Size: src.size, utf8: o.RFC2047UTF8, loc: o.Location}
	if m.loc == nil {
		m.loc = time.Local
	}
	p.body(&m.root, false, roleTop)
	src.release()
	if src.err != nil {
		return nil, errs.New(errs.IO, "message.Parse", "", src.err)
	}
	m.HeaderSize = m.root.headerSize
	m.cached, m.header = p.cached, p.header
	return m, nil
}

// limitOf is the limit an option stands for, 0 for none.
func limitOf(option int) int64 {
	switch {
	case option == 0:
		return 1000
	case option < 0:
		return 0
	}
	return int64(option)
}

// Times returns what the index record keeps of the Date field: midnight
// local time of the day it names, and the moment it names. What of it is
// unusable comes from internal, the INTERNALDATE.
//
// Source: message_create_record in Cyrus imap/message.c, append_setup there
// for the values that replace 0.
func (m *Message) Times(internal time.Time) (sentdate, gmtime time.Time) {
	date := string(m.root.env.date)
	gmtime, ok := ParseDate(date)
	if !ok || gmtime.Unix() == 0 {
		gmtime = internal
	}
	sentdate, ok = parseDay(date, m.loc)
	if !ok || sentdate.Unix() == 0 {
		y, mon, d := internal.In(m.loc).Date()
		sentdate = time.Date(y, mon, d, 0, 0, 0, 0, m.loc)
	}
	return sentdate, gmtime
}

// MessageID is the Message-ID field as it is in the envelope, or "".
func (m *Message) MessageID() string { return string(m.root.env.messageID) }

// Header is the header block of the message, with the empty line if it has one.
func (m *Message) Header() []byte { return m.header }
