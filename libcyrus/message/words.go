package message

import "bytes"

// DecodeHeader turns the value of a header field with encoded words
// (RFC 2047) into UTF-8, as the search items have it. The value must be
// unfolded or whole, as it stands in the message.
func DecodeHeader(value []byte) string { return string(decodeWords(value, false)) }

// decodeWords decodes encoded words; the octets between them are UTF-8 with
// utf8, else US-ASCII. The result is never nil.
func decodeWords(value []byte, utf8 bool) []byte {
	if isPlainASCII(value) && !bytes.Contains(value, wordStart) {
		if value == nil {
			return []byte{}
		}
		return value
	}
	d := wordDecoder{text: asciiCharset.new(), out: make([]byte, 0, len(value))}
	if utf8 {
		d.text = utf8Charset.new()
	}
	d.decode(value)
	if i := bytes.IndexByte(d.out, 0); i >= 0 {
		return d.out[:i] // Cyrus keeps it as a C string
	}
	return d.out
}

var wordStart = []byte("=?")

// isPlainASCII reports whether b has neither 8-bit octets nor CR.
func isPlainASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || c == '\r' {
			return false
		}
	}
	return true
}

// wordDecoder decodes one header value.
//
// Source: mimeheader_cat in Cyrus lib/charset.c. As there, consecutive words
// of one charset and encoding are decoded as one text, so that a character
// may be split between them.
type wordDecoder struct {
	out      []byte
	text     converter // of the text between words
	unfolder unfolder

	last     *charset // of the word before, nil if the next starts anew
	encoding Encoding // of the word before
	transfer transferDecoder
	convert  converter
}

func (d *wordDecoder) decode(value []byte) {
	rest, at := value, 0 // rest has not been written; at is where to look for a word
	afterWord := false
	for {
		w, ok := findWord(rest, at)
		if !ok {
			break
		}
		lead := rest[:w.start]
		if afterWord && len(bytes.TrimLeft(lead, " \t\r\n\v\f")) > 0 {
			afterWord = false
		}
		if !afterWord {
			d.plain(lead)
			d.last = nil
		}
		d.word(w)
		rest, at = rest[w.end:], 0
		afterWord = true
	}
	if len(rest) > 0 {
		d.plain(rest)
	}
}

// plain appends text that is no encoded word.
func (d *wordDecoder) plain(text []byte) {
	d.endWord()
	d.out = d.text.append(d.out, d.unfolder.append(nil, text), true)
}

// endWord forgets the state of the word before.
func (d *wordDecoder) endWord() {
	d.last, d.convert = nil, nil
}

// word appends an encoded word.
func (d *wordDecoder) word(w encodedWord) {
	cs := lookupCharset(string(w.charset))
	if cs == nil || cs.new == nil {
		d.endWord()
		d.out = append(d.out, replacement...)
		return
	}
	if d.last == nil || d.last.canon != cs.canon || d.encoding != w.encoding {
		d.last, d.encoding = cs, w.encoding
		d.transfer = transferDecoder{enc: w.encoding, header: true}
		d.convert = cs.new()
	}
	raw := d.transfer.append(nil, w.text)
	raw = d.transfer.flush(raw)
	// ICU's converters are flushed after each word, that of UTF-8 is not.
	d.out = d.convert.append(d.out, raw, cs != utf8Charset)
}

// encodedWord is a word found in a value: value[start:end] is all of it.
type encodedWord struct {
	start, end int
	charset    []byte
	encoding   Encoding
	text       []byte
}

// findWord finds the first encoded word in v that starts at or after at.
func findWord(v []byte, at int) (w encodedWord, ok bool) {
	get := func(i int) byte {
		if i < len(v) {
			return v[i]
		}
		return 0
	}
	for {
		i := bytes.IndexByte(v[min(at, len(v)):], '=')
		if i < 0 {
			return w, false
		}
		w.start = at + i
		at = w.start + 1
		if get(at) != '?' {
			continue
		}
		star, p := -1, at+1
		for ; get(p) != 0 && get(p) != '=' && get(p) != '?'; p++ {
			if v[p] == '*' && star < 0 {
				star = p
			}
		}
		if get(p) != '?' {
			at = p
			continue
		}
		mark := p
		if star < 0 {
			star = p
		}
		w.encoding = wordEncoding(get(p + 1))
		if w.encoding == None || get(p+2) != '?' {
			at = p
			continue
		}
		for p += 3; get(p) != 0 && get(p) != '?'; p++ {
			if v[p] == '=' && get(p+1) == '?' && get(p+2) != '=' {
				break
			}
		}
		if get(p) != '?' || get(p+1) != '=' {
			at = p
			continue
		}
		w.charset, w.text, w.end = v[at+1:star], v[mark+3:p], p+2
		return w, true
	}
}

func wordEncoding(c byte) Encoding {
	switch c {
	case 'b', 'B':
		return Base64
	case 'q', 'Q':
		return QuotedPrintable
	}
	return None
}

// unfolder takes out each CR LF that a blank or tab follows. Its state goes
// on from one text to the next.
//
// Source: unfold2uni in Cyrus lib/charset.c.
type unfolder struct{ state uint8 } // 0 text, 1 after CR, 2 after CR LF

func (u *unfolder) append(dst, text []byte) []byte {
	for _, c := range text {
		switch u.state {
		case 0:
			if c == '\r' {
				u.state = 1
				continue
			}
		case 1:
			if c == '\n' {
				u.state = 2
				continue
			}
			dst = append(dst, '\r')
			u.state = 0
		case 2:
			if c != ' ' && c != '\t' {
				dst = append(dst, '\r', '\n')
			}
			u.state = 0
		}
		dst = append(dst, c)
	}
	return dst
}

// maxEncodedLine is the most octets of a line of encoded words, without the
// "?=" that may follow its end, and with as many as each octet may need.
const maxEncodedLine = 74

// encodeWord writes UTF-8 text as encoded words (RFC 2047, encoding Q). No
// character is cut. A line end begins the next word, white space behind it is
// dropped.
//
// Source: qp_encode in Cyrus lib/charset.c.
func encodeWord(text []byte) []byte {
	const hex, open = "0123456789ABCDEF", "=?UTF-8?Q?"
	out := []byte(open)
	line := len(open)
	for len(text) > 0 {
		if bytes.HasPrefix(text, []byte("\r\n")) {
			if text = text[2:]; len(text) == 0 {
				break
			}
			if text[0] == ' ' || text[0] == '\t' {
				text = text[1:]
			}
			out = append(out, "?=\r\n "+open...)
			line = len(open) + 1
			continue
		}
		n := min(sequenceLength(text[0]), len(text))
		if line+3*n > maxEncodedLine {
			out = append(out, "?=\r\n "+open...)
			line = len(open) + 1
		}
		before := len(out)
		for _, c := range text[:n] {
			switch {
			case c > ' ' && c < 0x7f && c != '=' && c != '?' && c != '_':
				out = append(out, c)
			case c == ' ':
				out = append(out, '_')
			default:
				out = append(out, '=', hex[c>>4], hex[c&15])
			}
		}
		line += len(out) - before
		text = text[n:]
	}
	return append(out, "?="...)
}

// sequenceLength is how many octets a character of UTF-8 has that begins with c.
func sequenceLength(c byte) int {
	switch {
	case c >= 0xf0 && c < 0xf8:
		return 4
	case c >= 0xe0 && c < 0xf0:
		return 3
	case c >= 0xc0 && c < 0xe0:
		return 2
	}
	return 1
}
