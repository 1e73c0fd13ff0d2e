package mboxlist

import (
	"bytes"
	"errors"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/dlist"
	"gocyrus/libcyrus/mboxname"
)

// The list's keys: by name, and by unique id. Both have the whole entry.
const (
	nameKey = 'N'
	idKey   = 'I'
	raclKey = 'A'
)

func keyOf(n mboxname.Name) []byte { return append([]byte{nameKey}, n.DBKey()...) }

func keyOfID(id string) []byte { return append([]byte{idKey}, id...) }

var errEntry = errors.New("entry of the mailbox list is damaged")

// decode reads the value of a key that begins with N or I.
//
// Source: mboxlist_parse_entry in Cyrus imap/mboxlist.c.
func decode(key, value []byte) (*Entry, error) {
	d, err := dlist.Parse(bytes.TrimRight(value, "\n"))
	if err != nil {
		return nil, err
	}
	if d.Kind != dlist.KVList || len(key) < 2 {
		return nil, errEntry
	}
	e := &Entry{
		Type:          d.Text("T"),
		Partition:     d.Text("P"),
		Server:        d.Text("S"),
		UIDValidity:   uint32(d.Num("V")),
		CreatedModseq: d.Num("C"),
		FolderModseq:  d.Num("F"),
		Mtime:         int64(d.Num("M")),
	}
	switch key[0] {
	case nameKey:
		e.Name, e.UniqueID = mboxname.FromDB(string(key[1:])), d.Text("I")
	case idKey:
		e.Name, e.UniqueID = mboxname.FromDB(d.Text("N")), string(key[1:])
		e.History = decodeHistory(d.Get("H"))
	default:
		return nil, errEntry
	}
	if a := d.Get("A"); a != nil {
		e.ACL = make(acl.List, 0, len(a.Items))
		for i := range a.Items {
			e.ACL = append(e.ACL, acl.Entry{ID: a.Items[i].Key, Rights: a.Items[i].String()})
		}
	}
	return e, nil
}

func decodeHistory(h *dlist.Node) []Past {
	if h.Len() == 0 {
		return nil
	}
	out := make([]Past, 0, h.Len())
	for i := range h.Items {
		p := &h.Items[i]
		out = append(out, Past{
			Name:          mboxname.FromDB(p.Text("N")),
			Type:          p.Text("T"),
			Partition:     p.Text("P"),
			UIDValidity:   uint32(p.Num("V")),
			CreatedModseq: p.Num("C"),
			FolderModseq:  p.Num("F"),
			Mtime:         int64(p.Num("M")),
		})
	}
	return out
}

// encode writes the value of the entry's name, byte for byte as Cyrus does.
//
// Source: mboxlist_entry_dlist in Cyrus imap/mboxlist.c.
func (e *Entry) encode() []byte { return e.dlist("I", e.UniqueID).Encode() }

// encodeID writes the value of the entry's unique id.
func (e *Entry) encodeID() []byte {
	h := dlist.NewList()
	for i := range e.History {
		h.Add(*e.History[i].dlist())
	}
	return e.dlist("N", e.Name.DBKey()).Add(dlist.Sub("H", h)).Encode()
}

// dlist is what both values have in common; other is the name or the id.
func (e *Entry) dlist(key, other string) *dlist.Node {
	d := dlist.NewKVList()
	text(d, "T", e.Type)
	text(d, key, other)
	text(d, "P", e.Partition)
	text(d, "S", e.Server)
	number(d, "V", uint64(e.UIDValidity))
	number(d, "C", e.CreatedModseq)
	number(d, "F", e.FolderModseq)
	number(d, "M", uint64(e.Mtime))
	if e.ACL != nil {
		a := dlist.NewKVList()
		for _, x := range e.ACL {
			a.Add(dlist.Text(x.ID, x.Rights))
		}
		d.Add(dlist.Sub("A", a))
	}
	return d
}

func (p *Past) dlist() *dlist.Node {
	d := dlist.NewKVList()
	text(d, "N", p.Name.DBKey())
	number(d, "M", uint64(p.Mtime))
	number(d, "V", uint64(p.UIDValidity))
	number(d, "C", p.CreatedModseq)
	number(d, "F", p.FolderModseq)
	text(d, "T", p.Type)
	text(d, "P", p.Partition)
	return d
}

// text and number leave out what is empty.
func text(d *dlist.Node, key, s string) {
	if s != "" {
		d.Add(dlist.Text(key, s))
	}
}

func number(d *dlist.Node, key string, n uint64) {
	if n != 0 {
		d.Add(dlist.Uint(key, n))
	}
}

// typeFlags is the order in which a type has its flags.
const typeFlags = "dmrzil"

// with returns the type with and without flags.
func withFlags(typ string, set, clear string) string {
	if typ == "" {
		typ = string(Email)
	}
	out := typ[:1]
	for _, f := range typeFlags {
		has := strings.ContainsRune(typ[1:], f) && !strings.ContainsRune(clear, f)
		if has || strings.ContainsRune(set, f) {
			out += string(f)
		}
	}
	return out
}
