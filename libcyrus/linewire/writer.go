package linewire

import (
	"bytes"
	"fmt"
	"io"
)

// writeSize is how much a Writer collects before it writes by itself.
const writeSize = 16 << 10

// A Writer collects replies until Flush. Its errors stick: after the first
// nothing more is written, and Flush returns it.
type Writer struct {
	dst io.Writer
	buf []byte
	err error
}

// NewWriter returns a Writer to dst.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst} }

// Reset writes to dst from now on. What was not flushed is lost.
func (w *Writer) Reset(dst io.Writer) { w.dst, w.buf, w.err = dst, nil, nil }

// Line adds a line; CR LF is put behind it.
func (w *Writer) Line(line string) {
	w.buf = append(append(w.buf, line...), '\r', '\n')
	w.spill()
}

// Linef is Line with a format.
func (w *Writer) Linef(format string, args ...any) {
	w.buf = append(fmt.Appendf(w.buf, format, args...), '\r', '\n')
	w.spill()
}

// Write adds octets as they are. It never fails: see Flush.
func (w *Writer) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	w.spill()
	return len(p), nil
}

// spill writes what has been collected once it is much.
func (w *Writer) spill() {
	if len(w.buf) >= writeSize {
		w.write()
	}
}

func (w *Writer) write() {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.dst.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// Flush writes what is collected, gives up the buffer, and returns the
// first error met since NewWriter.
func (w *Writer) Flush() error {
	w.write()
	w.buf = nil
	return w.err
}

// A DotWriter stuffs a text that is sent behind a reply (RFC 1939 section
// 3). The text must have CR LF as line ends.
type DotWriter struct {
	w    *Writer
	tail [2]byte // the last two octets written
}

// Dot begins a text.
func (w *Writer) Dot() *DotWriter { return &DotWriter{w: w, tail: [2]byte{'\r', '\n'}} }

// Write adds the next octets of the text. It never fails.
func (d *DotWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if d.tail[1] == '\n' && rest[0] == '.' {
			d.w.buf = append(d.w.buf, '.')
		}
		n := len(rest)
		if i := bytes.Index(rest, []byte("\n.")); i >= 0 {
			n = i + 1
		}
		d.keepTail(rest[:n])
		_, _ = d.w.Write(rest[:n])
		rest = rest[n:]
	}
	return len(p), nil
}

func (d *DotWriter) keepTail(p []byte) {
	if len(p) >= 2 {
		d.tail = [2]byte(p[len(p)-2:])
	} else {
		d.tail = [2]byte{d.tail[1], p[0]}
	}
}

// Close ends the text with a line of one dot. A text that does not end in
// a line end gets one.
func (d *DotWriter) Close() {
	if d.tail != [2]byte{'\r', '\n'} {
		d.w.Line("")
	}
	d.w.Line(".")
}
