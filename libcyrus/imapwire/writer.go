package imapwire

import (
	"io"
	"strconv"
	"sync"
	"unicode/utf8"
)

// flushAt is the size at which a Writer sends what it has: large enough that
// system calls do not matter, small enough that a slow client costs little.
const flushAt = 32 << 10

// maxQuotedOut is the length from which Cyrus prints a literal instead of a
// quoted string. Source: prot_printstring in Cyrus lib/prot.c.
const maxQuotedOut = 1024

var outBuffers = sync.Pool{New: func() any { b := make([]byte, 0, flushAt+4096); return &b }}

// A Writer collects replies and sends them when there are many, or when it
// is told to. The first error of the connection sticks; everything written
// after it is dropped. It may be used by one goroutine at a time.
type Writer struct {
	dst io.Writer
	buf *[]byte // nil while empty and released
	err error
}

// NewWriter returns a Writer to dst.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst} }

// Reset makes the Writer go on with another destination. What was not sent
// yet goes there.
func (w *Writer) Reset(dst io.Writer) { w.dst = dst }

// Buffer returns what waits to be sent, for appending; give the result to
// SetBuffer.
func (w *Writer) Buffer() []byte {
	if w.buf == nil {
		w.buf = outBuffers.Get().(*[]byte)
	}
	return *w.buf
}

// SetBuffer takes what Buffer gave, with more at its end, and sends it if it
// is large.
func (w *Writer) SetBuffer(b []byte) {
	*w.buf = b
	if len(b) >= flushAt {
		w.Flush() // the error sticks
	}
}

// Text adds strings as they are.
func (w *Writer) Text(parts ...string) {
	b := w.Buffer()
	for _, s := range parts {
		b = append(b, s...)
	}
	w.SetBuffer(b)
}

// Line adds strings and the end of the line.
func (w *Writer) Line(parts ...string) {
	b := w.Buffer()
	for _, s := range parts {
		b = append(b, s...)
	}
	w.SetBuffer(append(b, '\r', '\n'))
}

// Append adds b, which may be large, and sends what there is if it is much.
func (w *Writer) Append(b []byte) {
	if len(b) < flushAt/2 {
		w.SetBuffer(append(w.Buffer(), b...))
		return
	}
	if w.Flush() == nil {
		_, w.err = w.dst.Write(b)
	}
}

// Copy adds n octets of r. If r has fewer the reply cannot be completed: the
// error sticks, and the connection has to be closed.
func (w *Writer) Copy(r io.Reader, n int64) error {
	for n > 0 && w.err == nil {
		b := w.Buffer()
		free := cap(b) - len(b)
		if free == 0 {
			w.Flush()
			continue
		}
		k := int(min(int64(free), n))
		m, err := io.ReadFull(r, b[len(b):len(b)+k])
		w.SetBuffer(b[:len(b)+m])
		if n -= int64(m); err != nil && w.err == nil {
			w.err = err
		}
	}
	return w.err
}

// Waiting returns the number of octets that are not sent yet.
func (w *Writer) Waiting() int {
	if w.buf == nil {
		return 0
	}
	return len(*w.buf)
}

// Flush sends everything.
func (w *Writer) Flush() error {
	if w.Waiting() == 0 {
		return w.err
	}
	if w.err == nil {
		_, w.err = w.dst.Write(*w.buf)
	}
	*w.buf = (*w.buf)[:0]
	return w.err
}

// Release gives the buffer back if everything is sent.
func (w *Writer) Release() {
	if w.buf != nil && len(*w.buf) == 0 {
		if cap(*w.buf) <= 2*flushAt {
			outBuffers.Put(w.buf)
		}
		w.buf = nil
	}
}

// Fail makes err the error of the connection: what was written cannot be
// completed, so that nothing more may follow.
func (w *Writer) Fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// Err returns the error of the connection, if there was one.
func (w *Writer) Err() error { return w.err }

// AppendUint prints a number.
func AppendUint[T uint32 | uint64 | int64 | int | uint](b []byte, n T) []byte {
	return strconv.AppendUint(b, uint64(n), 10)
}

// AppendString prints a quoted string, or a literal where Cyrus prints one:
// from 1024 octets on and with NUL, CR, LF, double quotes, percent signs,
// backslashes or octets above 127.
//
// Source: prot_printstring in Cyrus lib/prot.c.
func AppendString(b []byte, s string) []byte {
	if len(s) >= maxQuotedOut {
		return AppendLiteral(b, s)
	}
	for i := range len(s) {
		if noQuote[s[i]] {
			return AppendLiteral(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// noQuote has the bytes that Cyrus does not put into a quoted string.
var noQuote = func() *[256]bool {
	t := byteSet("\x00\r\n\"%\\")
	for c := 0x80; c < 256; c++ {
		t[c] = true
	}
	return t
}()

// AppendLiteral prints s as a literal.
func AppendLiteral(b []byte, s string) []byte {
	b = AppendLiteralHead(b, int64(len(s)))
	return append(b, s...)
}

// AppendLiteralHead prints "{12}" and the end of the line.
func AppendLiteralHead(b []byte, size int64) []byte {
	b = append(b, '{')
	b = strconv.AppendInt(b, size, 10)
	return append(b, "}\r\n"...)
}

// AppendAString prints an atom where that is possible, and else AppendString.
//
// Source: prot_printastring in Cyrus lib/prot.c.
func AppendAString(b []byte, s string) []byte {
	if len(s) < maxQuotedOut && IsAtom(s) && !equalFold(s, "NIL") {
		return append(b, s...)
	}
	return AppendString(b, s)
}

// AppendMailbox prints the name of a mailbox: as AppendAString, but a client
// that takes UTF-8 gets what is not ASCII in a quoted string (RFC 6855 section
// 3).
func AppendMailbox(b []byte, name string, utf8Too bool) []byte {
	if !utf8Too || len(name) >= maxQuotedOut || !utf8.ValidString(name) {
		return AppendAString(b, name)
	}
	ascii := true
	for i := range len(name) {
		c := name[i]
		ascii = ascii && c < utf8.RuneSelf
		if c < utf8.RuneSelf && noQuote[c] && c != '"' && c != '\\' && c != '%' {
			return AppendLiteral(b, name)
		}
	}
	if ascii {
		return AppendAString(b, name)
	}
	b = append(b, '"')
	for i := range len(name) {
		if name[i] == '"' || name[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, name[i])
	}
	return append(b, '"')
}
