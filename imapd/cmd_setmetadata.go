package main

import (
	"errors"

	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
)

// setMetadataArgs is the arguments of SETMETADATA and SETANNOTATION.
type setMetadataArgs struct {
	mailbox string // or a pattern; "" is the server
	sets    []annot.Set
}

// parseSetMetadata reads the arguments of SETMETADATA (RFC 5464 section
// 4.3).
func parseSetMetadata(r *imapwire.Reader) (a setMetadataArgs, err error) {
	if a.mailbox, err = argument(r); err != nil {
		return a, err
	}
	if !r.Space() {
		return a, r.Missing()
	}
	as, err := r.MetadataStore()
	a.sets = annotSets(as)
	return a, err
}

// annotSets turns what the client sent into what is to be stored.
func annotSets(as []imapwire.Annotation) (sets []annot.Set) {
	for _, a := range as {
		for _, v := range a.Values {
			s := annot.Set{Entry: a.Entry, Attr: v.Name}
			if v.Value != nil {
				s.Value = []byte(*v.Value)
			}
			sets = append(sets, s)
		}
	}
	return sets
}

// setMetadata changes annotations of the server or of mailboxes; of each
// mailbox all or none.
func (s *session) setMetadata(a setMetadataArgs) (string, error) {
	if a.mailbox == "" {
		err := s.metadata.SetServer(s.ctx, s.who, a.sets)
		if err == nil && s.notifier != nil {
			s.annotatedBox(nil, a.sets)
		}
		return "", err
	}
	boxes, err := s.matchingMailboxes(a.mailbox)
	if err != nil {
		return "", err
	}
	for _, l := range boxes {
		if err := s.metadata.SetMailbox(s.ctx, s.who, l.Entry, a.sets); err != nil {
			return "", wrongUse(err)
		}
		if s.notifier != nil && s.notifier.boxes[l.Entry.Name] != nil {
			s.annotatedBox(s.notifier.boxes[l.Entry.Name], a.sets)
		}
	}
	return "", nil
}

// wrongUse words the error of a special use that cannot be set.
func wrongUse(err error) error {
	for _, use := range []error{mboxlist.ErrUseTaken, mboxlist.ErrUseUnknown} {
		if errors.Is(err, use) {
			return refusal("[CANNOT] " + use.Error())
		}
	}
	return err
}
