package view

import (
	"context"
	"slices"
	"time"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
)

// Limits of what is kept for updates (RFC 5267 section 4.3.1): contexts of a
// view, the octets of a search program, ranges of all results together (2
// MiB), messages of a sorted result, which is sorted anew at each change, and
// sections that are sent of a new message.
const (
	maxUpdates       = 16
	maxUpdateProgram = 64 << 10
	maxUpdateRanges  = 1 << 18
	maxUpdateSorted  = 20000
	maxUpdateItems   = 100
)

// agingPeriod is how often results are looked at that change with time alone.
const agingPeriod = time.Minute

// Update is a search whose result the client wants to know changes of.
type Update struct {
	Tag    string // of the command
	UID    bool   // tell UIDs
	Search *imapwire.Search
	Found  Targets            // what was found, of SEARCH
	Keys   []imapwire.SortKey // of SORT; nil for SEARCH
	Order  []uint32           // what was found, of SORT: sequence numbers
	// Mailbox is its name as ESEARCH tells it, with the UIDVALIDITY; "" is for
	// the other commands, which do not tell it.
	Mailbox string
	// Fetch is what is to be sent of new messages that join the result (RFC
	// 5465 section 7); nil is nothing.
	Fetch *imapwire.Fetch
}

// Joined is new messages that have joined a result, and what is to be sent of
// them.
type Joined struct {
	UIDs  []uint32 // ascending
	Fetch *imapwire.Fetch
}

// update is an Update with the result as the client knows it.
type update struct {
	Update
	search imapwire.Search // sequence numbers are UIDs in it
	set    imapwire.SeqSet // of UIDs, as spans makes them
	order  []uint32        // UIDs of a sorted result, in order
	aging  bool            // it has a key that depends on the time
	looked time.Time
}

// Updating reports whether the client is told of changes of the result of the
// command with a tag.
func (v *View) Updating(tag string) bool { return v.updateOf(tag) >= 0 }

func (v *View) updateOf(tag string) int {
	return slices.IndexFunc(v.updates, func(u *update) bool { return u.Tag == tag })
}

// CancelUpdate ends the updates of a command; false if there are none.
func (v *View) CancelUpdate(tag string) bool {
	i := v.updateOf(tag)
	if i >= 0 {
		v.updates = slices.Delete(v.updates, i, i+1)
	}
	return i >= 0
}

// refuse tells that there will be no (more) updates.
func refuse(w *imapwire.Writer, tag string) {
	w.Line(`* NO [NOUPDATE "`, tag, `"] Too many contexts`)
}

// Watch begins to tell the client of changes of a result, by TellUpdates. An
// error of kind errs.TooManyMessages means that it would take too much memory
// or time.
func (v *View) Watch(u Update) error {
	size, aging := sizeOf(&u.Search.Key)
	if len(v.updates) >= maxUpdates || size > maxUpdateProgram || len(u.Order) > maxUpdateSorted ||
		u.Fetch != nil && len(u.Fetch.Sections) > maxUpdateItems {
		return v.tooMuch()
	}
	n := &update{Update: u, search: *u.Search, aging: aging, looked: time.Now()}
	n.search.Key = v.frozen(&u.Search.Key)
	n.set = v.spans(u.Found)
	for i := range u.Order {
		n.order = append(n.order, v.UID(u.Order[i]))
	}
	n.Search, n.Found, n.Order = nil, nil, nil
	if v.updateRanges()+len(n.set) > maxUpdateRanges {
		return v.tooMuch()
	}
	v.updates = append(v.updates, n)
	return nil
}

func (v *View) tooMuch() error {
	return errs.New(errs.TooManyMessages, "view.Watch", string(v.ref.Name), nil)
}

// updateRanges is how many ranges all results have.
func (v *View) updateRanges() int {
	n := 0
	for _, u := range v.updates {
		n += len(u.set)
	}
	return n
}

// sizeOf is about the memory of a search key, and whether it depends on the
// time.
func sizeOf(k *imapwire.SearchKey) (size int, aging bool) {
	size = 150 + len(k.Text) + len(k.Field) + 8*len(k.Set)
	aging = k.Op == imapwire.SearchAge
	for i := range k.Keys {
		s, a := sizeOf(&k.Keys[i])
		size, aging = size+s, aging || a
	}
	return size, aging
}

// frozen is a copy of a search key in which sequence numbers, and "$", are the
// messages that they are now (RFC 5267 section 4.3).
func (v *View) frozen(k *imapwire.SearchKey) imapwire.SearchKey {
	out := *k
	if k.Op == imapwire.SearchSeq || k.Op == imapwire.SearchUID && k.Set.IsSaved() {
		out.Op = imapwire.SearchUID
		out.Set = v.spans(v.BySequence(k.Set))
		if len(out.Set) == 0 {
			return imapwire.SearchKey{Op: imapwire.SearchNot, Keys: []imapwire.SearchKey{{}}} // nothing
		}
	}
	out.Keys = make([]imapwire.SearchKey, len(k.Keys))
	for i := range k.Keys {
		out.Keys[i] = v.frozen(&k.Keys[i])
	}
	return out
}

// touch notes messages that may belong to other results now.
func (v *View) touch(uids ...uint32) {
	if len(v.updates) > 0 {
		v.touched = append(v.touched, uids...)
	}
}

// Sends reports whether of some result more is to be sent of new messages than
// that they have joined it.
func (v *View) Sends() bool {
	return slices.ContainsFunc(v.updates, func(u *update) bool { return u.Fetch != nil })
}

// TellUpdates tells the client how the results that it watches have changed
// by what it has been told of, and by what was expunged. It may be called
// whenever something can be sent. It returns which of the fresh messages (by
// UID, ascending) have joined a result that has a Fetch.
func (v *View) TellUpdates(ctx context.Context, w *imapwire.Writer, fresh []uint32) (joined []Joined, err error) {
	if len(v.updates) == 0 {
		v.touched = nil
		return nil, nil
	}
	t := v.takeTouched()
	for _, u := range slices.Clone(v.updates) {
		look := t
		if u.aging && time.Since(u.looked) >= agingPeriod {
			look = v.All()
		}
		if len(look) > 0 {
			in, err := v.lookAgain(ctx, w, u, look)
			if err != nil {
				return nil, err
			}
			if j := (Joined{common(in, fresh), u.Fetch}); u.Fetch != nil && len(j.UIDs) > 0 {
				joined = append(joined, j)
			}
		}
		if v.updateRanges() > maxUpdateRanges || len(u.order) > maxUpdateSorted {
			v.CancelUpdate(u.Tag)
			refuse(w, u.Tag)
		}
	}
	v.removeGone(w)
	return joined, nil
}

// common returns what is in two ascending lists.
func common(a, b []uint32) []uint32 {
	if len(b) == 0 {
		return nil
	}
	return pick(a, b)
}

// takeTouched returns the messages that were touched and that the client
// knows.
func (v *View) takeTouched() (t Targets) {
	slices.Sort(v.touched)
	last := uint32(0)
	if v.told > 0 {
		last = v.uids[v.told-1]
	}
	n := 0
	for ; n < len(v.touched) && v.touched[n] <= last; n++ {
		seq, ok := slices.BinarySearch(v.uids, v.touched[n])
		if ok && (n == 0 || v.touched[n] != v.touched[n-1]) {
			t = t.Add(uint32(seq) + 1)
		}
	}
	v.touched = slices.Clone(v.touched[n:])
	return t
}

// lookAgain finds out which of some messages are in a result now, and tells
// what is different. It returns the UIDs of those that are in it.
func (v *View) lookAgain(ctx context.Context, w *imapwire.Writer, u *update, t Targets) ([]uint32, error) {
	if v.deleted {
		return nil, nil // all are gone
	}
	var in Targets
	err := v.eachOf(ctx, t, &u.search, func(c *candidate) { in = in.Add(c.seq) })
	if err != nil {
		return nil, err
	}
	uids := v.UIDs(in)
	u.looked = time.Now()
	if u.Keys != nil {
		return uids, v.lookSorted(ctx, w, u, t, in)
	}
	was := v.having(u.set, v.told)
	out := was.Intersect(t).Minus(in)
	in = in.Minus(was)
	if len(in) > 0 || len(out) > 0 {
		u.set = v.spans(was.Minus(out).Union(in))
		v.tell(w, u, out, in)
	}
	return uids, nil
}

// tell sends what has left and what has joined a result in the order of the
// mailbox.
func (v *View) tell(w *imapwire.Writer, u *update, out, in Targets) {
	v.startTell(w, u)
	for _, c := range []struct {
		name string
		t    Targets
	}{{"REMOVEFROM", out}, {"ADDTO", in}} {
		if len(c.t) > 0 {
			w.Text(" ", c.name, " (0 ")
			v.WriteSet(w, c.t, u.UID)
			w.Text(")")
		}
	}
	w.Line()
}

// startTell sends the beginning of an answer to a search.
func (v *View) startTell(w *imapwire.Writer, u *update) {
	w.Text(`* ESEARCH (TAG "`, u.Tag, `"`)
	if u.Mailbox != "" {
		w.SetBuffer(v.AppendPlace(w.Buffer(), u.Mailbox))
	}
	w.Text(")")
	if u.UID {
		w.Text(" UID")
	}
}

// AppendPlace prints the correlators of RFC 7377 section 2.1, with a blank before
// them: the name of the mailbox and its UIDVALIDITY.
func (v *View) AppendPlace(b []byte, mailbox string) []byte {
	b = imapwire.AppendMailbox(append(b, " MAILBOX "...), mailbox, v.o.Client.UTF8)
	return imapwire.AppendUint(append(b, " UIDVALIDITY "...), v.validity)
}

// WriteSet sends messages as a set, of UIDs or sequence numbers.
func (v *View) WriteSet(w *imapwire.Writer, t Targets, uid bool) {
	p := imapwire.SetPrinter{W: w}
	for _, g := range t {
		for seq := g.First; ; seq++ {
			if uid {
				p.Add(v.uids[seq-1])
			} else {
				p.Add(seq)
			}
			if seq == g.Last {
				break
			}
		}
	}
	p.End()
}

// removeGone takes messages that are gone out of all results: their numbers
// are right until the client is told that they are expunged.
func (v *View) removeGone(w *imapwire.Writer) {
	if len(v.gone) == 0 || len(v.updates) == 0 {
		return
	}
	var gone Targets
	for _, uid := range v.gone {
		if i, ok := slices.BinarySearch(v.uids, uid); ok && i < v.told {
			gone = gone.Add(uint32(i) + 1)
		}
	}
	for _, u := range v.updates {
		if u.Keys != nil {
			v.reorder(w, u, slices.DeleteFunc(slices.Clone(u.order), v.isGone), nil)
			continue
		}
		was := v.having(u.set, v.told)
		if out := was.Intersect(gone); len(out) > 0 {
			u.set = v.spans(was.Minus(out))
			v.tell(w, u, out, nil)
		}
	}
}

// isGone reports whether a message is expunged and not yet reported.
func (v *View) isGone(uid uint32) bool {
	_, ok := slices.BinarySearch(v.gone, uid)
	return ok
}

// lookSorted is lookAgain for a sorted result: of the messages t those in in
// belong to it now.
func (v *View) lookSorted(ctx context.Context, w *imapwire.Writer, u *update, t, in Targets) error {
	members := slices.DeleteFunc(slices.Clone(u.order), func(uid uint32) bool {
		i, ok := slices.BinarySearch(v.uids, uid)
		return !ok || t.Contains(uint32(i)+1)
	})
	touched := v.UIDs(in)
	members = append(members, touched...)
	if slices.Sort(members); len(members) == 0 {
		v.reorder(w, u, nil, nil)
		return nil
	}
	var set imapwire.SeqSet
	for _, uid := range members {
		i, _ := slices.BinarySearch(v.uids, uid)
		set = set.Add(uint32(i) + 1)
	}
	order, err := v.sortOf(ctx, set, &imapwire.Search{}, u.Keys, func(Found) {})
	if err != nil {
		return err
	}
	for i, seq := range order {
		order[i] = v.UID(seq)
	}
	v.reorder(w, u, order, touched)
	return nil
}

// reorder tells how a sorted result becomes another. moved is those messages
// that may have another place among those that stay.
func (v *View) reorder(w *imapwire.Writer, u *update, order, moved []uint32) {
	old := u.order
	u.order = order
	if slices.Equal(old, order) {
		return
	}
	stays := staying(old, order, nil)
	if !slices.Equal(pick(old, stays), pick(order, stays)) {
		stays = staying(old, order, moved)
	}
	if !slices.Equal(pick(old, stays), pick(order, stays)) {
		stays = nil // all leave, and join again
	}
	v.startTell(w, u)
	v.writeMoves(w, u, "REMOVEFROM", old, stays, true)
	v.writeMoves(w, u, "ADDTO", order, stays, false)
	w.Line()
}

// staying returns what is in both lists, and not among others, ascending.
func staying(a, b, others []uint32) []uint32 {
	a, b, others = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)), slices.Sorted(slices.Values(others))
	return slices.DeleteFunc(a, func(uid uint32) bool {
		_, in := slices.BinarySearch(b, uid)
		_, out := slices.BinarySearch(others, uid)
		return !in || out
	})
}

// pick returns what of a list is in an ascending one.
func pick(list, sorted []uint32) []uint32 {
	return slices.DeleteFunc(slices.Clone(list), func(uid uint32) bool {
		_, ok := slices.BinarySearch(sorted, uid)
		return !ok
	})
}

// writeMoves sends the runs of a list that do not stay, each with its place:
// those that leave from the end on, so that no place shifts before it is used,
// those that join from the start.
func (v *View) writeMoves(w *imapwire.Writer, u *update, name string, list, stays []uint32, backwards bool) {
	var runs [][2]int // half-open
	for i, uid := range list {
		if _, ok := slices.BinarySearch(stays, uid); ok {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1][1] == i {
			runs[n-1][1]++
		} else {
			runs = append(runs, [2]int{i, i + 1})
		}
	}
	if len(runs) == 0 {
		return
	}
	if backwards {
		slices.Reverse(runs)
	}
	w.Text(" ", name, " (")
	for i, run := range runs {
		if i > 0 {
			w.Text(" ")
		}
		w.SetBuffer(append(imapwire.AppendUint(w.Buffer(), run[0]+1), ' '))
		p := imapwire.SetPrinter{W: w}
		for _, uid := range list[run[0]:run[1]] {
			if !u.UID {
				seq, _ := slices.BinarySearch(v.uids, uid)
				uid = uint32(seq) + 1
			}
			p.Add(uid)
		}
		p.End()
	}
	w.Text(")")
}
