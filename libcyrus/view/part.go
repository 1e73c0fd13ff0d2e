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
func OpenPart(ctx context.Context, store *mailbox.Store, ref mailbox.Ref, u *imapwire.MessageURL) (part *Part, err error) {
	err = findPart(ctx, store, ref, u, func(m *mailbox.Mailbox, p *place) error {
		f, err := m.OpenMessage(p.record)
		if err == nil {
			from, n := pieceOf(u, int64(p.span.Size))
			part = &Part{io.NewSectionReader(f, int64(p.span.Offset)+from, n), f}
		}
		return err
	})
	return part, err
}

// place is where the part of a URL lies.
type place struct {
	data
	section imapwire.Section
	span    message.Span
}

// findPart looks for the part of a URL and calls found with it, while the
// mailbox is open.
func findPart(ctx context.Context, store *mailbox.Store, ref mailbox.Ref, u *imapwire.MessageURL, found func(*mailbox.Mailbox, *place) error) error {
	section := u.Section
	if section == "TEXT.MIME" { // a client asks for the header like this
		section = "HEADER"
	}
	s, ok := imapwire.ParseSection(section)
	m, err := store.Open(ctx, ref, mailbox.Read)
	if err != nil {
		return err
	}
	defer m.Close()
	if u.UIDValidity != 0 && u.UIDValidity != m.Header().UIDValidity {
		return ErrValidity
	}
	r, live, err := m.FindUID(u.UID, 0)
	if err != nil {
		return err
	}
	if !live || !r.Live() {
		return ErrNoMessage
	}
	if !ok {
		return ErrSection
	}
	var buf mailbox.CacheBuffer
	defer buf.Free()
	p := place{data: data{record: &r}, section: s}
	if p.cache, err = m.Cache(&r, &buf); err != nil {
		return err
	}
	if p.span, ok, err = p.find(&s); err != nil {
		return err
	}
	if !ok {
		return ErrSection
	}
	return found(m, &p)
}

// pieceOf applies the PARTIAL of a URL to size octets.
func pieceOf(u *imapwire.MessageURL, size int64) (from, n int64) {
	from = min(u.Offset, size)
	n = size - from
	if u.Length > 0 {
		n = min(n, u.Length)
	}
	return from, n
}
