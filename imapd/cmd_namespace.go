package main

import (
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mboxname"
)

// namespace tells the prefixes of names (RFC 2342). Those without an INBOX
// have none of their own.
func (s *session) namespace(nothing) (string, error) {
	b := append(s.w.Buffer(), "* NAMESPACE "...)
	_, err := s.site.List.Lookup(s.ctx, s.site.Names.Inbox(s.who.User))
	b = s.appendPrefix(b, s.ns.Personal(), err == nil)
	b = s.appendPrefix(append(b, ' '), s.ns.Others(), s.ns.Admin || !s.ns.HideUsers)
	b = s.appendPrefix(append(b, ' '), s.ns.Shared(), s.ns.Admin || !s.ns.HideShared)
	s.w.SetBuffer(append(b, "\r\n"...))
	return "", nil
}

// appendPrefix prints one namespace with its separator, or NIL.
func (s *session) appendPrefix(b []byte, prefix string, shown bool) []byte {
	if !shown {
		return append(b, "NIL"...)
	}
	b = append(b, "(("...)
	if s.ns.UTF8 {
		prefix = mboxname.ToUTF8(prefix)
	}
	if name := s.appendName(nil, prefix); len(name) > 0 && name[0] == '"' {
		b = append(b, name...) // what is not ASCII
	} else {
		b = imapwire.AppendString(b, prefix)
	}
	return append(b, ' ', '"', s.ns.Separator(), '"', ')', ')')
}
