package main

import "gocyrus/libcyrus/imapwire"

// setAnnotation changes annotations of the server or of mailboxes (draft 11
// of what became RFC 5464).
func (s *session) setAnnotation(r *imapwire.Reader) (string, error) {
	mailbox, err := s.legacyMailbox(r)
	if err != nil {
		return "", err
	}
	as, err := r.AnnotationStore(true)
	if err == nil {
		err = r.End()
	}
	if err == nil {
		err = s.legacyCommands(mailbox)
	}
	if err != nil {
		return "", err
	}
	return s.setMetadata(setMetadataArgs{mailbox, annotSets(as)})
}
