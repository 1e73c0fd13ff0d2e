// Package linewire is the syntax of protocols made of lines: POP3, LMTP,
// ManageSieve, NNTP. It knows nothing of what the lines mean.
package linewire

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// ErrTooLong is returned for a line over the reader's limit. The line has
// been read to its end and thrown away: the next one can be read.
var ErrTooLong = errors.New("line too long")

// bufferSize is the window through which everything is read. It holds one
// line, so it bounds the limit of NewReader.
const bufferSize = 8 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// A Reader reads lines and dot-stuffed texts. Between two lines it can give
// its buffer back, so that an idle client costs none.
type Reader struct {
	src    io.Reader
	limit  int
	buf    *[bufferSize]byte // nil while nothing is buffered
	pos    int               // what is buffered lies in buf[pos:end]
	end    int
	bareLF bool // the last line ended in LF alone
}

// NewReader returns a Reader whose lines have at most limit octets with
// their end; limit must be from 2 to 8192.
func NewReader(src io.Reader, limit int) *Reader {
	if limit < 2 || limit > bufferSize {
		panic("linewire: limit out of range")
	}
	return &Reader{src: src, limit: limit}
}

// Buffered reports whether something has been read from the source that
// was not asked for yet: replies need not be flushed before the next Line.
func (r *Reader) Buffered() bool { return r.end > r.pos }

// Reset throws away what is buffered and reads from src from now on, as
// after STARTTLS.
func (r *Reader) Reset(src io.Reader) {
	r.src, r.pos, r.end = src, 0, 0
	r.Release()
}

// Release gives the buffer back if it is empty. The line returned last is
// void after it.
func (r *Reader) Release() {
	if r.buf != nil && r.pos == r.end {
		buffers.Put(r.buf)
		r.buf, r.pos, r.end = nil, 0, 0
	}
}

// fill reads more into the buffer, which must not be full from its start.
func (r *Reader) fill() error {
	if r.buf == nil {
		r.buf = buffers.Get().(*[bufferSize]byte)
	}
	if r.pos > 0 {
		r.end = copy(r.buf[:], r.buf[r.pos:r.end])
		r.pos = 0
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// Line returns the next line without its end, which is CR LF or LF. It is
// valid until the next call. After ErrTooLong the next line can be read; a
// line that the source ends in the middle of is io.ErrUnexpectedEOF.
func (r *Reader) Line() ([]byte, error) {
	from, tooLong := 0, false
	for {
		if i := bytes.IndexByte(r.window(from), '\n'); i >= 0 {
			return r.take(from+i, tooLong)
		}
		from = r.end - r.pos
		if from >= r.limit {
			tooLong, from, r.pos = true, 0, r.end
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && (from > 0 || tooLong) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// window is what is buffered, less the first skip octets.
func (r *Reader) window(skip int) []byte {
	if r.buf == nil {
		return nil
	}
	return r.buf[r.pos+skip : r.end]
}

// take returns the line whose LF is at octet i of the window.
func (r *Reader) take(i int, tooLong bool) ([]byte, error) {
	line := r.buf[r.pos : r.pos+i]
	r.pos += i + 1
	if tooLong || i >= r.limit {
		return nil, ErrTooLong
	}
	line, hadCR := bytes.CutSuffix(line, []byte("\r"))
	r.bareLF = !hadCR
	return line, nil
}

// Body copies a text that ends in a line of one dot to w, without that
// line and without the dots by which other lines were stuffed (RFC 5321
// section 4.5.2). Line ends are copied as they are. A dot also is stuffing
// after a bare LF, as in Cyrus; but a line of one dot ends the text only
// between two CR LF, lest a bare LF in a message smuggle commands in. From a
// client that ended its last command in a bare LF such lines end it too.
//
// An error of w is returned after the text has been read to its end, so
// that the dialog can go on; any other error means that the source failed.
func (r *Reader) Body(w io.Writer) error {
	b := body{w: w, lf: r.bareLF, start: true, afterCR: true}
	for {
		n, done := b.scan(r.window(0))
		r.pos += n
		if done {
			return b.err
		}
		if err := r.fill(); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
}

// Chunk copies the next n octets to w as they are (RFC 3030 section 2); n is
// at least 0. The errors are those of Body: one of w is returned after all n
// octets have been read.
func (r *Reader) Chunk(w io.Writer, n int64) error {
	var werr error
	for n > 0 {
		p := r.window(0)
		if len(p) == 0 {
			if err := r.fill(); err != nil {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return err
			}
			continue
		}
		p = p[:min(int64(len(p)), n)]
		if werr == nil {
			_, werr = w.Write(p)
		}
		r.pos += len(p)
		n -= int64(len(p))
	}
	return werr
}

// body is the state of one text.
type body struct {
	w       io.Writer
	err     error // the first of w
	lf      bool  // the client ends lines in LF
	start   bool  // the next octet begins a line
	afterCR bool  // the line before ended in CR LF
	prevCR  bool  // the octet before is a CR that was passed on
}

// scan takes what it can of p, which is the next octets of the text, and
// returns how many, and whether the end was met. It leaves the beginning of
// a line with a dot that may be the last until there is enough of it.
func (b *body) scan(p []byte) (n int, done bool) {
	for n < len(p) {
		if b.start && p[n] == '.' {
			rest := p[n:]
			size, last, enough := b.dot(rest)
			if !enough {
				return n, false
			}
			if last {
				return n + size, true
			}
			n++ // the stuffing
			b.start = false
			continue
		}
		n += b.text(p[n:])
	}
	return n, false
}

// dot looks at the beginning of a line that starts with a dot: whether it
// is the last, and of what size with its end.
func (b *body) dot(p []byte) (size int, last, enough bool) {
	if len(p) < 2 {
		return 0, false, false
	}
	if p[1] == '\n' {
		return 2, b.lf, true
	}
	if p[1] != '\r' {
		return 0, false, true
	}
	if len(p) < 3 {
		return 0, false, false
	}
	return 3, p[2] == '\n' && (b.afterCR || b.lf), true
}

// text passes on p up to the end of a line after which a dot would matter,
// or whole, and returns how much that is.
func (b *body) text(p []byte) int {
	n := len(p)
	b.start = false
	if i := bytes.Index(p, []byte("\n.")); i >= 0 {
		n = i + 1
	}
	if p[n-1] == '\n' {
		b.start = true
		b.afterCR = n > 1 && p[n-2] == '\r' || n == 1 && b.prevCR
	}
	b.prevCR = p[n-1] == '\r'
	if b.err == nil {
		_, b.err = b.w.Write(p[:n])
	}
	return n
}
