// Package config reads the configuration of a site: imapd.conf, with one
// table that declares every option (options_*.go), and cyrus.conf. Each of
// the two may also be written as TOML.
//
// A program loads its configuration once, at start, with Load; the result
// never changes afterwards and may be read by any number of goroutines.
package config

import (
	"strings"
	"sync"
	"time"
)

// A Row declares one option, in the words of imapd.conf. The rows stand in
// the options_*.go files, in the order of imapd.conf(5). To add an option,
// add a variable there: no other list names it.
type Row struct {
	Name        string   // as in imapd.conf, lower case
	Default     string   // as it would be written; "" is: no value
	Unit        string   // of a duration written without one: d, h, m or s
	Values      []string // all that is allowed; "name=alias" has a deprecated alias
	Since       string   // version of Cyrus that last changed the meaning, or "gocyrus"
	Deprecated  string   // version that deprecated the option, or ""
	Replacement string   // name of the option to use instead, or ""
	Group       string   // what it is about: "tls", "lmtp", ...
	Doc         string   // for imapd.conf(5); "" only while no code reads it

	kind  Kind
	index int // position in table
	parse func(*Row, string) (any, error)
}

// Kind is the type of an option's value as imapd.conf(5) names it.
type Kind uint8

// The kinds of options and the Go type of their values.
const (
	Switch     Kind = iota // bool
	Int                    // int
	Duration               // time.Duration
	String                 // string; "" is unset
	Enum                   // string, one of Values
	StringList             // string, one of Values
	Bitfield               // Bits, any of Values
)

// String returns the name of k as imapd.conf(5) has it.
func (k Kind) String() string {
	return [...]string{"switch", "int", "duration", "string", "enum", "stringlist", "bitfield"}[k]
}

// Kind returns the type of the option's value.
func (r *Row) Kind() Kind { return r.kind }

// table is every declared option in the order of declaration. It is
// complete before main begins and is not changed after that.
var table []*Row

// Options returns every option in the order of imapd.conf(5). The caller
// may not change it.
func Options() []*Row { return table }

// Option is one option whose value is a T: bool, int, time.Duration, string
// or Bits.
type Option[T any] struct{ row *Row }

// In returns the value of the option in c.
func (o Option[T]) In(c *Config) T { return c.values[o.row.index].(T) }

// Row returns the declaration of the option.
func (o Option[T]) Row() *Row { return o.row }

// Given reports whether the file sets the option, itself or through a
// deprecated name, so that a program may tell a default from a wish.
func (o Option[T]) Given(c *Config) bool { return c.source[o.row.index].line != 0 }

// Bits is a set of names, the value of a bitfield.
type Bits struct {
	names []string // Row.Values without aliases
	set   uint64
}

// Has reports whether name is in the set.
func (b Bits) Has(name string) bool {
	for i, n := range b.names {
		if n == name {
			return b.set&(1<<i) != 0
		}
	}
	return false
}

// Names returns the names in the set in the order of their declaration.
func (b Bits) Names() []string {
	var names []string
	for i, n := range b.names {
		if b.set&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// String returns the names in the set, separated by blanks.
func (b Bits) String() string { return strings.Join(b.Names(), " ") }

// declare adds r to the table and returns the option whose values parse
// makes.
func declare[T any](r Row, kind Kind, parse func(*Row, string) (T, error)) Option[T] {
	r.kind, r.index = kind, len(table)
	r.parse = func(r *Row, s string) (any, error) { return parse(r, s) }
	table = append(table, &r)
	return Option[T]{&r}
}

func newSwitch(r Row) Option[bool] { return declare(r, Switch, parseSwitch) }

func newInt(r Row) Option[int] { return declare(r, Int, parseInt) }

func newDuration(r Row) Option[time.Duration] { return declare(r, Duration, parseDuration) }

func newString(r Row) Option[string] { return declare(r, String, parseString) }

func newEnum(r Row) Option[string] { return declare(r, Enum, parseEnum) }

func newList(r Row) Option[string] { return declare(r, StringList, parseList) }

func newBits(r Row) Option[Bits] { return declare(r, Bitfield, parseBits) }

// rowsByName returns the table by name.
var rowsByName = sync.OnceValue(func() map[string]*Row {
	m := make(map[string]*Row, len(table))
	for _, r := range table {
		m[r.Name] = r
	}
	return m
})

// ByName returns the option with that name in lower case, or nil.
func ByName(name string) *Row { return rowsByName()[name] }
