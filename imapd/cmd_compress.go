package main

import (
	"io"
	"strings"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/worker"
)

// parseCompress reads the name of an algorithm (RFC 4978).
func parseCompress(r *imapwire.Reader) (string, error) {
	if !r.Space() {
		return "", r.Missing()
	}
	if word := r.Word(); word != "" {
		return word, nil
	}
	return "", r.Extra()
}

// compress compresses what is sent from here on, in both directions.
//
// Source: cmd_compress in Cyrus imap/imapd.c.
func (s *session) compress(algorithm string) (string, error) {
	switch {
	case s.compressed:
		return "", imapwire.SyntaxError("[COMPRESSIONACTIVE] DEFLATE active via COMPRESS")
	case !strings.EqualFold(algorithm, "DEFLATE"):
		return "", refusal("Unknown COMPRESS algorithm: " + algorithm)
	}
	s.w.Line(s.tag, " OK DEFLATE active")
	if err := s.w.Flush(); err != nil {
		return "", err
	}
	s.compressed = true
	s.conn.SetLayer(func(wire io.ReadWriter) worker.Layer { return newDeflate(wire) })
	s.r.Reset(s.conn) // nothing may stand between the command and the stream
	return "", errAnswered
}
