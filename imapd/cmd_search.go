package main

import (
	"fmt"
	"time"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/message"
	"gocyrus/libcyrus/view"
)

// parseSearch reads the arguments of SEARCH (RFC 3501 section 6.4.4).
func parseSearch(r *imapwire.Reader) (imapwire.Search, error) {
	if !r.Space() {
		return imapwire.Search{}, r.Missing()
	}
	return r.Search(time.Local)
}

// search finds messages by sequence number.
func (s *session) search(a imapwire.Search) (string, error) { return s.find(&a, false) }

// uidSearch finds messages by UID.
func (s *session) uidSearch(a imapwire.Search) (string, error) { return s.find(&a, true) }

// find sends the numbers of the messages that fit.
func (s *session) find(a *imapwire.Search, uid bool) (string, error) {
	start := time.Now()
	if a.Charset != "" && !message.KnownCharset(a.Charset) {
		return "", imapwire.SyntaxError("Unrecognized character set")
	}
	if err := s.refresh(false, false); err != nil {
		return "", err
	}
	var found []uint32
	highest := uint64(1) // what Cyrus says if it finds nothing
	err := s.view.Search(s.ctx, a, func(f view.Found) {
		if uid {
			f.Seq = f.UID
		}
		found = append(found, f.Seq)
		highest = max(highest, f.Modseq)
	})
	if err != nil {
		return "", err
	}
	b := append(s.w.Buffer(), "* SEARCH"...)
	for _, n := range found {
		b = imapwire.AppendUint(append(b, ' '), n)
	}
	if a.Modseq {
		b = append(imapwire.AppendUint(append(b, " (MODSEQ "...), highest), ')')
	}
	s.w.SetBuffer(append(b, "\r\n"...))
	s.view.Report(s.w, false, false)
	return fmt.Sprintf("Completed (%d msgs in %.3f secs)", len(found), time.Since(start).Seconds()), nil
}
