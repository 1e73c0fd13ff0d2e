package main

import (
	"gocyrus/libcyrus/annot"
	"gocyrus/libcyrus/config"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
)

// getAnnotation answers with annotations of the server or of mailboxes (draft
// 11 of what became RFC 5464). It is refused unless the site wants it.
func (s *session) getAnnotation(r *imapwire.Reader) (string, error) {
	mailbox, err := s.legacyMailbox(r)
	if err != nil {
		return "", err
	}
	q, err := r.AnnotationQuery(true)
	if err == nil {
		err = r.End()
	}
	if err == nil {
		err = s.legacyCommands(mailbox)
	}
	if err != nil {
		return "", err
	}
	query := annot.Query{Entries: q.Entries, Attrs: annot.ParseAttrs(q.Attributes)}
	if mailbox == "" {
		as, err := s.metadata.Server(s.ctx, s.who, query)
		s.annotationsOf("", as)
		return "", err
	}
	boxes, err := s.matchingMailboxes(mailbox)
	for _, l := range boxes {
		var as []annot.Answer
		if as, err = s.metadata.Mailbox(s.ctx, s.who, l.Entry, query); err != nil {
			break
		}
		s.annotationsOf(l.External, as)
	}
	return "", err
}

// legacyMailbox reads the mailbox of a command of the draft.
func (s *session) legacyMailbox(r *imapwire.Reader) (string, error) {
	mailbox, err := argument(r)
	if err == nil && !r.Space() {
		err = r.Missing()
	}
	return mailbox, err
}

// legacyCommands refuses the commands of the draft where the site does without
// (annotation_enable_legacy_commands). As in Cyrus syntax errors come first.
func (s *session) legacyCommands(mailbox string) error {
	if !config.AnnotationEnableLegacyCommands.In(s.conf) {
		return errs.New(errs.Denied, "imapd.annotation", mailbox, nil)
	}
	return nil
}

// annotationsOf sends an ANNOTATION response for each entry.
func (s *session) annotationsOf(mailbox string, as []annot.Answer) {
	b := s.w.Buffer()
	for i := range as {
		b = append(s.appendName(append(b, "* ANNOTATION "...), mailbox), ' ')
		b = append(imapwire.AppendString(b, as[i].Entry), " ("...)
		for j, x := range as[i].Attrs {
			if j > 0 {
				b = append(b, ' ')
			}
			b = append(imapwire.AppendString(b, x.Name), ' ')
			b = appendValue(b, x.Value)
		}
		b = append(b, ")\r\n"...)
	}
	s.w.SetBuffer(b)
}

// sendListMetadata sends the annotations that a LIST asks for of a mailbox,
// and returns the length of the longest value that was left out.
func (s *session) sendListMetadata(a *listArgs, l *mboxlist.Listed) (int, error) {
	q, ok := a.metadataOptions.query(a.metadata)
	if !ok {
		return 0, nil
	}
	as, err := s.metadata.Mailbox(s.ctx, s.who, l.Entry, q)
	return s.metadataOf(l.External, as, &a.metadataOptions), err
}
