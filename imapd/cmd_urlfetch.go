package main

import (
	"strings"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/view"
)

// urlFetchItem is one URL of URLFETCH.
type urlFetchItem struct {
	url  string
	wish view.URLWish
	body bool // BODY was asked for
}

// maxURLs bounds the URLs of one URLFETCH.
const maxURLs = 1000

// urlFetch sends what signed URLs name (RFC 4467 section 7, RFC 5524). As in
// Cyrus the answer to a URL is sent before the next one is read.
//
// Source: cmd_urlfetch in Cyrus imap/imapd.c.
func (s *session) urlFetch(r *imapwire.Reader) (string, error) {
	if !r.Space() {
		return "", r.Missing()
	}
	s.w.Text("* URLFETCH")
	for n := 1; ; n++ {
		item, err := s.nextURL(r)
		if err == nil {
			err = s.sendURL(item)
		}
		if err != nil {
			s.w.Line(" NIL")
			return "", err
		}
		if n == maxURLs || !r.Space() {
			break
		}
	}
	s.w.Line()
	if !r.EOL() {
		return "", imapwire.SyntaxError("Unexpected extra arguments to URLFETCH")
	}
	return "", nil
}

// nextURL reads a URL, or one with what is asked of it in parentheses, and
// sends the URL.
func (s *session) nextURL(r *imapwire.Reader) (item *urlFetchItem, err error) {
	extended := r.Accept('(')
	item = &urlFetchItem{}
	if item.url, err = r.AString(); err != nil {
		return nil, missing(r, err)
	}
	s.w.SetBuffer(imapwire.AppendString(append(s.w.Buffer(), ' '), item.url))
	if !extended {
		return item, nil
	}
	for r.Space() {
		if !item.wants(strings.ToUpper(r.Word())) {
			return nil, badWish(r)
		}
	}
	if !r.Accept(')') {
		return nil, badWish(r)
	}
	return item, nil
}

// badWish is the error of parameters that are not known or contradict.
func badWish(r *imapwire.Reader) error {
	return orWrong(r, nil, "Invalid extended URLFETCH parameters")
}

// wants notes a parameter, and returns false if it may not stand there.
func (i *urlFetchItem) wants(word string) bool {
	switch {
	case word == "BODY" && !i.body && !i.wish.Decoded:
		i.body = true
	case word == "BINARY" && !i.body && !i.wish.Decoded:
		i.wish.Decoded = true
	case word == "BODYPARTSTRUCTURE" && !i.wish.Structure:
		i.wish.Structure = true
	default:
		return false
	}
	return true
}

// sendURL sends what a URL names, NIL if that is nothing for this client.
func (s *session) sendURL(item *urlFetchItem) error {
	part, err := s.openURL(item)
	if ofServer(err) {
		s.log.Error("URLFETCH failed", "user", s.who.User, "sessionid", s.conn.SessionID(), "error", err)
	}
	if err != nil {
		s.w.Text(" NIL")
		return nil
	}
	defer part.Close()
	if item.wish.Structure {
		s.w.Text(" (BODYPARTSTRUCTURE ")
		s.w.Append(part.Structure)
		s.w.Text(")")
		if !item.body && !item.wish.Decoded {
			return nil
		}
	}
	end := ""
	switch {
	case item.wish.Decoded:
		s.w.Text(" (BINARY")
		end = ")"
	case item.body:
		s.w.Text(" (BODY")
		end = ")"
	}
	if part.Failed {
		s.w.Text(" NIL", end)
		return nil
	}
	if part.NUL {
		s.w.Text(" ~")
	} else {
		s.w.Text(" ")
	}
	s.w.SetBuffer(imapwire.AppendLiteralHead(s.w.Buffer(), part.Size))
	if err := s.w.Copy(part.Open(), part.Size); err != nil {
		return err
	}
	s.w.Text(end)
	return nil
}

// openURL finds what a URL names.
func (s *session) openURL(item *urlFetchItem) (*view.URLPart, error) {
	u, e, err := s.verified(item.url)
	if err != nil {
		return nil, err
	}
	part, err := view.OpenURLPart(s.ctx, s.site.Store, e.Ref(), &u.MessageURL, item.wish)
	if err == nil && item.wish.Structure && part.Structure == nil {
		part.Close()
		return nil, errs.New(errs.NotFound, "imapd.urlFetch", item.url, nil)
	}
	return part, err
}
