package main

import (
	"errors"
	"io"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/view"
)

// pieces puts a message together.
type pieces struct {
	s     *session
	to    *mailbox.Staged
	left  int64 // octets that may still come
	wrong error // the first piece that could not be taken: the others are only read
}

// catenate reads pieces of a message and writes them one after the other (RFC
// 4469). All are read in any case, so that the next command can be found.
//
// Source: append_catenate in Cyrus imap/imapd.c.
func (s *session) catenate(r *imapwire.Reader, to *mailbox.Staged) error {
	if !r.Accept('(') {
		return orWrong(r, nil, imapwire.SyntaxError("Missing message part(s) in Append command"))
	}
	p := pieces{s: s, to: to, left: s.appendLimit()}
	for {
		if err := p.next(r); err != nil {
			return err
		}
		if !r.Space() {
			break
		}
	}
	if !r.Accept(')') {
		return orWrong(r, nil, imapwire.SyntaxError("Missing space or ) after catenate list in Append command"))
	}
	if p.wrong == nil && to.Size() == 0 {
		return refusal("System I/O error") // what Cyrus says of no message
	}
	return p.wrong
}

// next reads one piece. It returns errors that end the command.
func (p *pieces) next(r *imapwire.Reader) error {
	word := strings.ToUpper(r.Word())
	if !r.Space() {
		return orWrong(r, nil, imapwire.SyntaxError("Missing message part data in Append command"))
	}
	switch word {
	case "TEXT":
		return p.text(r)
	case "UTF8":
		if r.UTF8 {
			return p.utf8(r)
		}
	case "URL":
		text, err := r.AString()
		if err != nil {
			return orWrong(r, err, imapwire.SyntaxError("Missing URL in Append command"))
		}
		if p.wrong == nil {
			p.wrong = p.url(text)
		}
		return nil
	}
	return orWrong(r, nil, imapwire.SyntaxError("Invalid message part type in Append command"))
}

// utf8 takes a literal8 in parentheses (RFC 6855 section 4).
func (p *pieces) utf8(r *imapwire.Reader) error {
	if c, ok := r.Peek(); !ok || c != '(' {
		return orWrong(r, nil, imapwire.SyntaxError("Missing message part data in Append command"))
	}
	r.Accept('(')
	if err := p.text(r); err != nil {
		return err
	}
	if !r.Accept(')') {
		return orWrong(r, nil, imapwire.SyntaxError("Missing close parenthesis after UTF8 in Append command"))
	}
	return nil
}

// text takes a literal.
func (p *pieces) text(r *imapwire.Reader) error {
	if c, ok := r.Peek(); !ok || (c != '{' && c != '~') {
		return orWrong(r, nil, imapwire.SyntaxError("Missing required argument to Append command"))
	}
	h, err := r.LiteralHead()
	if err != nil {
		return orWrong(r, err, "Literal size not a number")
	}
	if h.Size > p.left {
		return p.s.tooBig(h)
	}
	literal, err := r.Literal(h)
	if err != nil {
		return err
	}
	if p.wrong == nil {
		p.wrong = p.copy(literal, h.Size)
	}
	if _, err := io.Copy(io.Discard, literal); err != nil {
		return err
	}
	return r.Err()
}

// copy adds n octets.
func (p *pieces) copy(from io.Reader, n int64) error {
	if n > p.left {
		return errs.New(errs.TooBig, "imapd.append", "", nil)
	}
	p.left -= n
	_, err := io.Copy(p.to, from)
	return err
}

// url adds what a URL names. The text of the error has the URL, but for a
// section that is wrong, as with Cyrus.
//
// Source: catenate_url in Cyrus imap/imapd.c.
func (p *pieces) url(text string) error {
	err := p.copyURL(text)
	var no refusal
	switch {
	case err == nil:
		return nil
	case errors.Is(err, view.ErrSection):
		return refusal(err.Error())
	case errs.KindOf(err) == errs.TooBig, ofServer(err):
		return err
	case errors.As(err, &no):
		return refusal(badURL(text) + string(no))
	}
	return refusal(badURL(text) + plain(err))
}

// badURL is the response code BADURL (RFC 4469 section 4.1), with a blank.
func badURL(text string) string {
	text = withoutControls(text)
	if s := imapwire.AppendString(nil, text); s[0] == '"' {
		return "[BADURL " + string(s) + "] "
	}
	return `[BADURL "` + text + `"] ` // a literal can be no part of it
}

func (p *pieces) copyURL(text string) error {
	u, relative := imapwire.ParseMessageURL(text)
	if !relative {
		return refusal("Only relative URLs are supported")
	}
	ref, err := p.s.refOf(u.Mailbox)
	if err != nil {
		return err
	}
	part, err := view.OpenPart(p.s.ctx, p.s.site.Store, ref, &u)
	switch {
	case errors.Is(err, view.ErrNoMessage), errors.Is(err, view.ErrValidity):
		return refusal(err.Error())
	case err != nil:
		return err
	}
	defer part.Close()
	return p.copy(part, part.Size())
}

// refOf finds a mailbox of a URL, which the user must be able to read; ""
// is the selected one.
func (s *session) refOf(name string) (mailbox.Ref, error) {
	if name == "" {
		if s.view == nil {
			return mailbox.Ref{}, refusal("No mailbox is selected or specified")
		}
		return s.view.Ref(), nil
	}
	n, err := s.ns.InUTF8().Internal(name)
	if err != nil {
		return mailbox.Ref{}, noSuchMailbox(err)
	}
	e, err := s.site.List.Need(s.ctx, s.who, n, acl.Read)
	if err != nil {
		return mailbox.Ref{}, err
	}
	return e.Ref(), nil
}
