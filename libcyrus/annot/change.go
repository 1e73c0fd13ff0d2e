package annot

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
)

// Set is a request to store a value.
type Set struct {
	Entry string
	Attr  string // "value.shared" or "value.priv"
	Value []byte // nil or empty removes it
}

// Change is a checked Set.
type Change struct {
	*Definition
	Key
	Value []byte // nil removes it
	// Allowed is false if the right to store is missing. That matters only if
	// something would change.
	Allowed bool
}

// The errors of Check; their texts are Cyrus's.
var (
	ErrValue = errors.New("Invalid annotation value")
	ErrEntry = errors.New("Invalid annotation entry")
)

// Actor is who stores annotations.
type Actor struct {
	User   string
	Rights acl.Rights // on the mailbox
	Admin  bool       // may do everything
}

// Check turns requests into changes in the order in which Cyrus makes them,
// the last entry first. Kinds of error: errs.Denied for entries that cannot
// be set, errs.BadArgument for wrong values.
//
// Source: annotate_state_store in Cyrus imap/annotate.c.
func (d *Definitions) Check(l Level, sets []Set, who Actor) ([]Change, error) {
	var out []Change
	var entries []string
	byEntry := map[string][]Change{}
	for _, s := range sets {
		def := d.find(l, s.Entry)
		if def == nil {
			return nil, errs.New(errs.Denied, "annot.Check", s.Entry, nil)
		}
		c, ignored, err := newChange(def, l, s, who)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(entries, s.Entry) {
			entries = append(entries, s.Entry)
		}
		if ignored {
			continue
		}
		// A second value for the same key takes the place of the first.
		same := func(o Change) bool { return o.User == c.User }
		byEntry[s.Entry] = append(slices.DeleteFunc(byEntry[s.Entry], same), c)
	}
	for _, e := range slices.Backward(entries) {
		cs := byEntry[e]
		slices.SortStableFunc(cs, func(a, b Change) int { return strings.Compare(a.User, b.User) }) // shared ones first
		denied := slices.ContainsFunc(cs, func(c Change) bool { return !c.Allowed })
		for i := range cs {
			cs[i].Allowed = !denied
		}
		out = append(out, cs...)
	}
	return out, nil
}

// newChange checks one request. Old attributes that mean nothing any more
// are ignored.
func newChange(def *Definition, l Level, s Set, who Actor) (c Change, ignored bool, err error) {
	c = Change{Definition: def, Key: Key{Entry: s.Entry}, Value: s.Value}
	attr := ValueShared
	switch s.Attr {
	case "content-type.shared", "content-type.priv":
		return c, true, nil
	case "value.shared":
	case "value.priv":
		attr, c.User = ValuePriv, who.User
		if c.User == "" {
			return c, false, errs.New(errs.Denied, "annot.Check", s.Entry, nil)
		}
	default:
		attr = 0
	}
	if def.Attrs&attr == 0 {
		return c, false, errs.New(errs.Denied, "annot.Check", s.Entry, nil)
	}
	c.Allowed = who.mayStore(def, l, attr == ValueShared)
	if len(c.Value) == 0 {
		c.Value = nil
		return c, def.proxy, nil
	}
	var ok bool
	if c.Value, ok = canonical(def.Type, c.Value); !ok {
		err := ErrValue
		if def.Type == Switch {
			err = ErrEntry
		}
		return c, false, errs.New(errs.BadArgument, "annot.Check", s.Entry, err)
	}
	return c, def.proxy, nil
}

// mayStore reports whether somebody has the rights to store a value.
//
// Source: _annotate_may_store in Cyrus imap/annotate.c.
func (w *Actor) mayStore(d *Definition, l Level, shared bool) bool {
	switch {
	case w.Admin:
		return true
	case l == OfServer:
		return !shared
	case l == OfMessage && shared:
		return w.Rights.Has(acl.Annotate)
	case l == OfMessage:
		return w.Rights.Has(acl.Read)
	case shared:
		return w.Rights.Has(acl.Lookup | acl.Read | acl.Write | d.Rights)
	}
	return w.Rights.Has(acl.Lookup)
}

// canonical checks a value and returns how it is stored.
//
// Source: annotate_canon_value in Cyrus imap/annotate.c.
func canonical(t Type, v []byte) ([]byte, bool) {
	s := string(v)
	switch t {
	case Boolean:
		s = strings.ToLower(s)
		return []byte(s), s == "true" || s == "false"
	case Uint:
		// As strtoul does: blanks and a plus sign may stand before it.
		_, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimLeft(s, " \t\n\v\f\r"), "+"), 10, 64)
		return v, err == nil
	case Switch:
		// As config_switch in Cyrus's lib/libconfig.c.
		return v, strings.IndexByte("1yt0nf", s[0]) >= 0 || strings.HasPrefix(s, "on") || strings.HasPrefix(s, "of")
	case Int:
		_, err := strconv.ParseInt(strings.TrimLeft(s, " \t\n\v\f\r"), 10, 64)
		return v, err == nil
	}
	return v, true
}
