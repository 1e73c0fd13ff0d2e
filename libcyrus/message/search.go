package message

import (
	"bytes"
	"io"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Whitespace is the meaning of search_whitespace.
type Whitespace uint8

// The values of search_whitespace.
const (
	MergeWhitespace Whitespace = iota // any run is one blank
	SkipWhitespace                    // none counts
	KeepWhitespace                    // each character is a blank
)

// Folding says how text is made comparable (its search form). The zero value
// has Cyrus's defaults.
type Folding struct {
	Whitespace     Whitespace // search_whitespace
	KeepDiacritics bool       // search_skipdiacrit: no
	SkipHTML       bool       // search_skiphtml: text/html is never found
	UTF8           bool       // rfc2047_utf8
}

// Append appends the search form of UTF-8 text to dst: characters in title
// case, then decomposed for compatibility, without diacritics.
//
// Source: uni2searchform in Cyrus lib/charset.c and lib/mkchartable.pl. Unlike
// there only diacritics are dropped, not the Greek letters under them.
func (f Folding) Append(dst []byte, text string) []byte {
	s := folder{f: f}
	return s.append(dst, []byte(text))
}

// folder folds a text piece by piece. Pieces must not split characters.
type folder struct {
	f     Folding
	space bool // the last character was white space
}

// foldASCII is the search form of ASCII characters; 0 is dropped.
var foldASCII = func() (t [utf8.RuneSelf]byte) {
	for i := range t {
		t[i] = upperByte(byte(i))
	}
	for _, c := range "\t\n\v\f\r" {
		t[c] = ' '
	}
	return t
}()

func (s *folder) append(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			i++
			switch c = foldASCII[c]; c {
			case 0:
			case ' ':
				dst = s.blank(dst)
			default:
				s.space = false
				dst = append(dst, c)
			}
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		i += n
		form := searchForm(r)
		switch {
		case form == " ":
			dst = s.blank(dst)
		default:
			s.space = false
			dst = s.marks(dst, form)
		}
	}
	return dst
}

// blank appends white space as search_whitespace has it.
func (s *folder) blank(dst []byte) []byte {
	if s.f.Whitespace == SkipWhitespace || s.f.Whitespace == MergeWhitespace && s.space {
		return dst
	}
	s.space = true
	return append(dst, ' ')
}

// marks appends the form of a character, with or without its diacritics.
func (s *folder) marks(dst []byte, form string) []byte {
	if s.f.KeepDiacritics {
		return append(dst, form...)
	}
	for _, r := range form {
		if r < 0x300 || r > 0x36f {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// formPages caches search forms, 256 characters a page.
var formPages [(unicode.MaxRune + 1) >> 8]atomic.Pointer[[256]string]

// searchForm is the search form of a character with its diacritics; " " for
// white space.
func searchForm(r rune) string {
	p := &formPages[r>>8]
	page := p.Load()
	if page == nil {
		page = newFormPage(r &^ 0xff)
		p.Store(page) // another may have done it: theirs is the same
	}
	return page[r&0xff]
}

func newFormPage(first rune) *[256]string {
	var page [256]string
	for i := range page {
		page[i] = computeForm(first + rune(i))
	}
	return &page
}

// computeForm computes what searchForm caches.
func computeForm(r rune) string {
	switch {
	case r == utf8.RuneError:
		return replacement
	case unicode.In(r, unicode.Z):
		return " "
	case r == 'ß':
		return "ss"
	case r == '⁄': // fraction slash
		return "/"
	}
	t := unicode.ToTitle(r)
	if t == r && unicode.In(r, unicode.Ll, unicode.Lt) {
		t = unicode.ToTitle(unicode.ToLower(r))
	}
	var out []byte
	for _, d := range norm.NFKD.String(string(t)) {
		switch {
		case unicode.In(d, unicode.Z): // a character that stands apart from others
		case d == '⁄':
			out = append(out, '/')
		default:
			out = utf8.AppendRune(out, d)
		}
	}
	if len(out) == 0 {
		return " "
	}
	return string(out)
}

// Pattern is a search string in search form, ready to be looked for. It may
// be used by many goroutines at once.
type Pattern struct {
	f    Folding
	text []byte
}

// Pattern prepares text of a charset for looking for it; ok is false if the
// charset is not known. An empty pattern is found everywhere.
func (f Folding) Pattern(charset string, text []byte) (p *Pattern, ok bool) {
	cs := lookupCharset(charset)
	if cs == nil || cs.new == nil {
		return nil, false
	}
	s := folder{f: f}
	return &Pattern{f, s.append(nil, cs.new().append(nil, text, true))}, true
}

// Text is the pattern in search form.
func (p *Pattern) Text() string { return string(p.text) }

// InHeader reports whether p occurs in header text, which may hold encoded
// words and line ends: a field's value, or many fields.
func (p *Pattern) InHeader(text []byte) bool {
	s := folder{f: p.f}
	return bytes.Contains(s.append(nil, decodeWords(text, p.f.UTF8)), p.text)
}

// InUTF8 reports whether p occurs in UTF-8 text, as the search items of the
// cache are.
func (p *Pattern) InUTF8(text []byte) bool {
	if len(p.text) == 0 {
		return true
	}
	s := folder{f: p.f}
	return bytes.Contains(s.append(make([]byte, 0, len(text)), text), p.text)
}

// Empty reports whether p is nothing, which is in every text.
func (p *Pattern) Empty() bool { return len(p.text) == 0 }

// InPart reports whether p occurs in the content of a part, which is read
// from r to its end or the first match. charset is what SECTION says, "" for
// none: then, and in an unknown encoding, nothing is found. html tells that
// the part is text/html; its tags are text like any other.
//
// Source: charset_searchfile in Cyrus lib/charset.c.
func (p *Pattern) InPart(r io.Reader, e Encoding, charset string, html bool) (bool, error) {
	cs := lookupCharset(charset)
	if charset == "" || cs == nil || cs.new == nil || html && p.f.SkipHTML {
		return false, nil
	}
	if p.Empty() || e == Unknown {
		return p.Empty(), nil
	}
	m := partMatcher{p: p, transfer: transferDecoder{enc: e}, convert: cs.new(), fold: folder{f: p.f}}
	buf := decodeBuffers.Get().(*[]byte)
	defer decodeBuffers.Put(buf)
	in := (*buf)[:16<<10]
	for {
		n, err := r.Read(in)
		if m.piece(in[:n], err == io.EOF) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// partMatcher looks for a pattern in content that comes piece by piece.
type partMatcher struct {
	p        *Pattern
	transfer transferDecoder
	convert  converter
	fold     folder
	raw      []byte // scratch: decoded
	text     []byte // scratch: UTF-8
	form     []byte // search form; starts with the end of the piece before
}

// piece reports whether the pattern ends in the next piece.
func (m *partMatcher) piece(in []byte, end bool) bool {
	m.raw = m.transfer.append(m.raw[:0], in)
	if end {
		m.raw = m.transfer.flush(m.raw)
	}
	m.text = m.convert.append(m.text[:0], m.raw, end)
	m.form = m.fold.append(m.form, m.text)
	if bytes.Contains(m.form, m.p.text) {
		return true
	}
	keep := min(len(m.form), len(m.p.text)-1)
	m.form = m.form[:copy(m.form, m.form[len(m.form)-keep:])]
	return false
}
