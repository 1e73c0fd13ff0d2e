package twoskip

import (
	"bytes"
	"fmt"
	"io"
)

// Dump prints the records of a file in the order in which they lie there, in
// the form of Cyrus; with values their values too. It stops at the first that
// is damaged.
//
// Source: dump in Cyrus lib/cyrusdb_twoskip.c.
func Dump(w io.Writer, file []byte, values bool) error {
	var h header
	if err := h.decode(file[:min(len(file), headerSize)]); err != nil {
		return err
	}
	flags := 0
	if h.dirty {
		flags = 1
	}
	fmt.Fprintf(w, "HEADER: v=%d fl=%d num=%d sz=(%08X/%08X)\n", version, flags, h.records, h.size, h.repackSize)
	end := min(h.size, uint64(len(file)))
	for at := uint64(dummyStart); at < end; {
		fmt.Fprintf(w, "%08X ", at)
		if bytes.HasPrefix(file[at:], []byte(blank)) {
			fmt.Fprintln(w, "BLANK")
			at += uint64(len(blank))
			continue
		}
		r, err := parseRecord(file, at)
		if err != nil {
			fmt.Fprintln(w, "ERROR")
			return err
		}
		r.dump(w, file, values)
		at = r.end()
	}
	return nil
}

// parseRecord reads the record at an offset of a file.
func parseRecord(file []byte, at uint64) (r record, err error) {
	r.offset = at
	rest := file[at:]
	if len(rest) < leadSize {
		return r, errBadType
	}
	n, err := r.lead(rest[:leadSize])
	if err == nil && n > len(rest) {
		err = errHeadCRC
	}
	if err == nil {
		err = r.decode(rest[:n])
	}
	if err == nil && (r.keyLen > uint64(len(rest)) || r.valueLen > uint64(len(rest)) || r.end() > uint64(len(file))) {
		err = errHeadCRC
	}
	return r, err
}

// dump prints one record.
func (r *record) dump(w io.Writer, file []byte, values bool) {
	switch r.typ {
	case typeDelete:
		fmt.Fprintf(w, "DELETE ptr=%08X\n", r.next[0])
	case typeCommit:
		fmt.Fprintf(w, "COMMIT start=%08X\n", r.next[0])
	default:
		kind := "RECORD"
		if r.typ == typeDummy {
			kind = "DUMMY"
		}
		tail := file[r.offset+r.headLen:]
		key, value := tail[:r.keyLen], tail[r.keyLen:][:r.valueLen]
		fmt.Fprintf(w, "%s kl=%d dl=%d lvl=%d (%s)\n\t", kind, r.keyLen, r.valueLen, r.level, text(key))
		for i, p := range r.next[:r.level+1] {
			fmt.Fprintf(w, "%08X ", p)
			if i%8 == 0 {
				fmt.Fprint(w, "\n\t")
			}
		}
		fmt.Fprintln(w)
		if values {
			fmt.Fprintf(w, "\tv=(%s)\n", text(value))
		}
	}
}

// text is a key or value as it is printed.
func text(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0}, []byte{'-'}) }
