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

// CopyMode is one of the two ways a message is taken in.
type CopyMode uint8

// The modes of a Copier.
const (
	Strict CopyMode = iota // APPEND: refuses bare LF
	Repair                 // LMTP: makes every line end CRLF
)

// CopyOptions are the rules of a Copier.
type CopyOptions struct {
	Mode       CopyMode
	Reject8bit bool // reject8bit
	Munge8bit  bool // munge8bit
	// AllowNUL accepts NUL in the body (APPEND of a ~{literal8}, RFC 3516).
	AllowNUL bool
	// HeaderDone, in mode Repair, is called once at the end of the header
	// block, before the empty line is written; what it returns is written
	// there (whole fields with CRLF).
	HeaderDone func(*Fields) []byte
	// Drop names fields that are not copied (lower case), as Return-Path in LMTP.
	Drop []string
}

// Copier is an io.Writer that checks and repairs a message on its way to
// another. It holds no more than one header line.
type Copier struct{}

// NewCopier returns a Copier that writes to w.
func NewCopier(w io.Writer, o CopyOptions) *Copier { panic("soon") }

// Write takes the next bytes. After the first error about the content it
// discards what comes, so that the rest can be read off the wire; only
// errors of the underlying writer are returned here.
func (c *Copier) Write(p []byte) (int, error) { panic("soon") }

// Close ends the message and returns what is wrong with it: kinds
// ContainsNUL, ContainsNL, Contains8Bit, BadHeader, NoBlankLine.
// It does not close the underlying writer.
func (c *Copier) Close() error { panic("soon") }

// Size is the number of octets written so far.
func (c *Copier) Size() int64 { panic("soon") }

// Fields returns the header fields met, complete after the header block.
func (c *Copier) Fields() *Fields { panic("soon") }

// Fields holds the header fields of a message by name.
type Fields struct{}

// Get returns the value of the first field of that name (any case),
// unfolded as sent, or "".
func (f *Fields) Get(name string) string { panic("soon") }

// All returns the values of all fields of that name in message order.
func (f *Fields) All(name string) []string { panic("soon") }

// Add appends a field at the end.
func (f *Fields) Add(name, value string) { panic("soon") }
