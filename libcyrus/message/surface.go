package message

import "io"

// Whitespace is the meaning of search_whitespace.
type Whitespace uint8

// The values of search_whitespace.
const (
	MergeWhitespace Whitespace = iota // any run is one blank
	SkipWhitespace
	KeepWhitespace
)

// Folding says how text is made comparable. The zero value is Cyrus's
// default for header fields and bodies but for diacritics, which Cyrus skips.
type Folding struct {
	Whitespace     Whitespace
	KeepDiacritics bool // search_skipdiacrit: no
	SkipHTML       bool // search_skiphtml; text between tags only
}

// Pattern is a search string in search form, ready to be looked for.
type Pattern struct{}

// Pattern prepares text of a charset for looking for it; ok is false if the
// charset is not known. An empty pattern is found everywhere.
func (f Folding) Pattern(charset string, text []byte) (p *Pattern, ok bool) { panic("soon") }

// Append appends the search form of UTF-8 text to dst.
func (f Folding) Append(dst []byte, text string) []byte { panic("soon") }

// InHeader reports whether p occurs in header text, which may hold encoded words.
func (p *Pattern) InHeader(value []byte) bool { panic("soon") }

// InUTF8 reports whether p occurs in UTF-8 text.
func (p *Pattern) InUTF8(text []byte) bool { panic("soon") }

// InPart reports whether p occurs in the content of a part, read from r to
// its end or the first match. html tells that the part is text/html.
func (p *Pattern) InPart(r io.Reader, e Encoding, charset string, html bool) (bool, error) {
	panic("soon")
}
