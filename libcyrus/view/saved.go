package view

import (
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
)

// maxSaved bounds the ranges of a result that is kept: 2 MiB.
const maxSaved = 1 << 18

// Save keeps the result of a search, for "$" (RFC 5182). An error means that
// it takes too much memory; nothing is kept then.
func (v *View) Save(found Targets) error {
	v.Forget()
	if len(found) > maxSaved {
		return errs.New(errs.TooManyMessages, "view.Save", string(v.ref.Name), nil)
	}
	v.saved = v.spans(found)
	return nil
}

// Forget makes the kept result empty.
func (v *View) Forget() { v.saved = nil }

// spans makes ranges of UIDs from messages. Neighbours in the view are one
// range, also if UIDs between them are missing: those never come back. So
// messages that are expunged later are no longer found in the ranges, and new
// ones lie above them.
func (v *View) spans(t Targets) imapwire.SeqSet {
	set := make(imapwire.SeqSet, len(t))
	for i, g := range t {
		set[i] = imapwire.SeqRange{First: v.uids[g.First-1], Last: v.uids[g.Last-1]}
	}
	return set
}
