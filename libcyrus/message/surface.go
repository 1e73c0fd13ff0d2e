// Package message reads Internet messages as Cyrus 3.6.1 does: structure
// with byte offsets, the ten items of a cyrus.cache record, transfer
// encodings, charsets, search form, and the rules by which a message is
// accepted by APPEND and LMTP.
package message

import (
	"io"
	"time"
)

// CacheVersion is the version of the cache records made here
// (MAILBOX_CACHE_MINOR_VERSION of Cyrus 3.6).
const CacheVersion = 11

// GUID is the SHA-1 of some bytes; all zero stands for none.
type GUID [20]byte

// Options are the settings that Parse obeys. The zero value has Cyrus's
// defaults.
type Options struct {
	MaxHeaderLines int            // maxheaderlines; 0 = 1000, negative = no limit
	BoundaryLimit  int            // boundary_limit; 0 = 1000, negative = no limit
	RFC2046Strict  bool           // rfc2046_strict
	Location       *time.Location // for SentDate; nil = time.Local
}

// Parse reads a message that is in memory. The result refers to b.
func Parse(b []byte, o Options) (*Message, error) { panic("soon") }

// ParseReader reads a message of size bytes from r. It keeps structure in
// memory, never content.
func ParseReader(r io.ReaderAt, size int64, o Options) (*Message, error) { panic("soon") }

// Message is a parsed message.
type Message struct {
	Size       int64 // octets of the whole message
	HeaderSize int64 // octets before the body, with the empty line
	GUID       GUID  // of all its octets
}

// CacheRecord is the cache record as it stands in cyrus.cache, ten items.
// Its CRC for the index is crc32.ChecksumIEEE of it.
func (m *Message) CacheRecord() []byte { panic("soon") }

// Times returns what the index record keeps of the Date field: midnight
// local time of the day it names, and the moment it names. Without usable
// Date both come from internal, the INTERNALDATE.
func (m *Message) Times(internal time.Time) (sentdate, gmtime time.Time) { panic("soon") }

// MessageID is the Message-ID field as it is in the envelope, or "".
func (m *Message) MessageID() string { panic("soon") }

// Header is the header block of the message, with the empty line if it has one.
func (m *Message) Header() []byte { panic("soon") }

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

// Cache is a view of one cache record; it refers to the bytes it was made of.
type Cache struct {
	items   [Items][]byte
	version int
}

// ParseCache reads the record at the start of b, which may be longer, and
// returns it and its length. version is the cache version of the index
// record; it says how the section item reads.
func ParseCache(b []byte, version int) (c Cache, n int, err error) { panic("soon") }

// Item returns the bytes of item i without padding.
func (c *Cache) Item(i Item) []byte { return c.items[i] }

// Section is one part of a message as the SECTION item describes it.
type Section struct {
	HeaderOffset, HeaderSize   uint32 // 2^32-1 sizes: the part has no header of its own
	ContentOffset, ContentSize uint32
	Encoding                   Encoding
	Charset                    string // "" = none
	Content                    GUID   // of the decoded content
	DecodedSize                uint32
	Lines                      uint32
	Parts                      []Section // Parts[0] is the header and text of an inner message or multipart; nil for a leaf
}

// Sections decodes the SECTION item. The root stands for a message/rfc822
// part that holds the whole message.
func (c *Cache) Sections() (*Section, error) { panic("soon") }

// Kind says what of a part BODY[…] asks for.
type Kind uint8

// The kinds of section text (RFC 3501 section 6.4.5).
const (
	Whole  Kind = iota // BODY[1.2], BODY[]
	Header             // BODY[1.2.HEADER] and the HEADER.FIELDS forms
	Text               // BODY[1.2.TEXT]
	MIME               // BODY[1.2.MIME]
)

// Span is a range of octets of the message file, and how they are encoded.
type Span struct {
	Offset, Size uint32
	Encoding     Encoding // of the content; None for headers
	Charset      string
}

// Find returns the octets that BODY[path.kind] names; false if there is no
// such part (NIL to the client).
func (s *Section) Find(path []uint32, kind Kind) (Span, bool) { panic("soon") }

// AppendFields appends the fields of the header block to dst whose name is
// in names (any case), or with not those whose name is not, and the empty
// line, as BODY[HEADER.FIELDS (…)] and HEADER.FIELDS.NOT send them.
func AppendFields(dst, header []byte, names []string, not bool) []byte { panic("soon") }

// CachedSince returns the cache version from which the HEADERS item can be
// relied on for a field, and whether it ever can.
func CachedSince(field string) (version int, ok bool) { panic("soon") }

// Encoding is a transfer encoding as the SECTION item numbers them.
type Encoding uint8

// The encodings.
const (
	None            Encoding = 0 // 7bit, 8bit, binary
	QuotedPrintable Encoding = 1
	Base64          Encoding = 2
	Unknown         Encoding = 255
)

// NewDecoder returns a reader of what r holds in encoding e. Bad input is
// decoded as far as Cyrus does; None and Unknown pass through.
func NewDecoder(r io.Reader, e Encoding) io.Reader { panic("soon") }

// DecodeHeader turns the value of a header field with encoded words
// (RFC 2047) into UTF-8, as the search items have it.
func DecodeHeader(value []byte) string { panic("soon") }

// KnownCharset reports whether text in this charset can be searched.
func KnownCharset(name string) bool { panic("soon") }

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

// ParseDate reads the date of a Date field as leniently as Cyrus does.
func ParseDate(s string) (t time.Time, ok bool) { panic("soon") }

// FormatDate is t in the form of RFC 5322 with t's zone, as Cyrus writes it.
func FormatDate(t time.Time) string { panic("soon") }

// ParseInternalDate reads "dd-Mmm-yyyy hh:mm:ss +zzzz" (RFC 3501 date-time,
// without the quotes).
func ParseInternalDate(s string) (time.Time, error) { panic("soon") }

// FormatInternalDate is the INTERNALDATE form of t, in t's zone.
func FormatInternalDate(t time.Time) string { panic("soon") }
