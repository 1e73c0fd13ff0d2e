package message

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// CacheRecord is the cache record as it stands in cyrus.cache: ten items,
// each a length, octets and padding to a multiple of four (all numbers big
// endian). Its CRC for the index is crc32.ChecksumIEEE of it.
//
// Source: message_write_cache in Cyrus imap/message.c.
func (m *Message) CacheRecord() []byte {
	w := recordWriter{b: make([]byte, 0, 1024+2*len(m.cached))}
	env := m.root.env
	w.item(func() { w.envelope(env) })
	w.item(func() { w.body(&m.root, true) })
	w.item(func() { w.body(&m.root, false) })
	w.item(func() { w.section(&part{typ: "MESSAGE", subtype: "RFC822", inner: &m.root}) })
	w.item(func() { w.b = append(w.b, m.cached...) })
	w.item(func() { w.searchAddresses(env.from, m.utf8) })
	w.item(func() { w.searchAddresses(env.to, m.utf8) })
	w.item(func() { w.searchAddresses(env.cc, m.utf8) })
	w.item(func() { w.searchAddresses(env.bcc, m.utf8) })
	w.item(func() {
		if env.subject == nil {
			w.nstring(nil)
		} else {
			w.nstring(decodeWords(env.subject, m.utf8))
		}
	})
	return w.b
}

// recordWriter appends the parts of a cache record to b.
type recordWriter struct {
	b       []byte
	located bool // body says where each part lies
}

// item writes the length and the padding around what write appends.
func (w *recordWriter) item(write func()) {
	at := len(w.b)
	w.u32(0)
	write()
	n := len(w.b) - at - 4
	binary.BigEndian.PutUint32(w.b[at:], uint32(n))
	w.b = append(w.b, "\x00\x00\x00"[:-n&3]...)
}

func (w *recordWriter) u32(v int64) { w.b = binary.BigEndian.AppendUint32(w.b, uint32(v)) }

func (w *recordWriter) str(s string) { w.b = append(w.b, s...) }

func (w *recordWriter) space() { w.b = append(w.b, ' ') }

// AppendNString appends s as ENVELOPE and BODYSTRUCTURE write strings: NIL
// for nil, a quoted string without escapes where that is possible, else a
// literal. Source: message_write_nstring_map in Cyrus imap/message.c.
func AppendNString(dst, s []byte) []byte {
	switch {
	case s == nil:
		return append(dst, "NIL"...)
	case needsLiteral(s):
		dst = append(dst, '{')
		dst = strconv.AppendInt(dst, int64(len(s)), 10)
		dst = append(dst, "}\r\n"...)
		return append(dst, s...)
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func needsLiteral(s []byte) bool {
	if len(s) >= 1024 {
		return true
	}
	for _, c := range s {
		if c >= 0x80 || c == 0 || c == '\r' || c == '\n' || c == '"' || c == '%' || c == '\\' {
			return true
		}
	}
	return false
}

func (w *recordWriter) nstring(s []byte) { w.b = AppendNString(w.b, s) }

func (w *recordWriter) quoted(s string) { w.b = AppendNString(w.b, []byte(s)) }

func (w *recordWriter) envelope(e *envelope) {
	sender, replyTo := e.sender, e.replyTo
	if len(sender) == 0 {
		sender = e.from
	}
	if len(replyTo) == 0 {
		replyTo = e.from
	}
	w.str("(")
	w.nstring(e.date)
	w.space()
	w.nstring(e.subject)
	for _, list := range [...][]Address{e.from, sender, replyTo, e.to, e.cc, e.bcc} {
		w.space()
		w.addresses(list)
	}
	w.space()
	w.nstring(e.inReplyTo)
	w.space()
	w.nstring(e.messageID)
	w.str(")")
}

func (w *recordWriter) addresses(list []Address) {
	if len(list) == 0 {
		w.nstring(nil)
		return
	}
	w.str("(")
	for _, a := range list {
		w.str("(")
		w.nstring(a.Name)
		w.space()
		w.nstring(a.Route)
		w.space()
		w.nstring(a.Mailbox)
		w.space()
		w.nstring(a.Host)
		w.str(")")
	}
	w.str(")")
}

func (w *recordWriter) params(list []param) {
	if len(list) == 0 {
		w.nstring(nil)
		return
	}
	w.str("(")
	for i, a := range list {
		if i > 0 {
			w.space()
		}
		w.nstring(a.name)
		w.space()
		w.nstring(a.value)
	}
	w.str(")")
}

// emptyText stands for a multipart without parts.
var emptyText = part{typ: "TEXT", subtype: "PLAIN", params: defaultParams}

// body writes BODYSTRUCTURE (extended) or BODY.
func (w *recordWriter) body(b *part, extended bool) {
	at := b
	if b.isMultipart() {
		if len(b.parts) == 0 {
			b = &emptyText
		} else {
			w.multipart(b, extended)
			return
		}
	}
	w.str("(")
	w.quoted(b.typ)
	w.space()
	w.quoted(b.subtype)
	w.space()
	w.params(b.params)
	w.space()
	w.nstring(b.id)
	w.space()
	w.nstring(b.description)
	w.space()
	if b.encoding == nil {
		w.str(`"7BIT"`)
	} else {
		w.nstring(b.encoding)
	}
	w.space()
	w.number(b.contentSize)
	switch {
	case b.typ == "TEXT":
		w.space()
		w.number(b.contentLines)
	case b.isMessage():
		w.space()
		w.envelope(b.inner.env)
		w.space()
		w.body(b.inner, extended)
		w.space()
		w.number(b.contentLines)
	}
	if extended {
		w.space()
		w.nstring(b.md5)
		w.space()
		w.extension(b)
		if w.located {
			w.b = fmt.Appendf(w.b, " (OFFSET %d HEADERSIZE %d)", at.contentOffset, at.headerSize)
		}
	}
	w.str(")")
}

// Located is BODYSTRUCTURE with the place of each part that has none in it,
// as annotators want it.
//
// Source: message_write_body in Cyrus imap/message.c.
func (m *Message) Located() []byte {
	w := recordWriter{located: true}
	w.body(&m.root, true)
	return w.b
}

// number writes n as Cyrus's 32-bit count.
func (w *recordWriter) number(n int64) { w.b = strconv.AppendUint(w.b, uint64(uint32(n)), 10) }

func (w *recordWriter) multipart(b *part, extended bool) {
	w.str("(")
	for i := range b.parts {
		w.body(&b.parts[i], extended)
	}
	w.space()
	w.quoted(b.subtype)
	if extended {
		w.space()
		w.params(b.params)
		w.space()
		w.extension(b)
	}
	w.str(")")
}

// extension writes disposition, language and location.
func (w *recordWriter) extension(b *part) {
	if b.disposition == nil {
		w.nstring(nil)
	} else {
		w.str("(")
		w.nstring(b.disposition)
		w.space()
		w.params(b.dispositionParams)
		w.str(")")
	}
	w.space()
	if len(b.language) == 0 {
		w.nstring(nil)
	} else {
		w.str("(")
		for i, l := range b.language {
			if i > 0 {
				w.space()
			}
			w.nstring(l)
		}
		w.str(")")
	}
	w.space()
	w.nstring(b.location)
}

// section writes the node of the SECTION tree for b.
//
// Source: message_write_section in Cyrus imap/message.c.
func (w *recordWriter) section(b *part) {
	switch {
	case b.isMessage():
		in := b.inner
		if len(in.parts) > 0 {
			w.u32(int64(len(in.parts)) + 1)
			w.sectionHead(in)
			w.noCharset(in)
			w.subsections(in.parts, false)
			return
		}
		w.u32(2)
		w.sectionHead(in)
		w.noCharset(in)
		w.sectionPart(in)
		w.section(in)
	case len(b.parts) > 0:
		w.u32(int64(len(b.parts)) + 1)
		w.u32(0)
		w.u32(-1)
		w.u32(0)
		w.u32(-1)
		w.noCharset(&part{})
		w.subsections(b.parts, true)
	default:
		w.u32(0)
	}
}

func (w *recordWriter) subsections(parts []part, nested bool) {
	for i := range parts {
		b := &parts[i]
		if b.isMultipart() && len(b.parts) == 0 {
			w.emptyMultipart(b, nested)
		} else {
			w.sectionHead(b)
			w.charset(b)
		}
	}
	for i := range parts {
		w.section(&parts[i])
	}
}

// emptyMultipart writes a multipart without parts as text of length 0.
func (w *recordWriter) emptyMultipart(b *part, nested bool) {
	w.u32(b.headerOffset)
	w.u32(b.headerSize)
	w.u32(b.contentOffset)
	w.u32(0)
	if nested {
		w.noCharset(b)
	} else {
		w.charset(b)
	}
}

// sectionPart writes the only part of a message that is no multipart.
func (w *recordWriter) sectionPart(b *part) {
	if !b.isMultipart() {
		w.sectionHead(b)
		w.charset(b)
		return
	}
	w.u32(b.headerOffset)
	w.u32(b.headerSize)
	w.u32(b.contentOffset)
	w.u32(0)
	w.noCharset(&part{})
}

func (w *recordWriter) sectionHead(b *part) {
	w.u32(b.headerOffset)
	w.u32(b.headerSize)
	w.u32(b.contentOffset)
	w.u32(b.contentSize)
}

func (w *recordWriter) noCharset(b *part) {
	w.u32(0xffff)
	w.digest(b)
}

func (w *recordWriter) charset(b *part) {
	name := b.charset()
	n := 0
	if name != "" {
		n = (len(name)/4 + 1) * 4
		if n > 0xffff {
			n, name = 0, ""
		}
	}
	w.u32(int64(n)<<16 | int64(b.transfer()))
	w.str(name)
	w.b = append(w.b, "\x00\x00\x00\x00"[:n-len(name)]...)
	w.digest(b)
}

func (w *recordWriter) digest(b *part) {
	w.b = append(w.b, b.content[:]...)
	w.u32(b.decodedSize)
	w.u32(b.contentLines)
}

// searchAddresses writes a list as FROM, TO, CC and BCC hold it.
//
// Source: message_write_searchaddr in Cyrus imap/message.c.
func (w *recordWriter) searchAddresses(list []Address, utf8 bool) {
	comma := false
	for _, a := range list {
		if a.Host == nil {
			if a.Mailbox == nil {
				w.str(";")
				comma = true
				continue
			}
			if comma {
				w.str(",")
			}
			w.b = append(w.b, decodeWords(a.Mailbox, utf8)...)
			w.str(":")
			comma = false
			continue
		}
		if comma {
			w.str(",")
		}
		if a.Name != nil {
			w.displayName(decodeWords(a.Name, utf8))
			w.space()
		}
		w.str("<")
		if a.Route != nil {
			w.lower(a.Route)
			w.str(":")
		}
		w.lower(a.Mailbox)
		w.str("@")
		w.lower(a.Host)
		w.str(">")
		comma = true
	}
}

// displayName writes a decoded name, quoted if it is no phrase of atoms
// (RFC 5322 section 3.2.3).
func (w *recordWriter) displayName(name []byte) {
	plain := true
	for _, c := range name {
		if !isAlnum(c) && !isSpace(c) && !indexByte("!#$%&'*+-/=?^_`{|}~", c) {
			plain = false
			break
		}
	}
	if plain {
		w.b = append(w.b, name...)
		return
	}
	w.str(`"`)
	for _, c := range name {
		if c == '\\' || c == '"' {
			w.str(`\`)
		}
		w.b = append(w.b, c)
	}
	w.str(`"`)
}

func (w *recordWriter) lower(s []byte) {
	for _, c := range s {
		w.b = append(w.b, lowerByte(c))
	}
}
