// Package linewire reads and writes the protocols that consist of lines:
// POP3, LMTP, ManageSieve, NNTP. It knows nothing of their commands.
package linewire

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLong is returned for a line that exceeds the limit. All of the line
// has been consumed: the next call reads the one behind it.
var ErrTooLong = errors.New("line too long")

// bufferSize is how much is read from the network at a time.
const bufferSize = 8 << 10

// Reader reads lines, dot-stuffed text and counted octets from a client. A
// line ends with CR LF, or LF alone as in Cyrus. Its memory does not grow
// beyond the line limit. It may be used by one goroutine at a time.
type Reader struct {
	src  io.Reader
	max  int    // limit of a line without its end
	buf  []byte // octets read ahead are buf[pos:end]
	pos  int
	end  int
	err  error // of src; comes after all octets read ahead
	read int64
}

// NewReader returns a Reader that allows lines of maxLine octets, without
// the line end. No memory is taken before the first read.
func NewReader(src io.Reader, maxLine int) *Reader {
	return &Reader{src: src, max: maxLine}
}

// Reset makes r read from src and forget what it has read ahead, as must be
// done when TLS begins (RFC 3207 section 4.2).
func (r *Reader) Reset(src io.Reader) {
	r.src, r.pos, r.end, r.err = src, 0, 0, nil
}

// SetMaxLine changes the limit of a line, for instance after log-in.
func (r *Reader) SetMaxLine(n int) { r.max = n }

// Buffered is the number of octets that have been read ahead: when it is 0,
// the client waits for an answer.
func (r *Reader) Buffered() int { return r.end - r.pos }

// Count is the number of octets read from the source so far.
func (r *Reader) Count() int64 { return r.read }

// Release gives back the buffer if nothing is held in it, so that an idle
// client costs little memory.
func (r *Reader) Release() {
	if r.Buffered() == 0 {
		r.buf, r.pos, r.end = nil, 0, 0
	}
}

// fill reads more octets behind those read ahead. It returns an error if
// there are none.
func (r *Reader) fill() error {
	if r.err != nil {
		return r.err
	}
	if r.pos == r.end {
		r.pos, r.end = 0, 0
	}
	switch {
	case r.buf == nil:
		r.buf = make([]byte, bufferSize)
	case r.end == len(r.buf) && r.pos > 0:
		r.end = copy(r.buf, r.buf[r.pos:r.end])
		r.pos = 0
	case r.end == len(r.buf):
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		r.read += int64(n)
		r.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// Line reads a line and returns it without its end. It is valid until the
// next call. What comes before the end of the input without a line end is
// no line: io.EOF if there is none of it, else io.ErrUnexpectedEOF.
func (r *Reader) Line() ([]byte, error) {
	scanned := 0
	for {
		b := r.buf[r.pos:r.end]
		if i := bytes.IndexByte(b[scanned:], '\n'); i >= 0 {
			n := scanned + i
			r.pos += n + 1
			line := b[:n]
			if n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
			if len(line) > r.max {
				return nil, ErrTooLong
			}
			return line, nil
		}
		scanned = len(b)
		if scanned > r.max+1 { // a CR may still be part of the line end
			if err := r.skipLine(); err != nil {
				return nil, err
			}
			return nil, ErrTooLong
		}
		if err := r.fill(); err != nil {
			return nil, r.unexpected(err, scanned)
		}
	}
}

// unexpected is err for input that ends after n octets of something.
func (r *Reader) unexpected(err error, n int) error {
	if err == io.EOF && n > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// skipLine consumes the rest of a line without keeping it.
func (r *Reader) skipLine() error {
	for {
		if i := bytes.IndexByte(r.buf[r.pos:r.end], '\n'); i >= 0 {
			r.pos += i + 1
			return nil
		}
		r.pos = r.end
		if err := r.fill(); err != nil {
			return r.unexpected(err, 1)
		}
	}
}

// Read reads octets as they come, for literals; it implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if r.Buffered() == 0 {
		if len(p) >= bufferSize && r.err == nil {
			n, err := r.src.Read(p)
			r.read += int64(n)
			return n, err
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.buf[r.pos:r.end])
	r.pos += n
	return n, nil
}

// CopyText reads dot-stuffed text up to and with the line that holds only a
// dot (RFC 5321 section 4.5.2), and writes it to w without the stuffing;
// line ends are passed on as they came. If w fails, the text is still read
// to its end. werr is the error of w, err that of the input.
func (r *Reader) CopyText(w io.Writer) (n int64, werr, err error) {
	write := func(b []byte) {
		if len(b) == 0 || werr != nil {
			return
		}
		var m int
		m, werr = w.Write(b)
		n += int64(m)
	}
	lineStart := true
	for {
		if lineStart {
			last, err := r.dotLine()
			if err != nil || last {
				return n, werr, err
			}
		}
		b := r.buf[r.pos:r.end]
		if len(b) == 0 {
			if err := r.fill(); err != nil {
				return n, werr, r.unexpected(err, 1)
			}
			lineStart = false
			continue
		}
		m := len(b)
		lineStart = b[m-1] == '\n'
		if i := bytes.Index(b, []byte("\n.")); i >= 0 {
			m, lineStart = i+1, true
		}
		r.pos += m
		write(b[:m])
	}
}

// dotLine looks at the start of a line of dot-stuffed text. If it is the
// last line it is consumed, else only a stuffed dot is.
func (r *Reader) dotLine() (last bool, err error) {
	for {
		b := r.buf[r.pos:r.end]
		switch {
		case len(b) > 0 && b[0] != '.':
			return false, nil
		case len(b) > 1 && b[1] == '\n':
			r.pos += 2
			return true, nil
		case len(b) > 2 && b[1] == '\r' && b[2] == '\n':
			r.pos += 3
			return true, nil
		case len(b) > 2 || len(b) > 1 && b[1] != '\r':
			r.pos++
			return false, nil
		}
		if err := r.fill(); err != nil {
			return false, r.unexpected(err, 1)
		}
	}
}
