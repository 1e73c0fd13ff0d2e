package main

import (
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
)

// createArgs is the arguments of CREATE.
type createArgs struct {
	mailbox   string
	partition string // Cyrus's own; "" chooses
}

// parseCreate reads the arguments of CREATE (RFC 3501 section 6.3.3), with a
// partition as Cyrus takes it.
func parseCreate(r *imapwire.Reader) (a createArgs, err error) {
	if a.mailbox, err = argument(r); err != nil || !r.Space() {
		return a, err
	}
	if a.partition = r.Word(); !imapwire.IsAtom(a.partition) {
		return a, imapwire.SyntaxError("Invalid partition name in " + r.Command)
	}
	return a, nil
}

// create makes a mailbox.
func (s *session) create(a createArgs) (string, error) {
	n, err := s.internal(trimSeparator(a.mailbox, s.ns.Separator()))
	if err != nil {
		return "", err
	}
	if a.partition != "" && !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.create", a.mailbox, nil)
	}
	e, err := s.site.List.Create(s.ctx, s.who, n, mboxlist.CreateOptions{Partition: a.partition})
	if err != nil {
		return "", err
	}
	return "[MAILBOXID (" + e.UniqueID + ")] Completed", nil
}

// trimSeparator takes the separator off that a client may put behind a name
// to say that it will make mailboxes below it (RFC 3501 section 6.3.3).
func trimSeparator(name string, separator byte) string {
	if n := len(name); n > 0 && name[n-1] == separator {
		return name[:n-1]
	}
	return name
}

// noSuchMailbox makes a name that cannot be one of a mailbox that does not
// exist.
func noSuchMailbox(err error) error {
	if errs.Is(err, errs.BadName) {
		return errs.New(errs.NotFound, "imapd", "", err)
	}
	return err
}
