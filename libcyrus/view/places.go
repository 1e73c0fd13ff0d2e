package view

import (
	"context"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
)

// placeItems is the items that tell where the copies of a message are.
const placeItems = imapwire.FetchMailboxes | imapwire.FetchMailboxIDs

// Place is a mailbox that has a copy of a message.
type Place struct {
	Name string // as the client writes it
	ID   string // unique id
}

// Places finds the copies of messages. It is used by one goroutine.
type Places interface {
	// Find returns the mailboxes with a copy, one more often than once if it
	// has several.
	Find(ctx context.Context, guid mailbox.GUID) ([]Place, error)
	Close()
}

// openPlaces opens what FETCH needs to find copies, if it has to.
func (v *View) openPlaces(ctx context.Context, f *imapwire.Fetch) (p Places, err error) {
	if f.Items&placeItems == 0 || v.o.Places == nil {
		return nil, nil
	}
	return v.o.Places(ctx)
}

// places prints where the copies of a message are.
//
// Source: index_fetchreply in Cyrus imap/index.c.
func (o *out) places(v *View, p *plan, d *data) {
	if p.Items&imapwire.FetchMailboxes != 0 {
		o.b = append(o.b, "MAILBOXES ("...)
		for i, x := range d.places {
			if i > 0 {
				o.b = append(o.b, ' ')
			}
			o.b = imapwire.AppendMailbox(o.b, x.Name, v.o.Client.UTF8)
		}
		o.b = append(o.b, ") "...)
	}
	if p.Items&imapwire.FetchMailboxIDs != 0 {
		o.b = append(o.b, "MAILBOXIDS ("...)
		for i, x := range d.places {
			if i > 0 {
				o.b = append(o.b, ' ')
			}
			o.b = append(o.b, x.ID...)
		}
		o.b = append(o.b, ") "...)
	}
}
