package message

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"gocyrus/libcyrus/errs"
)

// CopyMode is one of the two ways a message is taken in.
type CopyMode uint8

// The modes of a Copier.
const (
	Strict CopyMode = iota // APPEND: changes nothing but 8-bit octets, refuses bare LF
	Repair                 // LMTP: makes every line end CR LF
)

// CopyOptions are the rules of a Copier.
type CopyOptions struct {
	Mode       CopyMode
	Reject8bit bool // reject8bit
	Munge8bit  bool // munge8bit
	// AllowNUL, in mode Strict, accepts NUL and bare LF in the body (APPEND of
	// a literal8, RFC 3516).
	AllowNUL bool
	// UTF8 lets the header hold UTF-8 (RFC 6532), whatever Reject8bit and
	// Munge8bit say. Other octets above 127 are refused there in mode Strict; in
	// mode Repair, what they say is done to a field that is not UTF-8.
	UTF8 bool
	// HeaderDone, in mode Repair, is called once at the end of the header
	// block, before the empty line is written; what it returns is written
	// there (whole fields with CR LF).
	HeaderDone func(*Fields) []byte
	// Drop, in mode Repair, names fields that are not copied (any case), as
	// Return-Path. They are among the Fields nevertheless.
	Drop []string
}

// Copier is an io.Writer that checks and repairs a message on its way to
// another. It holds back no more than one header field.
//
// Source: message_copy_strict in Cyrus imap/message.c for Strict,
// imap/spool.c for Repair.
type Copier struct {
	w      io.Writer
	o      CopyOptions
	size   int64
	werr   error     // of w
	kind   errs.Kind // what is wrong with the message
	bad    bool      // kind is set
	fields Fields
	kept   int // octets of fields met

	header strictHeader // mode Strict
	rune   []byte       // mode Strict: of the header, a character that is not complete
	inHead bool         // mode Repair: in the header block
	held   []byte       // mode Repair: header line not complete; body: a CR
	out    []byte       // scratch
}

// NewCopier returns a Copier that writes to w.
func NewCopier(w io.Writer, o CopyOptions) *Copier {
	return &Copier{w: w, o: o, inHead: true, header: strictHeader{lineStart: true, blank: true}}
}

// Write takes the next octets. After the first fault of the content nothing
// more is passed on, so that the rest can be read off the wire; only errors of
// the underlying writer are returned here.
func (c *Copier) Write(p []byte) (int, error) {
	if c.werr != nil {
		return 0, c.werr
	}
	if bytes.IndexByte(p, 0) >= 0 && (!c.o.AllowNUL || c.o.Mode == Repair) {
		c.fail(errs.ContainsNUL)
	}
	switch {
	case c.bad && (c.o.Mode == Repair || c.kind == errs.ContainsNUL):
	case c.o.Mode == Strict:
		c.strict(p)
	default:
		c.repair(p)
	}
	if c.werr != nil {
		return 0, c.werr
	}
	return len(p), nil
}

// Close ends the message and returns what is wrong with it: an error of kind
// ContainsNUL, ContainsNL, Contains8Bit or BadHeader, or that of the
// underlying writer as it is. It does not close the writer.
func (c *Copier) Close() error {
	if c.o.Mode == Strict {
		if !c.bad && !c.header.done && !c.header.lineStart {
			c.fail(errs.BadHeader)
		}
	} else {
		c.endRepair()
	}
	if c.werr == nil && c.bad {
		return errs.New(c.kind, "message.Copier", "", nil)
	}
	return c.werr
}

// Size is the number of octets written to the underlying writer so far.
func (c *Copier) Size() int64 { return c.size }

// Fields returns the header fields met, complete after the header block, in
// mode Repair only.
func (c *Copier) Fields() *Fields { return &c.fields }

// fail notes a fault. Of several, NUL is told first, then bare LF, then 8-bit
// octets: Cyrus looks at names only if the octets are good.
func (c *Copier) fail(k errs.Kind) {
	if !c.bad || faultRank(k) > faultRank(c.kind) {
		c.kind, c.bad = k, true
	}
}

func faultRank(k errs.Kind) int {
	switch k {
	case errs.ContainsNUL:
		return 3
	case errs.ContainsNL:
		return 2
	case errs.Contains8Bit:
		return 1
	}
	return 0
}

// write passes octets on, unless the message is refused already.
func (c *Copier) write(p []byte) {
	if c.werr != nil || len(p) == 0 || c.bad {
		return
	}
	n, err := c.w.Write(p)
	c.size += int64(n)
	c.werr = err
}

// strictHeader is how far mode Strict is in the header block.
type strictHeader struct {
	done      bool   // a line that starts with CR has come
	ended     bool   // an empty line has come: 8-bit octets are allowed now
	lineStart bool   // the next octet starts a line
	blank     bool   // the line has nothing but CR so far
	cr        bool   // the octet before was CR
	line      []byte // of the line, what is needed to judge its name
	judged    bool   // the line's name is good
}

// strict checks p and passes it on.
func (c *Copier) strict(p []byte) {
	h := &c.header
	if !h.ended || !h.done {
		n, changed := c.strictHead(p)
		if changed != nil {
			c.write(changed)
		} else {
			c.write(p[:n])
		}
		p = p[n:]
	}
	if len(p) == 0 {
		return
	}
	if !c.o.AllowNUL {
		c.strictBody(p)
	}
	c.write(p)
}

// strictBody looks for bare LFs in the body.
func (c *Copier) strictBody(p []byte) {
	for at := 0; ; {
		i := bytes.IndexByte(p[at:], '\n')
		if i < 0 {
			break
		}
		at += i
		if at > 0 && p[at-1] != '\r' || at == 0 && !c.header.cr {
			c.fail(errs.ContainsNL)
			return
		}
		at++
	}
	c.header.cr = p[len(p)-1] == '\r'
}

// strictHead checks as much of p as may be header and returns its length, and
// if octets had to be changed, a changed copy.
func (c *Copier) strictHead(p []byte) (n int, changed []byte) {
	h := &c.header
	for n < len(p) && (!h.ended || !h.done) {
		ch := p[n]
		c.judge(ch)
		if c.o.UTF8 && !h.ended {
			c.runeOctet(ch)
		}
		switch {
		case ch == 0:
			if !h.ended {
				c.fail(errs.ContainsNUL)
			}
			h.blank, h.cr = false, false
		case ch == '\n':
			if !h.cr && (!h.ended || !c.o.AllowNUL) {
				c.fail(errs.ContainsNL)
			}
			h.ended = h.ended || h.blank
			h.blank, h.cr = true, false
		case ch == '\r':
			h.cr = true
		default:
			h.blank, h.cr = false, false
			if ch >= 0x80 && !h.ended && !c.o.UTF8 {
				if c.o.Reject8bit {
					c.fail(errs.Contains8Bit)
				} else if c.o.Munge8bit {
					if changed == nil {
						changed = append([]byte(nil), p...)
					}
					changed[n] = 'X'
				}
			}
		}
		n++
	}
	if changed != nil {
		changed = changed[:n]
	}
	return n, changed
}

// runeOctet takes an octet of a header in UTF-8.
func (c *Copier) runeOctet(ch byte) {
	if ch < utf8.RuneSelf {
		if len(c.rune) > 0 {
			c.fail(errs.Contains8Bit)
		}
		return
	}
	c.rune = append(c.rune, ch)
	if !utf8.FullRune(c.rune) {
		return
	}
	if !utf8.Valid(c.rune) {
		c.fail(errs.Contains8Bit)
	}
	c.rune = c.rune[:0]
}

// maxJudged is how much of a header line is looked at to find its name.
const maxJudged = 4096

// judge checks that a header line starts with a field name and a colon, with
// "From " (an mbox line), or with white space.
func (c *Copier) judge(ch byte) {
	h := &c.header
	if h.done {
		return
	}
	if h.lineStart {
		h.line, h.judged = h.line[:0], false
		switch ch {
		case '\r':
			h.done = true
		case ' ', '\t':
			h.judged = true
		case ':':
			c.fail(errs.BadHeader)
		}
	}
	h.lineStart = ch == '\n'
	if h.judged || h.done {
		return
	}
	switch {
	case ch == ':' || len(h.line) >= maxJudged:
		h.judged = true
	case ch > ' ':
		h.line = append(h.line, ch)
	case ch == ' ' && string(h.line) == "From":
		h.judged = true
	default:
		c.fail(errs.BadHeader)
	}
}

// repair mends p and passes it on.
func (c *Copier) repair(p []byte) {
	for c.inHead && len(p) > 0 && !c.bad {
		p = c.repairHead(p)
	}
	if !c.inHead && len(p) > 0 && !c.bad {
		c.repairBody(p)
	}
}

// Limits that Cyrus does not have: a field longer than maxField is refused as
// errs.BadHeader, and fields beyond maxFields octets in all are copied but not
// kept in Fields.
const (
	maxField  = 1 << 20
	maxFields = 4 << 20
)

// repairHead takes header lines from p; it returns the rest. A field is held
// until the first octet of the line behind it shows that it is complete.
func (c *Copier) repairHead(p []byte) []byte {
	if len(c.held) > maxField {
		c.fail(errs.BadHeader)
		return nil
	}
	if len(c.held) > 0 && lineEnded(c.held, p) {
		if p[0] == ' ' || p[0] == '\t' {
			c.held = append(c.held, p[0])
			return p[1:]
		}
		c.field(c.held)
		c.held = c.held[:0]
		return p
	}
	if len(c.held) == 0 && (p[0] == '\r' || p[0] == '\n') {
		c.endHeader()
		return p
	}
	n := min(len(p), maxField)
	if i := bytes.IndexAny(p[:n], "\r\n"); i >= 0 {
		n = i + 1
	}
	c.held = append(c.held, p[:n]...)
	return p[n:]
}

// lineEnded reports whether held ends in a line end to which next does not
// belong any more.
func lineEnded(held, next []byte) bool {
	switch held[len(held)-1] {
	case '\n':
		return true
	case '\r':
		return next[0] != '\n'
	}
	return false
}

// field checks a whole field with its line end and passes it on.
func (c *Copier) field(raw []byte) {
	name, value, ok := splitField(raw)
	if !ok {
		c.fail(errs.BadHeader)
		return
	}
	text := raw[:len(raw)-len(value)]
	value, ok = c.eightBit(value)
	if !ok {
		c.fail(errs.Contains8Bit)
		return
	}
	out := append(c.out[:0], text...)
	out = appendFolded(out, value, "\r\n")
	c.out = out
	if c.kept += len(raw); c.kept <= maxFields {
		c.fields.Add(string(name), string(appendFolded(nil, bytes.TrimLeft(value, " \t"), "")))
	}
	for _, d := range c.o.Drop {
		if strings.EqualFold(d, string(name)) {
			return
		}
	}
	c.write(out)
}

// splitField splits a field into its name and what follows the colon. White
// space may stand before the colon.
func splitField(raw []byte) (name, value []byte, ok bool) {
	n := 0
	for n < len(raw) && raw[n] > ' ' && raw[n] < 0x7f && raw[n] != ':' {
		n++
	}
	i := n
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t') {
		i++
	}
	if n == 0 || i == len(raw) || raw[i] != ':' {
		return nil, nil, false
	}
	return raw[:n], raw[i+1:], true
}

// eightBit applies reject8bit and munge8bit to a field's value; ok is false if
// v is refused.
func (c *Copier) eightBit(v []byte) ([]byte, bool) {
	if (c.o.Reject8bit || c.o.Munge8bit) && !(c.o.UTF8 && utf8.Valid(v)) {
		for i, ch := range v {
			if ch >= 0x80 {
				if c.o.Reject8bit {
					return nil, false
				}
				v[i] = 'X' // v is in c.held
			}
		}
	}
	return v, true
}

// appendFolded appends v with each of its line ends replaced by end.
func appendFolded(dst, v []byte, end string) []byte {
	for i, ch := range v {
		switch {
		case ch == '\n' && i > 0 && v[i-1] == '\r':
		case ch == '\n' || ch == '\r':
			dst = append(dst, end...)
		default:
			dst = append(dst, ch)
		}
	}
	return dst
}

// endHeader ends the header block.
func (c *Copier) endHeader() {
	c.inHead = false
	if c.o.HeaderDone == nil || c.bad {
		return
	}
	c.write(c.o.HeaderDone(&c.fields))
}

// repairBody passes on p with line ends mended: LF alone becomes CR LF, CR
// alone vanishes.
func (c *Copier) repairBody(p []byte) {
	if len(c.held) > 0 { // a CR
		c.held = c.held[:0]
		if p[0] == '\n' {
			c.write(crlf)
			p = p[1:]
		}
	}
	if n := len(p); n > 0 && p[n-1] == '\r' {
		c.held = append(c.held[:0], '\r')
		p = p[:n-1]
	}
	if hasGoodLines(p) {
		c.write(p)
		return
	}
	out := c.out[:0]
	for i, ch := range p {
		switch {
		case ch == '\n':
			out = append(out, '\r', '\n')
		case ch != '\r':
			out = append(out, p[i])
		}
	}
	c.out = out
	c.write(out)
}

// hasGoodLines reports whether CR and LF occur in p only together.
func hasGoodLines(p []byte) bool {
	lf := 0
	for at := 0; ; lf++ {
		i := bytes.IndexByte(p[at:], '\n')
		if i < 0 {
			break
		}
		at += i
		if at == 0 || p[at-1] != '\r' {
			return false
		}
		at++
	}
	return bytes.Count(p, crlf[:1]) == lf
}

// endRepair ends the message in mode Repair.
func (c *Copier) endRepair() {
	if c.bad {
		return
	}
	if !c.inHead {
		return
	}
	if len(c.held) > 0 {
		if last := c.held[len(c.held)-1]; last != '\r' && last != '\n' {
			c.held = append(c.held, '\r', '\n')
		}
		c.field(c.held)
		c.held = c.held[:0]
	}
	c.endHeader()
}

// Fields holds the header fields of a message by name. The zero value is
// empty.
type Fields struct {
	list []field
}

// field is one header field; name is in lower case.
type field struct{ name, value string }

// Get returns the value of the first field of that name (any case), unfolded
// and without white space before it, or "".
func (f *Fields) Get(name string) string {
	for _, h := range f.list {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// Has reports whether there is a field of that name (any case).
func (f *Fields) Has(name string) bool {
	for _, h := range f.list {
		if strings.EqualFold(h.name, name) {
			return true
		}
	}
	return false
}

// All returns the values of all fields of that name (any case) in message
// order; nil if there are none.
func (f *Fields) All(name string) (values []string) {
	for _, h := range f.list {
		if strings.EqualFold(h.name, name) {
			values = append(values, h.value)
		}
	}
	return values
}

// Add appends a field at the end.
func (f *Fields) Add(name, value string) {
	f.list = append(f.list, field{strings.ToLower(name), value})
}

// Each calls fn for each field in order, its name in lower case.
func (f *Fields) Each(fn func(name, value string)) {
	for _, h := range f.list {
		fn(h.name, h.value)
	}
}
