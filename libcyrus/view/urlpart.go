package view

import (
	"context"
	"io"

	"gocyrus/libcyrus/disk"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/message"
)

// A URLPart is a piece of a message as URLFETCH sends it. Close must be
// called.
type URLPart struct {
	Size      int64  // octets of the piece
	NUL       bool   // there is NUL in it
	Failed    bool   // it should have been decoded, but its encoding is not known
	Structure []byte // the BODYSTRUCTURE of the part, if it was asked for

	file disk.File
	span message.Span
	from int64 // where the piece begins in the part
}

// A URLWish is what an extended URLFETCH asks for (RFC 5524 section 3).
type URLWish struct {
	Decoded   bool
	Structure bool
}

// OpenURLPart finds a piece of a message in a mailbox. Its errors are those of
// OpenPart; headers and texts of messages cannot be decoded and give
// ErrSection. No lock is held afterwards.
//
// Source: index_urlfetch in Cyrus imap/index.c.
func OpenURLPart(ctx context.Context, store *mailbox.Store, ref mailbox.Ref, u *imapwire.MessageURL, wish URLWish) (part *URLPart, err error) {
	err = findPart(ctx, store, ref, u, func(m *mailbox.Mailbox, p *place) error {
		if wish.Decoded && kinds[p.section.Part] != message.Whole {
			return ErrSection
		}
		f, err := m.OpenMessage(p.record)
		if err != nil {
			return err
		}
		part = &URLPart{file: f, span: p.span}
		if !wish.Decoded || len(p.section.Numbers) == 0 {
			part.span.Encoding = message.None
		}
		if err = part.choose(u, p, wish.Structure); err != nil {
			f.Close()
			return errs.New(errs.IO, "view.OpenURLPart", f.Name(), err)
		}
		return nil
	})
	return part, err
}

// choose applies the PARTIAL of a URL, and finds out what else is told of the
// part.
func (p *URLPart) choose(u *imapwire.MessageURL, at *place, structure bool) error {
	p.Failed = p.span.Encoding == message.Unknown
	whole := content{size: int64(p.span.Size)}
	encoded := p.span.Encoding != message.None && !p.Failed
	if encoded {
		if _, err := io.Copy(&whole, p.reader()); err != nil {
			return err
		}
	}
	if structure {
		p.Structure = partStructure(at.cache.Item(message.ItemBodyStructure), at.cache.Item(message.ItemEnvelope), &at.section, encoded, &whole)
	}
	if p.Failed {
		return nil
	}
	p.from, p.Size = pieceOf(u, whole.size)
	var err error
	p.NUL, err = hasNUL(p.Open())
	return err
}

// content is what there is in a text that is written to it.
type content struct {
	size       int64
	read       bool // size is of what was written
	eight, nul bool // there are octets above 127, there is NUL
}

// Write counts.
func (c *content) Write(b []byte) (int, error) {
	if !c.read {
		c.read, c.size = true, 0
	}
	c.size += int64(len(b))
	for _, x := range b {
		c.eight = c.eight || x > 127
		c.nul = c.nul || x == 0
	}
	return len(b), nil
}

// domain is the content transfer encoding of a text that is not encoded.
func (c *content) domain() string {
	switch {
	case c.nul:
		return "BINARY"
	case c.eight:
		return "8BIT"
	}
	return "7BIT"
}

// reader returns a reader of the whole part.
func (p *URLPart) reader() io.Reader {
	raw := io.NewSectionReader(p.file, int64(p.span.Offset), int64(p.span.Size))
	if p.span.Encoding == message.None {
		return raw
	}
	return message.NewDecoder(raw, p.span.Encoding)
}

// Open returns a new reader of the piece.
func (p *URLPart) Open() io.Reader {
	r := p.reader()
	io.CopyN(io.Discard, r, p.from) // what cannot be read now, the reader's user finds missing
	return io.LimitReader(r, p.Size)
}

// Close closes the message file.
func (p *URLPart) Close() error { return p.file.Close() }
