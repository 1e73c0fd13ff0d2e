package main

import (
	"io"

	"github.com/klauspost/compress/flate"
)

// inputSize is how much compressed input is read at once; outputSize is what
// the decompressor gives at most at once (its window), so that it keeps
// nothing back.
const (
	inputSize  = 4 << 10
	outputSize = 32 << 10
	// historySize is how much of what was sent helps to compress what comes
	// next: more is of no use to StatelessDeflate.
	historySize = 8 << 10
)

// deflate is the layer of COMPRESS: raw DEFLATE (RFC 1951), flushed with
// each write (RFC 4978). A compressor that keeps its state costs 650 KiB for
// each session; this one keeps the last 8 KiB.
type deflate struct {
	wire    io.ReadWriter
	in      input
	inflate io.ReadCloser
	out     []byte // decompressed and not yet read
	buf     []byte
	history []byte
	err     error
}

// newDeflate puts the layer over a connection.
func newDeflate(wire io.ReadWriter) *deflate {
	d := &deflate{wire: wire, buf: make([]byte, outputSize)}
	d.in.src = wire
	d.inflate = flate.NewReader(&d.in)
	return d
}

// Read gives what comes decompressed.
func (d *deflate) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		var n int
		n, d.err = d.inflate.Read(d.buf)
		d.out = d.buf[:n]
		if d.err == io.EOF && d.in.err == nil { // the client has ended its stream
			d.err = io.ErrUnexpectedEOF
		} else if d.in.err != nil && d.err != nil {
			d.err = d.in.err // what ended the connection, as the worker words it
		}
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// Buffered reports whether there is something to read without waiting.
func (d *deflate) Buffered() bool { return len(d.out) > 0 || d.in.pos < d.in.end }

// Write sends p compressed, all of it at once.
func (d *deflate) Write(p []byte) (int, error) {
	if err := flate.StatelessDeflate(d.wire, p, false, d.history); err != nil {
		return 0, err
	}
	if len(p) >= historySize {
		d.history = append(d.history[:0], p[len(p)-historySize:]...)
		return len(p), nil
	}
	if over := len(d.history) + len(p) - historySize; over > 0 {
		d.history = d.history[:copy(d.history, d.history[over:])]
	}
	d.history = append(d.history, p...)
	return len(p), nil
}

// input is the compressed input; the decompressor takes single bytes of it,
// so that it never reads further than it must.
type input struct {
	src      io.Reader
	buf      [inputSize]byte
	pos, end int
	err      error
}

// ReadByte gives the next byte.
func (i *input) ReadByte() (byte, error) {
	if i.pos == i.end {
		if err := i.fill(); err != nil {
			return 0, err
		}
	}
	i.pos++
	return i.buf[i.pos-1], nil
}

// Read gives what there is.
func (i *input) Read(p []byte) (int, error) {
	if i.pos == i.end {
		if err := i.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, i.buf[i.pos:i.end])
	i.pos += n
	return n, nil
}

// fill reads from the connection.
func (i *input) fill() error {
	if i.err != nil {
		return i.err
	}
	n, err := i.src.Read(i.buf[:])
	i.pos, i.end = 0, n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	i.err = err
	return err
}
