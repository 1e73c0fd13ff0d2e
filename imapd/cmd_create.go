package main

import (
	"errors"
	"strings"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxlist"
)

// createArgs is the arguments of CREATE.
type createArgs struct {
	mailbox   string
	partition string   // "" chooses
	uses      []string // `\Junk`, …
	special   bool     // USE is given
	kind      string   // type of mailbox, "" is mail
}

// errBadPartition is how Cyrus words most errors behind the mailbox.
const errBadPartition = imapwire.SyntaxError("Invalid partition name in Create")

// parseCreate reads the arguments of CREATE (RFC 3501 section 6.3.3, RFC
// 6154 section 3), with a partition as Cyrus takes it.
func parseCreate(r *imapwire.Reader) (a createArgs, err error) {
	if a.mailbox, err = argument(r); err != nil || !r.Space() {
		return a, err
	}
	if !r.Accept('(') {
		if a.partition = r.Word(); !imapwire.IsAtom(a.partition) {
			return a, orWrong(r, nil, errBadPartition)
		}
		return a, nil
	}
	for {
		name := strings.ToUpper(r.Word())
		if name == "" || !r.Space() {
			return a, orWrong(r, nil, errBadPartition)
		}
		c, _ := r.Peek()
		values, err := parseWords(r)
		if err != nil {
			return a, err
		}
		if name == "USE" && c != '(' {
			values = nil // Cyrus takes only what is in a list
		}
		a.set(name, values)
		if r.Accept(')') {
			return a, nil
		}
		if !r.Space() {
			return a, orWrong(r, nil, errBadPartition)
		}
	}
}

// set takes one of the arguments in parentheses; unknown ones are left out.
func (a *createArgs) set(name string, values []string) {
	first := ""
	if len(values) > 0 {
		first = values[0]
	}
	switch name {
	case "USE":
		a.uses, a.special = values, true
	case "PARTITION":
		a.partition = first
	case "TYPE":
		a.kind = strings.ToUpper(first)
	}
}

// maxUses bounds the special uses of a mailbox.
const maxUses = 100

// parseWords reads a word or a list of words.
func parseWords(r *imapwire.Reader) ([]string, error) {
	if !r.Accept('(') {
		w, err := r.AString()
		return []string{w}, orNil(r, err)
	}
	var words []string
	for !r.Accept(')') {
		if len(words) > 0 && !r.Space() || len(words) == maxUses {
			return nil, orWrong(r, nil, errBadPartition)
		}
		w, err := r.AString()
		if err != nil {
			return nil, orNil(r, err)
		}
		words = append(words, w)
	}
	return words, nil
}

// orNil words an error if there is one.
func orNil(r *imapwire.Reader, err error) error {
	if err == nil {
		return nil
	}
	return orWrong(r, err, errBadPartition)
}

// create makes a mailbox.
//
// Source: cmd_create in Cyrus imap/imapd.c.
func (s *session) create(a createArgs) (string, error) {
	n, err := s.internal(trimSeparator(s.newName(a.mailbox), s.ns.Separator()))
	if err != nil {
		return "", err
	}
	if first, _, _ := strings.Cut(string(n), "."); first == s.ns.DeletedPrefix {
		return "", errs.New(errs.BadName, "imapd.create", a.mailbox, nil)
	}
	if a.partition != "" && !s.who.Admin {
		return "", errs.New(errs.Denied, "imapd.create", a.mailbox, nil)
	}
	if a.kind != "" {
		return "", refusal("[CANNOT] Invalid mailbox type")
	}
	if a.special && (!n.IsUser() || n.IsInbox()) {
		return "", refusal("[USEATTR] " + mboxlist.ErrUseTaken.Error())
	}
	s.didMyself(n)
	e, err := s.site.List.Create(s.ctx, s.who, n, mboxlist.CreateOptions{Partition: a.partition, SpecialUse: a.uses})
	for _, use := range []error{mboxlist.ErrUseTaken, mboxlist.ErrUseUnknown} {
		if errors.Is(err, use) {
			return "", refusal("[USEATTR] " + use.Error())
		}
	}
	if err != nil {
		return "", err
	}
	s.tellComposed(e.Name, a.mailbox)
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
