package message

import "bytes"

// headers consumes the header block of a part and parses its fields. It
// reports whether the boundary of an enclosing multipart ended the block.
func (p *parser) headers(b *part, digest bool, r role) (ended bool) {
	b.headerOffset = p.src.offset()
	h, ended := p.readHeader(b)
	b.contentOffset = p.src.offset()
	b.headerSize = int64(len(h))
	b.headerLines = int64(bytes.Count(h, newline))
	if r != rolePart {
		b.env = &envelope{}
	}
	if r == roleTop {
		p.header = h
		p.cached = make([]byte, 0, 512)
	}
	p.fields(b, h, r)
	if !b.typed {
		setDefaultType(b, digest)
	}
	return ended
}

// readHeader consumes a header block, and the boundary line that ends it
// early. The result stays valid. A line that holds only CR LF ends the block
// and belongs to it.
func (p *parser) readHeader(b *part) (h []byte, ended bool) {
	n, ended := p.headerLength()
	w := p.src.peek(n)[:n]
	if p.src.r != nil {
		w = bytes.Clone(w)
	}
	p.src.skip(n)
	if ended {
		b.boundarySize = p.src.skipLine()
		b.boundaryLines++
		if len(w) > 0 { // the line end before the boundary is its own
			end := min(2, len(w))
			b.boundarySize += int64(end)
			b.boundaryLines++
			w = w[:len(w)-end]
		}
	}
	if i := bytes.IndexByte(w, 0); i >= 0 {
		w = w[:i] // Cyrus's header block is a C string
	}
	return w, ended
}

// headerLength finds the end of the header block at the current place, and
// whether a boundary line ends it.
func (p *parser) headerLength() (n int, ended bool) {
	want := max(p.lookahead(), 4096)
	for {
		w := p.src.peek(want)
		w = w[:min(len(w), want, maxHeaderBlock)] // so that many parts cost no more than one
		whole := len(w) == maxHeaderBlock || p.src.offset()+int64(len(w)) >= p.src.size
		end, found := len(w), false
		if bytes.HasPrefix(w, crlf) {
			end, found = 2, true
		} else if i := bytes.Index(w, headerEnd); i >= 0 {
			end, found = i+3, true
		}
		if n, ok := p.boundaryIn(w, end); ok {
			return n, true
		}
		if found || whole {
			return end, false
		}
		want *= 4
	}
}

// boundaryIn looks for a boundary line that starts in w[:end].
func (p *parser) boundaryIn(w []byte, end int) (int, bool) {
	if len(p.boundaries) == 0 {
		return 0, false
	}
	if p.boundaryAt(w) {
		return 0, true
	}
	for at := 0; ; {
		i := bytes.Index(w[at:end], newlineDashes)
		if i < 0 {
			return 0, false
		}
		at += i + 1
		if p.boundaryAt(w[at:]) {
			return at, true
		}
	}
}

// fields parses the fields of a header block, as many lines as
// maxheaderlines allows.
func (p *parser) fields(b *part, h []byte, r role) {
	var line int64
	for at := 0; at < len(h); line++ {
		if p.maxLines > 0 && line > p.maxLines {
			return
		}
		rest := h[at:]
		eol := bytes.IndexByte(rest, '\n')
		if rest[0] != ' ' && rest[0] != '\t' {
			p.field(b, rest, eol, r)
		}
		if eol < 0 {
			return
		}
		at += eol + 1
	}
}

// field parses the field at the start of h, the rest of a header block.
// eol is where its first line ends, -1 if the block ends first.
func (p *parser) field(b *part, h []byte, eol int, r role) {
	first := h
	if eol >= 0 {
		first = h[:eol]
	}
	colon := bytes.IndexByte(first, ':')
	if colon < 0 || bytes.IndexByte(first[:colon], '\r') >= 0 {
		return
	}
	var buf [32]byte
	if colon >= len(buf) {
		return
	}
	name := buf[:colon]
	for i := range name {
		name[i] = lowerByte(h[i])
	}
	if r == roleTop && cachedSince(name) >= 0 {
		end := fieldEnd(h, 0)
		p.cached = append(append(p.cached, h[:end]...), '\r', '\n')
	}
	value := h[colon+1:]
	if len(name) > 8 && string(name[:8]) == "content-" {
		b.mimeField(string(name[8:]), value)
		return
	}
	if b.env != nil {
		b.env.field(name, value)
	}
}

// mimeField parses the field Content-name.
func (b *part) mimeField(name string, v []byte) {
	switch name {
	case "type":
		b.typ, b.subtype, b.params, b.typed = parseType(v)
	case "transfer-encoding":
		b.encoding = parseEncoding(v)
	case "disposition":
		b.disposition, b.dispositionParams = parseDisposition(v)
	case "description":
		b.description = unfolded(v)
	case "id":
		b.id = unfolded(v)
	case "md5":
		b.md5 = unfolded(v)
	case "location":
		b.location = unfolded(v)
	case "language":
		b.language = parseLanguage(v)
	}
}

// field parses an envelope field; the last of several wins.
func (e *envelope) field(name, v []byte) {
	switch string(name) {
	case "date":
		e.date = unfolded(v)
	case "subject":
		e.subject = unfolded(v)
	case "in-reply-to":
		e.inReplyTo = unfolded(v)
	case "message-id":
		e.messageID = unfolded(v)
	case "from":
		e.from = fieldAddresses(v)
	case "sender":
		e.sender = fieldAddresses(v)
	case "reply-to":
		e.replyTo = fieldAddresses(v)
	case "to":
		e.to = fieldAddresses(v)
	case "cc":
		e.cc = fieldAddresses(v)
	case "bcc":
		e.bcc = fieldAddresses(v)
	}
}

// fieldEnd is where the field whose text starts at h[from] ends, without its
// line end. The first octet is never taken for a line end.
func fieldEnd(h []byte, from int) int {
	end := from
	for {
		if end+1 > len(h) {
			return len(h)
		}
		i := bytes.IndexByte(h[end+1:], '\n')
		if i < 0 {
			return len(h)
		}
		end += 1 + i
		if end+1 >= len(h) || h[end+1] != ' ' && h[end+1] != '\t' {
			break
		}
	}
	if end > from && h[end-1] == '\r' {
		end--
	}
	return end
}

// unfolded is the text of a field: v is what follows the colon, to the end
// of the header block. It is never nil.
func unfolded(v []byte) []byte {
	i := 0
	for i < len(v) && (v[i] == ' ' || v[i] == '\t') {
		i++
	}
	v = v[i:]
	v = v[:fieldEnd(v, 0)]
	if bytes.IndexByte(v, '\n') < 0 {
		return v[:len(v):len(v)]
	}
	out := make([]byte, 0, len(v))
	for i, c := range v {
		switch {
		case c == '\n':
		case c == '\r' && i+1 < len(v) && v[i+1] == '\n':
		default:
			out = append(out, c)
		}
	}
	return out
}

// fieldAddresses parses the address list that v starts with.
func fieldAddresses(v []byte) []Address {
	return ParseAddresses(v[:fieldEnd(v, 0)])
}
