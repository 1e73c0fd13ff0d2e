package view

import (
	"slices"

	"gocyrus/libcyrus/imapwire"
)

// ReportAnnotations sends FETCH with the names of entries that have changed of
// a message. One that the client does not know of yet, or any more, is left
// out.
//
// Source: RFC 5257 section 4.4, RFC 5465 section 5.1.
func (v *View) ReportAnnotations(w *imapwire.Writer, uid uint32, modseq uint64, entries []string) {
	n, ok := slices.BinarySearch(v.uids, uid)
	if !ok || n >= v.told {
		return
	}
	b := v.appendFetch(w.Buffer(), uint32(n+1), uid)
	if !v.o.Client.UIDOnly {
		b = append(imapwire.AppendUint(append(b, "UID "...), uid), ' ')
	}
	b = append(b, "ANNOTATION ("...)
	for i, e := range entries {
		if i > 0 {
			b = append(b, ' ')
		}
		b = imapwire.AppendAString(b, e)
	}
	b = append(b, ')')
	if v.o.Client.Condstore {
		b = append(imapwire.AppendUint(append(b, " MODSEQ ("...), modseq), ')')
	}
	w.SetBuffer(append(b, ")\r\n"...))
}
