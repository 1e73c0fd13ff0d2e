package main

import (
	"context"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/conversations"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/mboxlist"
	"gocyrus/libcyrus/mboxname"
	"gocyrus/libcyrus/view"
)

// places finds the copies of messages that the conversations of the user know.
type places struct {
	s     *session
	t     *conversations.Txn // nil: he has none
	known map[string]*view.Place
}

// openPlaces opens the user's conversations for a FETCH.
func (s *session) openPlaces(ctx context.Context) (view.Places, error) {
	p := &places{s: s, known: map[string]*view.Place{}}
	if s.site.Conversations == nil || s.who.User == "" {
		return p, nil
	}
	var err error
	p.t, err = s.site.Conversations.Look(ctx, s.who.User)
	return p, err
}

// Close ends the use.
func (p *places) Close() {
	if p.t != nil {
		p.t.Close()
	}
}

// Find returns the mailboxes with a copy that the user may look up.
func (p *places) Find(ctx context.Context, guid mailbox.GUID) (out []view.Place, err error) {
	if p.t == nil {
		return nil, nil
	}
	folders, byName, err := p.t.Places(conversations.GUID(guid))
	for _, f := range folders {
		x, known := p.known[f]
		if !known {
			if x, err = p.look(ctx, f, byName); err != nil {
				return nil, err
			}
			p.known[f] = x
		}
		if x != nil {
			out = append(out, *x)
		}
	}
	return out, err
}

// look returns a mailbox by its unique id or its name, nil if there is none for
// the user.
func (p *places) look(ctx context.Context, folder string, byName bool) (*view.Place, error) {
	l := p.s.site.List
	var e *mboxlist.Entry
	var err error
	if byName {
		e, err = l.Lookup(ctx, mboxname.Name(folder))
	} else {
		e, err = l.LookupID(ctx, folder)
	}
	if errs.Is(err, errs.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if e.Name.IsDeleted(p.s.site.Names.DeletedPrefix) || !l.Rights(p.s.who, e).Has(acl.Lookup) {
		return nil, nil
	}
	return &view.Place{Name: p.s.ns.ExternalOr(e.Name), ID: e.UniqueID}, nil
}
