package message

import (
	"bytes"
	"io"
	"sync"
)

// windowSize is what is read ahead of a message that is not in memory.
// 64 KiB keeps the read calls few and stays in the processor's cache.
const windowSize = 64 << 10

// source gives the parser the octets of a message: all at once if they are
// in memory (r is nil), else through a window that moves over them.
type source struct {
	r    io.ReaderAt
	size int64
	buf  []byte // octets from base on
	base int64  // offset of buf[0]
	pos  int    // octets of buf that have been consumed
	err  error  // first error of r; the message ends there

	pooled *[]byte // from windows; buf may have outgrown it
}

// windows holds buffers of windowSize.
var windows = sync.Pool{New: func() any { b := make([]byte, 0, windowSize); return &b }}

// release gives the window back. Nothing may refer to it any more.
func (s *source) release() {
	if s.pooled != nil {
		windows.Put(s.pooled)
		s.pooled, s.buf = nil, nil
	}
}

func memorySource(b []byte) *source { return &source{size: int64(len(b)), buf: b} }

func readerSource(r io.ReaderAt, size int64) *source { return &source{r: r, size: size} }

// offset is the place in the message of the next octet.
func (s *source) offset() int64 { return s.base + int64(s.pos) }

// atEnd reports whether all octets have been consumed.
func (s *source) atEnd() bool { return s.offset() >= s.size }

// peek returns octets not yet consumed: at least n of them if there are so
// many. They are valid until the next peek.
func (s *source) peek(n int) []byte {
	if len(s.buf)-s.pos < n && s.base+int64(len(s.buf)) < s.size {
		s.fill(n)
	}
	return s.buf[s.pos:]
}

// fill moves the window so that it holds n octets from pos on.
func (s *source) fill(n int) {
	keep := s.buf[s.pos:]
	want := max(n, windowSize)
	if left := s.size - s.offset(); int64(want) > left {
		want = int(left)
	}
	if s.pooled == nil {
		s.pooled = windows.Get().(*[]byte)
		s.buf = (*s.pooled)[:0]
	}
	if cap(s.buf) < want {
		s.buf = append(make([]byte, 0, want), keep...)
	} else {
		s.buf = s.buf[:copy(s.buf[:cap(s.buf)], keep)]
	}
	s.base += int64(s.pos)
	s.pos = 0
	have := len(s.buf)
	m, err := s.r.ReadAt(s.buf[have:want], s.base+int64(have))
	s.buf = s.buf[:have+m]
	if have+m < want {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		s.err = err
		s.size = s.base + int64(len(s.buf))
	}
}

// skip consumes n octets of the last peek.
func (s *source) skip(n int) { s.pos += n }

// skipLine consumes the rest of the line and returns how many octets that was.
func (s *source) skipLine() (n int64) {
	for {
		w := s.peek(1)
		if len(w) == 0 {
			return n
		}
		if i := bytes.IndexByte(w, '\n'); i >= 0 {
			s.skip(i + 1)
			return n + int64(i) + 1
		}
		s.skip(len(w))
		n += int64(len(w))
	}
}

// section returns a reader of size octets at offset, for the second look
// at content.
func (s *source) section(offset, size int64) ([]byte, io.Reader) {
	if s.r == nil {
		offset = min(offset, int64(len(s.buf)))
		end := min(offset+size, int64(len(s.buf)))
		return s.buf[offset:end], nil
	}
	return nil, io.NewSectionReader(s.r, offset, max(0, min(size, s.size-offset)))
}
