package view

import (
	"slices"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
)

// systemFlags is the system flags in the order in which Cyrus prints them.
var systemFlags = [...]struct {
	flag  mailbox.Flags
	right acl.Rights // that allows to change it
	text  string
}{
	{mailbox.Answered, acl.Write, `\Answered`},
	{mailbox.Flagged, acl.Write, `\Flagged`},
	{mailbox.Draft, acl.Write, `\Draft`},
	{mailbox.Deleted, acl.DeleteMessage, `\Deleted`},
	{mailbox.Seen, acl.Seen, `\Seen`},
}

// Report tells the client what has changed since it was told last. It is
// told of expunged messages only with expunges: then numbers change (RFC
// 3501 section 7.4.1). uid adds UIDs, for commands that use them.
//
// Source: index_tellchanges in Cyrus imap/index.c.
func (v *View) Report(w *imapwire.Writer, expunges, uid bool) {
	if expunges {
		v.reportGone(w)
	}
	w.SetBuffer(v.appendExists(w.Buffer()))
	v.reportNames(w)
	v.reportFlags(w, uid)
}

// ReportGone and ReportFlags are parts of Report, for a client that has said
// what it wants to hear of (RFC 5465). What is not told stays for the next Report.
func (v *View) ReportGone(w *imapwire.Writer) { v.reportGone(w) }

// ReportFlags tells of flags, with UIDs.
func (v *View) ReportFlags(w *imapwire.Writer) {
	v.reportNames(w)
	v.reportFlags(w, true)
}

// reportGone sends EXPUNGE for each message that is gone, or one VANISHED
// for all.
func (v *View) reportGone(w *imapwire.Writer) {
	if len(v.gone) == 0 {
		return
	}
	v.removeGone(w)
	byUID := v.o.Client.QResync || v.o.Client.UIDOnly
	if byUID {
		v.reportVanished(w)
	}
	next, kept, lost := 0, 0, 0
	v.uids = slices.Clone(v.uids) // others may have the same array
	for i, uid := range v.uids {
		if next == len(v.gone) || v.gone[next] != uid {
			v.uids[kept] = uid
			kept++
			continue
		}
		next++
		if i >= v.told {
			continue
		}
		lost++
		if !byUID {
			w.SetBuffer(append(imapwire.AppendUint(append(w.Buffer(), "* "...), kept+1), " EXPUNGE\r\n"...))
		}
	}
	v.uids = v.uids[:kept]
	v.told -= lost
	v.forget()
}

// reportVanished sends the UIDs of the messages that are gone. Of a mailbox
// that is gone these are all it can ever have had.
func (v *View) reportVanished(w *imapwire.Writer) {
	var set imapwire.SeqSet
	if v.deleted {
		set = imapwire.SeqSet{{First: 1, Last: v.lastUID}}
	} else {
		for _, uid := range v.gone {
			if i, _ := slices.BinarySearch(v.uids, uid); i < v.told {
				set = set.Add(uid)
			}
		}
	}
	if len(set) == 0 {
		return
	}
	b := append(w.Buffer(), "* VANISHED "...)
	if v.deleted {
		b = imapwire.AppendUint(append(b, "1:"...), v.lastUID)
	} else {
		b = imapwire.AppendSeqSet(b, set)
	}
	w.SetBuffer(append(b, "\r\n"...))
}

// forget drops what was known of the messages in gone.
func (v *View) forget() {
	isGone := func(uid uint32) bool { _, ok := slices.BinarySearch(v.gone, uid); return ok }
	v.changed = slices.DeleteFunc(v.changed, func(c change) bool { return isGone(c.uid) })
	var recent imapwire.SeqSet
	for _, r := range v.recent {
		for uid := r.First; ; uid++ {
			if !isGone(uid) {
				recent = recent.Add(uid)
			}
			if uid == r.Last {
				break
			}
		}
	}
	v.recent = recent
	v.gone, v.delayed = nil, 0
}

// ReportNew tells the client only of new messages.
func (v *View) ReportNew(w *imapwire.Writer) { w.SetBuffer(v.appendExists(w.Buffer())) }

// Mine notes messages that this client has put into the mailbox itself, by
// UID: they are not among those of Fresh.
func (v *View) Mine(uids imapwire.SeqSet) { v.mine = v.mine.Union(uids) }

// Fresh returns the messages that EXISTS has told since it was called last, by
// UID, ascending, without the client's own.
func (v *View) Fresh() []uint32 {
	f := v.fresh
	v.fresh = nil
	return f
}

// appendExists prints EXISTS and RECENT if there are new messages.
func (v *View) appendExists(b []byte) []byte {
	if len(v.uids) == v.told {
		return b
	}
	for _, uid := range v.uids[v.told:] {
		if !v.mine.Contains(uid) {
			v.fresh = append(v.fresh, uid)
		}
	}
	v.told, v.mine = len(v.uids), nil
	b = append(b, "* "...)
	b = imapwire.AppendUint(b, v.told)
	b = append(b, " EXISTS\r\n"...)
	if v.o.Client.Rev2 {
		return b
	}
	b = append(b, "* "...)
	b = imapwire.AppendUint(b, v.recent.Count())
	return append(b, " RECENT\r\n"...)
}

// reportNames sends the names of flags if there are other ones.
func (v *View) reportNames(w *imapwire.Writer) {
	if v.newNames {
		v.WriteFlags(w)
	}
}

// WriteFlags sends FLAGS and PERMANENTFLAGS.
//
// Source: index_checkflags in Cyrus imap/index.c.
func (v *View) WriteFlags(w *imapwire.Writer) { w.SetBuffer(v.appendFlagNames(w.Buffer())) }

func (v *View) appendFlagNames(b []byte) []byte {
	v.newNames = false
	b = append(b, "* FLAGS ("...)
	for i, f := range systemFlags {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, f.text...)
	}
	b = v.appendNames(b)
	b = append(b, ")\r\n* OK [PERMANENTFLAGS ("...)
	if !v.o.Examine {
		b = v.appendPermanent(b)
	}
	return append(b, ")] Ok\r\n"...)
}

// appendNames prints the user flags, each with a blank before it.
func (v *View) appendNames(b []byte) []byte {
	for _, n := range v.names {
		if n != "" {
			b = append(append(b, ' '), n...)
		}
	}
	return b
}

// appendPermanent prints the flags that the user may change.
func (v *View) appendPermanent(b []byte) []byte {
	start := len(b)
	for _, f := range systemFlags {
		if v.rights.Has(f.right) {
			b = append(append(b, ' '), f.text...)
		}
	}
	if v.rights.Has(acl.Write) {
		b = v.appendNames(b)
		if v.freeNames() {
			b = append(b, ` \*`...)
		}
	}
	if len(b) > start {
		b = slices.Delete(b, start, start+1) // the first blank
	}
	return b
}

// freeNames reports whether the mailbox has room for another user flag.
func (v *View) freeNames() bool {
	n := 0
	for _, name := range v.names {
		if name != "" {
			n++
		}
	}
	return n < mailbox.ClientUserFlags
}

// reportFlags sends FETCH for messages whose flags have changed, also of
// expunged ones that the client still has numbers for.
func (v *View) reportFlags(w *imapwire.Writer, uid bool) {
	next := 0 // behind the last one; mostly the one that is looked for
	for i := range v.changed {
		c := &v.changed[i]
		n, ok := next, next < len(v.uids) && v.uids[next] == c.uid
		if !ok {
			n, ok = slices.BinarySearch(v.uids, c.uid)
		}
		if ok {
			next = n + 1
			w.SetBuffer(v.appendChange(w.Buffer(), uint32(next), c, uid))
		}
	}
	v.changed = v.changed[:0]
}

// appendFetch prints the beginning of a FETCH response, or of the UIDFETCH of
// RFC 9586.
func (v *View) appendFetch(b []byte, seq, uid uint32) []byte {
	b = append(b, "* "...)
	if v.o.Client.UIDOnly {
		return append(imapwire.AppendUint(b, uid), " UIDFETCH ("...)
	}
	return append(imapwire.AppendUint(b, seq), " FETCH ("...)
}

// appendChange prints the FETCH response that nobody asked for.
//
// Source: index_printflags in Cyrus imap/index.c.
func (v *View) appendChange(b []byte, seq uint32, c *change, uid bool) []byte {
	b = v.appendFetch(b, seq, c.uid)
	b = v.appendFlags(b, c.uid, c.flags, &c.user)
	if (uid || v.o.Client.QResync || v.o.Client.Rev2) && !v.o.Client.UIDOnly {
		b = append(b, " UID "...)
		b = imapwire.AppendUint(b, c.uid)
	}
	if v.o.Client.Condstore {
		b = append(imapwire.AppendUint(append(b, " MODSEQ ("...), c.modseq), ')')
	}
	return append(b, ")\r\n"...)
}

// appendFlags prints the FLAGS item of a message.
func (v *View) appendFlags(b []byte, uid uint32, flags mailbox.Flags, user *mailbox.UserFlags) []byte {
	b = append(b, "FLAGS ("...)
	start := len(b)
	if len(v.recent) > 0 && !v.o.Client.Rev2 && v.recent.Contains(uid) {
		b = append(b, `\Recent `...)
	}
	if flags != 0 {
		for i := range systemFlags {
			if f := &systemFlags[i]; flags&f.flag != 0 {
				b = append(append(b, f.text...), ' ')
			}
		}
	}
	if user.Any() {
		for n, name := range v.names {
			if name != "" && user.Has(n) {
				b = append(append(b, name...), ' ')
			}
		}
	}
	if len(b) > start {
		b = b[:len(b)-1] // the last blank
	}
	return append(b, ')')
}
