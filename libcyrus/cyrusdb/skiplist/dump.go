package skiplist

import (
	"fmt"
	"io"
	"slices"
)

// Dump prints the records of a file in the order in which they lie there, in
// the form of Cyrus. It stops at the first that is damaged.
//
// Source: dump in Cyrus lib/cyrusdb_skiplist.c.
func Dump(w io.Writer, file []byte) error {
	if len(file) < headerSize || string(file[:len(Magic)]) != Magic {
		return ErrNotSkiplist
	}
	p := parser{b: file, at: headerSize}
	for p.at < len(file) {
		start := p.at
		typ := p.number()
		if p.cut {
			break
		}
		fmt.Fprintf(w, "%04X: ", start)
		switch typ {
		case typeDummy, typeInOrder, typeAdd:
			p.dumpEntry(w, typ)
		case typeDelete:
			fmt.Fprintf(w, "DELETE offset=%04X\n", p.number())
		case typeCommit:
			fmt.Fprint(w, "COMMIT \n")
		default:
			fmt.Fprintln(w, "ERROR")
			return fmt.Errorf("at %08X: unknown type of record %d", start, typ)
		}
		if p.cut {
			return fmt.Errorf("at %08X: the record is cut off", start)
		}
	}
	return nil
}

// names is what Cyrus calls the records that have a key.
var names = map[uint32]string{typeDummy: "DUMMY", typeInOrder: "INORDER", typeAdd: "ADD"}

// dumpEntry prints a record with a key.
func (p *parser) dumpEntry(w io.Writer, typ uint32) {
	key, value := p.padded(), p.padded()
	var next []uint32
	for len(next) <= maxLevel && !p.cut {
		n := p.number()
		if n == endOfPtrs || p.cut {
			break
		}
		next = append(next, n)
	}
	fmt.Fprintf(w, "%s kl=%d dl=%d lvl=%d\n\t", names[typ], len(key), len(value), len(next))
	for n := range slices.Values(next) {
		fmt.Fprintf(w, "%04X ", n)
	}
	fmt.Fprintln(w)
}
