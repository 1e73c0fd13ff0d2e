package message

import (
	"bytes"
	"io"
	"strings"
)

// DecodeHeaderUTF8 is DecodeHeader for text whose octets outside encoded
// words are UTF-8, without white space around it.
func DecodeHeaderUTF8(value []byte) string {
	return strings.Trim(string(decodeWords(value, true)), " \t\r\n\v\f")
}

// EncodeHeader is the form of UTF-8 text for a header field: as encoded
// words (RFC 2047) if it has octets that are not US-ASCII, control characters
// other than tabs, or a word too long for a line. Otherwise it is folded where it
// has white space.
//
// Source: charset_encode_mimeheader in Cyrus lib/charset.c.
func EncodeHeader(text string) string {
	const longestWord, longestLine = 75, 78
	word := 0 // octets since the last white space, with it
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 0x7f || c < ' ' && c != '\t':
			return string(encodeWord([]byte(text)))
		case c == ' ' || c == '\t':
			word = 0
		}
		if word++; word > longestWord {
			return string(encodeWord([]byte(text)))
		}
	}
	var b strings.Builder
	for len(text) > longestLine {
		end := strings.LastIndexAny(text[:longestLine+1], " \t")
		if end <= 0 {
			break
		}
		b.WriteString(text[:end] + "\r\n")
		text = text[end:]
	}
	return b.String() + text
}

// Texts returns the decoded contents of those parts whose type is one of
// types: "text", "text/html" or "" for all, in any case; "/html" is none (RFC 5173
// section 5.2). What is inside a
// part that is returned is not looked at. Text is turned into UTF-8 from its
// charset, what has none is US-ASCII; it ends before a NUL. r holds the
// message; of each part at most limit octets are read.
//
// Source: message_find_part in Cyrus imap/message.c.
func (m *Message) Texts(r io.ReaderAt, types []string, limit int64) ([]string, error) {
	t := textFinder{r: r, types: types, limit: limit}
	t.part(&m.root)
	return t.out, t.err
}

type textFinder struct {
	r     io.ReaderAt
	types []string
	limit int64
	out   []string
	err   error
}

func (t *textFinder) part(p *part) {
	switch {
	case t.err != nil:
	case t.wanted(p):
		t.add(p)
	case p.isMultipart():
		for i := range p.parts {
			t.part(&p.parts[i])
		}
	case p.inner != nil:
		t.part(p.inner)
	}
}

func (t *textFinder) wanted(p *part) bool {
	for _, want := range t.types {
		typ, subtype, _ := strings.Cut(want, "/")
		if (want == "" || strings.EqualFold(typ, p.typ)) && (subtype == "" || strings.EqualFold(subtype, p.subtype)) {
			return true
		}
	}
	return false
}

func (t *textFinder) add(p *part) {
	cs := lookupCharset(p.charset())
	if cs == nil || cs.new == nil {
		cs = asciiCharset
	}
	in := io.NewSectionReader(t.r, p.contentOffset, min(p.contentSize, t.limit))
	b, err := io.ReadAll(NewDecoder(in, p.transfer()))
	if err != nil {
		t.err = err
		return
	}
	b = cs.new().append(nil, b, true)
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	t.out = append(t.out, string(b))
}
