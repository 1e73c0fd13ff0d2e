package view

import (
	"context"
	"math"
	"slices"

	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
)

// Client is which extensions a client has switched on (RFC 7162). It is
// shared by all views of a session, which changes it.
type Client struct {
	Condstore bool // flags are told with their modseq
	QResync   bool // expunged messages are told by UID, as VANISHED
	UIDOnly   bool // messages are told by UID only (RFC 9586)
	UTF8      bool // takes UTF-8 in quoted strings and names, by Accept or Rev2
	Accept    bool // has enabled UTF8=ACCEPT (RFC 6855)
	Rev2      bool // knows no \Recent, and flags are told with the UID (RFC 9051)
}

// delay notes the modseq of a message that is gone and of which the client
// was not told yet: a HIGHESTMODSEQ above it would hide that from him.
//
// Source: delayed_modseq in Cyrus imap/index.c; RFC 5162, errata 1809.
func (v *View) delay(modseq uint64) {
	if v.delayed == 0 || modseq-1 < v.delayed {
		v.delayed = modseq - 1
	}
}

// HighestModseq returns the highest modseq that the client may take for
// known to him.
func (v *View) HighestModseq() uint64 {
	if v.delayed != 0 {
		return v.delayed
	}
	return v.known
}

// Resync is what a client knows of a mailbox that it selects (RFC 7162
// section 3.2.5).
type Resync struct {
	UIDValidity uint32
	Modseq      uint64
	Known       imapwire.SeqSet // of UIDs; nil is all
	// MatchSeq and MatchUIDs are sequence numbers and UIDs that belong
	// together, or nil.
	MatchSeq, MatchUIDs imapwire.SeqSet
}

// Resync tells the client what has changed since it looked last. If its
// UIDVALIDITY is another one it is told nothing.
//
// Source: index_select in Cyrus imap/index.c.
func (v *View) Resync(ctx context.Context, w *imapwire.Writer, r *Resync) error {
	if r.UIDValidity != v.validity || r.Modseq >= v.known {
		return nil
	}
	all := r.Known
	if all == nil {
		all = imapwire.SeqSet{{First: 1, Last: imapwire.Star - 1}} // also above the last message
	}
	f := imapwire.Fetch{
		Items:        imapwire.FetchFlags | imapwire.FetchUID | imapwire.FetchModseq,
		ChangedSince: r.Modseq, Vanished: true, Match: [2]imapwire.SeqSet{r.MatchSeq, r.MatchUIDs},
	}
	_, err := v.Fetch(ctx, w, all, &f, true)
	return err
}

// vanished returns the UIDs of a set that are not in the mailbox and were
// expunged after the modseq of f. If records that new have been dropped, it
// is all that are not there: the client may be told of UIDs that it never
// knew (RFC 7162 section 3.2.6). Messages that still have a sequence number
// are not among them: that they are gone is told when they lose it.
func (v *View) vanished(m *mailbox.Mailbox, set imapwire.SeqSet, f *imapwire.Fetch) (imapwire.SeqSet, error) {
	gone, err := v.expungedSince(m, set, f)
	var here imapwire.SeqSet
	for _, r := range gone {
		from, _ := slices.BinarySearch(v.uids, r.First)
		for _, uid := range v.uids[from:] {
			if uid > r.Last {
				break
			}
			here = here.Add(uid)
		}
	}
	return gone.Minus(here), err
}

// expungedSince is vanished of the mailbox as it is now.
//
// Source: index_vanished in Cyrus imap/index.c.
func (v *View) expungedSince(m *mailbox.Mailbox, set imapwire.SeqSet, f *imapwire.Fetch) (imapwire.SeqSet, error) {
	h := m.Header()
	if f.ChangedSince >= h.HighestModseq {
		return nil, nil
	}
	last := h.LastUID + 1
	if len(v.uids) > 0 {
		last = v.uids[len(v.uids)-1]
	}
	set = set.Resolve(last)
	if f.ChangedSince < h.DeletedModseq {
		return v.missing(m, set, f.Match, h.LastUID)
	}
	var out imapwire.SeqSet
	err := m.EachSince(1, math.MaxUint32, f.ChangedSince, func(r *mailbox.Record) bool {
		if !r.Live() && set.Contains(r.UID) {
			out = out.Add(r.UID)
		}
		return true
	})
	return out, err
}

// fewTargets is how many messages are looked at one by one, whatever changed.
const fewTargets = 64

// since leaves of the messages of a FETCH with CHANGEDSINCE those that have
// changed. To read a record takes five times as long as to pass over it.
func (v *View) since(m *mailbox.Mailbox, p *plan) error {
	if p.ChangedSince == 0 || p.t.Count() <= fewTargets {
		return nil
	}
	var changed Targets
	next := 0
	err := m.EachSince(1, math.MaxUint32, p.ChangedSince, func(r *mailbox.Record) bool {
		i, found := slices.BinarySearch(v.uids[next:], r.UID)
		if next += i; found {
			changed = changed.Add(uint32(next) + 1)
		}
		return true
	})
	p.t = p.t.Intersect(changed)
	return err
}

// missing returns the UIDs up to last of a set that no message has. match is
// sequence numbers and UIDs that the client knows to belong together: up to
// the last one that is still right it needs to be told nothing.
func (v *View) missing(m *mailbox.Mailbox, set imapwire.SeqSet, match [2]imapwire.SeqSet, last uint32) (imapwire.SeqSet, error) {
	live, err := m.Live()
	if err != nil {
		return nil, err
	}
	next := v.firstDifference(match) // the first UID that is looked at
	var out imapwire.SeqSet
	add := func(first, last uint32) {
		if first <= last {
			out = append(out, set.Within(first, last)...)
		}
	}
	for _, uid := range live {
		if uid >= next {
			add(next, uid-1)
			next = uid + 1
		}
	}
	add(next, last)
	return out, nil
}

// firstDifference returns the UID after the last one that has the sequence
// number that the client says.
func (v *View) firstDifference(match [2]imapwire.SeqSet) uint32 {
	seqs := match[0].Resolve(uint32(len(v.uids)))
	var last uint32
	if len(v.uids) > 0 {
		last = v.uids[len(v.uids)-1]
	}
	uids := match[1].Resolve(last)
	first := uint32(1)
	if len(seqs) == 0 || len(uids) == 0 {
		return first
	}
	seq, uid := seqs[0].First, uids[0].First
	for {
		if int(seq) > len(v.uids) || v.uids[seq-1] != uid {
			return first
		}
		first = uid + 1
		var more bool
		if seqs, seq, more = following(seqs, seq); !more {
			return first
		}
		if uids, uid, more = following(uids, uid); !more {
			return first
		}
	}
}

// following returns the number after n in a resolved set whose first range
// holds n.
func following(s imapwire.SeqSet, n uint32) (imapwire.SeqSet, uint32, bool) {
	if n < s[0].Last {
		return s, n + 1, true
	}
	if len(s) == 1 {
		return nil, 0, false
	}
	return s[1:], s[1].First, true
}
