package mailbox

import (
	"bytes"
	"strings"
)

// margin is how far UIDs, and margins of modseqs, go on after an index was
// lost: what was given out last is not known, and must not be given again
// under the same UIDVALIDITY. Cyrus before 2.4 left 100 UIDs free too.
const (
	uidMargin    = 100
	modseqMargin = 1 << 20
)

// count returns the head of the index that the records make. In m.hdr is what
// it would be if nothing had been wrong.
func (rc *reconstruction) count() (IndexHeader, error) {
	m := rc.m
	if rc.newIndex {
		rc.goOn()
	}
	h := m.hdr
	err := m.recount(rc.ctx, &h, rc.out)
	if rc.newIndex {
		m.hdr.AnnotUsed = h.AnnotUsed // annotations of the mailbox itself are counted nowhere else
	}
	return h, err
}

// goOn leaves room for what was lost with the head of the index.
func (rc *reconstruction) goOn() {
	h := &rc.m.hdr
	for uid := range rc.annots {
		h.LastUID = max(h.LastUID, uid)
	}
	if h.LastUID == 0 || rc.o.UIDValidity == 0 {
		return // with a new UIDVALIDITY nothing goes on
	}
	h.LastUID = min(h.LastUID, 1<<32-2-uidMargin) + uidMargin
	h.RecentUID = h.LastUID - uidMargin
	h.HighestModseq = max(h.HighestModseq, rc.o.FolderModseq) + modseqMargin
	h.DeletedModseq = h.HighestModseq
}

// counter is a number in the head of the index that follows from the
// records.
type counter struct {
	text     string // in Cyrus's words, with a space before
	was, is  uint64
	recorded bool // the version of the file has it
}

func (rc *reconstruction) counters(h *IndexHeader) []counter {
	old, l := &rc.m.hdr, h.layout()
	return []counter{
		{" updating quota_mailbox_used:", old.QuotaUsed, h.QuotaUsed, true},
		{" updating quota_annot_used:", old.AnnotUsed, h.AnnotUsed, l.hasAnnot},
		{": updating answered", uint64(old.Answered), uint64(h.Answered), true},
		{": updating flagged", uint64(old.Flagged), uint64(h.Flagged), true},
		{": updating deleted", uint64(old.Deleted), uint64(h.Deleted), true},
		{": updating exists", uint64(old.Exists), uint64(h.Exists), l.hasExists},
		{": updating sync_crc", uint64(old.SyncCRC), uint64(h.SyncCRC), l.hasExists},
		{": updating sync_crc_annot", uint64(old.SyncCRCAnnot), uint64(h.SyncCRCAnnot), l.hasAnnot},
	}
}

// sayCounts tells which counters were wrong. Those that the version of the
// file has not are told each time, as Cyrus does.
//
// Source: reconstruct_compare_headers.
func (rc *reconstruction) sayCounts(h *IndexHeader) {
	for _, c := range rc.counters(h) {
		if c.was != c.is {
			rc.say("%s%s %d => %d", rc.m.ref.Name, c.text, c.was, c.is)
		}
	}
}

// differs reports whether the head of the file is wrong.
func (rc *reconstruction) differs(h *IndexHeader) bool {
	for _, c := range rc.counters(h) {
		if c.recorded && c.was != c.is {
			return true
		}
	}
	return h.layout().hasUnseen && h.Unseen != rc.m.hdr.Unseen || rc.was.dirty()
}

// keywordsIn reads what is left of the names of user flags in a damaged
// cyrus.header.
func keywordsIn(data []byte) []string {
	const magic = len(headerMagic)
	if len(data) > magic && data[magic] != '%' { // the old form: the second line
		lines := strings.SplitN(string(data[magic:]), "\n", 3)
		if len(lines) == 3 && lines[1] != "" {
			return cutFlags(strings.Split(lines[1], " "))
		}
		return nil
	}
	_, list, ok := bytes.Cut(data, []byte(" U ("))
	if !ok {
		return nil
	}
	end := bytes.IndexByte(list, ')')
	if end < 0 {
		end = max(bytes.LastIndexByte(list, ' '), 0) // the last name may not be whole
	}
	var names []string
	for _, w := range strings.Fields(string(list[:end])) {
		if w == "NIL" {
			w = ""
		}
		names = append(names, w)
	}
	return cutFlags(names)
}

// cutFlags leaves out names that cannot be one.
func cutFlags(names []string) []string {
	names = names[:min(len(names), MaxUserFlags)]
	for i, n := range names {
		if strings.ContainsFunc(n, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r) }) {
			names[i] = ""
		}
	}
	return names
}
