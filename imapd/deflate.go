package main

import (
	"io"

	"github.com/klauspost/compress/flate"
)

// inputSize is how much compressed input is read at once.
const (
	inputSize = 4 << 10
	// historySize is how much of what was sent helps to compress what comes
	// next: more is of no use to StatelessDeflate.
	historySize = 8 << 10
)

// deflate is the layer of COMPRESS: raw DEFLATE (RFC 1951), flushed with
// each write (RFC 4978). A compressor that keeps its state costs 650 KiB for
// each session; this one keeps the last 8 KiB.
type deflate struct {
	wire    io.ReadWriter
	inflate inflater
	history []byte
	err     error // of the connection
}

// newDeflate puts the layer over a connection.
func newDeflate(wire io.ReadWriter) *deflate { return &deflate{wire: wire} }

// Read gives what comes decompressed.
func (d *deflate) Read(p []byte) (int, error) {
	for {
		err := d.inflate.advance()
		if n := d.inflate.read(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		switch {
		case err == io.EOF: // the client has ended its stream
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		case d.err != nil:
			return 0, d.err
		}
		d.fill()
	}
}

// fill reads from the connection.
func (d *deflate) fill() {
	var buf [inputSize]byte
	n, err := d.wire.Read(buf[:])
	d.inflate.add(buf[:n])
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	if n == 0 {
		d.err = err
	}
}

// Buffered reports whether there is something to read without waiting.
func (d *deflate) Buffered() bool {
	err := d.inflate.advance()
	return d.inflate.waiting > 0 || err != nil
}

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
