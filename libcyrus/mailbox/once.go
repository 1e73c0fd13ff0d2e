package mailbox

import (
	"bytes"
	"context"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/message"
)

// Once makes an append one that is done at most once: duplicate suppression
// of deliveries (duplicatesuppression). Its functions are called while the
// mailbox is locked, so that of two deliveries of one message at the same
// time one sees the mark of the other; they must not use the Store.
//
// The mark is stored before the message becomes visible, with the UID that
// it will get. After a crash in between the mark speaks of a UID that is
// free, or has gone to another message: it counts only while the mailbox
// has that message, so that a crash neither loses nor doubles a mail. The
// price is that a message is delivered again if its first copy has been
// removed from the disk.
//
// Mailboxes with the option OptDuplicate take every message; nothing is
// looked up or marked.
type Once struct {
	// Key is the same for the same message in the same mailbox.
	Key string
	// Delivered returns the UID that the message's mark names, and false
	// if there is no mark.
	Delivered func(ctx context.Context) (uid uint32, ok bool, err error)
	// Mark stores the mark, so that it lasts. It may run beside other
	// functions.
	Mark func(ctx context.Context, uid uint32) error
}

// once refuses a request whose message the mailbox has (errs.Duplicate).
// Such requests have one message.
func (b *batch) once(ctx context.Context, r *appendRequest) error {
	o := r.o.Once
	if o == nil {
		return nil
	}
	if b.m.hdr.Options&OptDuplicate != 0 {
		r.o.Once = nil
		return nil
	}
	duplicate := errs.New(errs.Duplicate, "mailbox.Append", string(b.m.ref.Name), nil)
	for _, other := range b.reqs {
		if other != r && len(other.placed) > 0 && other.o.Once != nil && other.o.Once.Key == o.Key {
			r.twin = other
			return duplicate
		}
	}
	uid, ok, err := o.Delivered(ctx)
	if err != nil || !ok {
		return err
	}
	have, err := b.has(uid, &r.items[0])
	if err == nil && have {
		return duplicate
	}
	return err
}

// has reports whether the mailbox has a message, also an expunged one, with
// this UID and the Message-ID of it.
func (b *batch) has(uid uint32, it *item) (bool, error) {
	rec, ok, err := b.m.FindUID(uid, 0)
	if err != nil || !ok || uid == 0 {
		return false, err
	}
	own, _, err := message.ParseCache(it.cache, message.CacheVersion)
	if err != nil {
		return false, err
	}
	var buf CacheBuffer
	defer buf.Free()
	c, err := b.m.Cache(&rec, &buf)
	if err != nil {
		return false, err
	}
	return bytes.HasSuffix(c.Item(message.ItemEnvelope), lastField(own.Item(message.ItemEnvelope), it.messageID)), nil
}

// lastField returns the end of an ENVELOPE, which is its Message-ID with
// what encloses it. An id that stands there escaped is not found: all of the
// envelope is compared then.
func lastField(envelope []byte, messageID string) []byte {
	if messageID == "" {
		messageID = "NIL"
	}
	if i := bytes.LastIndex(envelope, []byte(messageID)); i > 0 {
		return envelope[i-1:]
	}
	return envelope
}
