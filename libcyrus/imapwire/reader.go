// Package imapwire is the syntax of IMAP (RFC 3501 section 9), without any
// meaning: a Reader with hard limits, sequence sets, dates, the arguments of
// FETCH and SEARCH, and a Writer that prints strings as Cyrus does.
package imapwire

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
)

// bufferSize is how much is read ahead: several pipelined commands, and
// little enough for thousands of busy sessions.
const bufferSize = 8 << 10

// maxWordQuick is the size up to which a word is collected without growing.
const maxWordQuick = 64

// Limits bounds what a Reader takes into memory, in octets. Zero is no limit.
type Limits struct {
	Word    int   // an atom and the like (maxword)
	Quoted  int   // a quoted string (maxquoted)
	Literal int64 // a literal that is kept in memory (maxliteral)
	Args    int64 // one command without streamed literals (maxargssize)
	Nesting int   // parentheses within parentheses
}

// A SyntaxError is something wrong in a command; the text is for the client,
// after BAD.
type SyntaxError string

// Error is the text itself.
func (e SyntaxError) Error() string { return string(e) }

// A LimitError is a limit that was exceeded. The text is for the client.
type LimitError struct {
	Text string // "[TOOBIG] Word too long"
	// Fatal is set when what follows cannot be told from commands any
	// more: the connection has to be closed with BYE.
	Fatal bool
}

// Error is the text for the client.
func (e *LimitError) Error() string { return e.Text }

// Errors that a token was not of the wanted form. They carry no text for the
// client: each command words it.
var (
	errNotString = errors.New("imapwire: not a string")
	errNotNumber = errors.New("imapwire: not a number")
	errNotUTF8   = SyntaxError("Quoted string is not UTF-8")
)

// buffers holds read buffers of sessions that wait for their client.
var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// A Reader takes commands apart. Its methods read one token each and leave
// the byte behind it; a method that fails has read up to where it failed.
// Input errors and fatal limits are sticky, see Err. It may be used by one
// goroutine at a time.
type Reader struct {
	// Command is the name of the running command as replies spell it
	// ("Fetch", "UID Fetch"); texts of errors contain it.
	Command string
	// GoAhead is called when the client waits for leave to send a literal;
	// it must send "+ go ahead". Nil refuses such literals.
	GoAhead func() error
	// BeforeRead, if not nil, is called when nothing is left in the buffer
	// and the connection has to be read: to send what was answered so far.
	BeforeRead func() error
	// UTF8: what is not ASCII in quoted strings has to be UTF-8 (RFC 6855
	// section 3).
	UTF8 bool
	// Offers says whether the client may use what belongs to a capability.
	// Nil offers everything.
	Offers func(capability string) bool

	src    io.Reader
	limits Limits
	buf    *[]byte // nil while nothing is buffered and Release was called
	pos    int
	end    int
	taken  int64 // octets consumed since Start, without streamed literals
	// The last token: from and to where of taken.
	tokenStart, tokenEnd int64
	ended                bool  // the line of the command has been taken to its end
	coming               int64 // octets of a literal whose head was taken, that the client sends unasked
	err                  error
}

// NewReader returns a Reader of src.
func NewReader(src io.Reader, limits Limits) *Reader {
	return &Reader{src: src, limits: limits}
}

// Reset makes the Reader go on with another source, for example after
// STARTTLS, and forgets what was buffered: it came before.
func (r *Reader) Reset(src io.Reader) {
	r.src, r.pos, r.end = src, 0, 0
}

// SetLimits changes the limits from here on.
func (r *Reader) SetLimits(l Limits) { r.limits = l }

// Err returns the error of the connection or the fatal limit that ended
// reading; io.EOF if the client has gone. Nil while all is well.
func (r *Reader) Err() error { return r.err }

// Buffered returns the number of octets that can be read without waiting.
func (r *Reader) Buffered() int { return r.end - r.pos }

// Release gives the buffer back if it is empty, for the time the client is
// idle. The next read takes one again.
func (r *Reader) Release() {
	if r.pos == r.end && r.buf != nil {
		buffers.Put(r.buf)
		r.buf, r.pos, r.end = nil, 0, 0
	}
}

// Start begins a new command: counting for Limits.Args starts again.
func (r *Reader) Start(command string) {
	r.Command, r.taken, r.ended, r.coming = command, 0, false, 0
	r.tokenStart, r.tokenEnd = 0, 0
}

// fill reads more; it returns false at the end or on an error.
func (r *Reader) fill() bool {
	if r.err != nil {
		return false
	}
	if r.BeforeRead != nil {
		if r.err = r.BeforeRead(); r.err != nil {
			return false
		}
	}
	if r.buf == nil {
		r.buf = buffers.Get().(*[]byte)
	}
	n, err := r.src.Read(*r.buf)
	r.pos, r.end = 0, n
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		r.err = err
		return false
	}
	return true
}

// Peek returns the next byte without taking it; false at the end of input or
// after an error.
func (r *Reader) Peek() (byte, bool) {
	if r.pos == r.end && !r.fill() {
		return 0, false
	}
	return (*r.buf)[r.pos], true
}

// skip takes the byte that Peek has shown.
func (r *Reader) skip() {
	r.pos++
	r.taken++
}

// Accept takes the next byte if it is b.
func (r *Reader) Accept(b byte) bool {
	c, ok := r.Peek()
	if !ok || c != b {
		return false
	}
	r.skip()
	return true
}

// Space takes one blank.
func (r *Reader) Space() bool { return r.Accept(' ') }

// AtEOL reports whether the line ends here.
func (r *Reader) AtEOL() bool {
	c, ok := r.Peek()
	return ok && (c == '\r' || c == '\n')
}

// EOL takes the end of the line, CR LF or LF. It returns false if something
// else stands there; a single CR is then taken.
func (r *Reader) EOL() bool {
	r.Accept('\r')
	r.ended = r.Accept('\n')
	return r.ended
}

// SkipLine takes what remains of the command: everything up to the end of
// the line, and with it literals that the client sends without asking, also one
// whose head was taken already.
// Nothing remains after EOL, or after the head of a literal for which the
// client was not given leave.
//
// Source: eatline in Cyrus imap/imapparse.c.
func (r *Reader) SkipLine() {
	if !r.skipStream(r.coming) {
		return
	}
	for !r.ended && r.err == nil {
		n, inLine := r.skipToLineEnd()
		if !inLine {
			r.ended = true
			return
		}
		if !r.skipStream(n) {
			return
		}
	}
}

// skipStream takes a literal that the client sends and nobody wants.
func (r *Reader) skipStream(size int64) bool {
	r.coming = 0
	if size == 0 || r.err != nil {
		return r.err == nil
	}
	_, err := io.CopyN(io.Discard, r.stream(), size)
	return err == nil
}

// skipToLineEnd takes the rest of a line. If it ended with the head of a
// literal that follows unasked, it returns the size and true.
func (r *Reader) skipToLineEnd() (size int64, literal bool) {
	var tail [24]byte // the end of the line, where a literal's head may be
	n := 0
	for {
		c, ok := r.Peek()
		if !ok {
			return 0, false
		}
		r.skip()
		if r.checkArgs(); r.err != nil {
			return 0, false
		}
		if c == '\n' {
			return literalTail(strings.TrimSuffix(string(tail[:n]), "\r"))
		}
		if n == len(tail) {
			copy(tail[:], tail[1:])
			n--
		}
		tail[n] = c
		n++
	}
}

// literalTail returns the size in "{12+}" at the end of a line.
func literalTail(s string) (int64, bool) {
	i := strings.LastIndexByte(s, '{')
	if i < 0 || !strings.HasSuffix(s, "+}") {
		return 0, false
	}
	n, ok := parseSize(s[i+1 : len(s)-2])
	return n, ok
}

// Word takes everything up to a blank, a control character that is white
// space, a parenthesis or a double quote. It may be empty.
//
// Source: getword in Cyrus imap/imapparse.c.
func (r *Reader) Word() string {
	r.tokenStart = r.taken
	w := string(r.word(wordEnd, make([]byte, 0, maxWordQuick)))
	r.tokenEnd = r.taken
	return w
}

// maxShown is how much of a token an error shows.
const maxShown = 40

// Where returns where a command is wrong, if it is: the last token if nothing
// was taken behind it, and else what comes next. octet counts from 1 at the
// start of the command's tag, literals too; token is what stands there, at most
// maxShown octets of it, "?" for what is not printable, and "" at the end of a
// line. ok is false if the command has been taken to its end: it is not its
// syntax that is wrong.
func (r *Reader) Where() (octet int64, token string, ok bool) {
	if r.ended || r.err != nil || r.buf == nil {
		return 0, "", false
	}
	n := 0 // octets of the token before pos
	if r.tokenEnd == r.taken && r.tokenStart < r.taken {
		n = int(min(r.taken-r.tokenStart, int64(r.pos)))
	}
	start := r.pos - n
	end := r.pos
	if n == 0 {
		if end < r.end && (*r.buf)[end] == ' ' {
			start, end = start+1, end+1
		}
		for end < r.end && !wordEnd[(*r.buf)[end]] {
			end++
		}
		if c := end; c == start && c < r.end && (*r.buf)[c] != '\r' && (*r.buf)[c] != '\n' {
			end++
		}
	}
	text := (*r.buf)[start:end]
	text = slices.Clone(text[:min(len(text), maxShown)])
	for i, c := range text {
		if c < ' ' || c > '~' {
			text[i] = '?'
		}
	}
	return r.taken + int64(start-r.pos) + 1, string(text), true
}

// word appends bytes to b until stop holds.
func (r *Reader) word(stop *[256]bool, b []byte) []byte {
	for {
		if r.pos == r.end && !r.fill() {
			return b
		}
		data := (*r.buf)[r.pos:r.end]
		n := 0
		for n < len(data) && !stop[data[n]] {
			n++
		}
		b = append(b, data[:n]...)
		r.pos += n
		r.taken += int64(n)
		if r.limits.Word > 0 && len(b) > r.limits.Word {
			r.fail("[TOOBIG] Word too long")
			return b
		}
		r.checkArgs()
		if n < len(data) || r.err != nil {
			return b
		}
	}
}

// Line takes a whole line with its end and returns it without that, for
// answers to a continuation request. One of more than limit octets ends
// reading.
func (r *Reader) Line(limit int) string {
	b := make([]byte, 0, maxWordQuick)
	for {
		c, ok := r.Peek()
		if !ok {
			return ""
		}
		r.skip()
		if c == '\n' {
			return strings.TrimSuffix(string(b), "\r")
		}
		if b = append(b, c); len(b) > limit {
			r.fail("[TOOBIG] Line too long")
			return ""
		}
	}
}

// argsTooLong ends a session whose client sends too much in one command.
const argsTooLong = "[TOOBIG] Command arguments total size exceeds fixed limit"

// checkArgs ends the connection when the command has grown too large.
func (r *Reader) checkArgs() {
	if r.limits.Args > 0 && r.taken > r.limits.Args {
		r.fail(argsTooLong)
	}
}

// fail ends reading for good.
func (r *Reader) fail(text string) {
	if r.err == nil {
		r.err = &LimitError{Text: text, Fatal: true}
	}
}

// Missing is the error of a command that ended too early.
func (r *Reader) Missing() error {
	r.tokenEnd = -1 // what comes next is wrong
	return SyntaxError("Missing required argument to " + r.Command)
}

// Extra is the error of a command that should have ended here.
func (r *Reader) Extra() error {
	r.tokenEnd = -1
	return SyntaxError("Unexpected extra arguments to " + r.Command)
}

// End takes the end of the line, or returns the error Extra.
func (r *Reader) End() error {
	if !r.EOL() {
		return r.Extra()
	}
	return nil
}

// wordEnd has the bytes that end a word.
var wordEnd = byteSet(" \t\n\v\f\r()\"")

// byteSet returns a table that is true for the bytes of s.
func byteSet(s string) *[256]bool {
	t := new([256]bool)
	for i := range len(s) {
		t[s[i]] = true
	}
	return t
}
