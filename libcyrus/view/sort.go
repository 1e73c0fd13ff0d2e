package view

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"gocyrus/libcyrus/acl"
	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/imapwire"
	"gocyrus/libcyrus/mailbox"
	"gocyrus/libcyrus/message"
)

// Sort returns the sequence numbers of the messages that fit a search, in the
// order of the keys; those that are equal in all of them in that of the
// mailbox. found is called for each message, ascending, before. The result
// takes 4 octets for each message.
//
// Source: index_sort and index_sort_compare in Cyrus imap/index.c.
func (v *View) Sort(ctx context.Context, s *imapwire.Search, keys []imapwire.SortKey, found func(Found)) ([]uint32, error) {
	return v.sortOf(ctx, v.All(), s, keys, found)
}

// sortOf is Sort among some messages.
func (v *View) sortOf(ctx context.Context, t Targets, s *imapwire.Search, keys []imapwire.SortKey, found func(Found)) ([]uint32, error) {
	var seqs []uint32
	columns := make([]column, len(keys))
	for i := range keys {
		columns[i] = v.column(&keys[i])
	}
	mem := v.memory()
	defer mem.end()
	err := v.eachWithin(ctx, t, s, mem, func(c *candidate) {
		found(Found{c.seq, c.r.UID, c.r.Modseq})
		seqs = append(seqs, c.seq)
		used := foundMemory
		for i := range columns {
			used += columns[i].add(c)
		}
		mem.take(c, used)
	})
	if err != nil {
		return nil, err
	}
	for i := range columns {
		columns[i].rank()
	}
	order := make([]uint32, len(seqs))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return compare(columns, a, b) })
	for i, n := range order {
		order[i] = seqs[n]
	}
	return order, nil
}

// maxMemory is about how many octets a SORT or THREAD may need if Options does
// not say: 256 MiB do for a million messages by two keys with a text of its own
// for each message.
const maxMemory = 256 << 20

// About what is needed for each message that was found, for each value of a
// sort key, and besides its octets for each text that is kept.
const (
	foundMemory = 2 * 4
	valueMemory = 8
	textMemory  = 64
)

// memory is what a SORT or THREAD needs.
type memory struct {
	v     *View
	share *share
	used  int
}

func (v *View) memory() *memory { return &memory{v: v, share: v.o.Memory.begin()} }

// take counts some octets more, and ends a search that needs too much alone.
func (m *memory) take(c *candidate, octets int) {
	m.used += octets
	if m.used > cmp.Or(m.v.o.MaxMemory, maxMemory) && c.err == nil {
		c.err = errs.New(errs.TooManyMessages, "view", string(m.v.ref.Name), nil)
	}
}

// wait waits until what was taken is free.
func (m *memory) wait(ctx context.Context, progress func() error) error {
	return m.share.need(ctx, m.used, progress)
}

func (m *memory) end() { m.share.end() }

// compare compares two messages by all keys, then by their place.
func compare(columns []column, a, b uint32) int {
	for i := range columns {
		c := &columns[i]
		if n := cmp.Compare(c.values[a], c.values[b]); n != 0 {
			if c.reverse {
				return -n
			}
			return n
		}
	}
	return cmp.Compare(a, b)
}

// column is one sort key of all messages. Texts are numbers while they are
// collected, and become their place among all texts: a message costs 8 octets
// and each text is kept once.
type column struct {
	reverse bool
	number  func(*candidate) uint64
	text    func(*candidate) string // instead of number
	values  []uint64
	texts   map[string]uint64
}

// add takes the key of the next message, and returns about how much memory it
// takes.
func (c *column) add(m *candidate) (memory int) {
	memory = valueMemory
	if c.text == nil {
		c.values = append(c.values, c.number(m))
		return memory
	}
	t := c.text(m)
	n, ok := c.texts[t]
	if !ok {
		if c.texts == nil {
			c.texts = map[string]uint64{}
		}
		n = uint64(len(c.texts))
		c.texts[t] = n
		memory += textMemory + len(t)
	}
	c.values = append(c.values, n)
	return memory
}

// rank replaces the numbers of texts by their places in order.
func (c *column) rank() {
	if c.text == nil {
		return
	}
	all := make([]string, 0, len(c.texts))
	for t := range c.texts {
		all = append(all, t)
	}
	slices.Sort(all)
	place := make([]uint64, len(all))
	for i, t := range all {
		place[c.texts[t]] = uint64(i)
	}
	for i, n := range c.values {
		c.values[i] = place[n]
	}
	c.texts = nil
}

// column returns what collects a sort key.
//
// Source: index_msgdata_load in Cyrus imap/index.c.
func (v *View) column(k *imapwire.SortKey) column {
	c := column{reverse: k.Reverse}
	switch k.Op {
	case imapwire.SortArrival:
		c.number = func(m *candidate) uint64 { return uint64(m.r.InternalDate) }
	case imapwire.SortDate:
		c.number = func(m *candidate) uint64 { return uint64(sentTime(m.r)) }
	case imapwire.SortSize:
		c.number = func(m *candidate) uint64 { return uint64(m.r.Size) }
	case imapwire.SortModseq:
		c.number = func(m *candidate) uint64 { return m.r.Modseq }
	case imapwire.SortUID:
		c.number = func(m *candidate) uint64 { return uint64(m.r.UID) }
	case imapwire.SortHasFlag:
		c.number = v.hasFlag(k.Flag)
	case imapwire.SortSpamScore:
		c.number = func(m *candidate) uint64 { return spamScore(m.first("X-Spam-score")) }
	case imapwire.SortCc:
		c.text = func(m *candidate) string { return localPart(m.item(message.ItemCc)) }
	case imapwire.SortFrom:
		c.text = func(m *candidate) string { return localPart(m.item(message.ItemFrom)) }
	case imapwire.SortTo:
		c.text = func(m *candidate) string { return localPart(m.item(message.ItemTo)) }
	case imapwire.SortDisplayFrom:
		c.text = func(m *candidate) string { return displayName(m.item(message.ItemFrom)) }
	case imapwire.SortDisplayTo:
		c.text = func(m *candidate) string { return displayName(m.item(message.ItemTo)) }
	case imapwire.SortSubject:
		c.text = func(m *candidate) string { s, _ := baseSubject(m.item(message.ItemSubject)); return s }
	case imapwire.SortAnnotation:
		c.text = v.annotation(k)
	default: // the same for all messages of a mailbox
		c.number = func(*candidate) uint64 { return 0 }
	}
	return c
}

// sentTime is the time in Date:, or the internal date if there is none.
func sentTime(r *mailbox.Record) mailbox.Stamp {
	if r.GMTime != 0 {
		return r.GMTime
	}
	return r.InternalDate
}

// hasFlag returns what tells whether a flag is set in the index.
//
// Source: mailbox_record_hasflag in Cyrus imap/mailbox.c.
func (v *View) hasFlag(name string) func(*candidate) uint64 {
	number := func(yes bool) uint64 {
		if yes {
			return 1
		}
		return 0
	}
	if f, ok := Flag(name); ok {
		return func(m *candidate) uint64 { return number(m.r.Flags&f != 0) }
	}
	n := slices.IndexFunc(v.names, func(have string) bool { return have != "" && strings.EqualFold(have, name) })
	return func(m *candidate) uint64 { return number(n >= 0 && m.r.User.Has(n)) }
}

// spamScore is what SORT compares of a score. As in Cyrus negative ones come
// last.
func spamScore(text string) uint64 { return uint64(imapwire.SpamScore(text)) }

// first returns the value of the first header field of a name, unfolded.
func (c *candidate) first(name string) string {
	text := c.headers(name)
	if len(text) <= 2 {
		return ""
	}
	_, value, _ := bytes.Cut(text[:fieldEnd(text)], []byte(":"))
	return string(massaged(value))
}

// massaged is a field's value in one line, as Cyrus reads it: without blanks
// at its ends and line ends.
//
// Source: massage_header in Cyrus imap/index.c.
func massaged(value []byte) []byte {
	out := make([]byte, 0, len(value))
	for i, c := range value {
		switch c {
		case '\n':
			continue
		case ' ', '\t', '\r':
			if len(out) == 0 || i+1 < len(value) && value[i+1] == '\n' {
				continue
			}
			c = ' '
		}
		out = append(out, c)
	}
	return out
}

// localPart is the local part of the first address of an item; of a group it
// is the name.
func localPart(item []byte) string {
	if a := message.ParseAddresses(item); len(a) > 0 {
		return string(a[0].Mailbox)
	}
	return ""
}

// displayFolding is RFC 5255's collation of names: nothing is left out.
var displayFolding = message.Folding{Whitespace: message.KeepWhitespace, KeepDiacritics: true}

// displayName is what RFC 5957 sorts by: the name in the first address, or
// the address.
func displayName(item []byte) string {
	a := message.ParseAddresses(item)
	switch {
	case len(a) == 0:
		return ""
	case len(a[0].Name) > 0:
		return string(displayFolding.Append(nil, string(a[0].Name)))
	case len(a[0].Host) > 0:
		return upperASCII(string(a[0].Mailbox) + "@" + string(a[0].Host))
	}
	return upperASCII(string(a[0].Mailbox))
}

// annotation returns what reads an annotation of messages.
func (v *View) annotation(k *imapwire.SortKey) func(*candidate) string {
	user := ""
	if k.Private {
		user = v.o.User
	}
	return func(c *candidate) string {
		if c.err != nil || !v.rights.Has(acl.Read) {
			return ""
		}
		c.cost += 4 // a look into a database
		all, err := c.m.MessageAnnotations(context.Background(), c.r.UID)
		if err != nil {
			c.err = err
			return ""
		}
		for i := range all {
			if all[i].Entry == k.Entry && all[i].User == user {
				return string(all[i].Value)
			}
		}
		return ""
	}
}
