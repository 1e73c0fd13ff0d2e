package linewire

import (
	"bytes"
	"fmt"
	"io"
)

// Writer gathers replies and sends them together: so many replies to
// pipelined commands cost one write. Errors of the destination stick, later
// writes do nothing and Flush returns the first. It may be used by one
// goroutine at a time.
type Writer struct {
	dst io.Writer
	buf []byte
	err error
	n   int64
}

// flushAt is how much is gathered before it is sent unasked.
const flushAt = 16 << 10

// NewWriter returns a Writer to dst.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst} }

// Reset makes w write to dst; what has not been sent is dropped.
func (w *Writer) Reset(dst io.Writer) { w.dst, w.buf, w.err = dst, w.buf[:0], nil }

// Line adds a line: its pieces and CR LF.
func (w *Writer) Line(pieces ...string) {
	for _, p := range pieces {
		w.buf = append(w.buf, p...)
	}
	w.buf = append(w.buf, '\r', '\n')
	w.full()
}

// Linef adds a formatted line and CR LF.
func (w *Writer) Linef(format string, args ...any) {
	w.buf = fmt.Appendf(w.buf, format, args...)
	w.buf = append(w.buf, '\r', '\n')
	w.full()
}

// Write adds octets as they are; it implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	w.full()
	return len(p), w.err
}

// WriteString adds a string as it is.
func (w *Writer) WriteString(s string) (int, error) {
	w.buf = append(w.buf, s...)
	w.full()
	return len(s), w.err
}

// full sends what has been gathered if it is much.
func (w *Writer) full() {
	if len(w.buf) >= flushAt {
		_ = w.Flush() // the error sticks
	}
}

// Flush sends what has been gathered.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.dst.Write(w.buf)
		w.n += int64(len(w.buf))
	}
	w.buf = w.buf[:0]
	return w.err
}

// FlushFor sends what has been gathered if r has nothing read ahead, that
// is, before it would wait for the client.
func (w *Writer) FlushFor(r *Reader) error {
	if r.Buffered() > 0 {
		return w.err
	}
	return w.Flush()
}

// Err is the first error of the destination.
func (w *Writer) Err() error { return w.err }

// Count is the number of octets sent so far.
func (w *Writer) Count() int64 { return w.n }

// Release gives back the buffer if it is empty.
func (w *Writer) Release() {
	if len(w.buf) == 0 {
		w.buf = nil
	}
}

// TextWriter writes dot-stuffed text; Close ends it.
type TextWriter struct {
	w       *Writer
	midLine bool
	cr      bool // the last octet was CR
}

// Text begins dot-stuffed text (RFC 5321 section 4.5.2, RFC 1939 section 3).
// What is written to it should have CR LF line ends; nothing else is changed
// but for the dots.
func (w *Writer) Text() *TextWriter { return &TextWriter{w: w} }

// Write adds text.
func (t *TextWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if !t.midLine && p[0] == '.' {
			t.w.buf = append(t.w.buf, '.')
		}
		m := len(p)
		if i := bytes.Index(p, []byte("\n.")); i >= 0 {
			m = i + 1
		}
		t.w.buf = append(t.w.buf, p[:m]...)
		t.midLine = p[m-1] != '\n'
		t.cr = p[m-1] == '\r'
		t.w.full()
		p = p[m:]
	}
	return n, t.w.err
}

// Close ends the last line if that is missing, and writes the line with the
// dot. Nothing is sent by it.
func (t *TextWriter) Close() error {
	switch {
	case t.cr:
		t.w.buf = append(t.w.buf, '\n')
	case t.midLine:
		t.w.buf = append(t.w.buf, '\r', '\n')
	}
	t.w.Line(".")
	return t.w.err
}
