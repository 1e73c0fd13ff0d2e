package main

import (
	"bufio"
	"bytes"
	"io"
	"sync"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
)

// retr sends a message (RFC 1939 section 5).
func (s *session) retr(arg string) error {
	n, err := number(arg)
	if err != nil {
		return err
	}
	m, err := s.drop.message(n)
	if err != nil {
		return err
	}
	if err := s.send(m, func(w io.Writer, f io.Reader) error { return copyAll(w, f) }); err != nil {
		return err
	}
	m.seen = true
	s.counts.retr++
	return nil
}

// top sends the header of a message and some lines of its body (RFC 1939
// section 7).
func (s *session) top(arg string) error {
	n, lines, err := twoNumbers(arg)
	if err != nil {
		return err
	}
	m, err := s.drop.message(n)
	if err != nil {
		return err
	}
	s.counts.top++
	return s.send(m, func(w io.Writer, f io.Reader) error { return copyTop(w, f, lines) })
}

// send answers with a message of which what writes as much as is wanted. An
// error after the first line can only end the session.
func (s *session) send(m *dropped, what func(io.Writer, io.Reader) error) error {
	f, err := s.openMessage(m)
	if err != nil {
		return err
	}
	defer f.Close()
	s.w.Line("+OK Message follows")
	d := s.w.Dot()
	if err := what(d, f); err != nil {
		s.log.Error("message file cannot be read", "mailbox", string(s.drop.ref.Name), "uid", m.uid, "error", err)
		s.done = true
		return nil
	}
	d.Close()
	return nil
}

// openMessage opens the file of a message.
func (s *session) openMessage(m *dropped) (disk.File, error) {
	box, err := s.site.Store.Open(s.ctx, s.drop.ref, mailbox.Read)
	if err != nil {
		return nil, s.unreadable("[SYS/PERM] Could not read index record", m, err)
	}
	defer box.Close()
	r, ok, err := box.FindUID(m.uid, m.recno)
	if err != nil {
		return nil, s.unreadable("[SYS/PERM] Could not read index record", m, err)
	}
	if !ok {
		return nil, errReadFile
	}
	f, err := box.OpenMessage(&r)
	if err != nil {
		return nil, s.unreadable(errReadFile, m, err)
	}
	return f, nil
}

// unreadable logs why a message cannot be read, and words it.
func (s *session) unreadable(text refusal, m *dropped, err error) error {
	if !errs.Is(err, errs.NotFound) {
		s.log.Error("message cannot be read", "mailbox", string(s.drop.ref.Name), "uid", m.uid, "error", err)
	}
	return text
}

// pieces holds buffers for message files.
var pieces = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// copyAll writes all of f to w; the error is that of f.
func copyAll(w io.Writer, f io.Reader) error {
	buf := pieces.Get().(*[]byte)
	defer pieces.Put(buf)
	for {
		n, err := f.Read(*buf)
		w.Write((*buf)[:n]) // its errors stick to the session's writer
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// copyTop writes the header of f, the empty line and so many lines more. The
// header ends at the first line with nothing but CR LF.
func copyTop(w io.Writer, f io.Reader, lines uint32) error {
	r := bufio.NewReader(f)
	inHeader, lineStart := true, true
	for inHeader || lines > 0 || !lineStart {
		piece, err := r.ReadSlice('\n')
		w.Write(piece) // its errors stick to the session's writer
		if err != nil && err != bufio.ErrBufferFull {
			if err == io.EOF {
				return nil
			}
			return err
		}
		if lineStart && !inHeader {
			lines--
		}
		if lineStart && bytes.Equal(piece, []byte("\r\n")) {
			inHeader = false
		}
		lineStart = err == nil
	}
	return nil
}
