package mboxname

import "strings"

// External is the external name of n, and false if n cannot be written in
// this namespace: a deleted mailbox in the alternative one, a mailbox of
// another domain.
//
// Source: mbname_extname in Cyrus imap/mboxname.c.
func (ns *Namespace) External(n Name) (string, bool) {
	s, ok := ns.external(n)
	if ok && ns.UTF8 {
		s = ToUTF8(s)
	}
	return s, ok
}

// external is External in modified UTF-7.
func (ns *Namespace) external(n Name) (string, bool) {
	if s, ok := ns.plain(n); ok {
		return s, true
	}
	return ns.apart(n)
}

// apart is External by taking the name apart.
func (ns *Namespace) apart(n Name) (string, bool) {
	p := n.Parts(ns.DeletedPrefix)
	if p.Localpart == "" && len(p.Boxes) == 0 {
		return "@" + p.Domain, p.Domain != "" && ns.Virtual != VirtualOff // a quota root
	}
	var c []string
	var ok bool
	if ns.AltNamespace {
		c, ok = ns.externalAlt(p)
	} else {
		c, ok = ns.externalStandard(p)
	}
	if !ok {
		return "", false
	}
	if !ns.UnixHierarchySep {
		for i, s := range c {
			c[i] = strings.ReplaceAll(s, ".", "^")
		}
	}
	s := strings.Join(c, string(ns.Separator()))
	if ns.adminDomains() && p.Domain != "" {
		s += "@" + p.Domain
	}
	return s, true
}

// toSlashes turns internal names into external ones where nothing else is
// different.
var toSlashes = strings.NewReplacer(".", "/", "^", ".")

// plain is External for the many names that have no domain and stand at the same
// place in the external tree, and for the user's own below INBOX.
func (ns *Namespace) plain(n Name) (string, bool) {
	if ns.AltNamespace || ns.CrossDomains || strings.IndexByte(string(n), '!') >= 0 || strings.IndexByte(ns.User, '@') >= 0 {
		return "", false
	}
	rest, isUser := strings.CutPrefix(string(n), "user.")
	if !isUser || rest == "" || ns.DeletedPrefix == "user" {
		return "", false
	}
	shown := string(n)
	if own := Inbox(ns.User); own != "" && own.Contains(n) {
		shown = "INBOX" + shown[len(own):]
	}
	if ns.UnixHierarchySep {
		return toSlashes.Replace(shown), true
	}
	return shown, true
}

// ExternalOr is External, or the internal name for a log line or a list
// for an admin.
func (ns *Namespace) ExternalOr(n Name) string {
	if s, ok := ns.External(n); ok {
		return s
	}
	return string(n)
}

// withDomain adds "@domain" where names show domains.
func (ns *Namespace) withDomain(component string, p Parts) string {
	if !ns.CrossDomains || ns.CrossDomainsOther && p.Domain == UserParts(ns.User).Domain {
		return component
	}
	if p.Domain == "" {
		return component + "@" + ns.DefaultDomain
	}
	return component + "@" + p.Domain
}

func (ns *Namespace) externalAlt(p Parts) ([]string, bool) {
	switch {
	case p.WasDeleted:
		return nil, false
	case !ns.CrossDomains && p.Domain != UserParts(ns.User).Domain:
		return nil, false
	case p.Localpart == "":
		if len(p.Boxes) == 1 && p.Boxes[0] == "user" {
			return []string{ns.UserPrefix}, true
		}
		c := append([]string{ns.SharedPrefix}, p.Boxes...)
		c[1] = ns.withDomain(c[1], p)
		return c, true
	case p.UserID() != ns.User:
		return append([]string{ns.UserPrefix, ns.withDomain(p.Localpart, p)}, p.Boxes...), true
	case len(p.Boxes) == 0:
		return []string{"INBOX"}, true
	case ns.clashes(p.Boxes):
		return append([]string{ns.AltPrefix}, p.Boxes...), true
	}
	return p.Boxes, true
}

// clashes reports whether the user's own mailbox could be taken for
// something else and goes below the alternative prefix.
func (ns *Namespace) clashes(boxes []string) bool {
	top := boxes[0]
	if strings.EqualFold(top, "INBOX") {
		return len(boxes) == 1 || top != "INBOX"
	}
	return top == ns.UserPrefix || top == ns.SharedPrefix || top == ns.AltPrefix
}

func (ns *Namespace) externalStandard(p Parts) ([]string, bool) {
	sameDomain := ns.adminDomains() && ns.mayName(p.Domain) || p.Domain == UserParts(ns.User).Domain
	own := p.Localpart != "" && p.UserID() == ns.User
	var c []string
	switch {
	case p.Localpart == "":
		if strings.EqualFold(p.Boxes[0], "INBOX") || !sameDomain {
			return nil, false
		}
	case own && !p.WasDeleted:
		c = []string{"INBOX"}
	case !sameDomain && !ns.CrossDomains:
		return nil, false
	default:
		c = []string{"user", ns.withDomain(p.Localpart, p)}
	}
	c = append(c, p.Boxes...)
	if p.WasDeleted {
		c = append(append([]string{ns.DeletedPrefix}, c...), hex(p.Deleted))
	}
	return c, true
}
