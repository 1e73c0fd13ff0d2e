package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
)

// maxRequest is how many octets a request may have (MAXREQUEST in Cyrus
// imap/smmapd.c, whose buffer more than these overrun).
const maxRequest = 1024

// protocolError is a request that is no netstring, or too long; the text is
// Cyrus's.
type protocolError string

func (e protocolError) Error() string { return string(e) }

// What can be wrong with a request.
const (
	errLength     protocolError = "missing length"
	errTooLong    protocolError = "request is too long"
	errShort      protocolError = "request size doesn't match length"
	errTerminator protocolError = "missing terminator"
	errKey        protocolError = "missing key"
)

// reader reads netstrings ("5:hello,").
type reader struct{ r *bufio.Reader }

func newReader(r io.Reader) *reader { return &reader{bufio.NewReaderSize(r, 2*maxRequest)} }

func (r *reader) buffered() int { return r.r.Buffered() }

// next reads one netstring. It returns io.EOF if there is none, a
// protocolError if it is malformed, and else errors of reading.
func (r *reader) next() ([]byte, error) {
	size, err := r.size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size+1)
	switch n, err := io.ReadFull(r.r, b); {
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		if n == size {
			return nil, errTerminator
		}
		return nil, errShort
	case err != nil:
		return nil, err
	case b[size] != ',':
		return nil, errTerminator
	}
	return b[:size], nil
}

// size reads the length and the colon behind it.
func (r *reader) size() (int, error) {
	size, digits := 0, 0
	for {
		c, err := r.r.ReadByte()
		switch {
		case err == io.EOF && digits > 0:
			return 0, errLength
		case err != nil:
			return 0, err
		case c == ':' && digits > 0:
			return size, nil
		case c < '0' || c > '9':
			return 0, errLength
		}
		digits++
		if size = size*10 + int(c-'0'); size > maxRequest {
			return 0, errTooLong
		}
	}
}

// netstring is an answer as it is sent.
func netstring(answer string) []byte {
	return fmt.Appendf(nil, "%s:%s,", strconv.Itoa(len(answer)), answer)
}
