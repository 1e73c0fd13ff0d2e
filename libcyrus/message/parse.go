package message

import (
	"bytes"
)

// param is one parameter of a MIME field. The name is in upper case.
type param struct {
	name  []byte
	value []byte
}

// part is one body part; its zero value has no type and no fields. Octet
// strings are nil if the field is missing. Sizes and offsets are octets.
//
// The rules of this file are those of message_parse_body and what it calls
// in Cyrus imap/message.c; where they look odd, a client has been told so by
// Cyrus and keeps it in its cache.
type part struct {
	typed        bool   // there is a usable Content-Type
	typ, subtype string // upper case
	params       []param

	id, description, md5, location []byte
	encoding                       []byte // upper case
	disposition                    []byte // upper case
	dispositionParams              []param
	language                       [][]byte // upper case

	env *envelope // of a message only

	headerOffset, headerSize, headerLines    int64
	contentOffset, contentSize, contentLines int64
	boundarySize, boundaryLines              int64 // of the boundary line that ended the part

	parts []part // of a multipart
	inner *part  // of a message/rfc822

	content     GUID  // SHA-1 of the decoded content; zero if there is none
	decodedSize int64 // octets of it
}

func (p *part) isMultipart() bool { return p.typ == "MULTIPART" }

func (p *part) isMessage() bool { return p.typ == "MESSAGE" && p.subtype == "RFC822" }

// envelope holds the fields of a message that ENVELOPE shows.
type envelope struct {
	date, subject, inReplyTo, messageID []byte
	from, sender, replyTo, to, cc, bcc  []Address
}

// parser is the state of one parse.
type parser struct {
	src        *source
	o          Options
	maxLines   int64
	limit      int
	boundaries [][]byte // of the multiparts around the current place, outermost first
	longest    int      // length of the longest boundary ever pushed
	cached     []byte   // the HEADERS item
	header     []byte   // header block of the whole message
	depth      int      // nesting of parts
	parts      int      // of all multiparts
}

// Limits that Cyrus does not have, so that no message takes much more memory
// than its size, nor time that grows with the square of it. What is beyond
// them is not looked at, as beyond boundary_limit; no honest mail gets there.
const (
	maxHeaderBlock = 8 << 20 // octets of one header block; the rest is body
	maxParts       = 20000   // of all multiparts together
	maxAddresses   = 100000  // of one field
	maxParams      = 1000    // of one field
)

// maxDepth bounds the nesting of parts, counting multiparts and messages.
// boundary_limit bounds multiparts only. A deeper message/rfc822 is a leaf.
const maxDepth = 1000

// role says what a part is to the message around it.
type role uint8

const (
	roleTop   role = iota // the message itself
	roleInner             // the message in a message/rfc822
	rolePart              // a part of a multipart
)

// body parses a part that starts at the current place.
// digest: the default type is message/rfc822.
func (p *parser) body(b *part, digest bool, r role) {
	p.depth++
	defer func() { p.depth-- }()
	ended := p.headers(b, digest, r)
	switch {
	case b.isMultipart():
		if !ended {
			p.multipart(b)
		}
	case b.isMessage():
		p.innerMessage(b, ended)
	case !ended:
		p.leaf(b)
	}
}

// innerMessage parses the content of a message/rfc822.
func (p *parser) innerMessage(b *part, ended bool) {
	b.inner = &part{}
	if ended {
		setDefaultType(b.inner, false)
		b.inner.env = &envelope{}
		return
	}
	if p.depth > maxDepth {
		setDefaultType(b.inner, false)
		b.inner.env = &envelope{}
		b.inner.headerOffset = p.src.offset()
		b.inner.contentOffset = p.src.offset()
		p.leaf(b.inner)
	} else {
		p.body(b.inner, false, roleInner)
	}
	in := b.inner
	b.contentSize = in.headerSize + in.contentSize
	b.contentLines = in.headerLines + in.contentLines
	b.boundarySize, b.boundaryLines = in.boundarySize, in.boundaryLines
	p.digestContent(b, in.headerOffset)
}

// multipart parses preamble, parts and epilogue.
func (p *parser) multipart(b *part) {
	id, ok := boundaryOf(b)
	if !ok {
		p.leaf(b) // invalid MIME: a multipart without parts
		return
	}
	p.boundaries = append(p.boundaries, id)
	p.longest = max(p.longest, len(id))
	depth := len(p.boundaries)
	var preamble, epilogue part
	p.scan(&preamble)
	for len(p.boundaries) == depth && (p.limit <= 0 || depth < p.limit) && p.parts < maxParts {
		p.parts++
		b.parts = append(b.parts, part{})
		sub := &b.parts[len(b.parts)-1]
		p.body(sub, b.subtype == "DIGEST", rolePart)
		if p.src.atEnd() && sub.boundarySize == 0 {
			p.boundaries = p.boundaries[:0] // the message ends all of them
		}
	}
	switch last := len(b.parts) - 1; {
	case len(p.boundaries) == depth-1:
		p.scan(&epilogue)
	case last >= 0:
		// A part met the boundary of an enclosing multipart: it ends us.
		b.boundarySize, b.boundaryLines = b.parts[last].boundarySize, b.parts[last].boundaryLines
		b.parts[last].boundarySize, b.parts[last].boundaryLines = 0, 0
	default:
		b.boundarySize, b.boundaryLines = preamble.boundarySize, preamble.boundaryLines
		preamble.boundarySize, preamble.boundaryLines = 0, 0
	}
	b.contentSize = preamble.contentSize + preamble.boundarySize
	b.contentLines = preamble.contentLines + preamble.boundaryLines
	for i := range b.parts {
		s := &b.parts[i]
		b.contentSize += s.headerSize + s.contentSize + s.boundarySize
		b.contentLines += s.headerLines + s.contentLines + s.boundaryLines
	}
	b.contentSize += epilogue.contentSize
	b.contentLines += epilogue.contentLines
	b.boundarySize += epilogue.boundarySize
	b.boundaryLines += epilogue.boundaryLines
}

// boundaryOf returns the boundary parameter of a multipart.
func boundaryOf(b *part) ([]byte, bool) {
	for _, a := range b.params {
		switch string(a.name) {
		case "BOUNDARY":
			return a.value, true
		case "BOUNDARY*":
			if v, ok := decodeExtended(a.value); ok {
				return []byte(v), true
			}
			return a.value, true
		}
	}
	return nil, false
}

// leaf reads content and its digest.
func (p *parser) leaf(b *part) {
	start := p.src.offset()
	p.scan(b)
	p.digestContent(b, start)
}

// scan consumes content up to and with the next boundary line.
func (p *parser) scan(b *part) {
	if len(p.boundaries) == 0 {
		p.scanAll(b)
		return
	}
	lineStart := true
	for {
		w := p.src.peek(p.lookahead())
		if len(w) == 0 {
			return
		}
		if lineStart && w[0] == '-' && p.boundaryAt(w) {
			p.endAtBoundary(b)
			return
		}
		n := bytes.Index(w, newlineDashes)
		switch {
		case n >= 0:
			n++
			lineStart = true
		case p.src.offset()+int64(len(w)) >= p.src.size:
			n = len(w)
		default:
			n = len(w) - 2 // the next window may complete "\n--"
			lineStart = false
		}
		b.contentSize += int64(n)
		b.contentLines += int64(bytes.Count(w[:n], newline))
		p.src.skip(n)
	}
}

var (
	newline       = []byte("\n")
	newlineDashes = []byte("\n--")
	crlf          = []byte("\r\n")
	headerEnd     = []byte("\n\r\n")
)

// lookahead is how many octets must be seen to know a boundary line.
func (p *parser) lookahead() int { return p.longest + 16 }

// scanAll consumes the rest of the message as content.
func (p *parser) scanAll(b *part) {
	for {
		w := p.src.peek(1)
		if len(w) == 0 {
			return
		}
		b.contentSize += int64(len(w))
		b.contentLines += int64(bytes.Count(w, newline))
		p.src.skip(len(w))
	}
}

// endAtBoundary consumes the boundary line at the current place. The line
// end before it belongs to the boundary (RFC 2046 section 5.1.1).
func (p *parser) endAtBoundary(b *part) {
	b.boundarySize = p.src.skipLine()
	b.boundaryLines++
	if b.contentLines > 0 {
		b.contentLines--
		b.boundaryLines++
	}
	if b.contentSize > 1 {
		b.contentSize -= 2
		b.boundarySize += 2
	}
}

// boundaryAt reports whether the line at the start of w is the boundary of
// an enclosing multipart. A closing one ends that multipart and all within.
func (p *parser) boundaryAt(w []byte) bool {
	if len(w) < 2 || w[0] != '-' || w[1] != '-' {
		return false
	}
	line := w[2:]
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i+1]
	}
	for i, id := range p.boundaries {
		if !bytes.HasPrefix(line, id) {
			continue
		}
		rest := line[len(id):]
		switch {
		case len(rest) >= 2 && rest[0] == '-' && rest[1] == '-':
			p.boundaries = p.boundaries[:i]
		case !p.o.RFC2046Strict && len(rest) > 1 && rest[0] != 0 && !isSpace(rest[0]):
			continue // a longer boundary that only begins like this one
		}
		return true
	}
	return false
}

// setDefaultType gives b the type of a part without Content-Type.
func setDefaultType(b *part, digest bool) {
	if digest {
		b.typ, b.subtype, b.params = "MESSAGE", "RFC822", nil
		return
	}
	b.typ, b.subtype, b.params = "TEXT", "PLAIN", defaultParams
}

var defaultParams = []param{{[]byte("CHARSET"), []byte("us-ascii")}}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// transfer is the encoding as the SECTION item numbers it.
//
// Source: message_parse_charset in Cyrus imap/message.c.
func (b *part) transfer() Encoding {
	if b.typ == "MESSAGE" {
		return None
	}
	switch string(b.encoding) {
	case "", "7BIT", "8BIT", "BINARY":
		if b.encoding != nil && len(b.encoding) == 0 {
			return Unknown
		}
		return None
	case "BASE64":
		return Base64
	case "QUOTED-PRINTABLE":
		return QuotedPrintable
	}
	return Unknown
}

// charset is the name for the SECTION item: "" if the part has no text. What
// has no known charset is us-ascii.
func (b *part) charset() string {
	name := ""
	switch {
	case b.typ == "TEXT":
		for _, a := range b.params {
			if string(a.name) == "CHARSET" && len(a.value) > 0 {
				name = charsetAlias(a.value) // the last one counts
			}
		}
	case b.typ == "MESSAGE" && b.subtype != "RFC822":
	default:
		return ""
	}
	if name == "" {
		return "us-ascii"
	}
	return name
}

// upperToken is tok in upper case; usual ones cost no memory.
func upperToken(tok []byte) string {
	var buf [24]byte
	if len(tok) > len(buf) {
		return string(upperBytes(tok))
	}
	u := buf[:len(tok)]
	for i, c := range tok {
		u[i] = upperByte(c)
	}
	for _, s := range usualTokens {
		if s == string(u) {
			return s
		}
	}
	return string(u)
}

var usualTokens = [...]string{
	"TEXT", "PLAIN", "HTML", "MULTIPART", "MIXED", "ALTERNATIVE", "RELATED", "SIGNED", "REPORT", "DIGEST",
	"MESSAGE", "RFC822", "APPLICATION", "OCTET-STREAM", "PDF", "IMAGE", "JPEG", "PNG", "GIF", "CALENDAR",
}

func upperByte(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 32
	}
	return c
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 32
	}
	return c
}
