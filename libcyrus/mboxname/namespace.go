package mboxname

import (
	"errors"
	"strings"

	"gocyrus/libcyrus/errs"
)

// Namespace turns external names into internal ones and back, for one user.
// It is immutable.
type Namespace struct {
	Rules
	User  string // canonical id of the user, "" if nobody is logged in
	Admin bool   // admins see "user/x" and domains, never the alternative namespace
	UTF8  bool   // external names are UTF-8 (RFC 6855), not modified UTF-7
	// Mixed takes characters that are not ASCII in modified UTF-7 for UTF-8.
	// Some clients send these to a server that has IMAP4rev2 without enabling
	// it (go-imap 2.0.0-beta.8).
	Mixed bool
}

// InUTF8 is the same view with external names in UTF-8.
func (ns *Namespace) InUTF8() *Namespace {
	n := *ns
	n.UTF8 = true
	return &n
}

// NewNamespace returns the view that a user has; admin says that he is one
// of imapd.conf's admins.
func NewNamespace(r Rules, user string, admin bool) *Namespace {
	ns := &Namespace{Rules: r, User: r.UserID(user), Admin: admin}
	if admin {
		ns.AltNamespace = false
		ns.CrossDomains = false
	}
	return ns
}

// Check reports prefixes that cannot be told apart, as Cyrus does at log-in.
//
// Source: mboxname_init_namespace in Cyrus imap/mboxname.c.
func (ns *Namespace) Check() error {
	if !ns.AltNamespace {
		return nil
	}
	sep := string(ns.Separator())
	for _, p := range []string{ns.UserPrefix, ns.SharedPrefix} {
		if p == "" || len(p) >= 40 || strings.Contains(p, sep) {
			return errors.New("invalid namespace prefix in configuration file")
		}
	}
	if strings.HasPrefix(ns.UserPrefix+sep, ns.SharedPrefix) {
		return errors.New("invalid namespace prefix in configuration file")
	}
	return nil
}

// Separator is the hierarchy separator of external names: '/' or '.'.
func (ns *Namespace) Separator() byte {
	if ns.UnixHierarchySep {
		return '/'
	}
	return '.'
}

// Personal, Others and Shared are the prefixes of RFC 2342.
func (ns *Namespace) Personal() string {
	if ns.AltNamespace {
		return ""
	}
	return "INBOX" + string(ns.Separator())
}

// Others is the prefix of other users' mailboxes.
func (ns *Namespace) Others() string {
	if ns.AltNamespace {
		return ns.UserPrefix + string(ns.Separator())
	}
	return "user" + string(ns.Separator())
}

// Shared is the prefix of shared mailboxes.
func (ns *Namespace) Shared() string {
	if ns.AltNamespace {
		return ns.SharedPrefix + string(ns.Separator())
	}
	return ""
}

// adminDomains says that names carry "@domain" at their end.
func (ns *Namespace) adminDomains() bool { return ns.Admin && ns.Virtual != VirtualOff }

// Internal is the internal name of an external one. The name need not be
// valid (see Rules.Valid) nor exist; the error, of kind errs.BadName, means
// that no internal name corresponds to it.
//
// Source: mbname_from_extname in Cyrus imap/mboxname.c.
func (ns *Namespace) Internal(external string) (Name, error) {
	p, ok := ns.parse(external)
	if !ok {
		return "", errs.New(errs.BadName, "mboxname.Internal", external, nil)
	}
	n := p.Name(ns.DeletedPrefix)
	if n.Local() == "" {
		return "", errs.New(errs.BadName, "mboxname.Internal", external, nil)
	}
	return n, nil
}

// InternalRoot is Internal for a quota root, which may also be that of a
// whole domain: an admin calls it "@domain".
func (ns *Namespace) InternalRoot(external string) (Name, error) {
	if domain, ok := strings.CutPrefix(external, "@"); ok && ns.adminDomains() {
		d := ns.notDefault(domain)
		if d == "" || strings.ContainsAny(d, "!@/\x00") || !ns.mayName(d) {
			return "", errs.New(errs.BadName, "mboxname.InternalRoot", external, nil)
		}
		return Name(d + "!"), nil
	}
	return ns.Internal(external)
}

// parse takes an external name apart.
func (ns *Namespace) parse(external string) (Parts, bool) {
	var p Parts
	if ns.UTF8 {
		var ok bool
		if external, ok = fromUTF8(external); !ok {
			return p, false
		}
	} else if ns.Mixed {
		external = fromMixed(external)
	}
	user := UserParts(ns.User)
	switch {
	case ns.adminDomains():
		if i := strings.LastIndexByte(external, '@'); i >= 0 {
			p.Domain = ns.notDefault(external[i+1:])
			if external = external[:i]; !ns.mayName(p.Domain) {
				return p, false
			}
		} else {
			p.Domain = user.Domain
		}
	case !ns.CrossDomains:
		p.Domain = user.Domain
	}
	boxes, ok := ns.components(external)
	if !ok || len(boxes) == 0 {
		return p, false
	}
	if ns.AltNamespace {
		ns.parseAlt(&p, user, boxes)
	} else {
		ns.parseStandard(&p, user, boxes)
	}
	return p, p.Localpart != "" || len(p.Boxes) > 0
}

// mayName reports whether an admin may name mailboxes of a domain: one
// whose id has a domain only its own.
func (ns *Namespace) mayName(domain string) bool {
	own := UserParts(ns.User).Domain
	return own == "" || domain == own
}

// notDefault is domain, or "" if it is the default one.
func (ns *Namespace) notDefault(domain string) string {
	if domain == ns.DefaultDomain {
		return ""
	}
	return domain
}

// components splits an external name; false if it has a byte that no name
// can have in this namespace. A '!' would change the domain. Separators at
// the ends and twice in a row do not count.
func (ns *Namespace) components(external string) ([]string, bool) {
	if external == "" || strings.ContainsAny(external, "!\x1d\x1f\x00") {
		return nil, false
	}
	c := strings.FieldsFunc(external, func(r rune) bool { return r == rune(ns.Separator()) })
	for i, s := range c {
		if strings.Contains(s, "/") || ns.UnixHierarchySep && strings.Contains(s, "^") {
			return nil, false
		}
		if !ns.UnixHierarchySep {
			c[i] = strings.ReplaceAll(s, "^", ".")
		}
	}
	return c, true
}

// own makes p a mailbox of the user himself.
func (ns *Namespace) own(p *Parts, user Parts, boxes []string) {
	p.Localpart = user.Localpart
	if ns.CrossDomains {
		p.Domain = user.Domain
	}
	p.Boxes = boxes
}

// domainOf cuts "@domain" off a component, where names show domains.
func (ns *Namespace) domainOf(p *Parts, user Parts, component string) string {
	if !ns.CrossDomains {
		return component
	}
	if i := strings.LastIndexByte(component, '@'); i >= 0 {
		p.Domain = ns.notDefault(component[i+1:])
		return component[:i]
	}
	if ns.CrossDomainsOther {
		p.Domain = user.Domain
	}
	return component
}

func (ns *Namespace) parseAlt(p *Parts, user Parts, boxes []string) {
	switch top := boxes[0]; {
	case top == ns.AltPrefix:
		ns.own(p, user, boxes[1:]) // the prefix alone is the INBOX
	case top == ns.UserPrefix:
		if len(boxes) > 1 {
			p.Localpart = ns.domainOf(p, user, boxes[1])
			p.Boxes = boxes[2:]
		} else {
			p.Boxes = []string{"user"}
		}
	case top == ns.SharedPrefix:
		p.Boxes = boxes[1:]
		if len(p.Boxes) > 0 {
			p.Boxes[0] = ns.domainOf(p, user, p.Boxes[0])
		}
	case strings.EqualFold(top, "INBOX"):
		boxes[0] = "INBOX"
		if len(boxes) == 1 {
			boxes = nil
		}
		ns.own(p, user, boxes)
	default:
		ns.own(p, user, boxes)
	}
}

func (ns *Namespace) parseStandard(p *Parts, user Parts, boxes []string) {
	if strings.EqualFold(boxes[0], "INBOX") {
		ns.own(p, user, boxes[1:])
		return
	}
	if t, ok := deletedTime(boxes, ns.DeletedPrefix); ok && ns.Admin {
		p.WasDeleted, p.Deleted = true, t
		boxes = boxes[1 : len(boxes)-1]
	}
	if boxes[0] == "user" && len(boxes) > 1 {
		p.Localpart = ns.domainOf(p, user, boxes[1])
		p.Boxes = boxes[2:]
		return
	}
	p.Boxes = boxes
	if ns.Virtual != VirtualOff && !ns.Admin || ns.CrossDomains {
		p.Domain = user.Domain
	}
}
