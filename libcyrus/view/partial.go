package view

import (
	"context"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
)

// part returns those messages of a set of UIDs that are in a range of it
// (RFC 9394 section 3.3), as spans does.
func (v *View) part(ctx context.Context, set imapwire.SeqSet, p imapwire.Partial) (imapwire.SeqSet, error) {
	m, err := v.opened(ctx, mailbox.Read)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := v.sync(ctx, m); err != nil {
		return nil, err
	}
	t := v.byUID(set, len(v.uids))
	from, to := p.Of(t.Count())
	var out Targets
	n := 0 // messages before g
	for _, g := range t {
		size := int(g.Last-g.First) + 1
		if first, end := max(from, n), min(to, n+size); first < end {
			out = append(out, imapwire.SeqRange{First: g.First + uint32(first-n), Last: g.First + uint32(end-n) - 1})
		}
		n += size
	}
	if len(out) == 0 {
		return imapwire.SeqSet{{First: imapwire.Star - 1, Last: imapwire.Star - 1}}, nil // no message has it
	}
	return v.spans(out), nil
}
