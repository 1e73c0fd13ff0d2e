package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"gocyrus/libcyrus/errs"
)

// maxChunk is the most octets that are read to be thrown away. Nobody sends
// a chunk of more: then the connection ends.
const maxChunk = 1 << 40

// bdat is BDAT (RFC 3030 section 2): so many octets of the message follow,
// without stuffed dots. The last chunk has one reply for each recipient, as
// the dot after DATA; others have one. After one of these that was no 250 the
// transaction is void until RSET. The octets of a chunk are always read, lest
// they be taken for commands; after arguments that do not say how many there
// are, the connection ends.
//
// What is wrong with line ends is mended as in DATA, so that BINARYMIME is
// not offered.
func (s *session) bdat(ctx context.Context, args string) {
	size, last, err := parseChunk(args)
	if err != nil || size > maxChunk {
		s.quit = true
		if err == nil || errors.Is(err, strconv.ErrRange) {
			s.w.Linef("552 5.2.3 Message size exceeds fixed maximum message size (%d)", s.maxSize)
		} else {
			s.w.Line(badParameters)
		}
		return
	}
	if s.w.Flush() != nil { // the client may want to hear of RCPT before it sends the chunk
		s.quit = true
		return
	}
	if refusal := s.cannotChunk(); refusal != "" {
		if s.discard(size) {
			s.w.Line(refusal)
		}
		return
	}
	if s.mail.transfer == nil {
		s.beginChunks(ctx)
	}
	t := s.mail.transfer
	if t.err == nil && t.size.got+size > t.size.max {
		t.err = errs.New(errs.TooBig, "lmtpd.bdat", "", &tooBig{t.m.added + t.size.got + size, t.size.max})
	}
	if !s.take(func(w io.Writer) error { return s.r.Chunk(w, size) }) {
		return
	}
	switch {
	case last:
		s.finish(ctx)
	case t.err != nil:
		t.told = true
		s.failed(t.err, "chunk")
		s.reply(t.err)
	default:
		s.w.Linef("250 2.0.0 %d octets received", size)
	}
}

// cannotChunk is what a chunk is answered that belongs to no transaction, or
// to one that the client should have given up.
func (s *session) cannotChunk() (refusal string) {
	switch {
	case s.trust == untrusted:
		return s.authNeeded()
	case len(s.mail.to) == 0:
		return noRecipients
	case s.mail.transfer != nil && s.mail.transfer.told:
		return "503 5.5.1 An earlier chunk was refused, send RSET"
	}
	return ""
}

// beginChunks makes the stage file of the message. If that fails, the first
// chunk is refused.
func (s *session) beginChunks(ctx context.Context) {
	staged, err := s.stage(ctx)
	if err != nil {
		s.mail.transfer = &transfer{err: err}
		return
	}
	s.mail.transfer = s.transferTo(staged)
}

// discard reads a chunk that nobody wants. It returns false if the connection
// broke.
func (s *session) discard(size int64) bool {
	if err := s.r.Chunk(deadlineWriter{s, io.Discard}, size); err != nil {
		s.quit = true
		return false
	}
	return true
}

// parseChunk reads "SIZE" or "SIZE LAST". A size over 2^63-1 is an error that
// wraps strconv.ErrRange.
func parseChunk(args string) (size int64, last bool, err error) {
	digits, word, more := strings.Cut(args, " ")
	if more && !strings.EqualFold(word, "LAST") || digits == "" || digits[0] < '0' || digits[0] > '9' {
		return 0, false, strconv.ErrSyntax
	}
	size, err = strconv.ParseInt(digits, 10, 64)
	return size, more, err
}
