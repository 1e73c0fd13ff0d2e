package view

import (
	"context"
	"errors"
	"io"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/message"
)

// Part is a piece of a message. Close must be called.
type Part struct {
	*io.SectionReader
	io.Closer
}

// Errors of OpenPart; their texts are for the client.
var (
	ErrValidity  = errors.New("Uidvalidity of mailbox has changed")
	ErrNoMessage = errors.New("No such message in mailbox")
	ErrSection   = errors.New("Syntax error in parameters")
)

// OpenPart finds a piece of a message in a mailbox. Its errors are those
// above and those of opening the mailbox. No lock is held afterwards.
//
// Source: index_urlfetch in Cyrus imap/index.c.
func OpenPart(ctx context.Context, store *mailbox.Store, ref mailbox.Ref, u *imapwire.MessageURL) (*Part, error) {
	section := u.Section
	if section == "TEXT.MIME" { // a client asks for the header like this
		section = "HEADER"
	}
	s, ok := imapwire.ParseSection(section)
	m, err := store.Open(ctx, ref, mailbox.Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if u.UIDValidity != 0 && u.UIDValidity != m.Header().UIDValidity {
		return nil, ErrValidity
	}
	r, found, err := m.FindUID(u.UID, 0)
	if err != nil {
		return nil, err
	}
	if !found || !r.Live() {
		return nil, ErrNoMessage
	}
	if !ok {
		return nil, ErrSection
	}
	var buf mailbox.CacheBuffer
	defer buf.Free()
	d := data{record: &r}
	if d.cache, err = m.Cache(&r, &buf); err != nil {
		return nil, err
	}
	span, ok, err := d.find(&s)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrSection
	}
	f, err := m.OpenMessage(&r)
	if err != nil {
		return nil, err
	}
	from, n := pieceOf(u, span)
	return &Part{io.NewSectionReader(f, int64(span.Offset)+from, n), f}, nil
}

// pieceOf applies the PARTIAL of a URL.
func pieceOf(u *imapwire.MessageURL, span message.Span) (from, n int64) {
	from = min(u.Offset, int64(span.Size))
	n = int64(span.Size) - from
	if u.Length > 0 {
		n = min(n, u.Length)
	}
	return from, n
}
