// Package dlist reads and writes Cyrus's list syntax, in which values of
// mailboxes.db, cyrus.header, quota files and the sync protocol are kept
// (Cyrus imap/dlist.c).
//
//	%(key value key value)   key/value list
//	(value value)            list
//	NIL  atom  "quoted"  {5}CRLFbytes  {5+}CRLFbytes   scalars
package dlist

import (
	"strconv"
	"strings"
)

// Kind says what a Node is.
type Kind uint8

// The kinds of nodes. The zero value is NIL.
const (
	Nil    Kind = iota
	Atom        // a scalar: Value, however it was written
	Flag        // a scalar that begins with a backslash and is written bare
	List        // Items, whose keys are not written
	KVList      // Items with their keys
)

// Node is one value. Key is what it is called in the KVList around it, and
// "" otherwise. A nil *Node is as good as NIL for all methods.
type Node struct {
	Key   string
	Kind  Kind
	Value []byte // of Atom and Flag; may hold any byte
	Items []Node // of List and KVList
}

// NewKVList returns a key/value list.
func NewKVList(items ...Node) *Node { return &Node{Kind: KVList, Items: items} }

// NewList returns a list of values.
func NewList(items ...Node) *Node { return &Node{Kind: List, Items: items} }

// Text returns a scalar. In a List the key is "".
func Text(key, value string) Node { return Node{Key: key, Kind: Atom, Value: []byte(value)} }

// Uint returns a decimal number.
func Uint(key string, n uint64) Node {
	return Node{Key: key, Kind: Atom, Value: strconv.AppendUint(nil, n, 10)}
}

// Int returns a decimal number.
func Int(key string, n int64) Node {
	return Node{Key: key, Kind: Atom, Value: strconv.AppendInt(nil, n, 10)}
}

// Null returns NIL.
func Null(key string) Node { return Node{Key: key} }

// Sub returns n under a key, to be put into a KVList.
func Sub(key string, n *Node) Node {
	c := *n
	c.Key = key
	return c
}

// Add appends items to a List or KVList, and returns n.
func (n *Node) Add(items ...Node) *Node {
	n.Items = append(n.Items, items...)
	return n
}

// Set replaces the first item with that key, or appends it.
func (n *Node) Set(item Node) {
	if old := n.Get(item.Key); old != nil {
		*old = item
		return
	}
	n.Items = append(n.Items, item)
}

// Get returns the first item with that key, or nil. It may be changed in place.
func (n *Node) Get(key string) *Node {
	if n == nil || n.Kind != KVList {
		return nil
	}
	for i := range n.Items {
		if n.Items[i].Key == key {
			return &n.Items[i]
		}
	}
	return nil
}

// Text returns the scalar with that key, or "".
func (n *Node) Text(key string) string { return n.Get(key).String() }

// Num returns the number with that key, or 0 if there is none.
func (n *Node) Num(key string) uint64 {
	v, _ := n.Get(key).Uint()
	return v
}

// String returns a scalar's value, "" for anything else.
func (n *Node) String() string {
	if n == nil {
		return ""
	}
	return string(n.Value)
}

// Uint returns a scalar's value as a number; ok is false if it is none or
// does not fit.
func (n *Node) Uint() (v uint64, ok bool) {
	if n == nil || n.Kind != Atom {
		return 0, false
	}
	v, err := strconv.ParseUint(string(n.Value), 10, 64)
	return v, err == nil
}

// Int is Uint for numbers that may be negative.
func (n *Node) Int() (v int64, ok bool) {
	if n == nil || n.Kind != Atom {
		return 0, false
	}
	v, err := strconv.ParseInt(string(n.Value), 10, 64)
	return v, err == nil
}

// IsNil reports whether n is absent or NIL.
func (n *Node) IsNil() bool { return n == nil || n.Kind == Nil }

// Len is the number of items of a list, 0 for anything else.
func (n *Node) Len() int {
	if n == nil {
		return 0
	}
	return len(n.Items)
}

// Encode returns n as Cyrus prints it, without its key.
func (n *Node) Encode() []byte { return n.Append(nil) }

// Append appends to b what Encode returns.
func (n *Node) Append(b []byte) []byte {
	switch {
	case n.IsNil():
		return append(b, "NIL"...)
	case n.Kind == Atom:
		return AppendString(b, n.Value)
	case n.Kind == Flag:
		return append(b, n.Value...)
	case n.Kind == KVList:
		b = append(b, '%')
	}
	b = append(b, '(')
	for i := range n.Items {
		if i > 0 {
			b = append(b, ' ')
		}
		if n.Kind == KVList {
			b = append(AppendString(b, []byte(n.Items[i].Key)), ' ')
		}
		b = n.Items[i].Append(b)
	}
	return append(b, ')')
}

// maxShort is the length from which a string is always written as a literal.
const maxShort = 1024

// AppendString appends a scalar as Cyrus writes it: as it is if it is an
// atom, else quoted, else as a non-synchronising literal
// (Cyrus imap/prot.c prot_printamap, lib/imparse.c imparse_isnatom).
func AppendString(b, s []byte) []byte {
	atom, quotable := len(s) > 0 && len(s) < maxShort && string(s) != "NIL", len(s) < maxShort
	for _, c := range s {
		atom = atom && isAtom[c]
		quotable = quotable && isQuotable[c]
	}
	switch {
	case atom:
		return append(b, s...)
	case quotable:
		return append(append(append(b, '"'), s...), '"')
	}
	b = strconv.AppendInt(append(b, '{'), int64(len(s)), 10)
	b = append(b, "+}\r\n"...)
	return append(b, s...)
}

// isAtom and isQuotable say which bytes may stand in a bare atom and between
// quotes; Cyrus also reads others there but does not write them.
var isAtom, isQuotable = func() (atom, quotable [256]bool) {
	for c := range 0x80 {
		atom[c] = c >= 0x1f && c < 0x7f && !strings.ContainsRune(` {()"%*\`, rune(c))
		quotable[c] = !strings.ContainsRune("\x00\r\n\"\\%", rune(c))
	}
	return atom, quotable
}()
