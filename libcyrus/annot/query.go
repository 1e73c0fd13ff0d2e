package annot

import (
	"slices"
	"strconv"
)

// Query is what is to be read of the annotations of one thing.
type Query struct {
	Entries []string // may have the wildcards "*" and "%"
	Attrs   Attrs
}

// attributes is the names that attributes have in commands.
var attributes = []struct {
	name string
	set  Attrs
}{
	{"value", ValueShared | ValuePriv},
	{"value.shared", ValueShared},
	{"value.priv", ValuePriv},
	{"size", SizeShared | SizePriv},
	{"size.shared", SizeShared},
	{"size.priv", SizePriv},
}

// ParseAttrs returns the attributes with the given names, in which "*" and
// "%" are wildcards. Unknown names are nothing.
func ParseAttrs(names []string) (a Attrs) {
	for _, n := range names {
		for _, k := range attributes {
			if glob(n, k.name, '.') {
				a |= k.set
			}
		}
	}
	return a
}

// Row is a stored value.
type Row struct {
	Key
	Value []byte
}

// Source is where a Query finds values.
type Source interface {
	// Rows returns all that is stored, in the order of the keys.
	Rows() ([]Row, error)
	// Computed returns the value of an entry whose place is not the
	// database: nil is none. ok is false if there is nothing to say of it.
	Computed(d *Definition) (value []byte, ok bool, err error)
	// MayRead reports whether the user may read an entry.
	MayRead(d *Definition) bool
}

// Attribute is a part of an answer.
type Attribute struct {
	Name  string
	Value []byte // nil: there is none
}

// Answer is an entry with what was asked of it.
type Answer struct {
	Entry string
	Attrs []Attribute
}

// Answer reads the annotations of one thing as user sees them. What is
// not stored is said as well, unless it was asked for by a wildcard.
//
// Source: annotate_state_fetch in Cyrus imap/annotate.c; the order is Cyrus's,
// which has the last entry first.
func (d *Definitions) Answer(l Level, q Query, user string, src Source) ([]Answer, error) {
	if q.Attrs == 0 {
		return nil, nil
	}
	a := answering{q: q, user: user, said: map[Key]bool{}}
	if l == OfServer && user == "" {
		a.user = anonymous
	}
	plan := d.plan(l, q.Entries)
	for i := range slices.Backward(plan) {
		p := &plan[i]
		if !src.MayRead(p.def) {
			continue
		}
		var err error
		if p.def.Place == InDB {
			err = a.stored(p.pattern, src)
		} else {
			err = a.computed(p, src)
		}
		if err != nil {
			return nil, err
		}
	}
	a.flush()
	return a.out, nil
}

// anonymous owns the private values of somebody without a name: nobody's.
const anonymous = "\x00"

// planned is an entry to be read.
type planned struct {
	def     *Definition
	pattern string // in the database
}

// plan finds what the entries of a query mean. One that is defined is not
// looked for by its pattern.
func (d *Definitions) plan(l Level, entries []string) (plan []planned) {
	for _, e := range entries {
		exact := false
		d.each(l, func(def *Definition) bool {
			if glob(e, def.Name, '/') && !def.proxy {
				plan = append(plan, planned{def, def.Name})
			}
			exact = def.Name == e
			return !exact
		})
		if !exact {
			plan = append(plan, planned{&other, e})
		}
	}
	return plan
}

// answering collects answers.
type answering struct {
	q    Query
	user string
	said map[Key]bool
	rows []Row
	read bool

	current Answer
	out     []Answer
}

// stored answers from the database.
func (a *answering) stored(pattern string, src Source) error {
	if !a.read {
		var err error
		if a.rows, err = src.Rows(); err != nil {
			return err
		}
		a.read = true
	}
	var found Attrs
	for i := range a.rows {
		r := &a.rows[i]
		if (r.User == "" || r.User == a.user) && len(r.Value) > 0 && glob(pattern, r.Entry, '/') {
			found |= a.say(r.Key, r.Value)
		}
	}
	if isGlob(pattern) || found == a.q.Attrs {
		return nil
	}
	if found&(ValuePriv|SizePriv) == 0 {
		a.say(Key{pattern, a.user}, nil)
	}
	if found&(ValueShared|SizeShared) == 0 {
		a.say(Key{pattern, ""}, nil)
	}
	a.flush()
	return nil
}

// computed answers with a value from elsewhere.
func (a *answering) computed(p *planned, src Source) error {
	value, ok, err := src.Computed(p.def)
	if err != nil || !ok {
		return err
	}
	k := Key{p.def.Name, ""}
	if p.def.Attrs&ValuePriv != 0 {
		k.User = a.user
	}
	a.say(k, value)
	return nil
}

// say adds a value to the answer, unless it has been said already.
func (a *answering) say(k Key, value []byte) (said Attrs) {
	if a.current.Entry != k.Entry {
		a.flush()
	}
	a.current.Entry = k.Entry
	if a.said[k] {
		return 0
	}
	a.said[k] = true
	add := func(attr Attrs, name string, v []byte) {
		if a.q.Attrs&attr != 0 {
			a.current.Attrs = append(a.current.Attrs, Attribute{name, v})
			said |= attr
		}
	}
	size := strconv.AppendInt(nil, int64(len(value)), 10)
	if k.User == "" {
		add(ValueShared, "value.shared", value)
		add(SizeShared, "size.shared", size)
	} else {
		add(ValuePriv, "value.priv", value)
		add(SizePriv, "size.priv", size)
	}
	return said
}

// flush ends the current entry.
func (a *answering) flush() {
	if len(a.current.Attrs) > 0 {
		a.out = append(a.out, a.current)
	}
	a.current = Answer{}
}
