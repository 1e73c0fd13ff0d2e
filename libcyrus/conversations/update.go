package conversations

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gocyrus/libcyrus/errs"
	"gocyrus/libcyrus/message"
)

// Flags of messages that conversations look at; they are those of the index.
const (
	flagged  = 1 << 1
	deleted  = 1 << 2
	draft    = 1 << 3
	seen     = 1 << 4
	expunged = 1 << 31
	unlinked = 1 << 30
	// Split marks a message whose conversation went on from another one.
	Split = 1 << 27
	// internalFlags are those that no client sets.
	internalFlags = 0xfc000000
)

// Message is what conversations know of a message: its record in an index.
type Message struct {
	UID           uint32
	GUID          GUID
	CID           uint64 // 0: none yet
	Base          uint64 // of a Split one: the conversation that it went on from
	Flags         uint32 // as in the index
	Modseq        uint64
	CreatedModseq uint64
	InternalDate  uint32
	GMTime        uint32
	Size          uint32
	// Has reports whether the message has a user flag.
	Has func(flag string) bool
	// Cache returns its cache record.
	Cache func() (message.Cache, error)
}

func (m *Message) internal() uint32 { return m.Flags & internalFlags }
func (m *Message) system() uint32   { return m.Flags &^ internalFlags }

// gone reports whether no client counts the message.
func (m *Message) gone() bool { return m.Flags&(expunged|deleted) != 0 }

// hasFlag reports whether the message has a flag of any kind.
func (m *Message) hasFlag(flag string) bool {
	bit := map[string]uint32{`\answered`: 1, `\flagged`: flagged, `\deleted`: deleted, `\draft`: draft, `\seen`: seen}[strings.ToLower(flag)]
	if bit != 0 || strings.HasPrefix(flag, `\`) {
		return m.Flags&bit != 0
	}
	return m.Has != nil && m.Has(flag)
}

// ErrLimit means that a user has too many copies of a message; the text is
// Cyrus's. The error that wraps it is of kind errs.TooManyMessages.
var ErrLimit = errors.New("Too many identical emails")

// Update tells that a message of a folder changed from old to new. Without
// old it is new there, without new it is gone for good; Unlinked ones count as
// gone. A new message without a cid gets one, unless assign is false; a Split
// one has its mark then. limits says whether Limits count.
//
// Source: conversations_update_record in Cyrus imap/conversations.c.
func (t *Txn) Update(f Folder, old, new *Message, assign, limits bool) error {
	if old != nil && old.Flags&unlinked != 0 {
		old = nil
	}
	if new != nil && new.Flags&unlinked != 0 {
		new = nil
	}
	if old == nil && new == nil {
		return nil
	}
	if old != nil && old.CID == 0 && (new == nil || new.CID == 0) {
		return nil // from before conversations were kept: it waits for ctl_conversationsdb -b
	}
	if old != nil && new != nil && old.CID != new.CID {
		if err := t.update(f, old, nil, false, limits); err != nil {
			return err
		}
		return t.update(f, nil, new, false, limits)
	}
	return t.update(f, old, new, assign, limits)
}

func (t *Txn) update(f Folder, old, new *Message, assign, limits bool) error {
	m := new
	if m == nil {
		m = old
	}
	cache, err := m.Cache()
	if err != nil {
		return err
	}
	conv, err := t.conversationFor(old, new, &cache, assign)
	if err != nil {
		return err
	}
	n := counter{folder: t.number(f), trash: t.trash, inFolders: map[int]bool{}}
	if err := t.count(m.GUID, &n, &n.pre); err != nil {
		return err
	}
	if err := t.putPlaces(n.folder, old, new, &cache); err != nil {
		return err
	}
	if err := t.count(m.GUID, &n, &n.post); err != nil {
		return err
	}
	if limits && n.post.records > n.pre.records && t.store.o.Limits.exceeded(&n.post) {
		return errs.New(errs.TooManyMessages, "conversations.Update", f.Name, ErrLimit)
	}
	exists := boolDelta(n.post.exists > 0, n.pre.exists > 0)
	if err := t.changeUse(exists, int64(exists)*int64(m.Size)); err != nil {
		return err
	}
	if conv == nil || m.CID == 0 {
		return nil
	}
	env := parseEnvelope(cache.Item(message.ItemEnvelope))
	conv.updateSender(env.from, m.GMTime, exists)
	conv.updateEmail(m.GUID, m.InternalDate, exists)
	for i, flag := range t.flags {
		conv.addCount(i, boolDelta(new != nil && !new.gone() && new.hasFlag(flag), old != nil && !old.gone() && old.hasFlag(flag)))
	}
	conv.created = firstModseq(conv.created, m.CreatedModseq)
	modseq := m.Modseq
	if old != nil {
		modseq = max(modseq, old.Modseq)
	}
	if err := t.updateCounts(conv, &n, exists*int(m.Size), modseq); err != nil {
		return err
	}
	t.putConversation(m.CID, conv)
	return nil
}

// firstModseq is the lower of two modseqs; 0 is none.
func firstModseq(a, b uint64) uint64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// conversationFor is the conversation of a message; nil if it has none.
func (t *Txn) conversationFor(old, new *Message, cache *message.Cache, assign bool) (*conversation, error) {
	if new != nil && old == nil && assign {
		return t.assign(new, cache)
	}
	m := new
	if m == nil {
		m = old
	}
	if m.CID == 0 {
		return nil, nil
	}
	conv, err := t.conversation(m.CID)
	switch {
	case err != nil:
		return nil, err
	case conv == nil && new == nil:
		return nil, nil // to be deleted, and gone already
	case conv == nil:
		return &conversation{version: newVersion}, nil
	}
	if conv.subject == nil && m.Flags&draft == 0 {
		s := normalSubject(subjectOf(cache.Item(message.ItemSubject)))
		conv.subject = &s
	}
	return conv, nil
}

// conversation reads a B record; nil if there is none, or none that can be
// understood, which is logged.
func (t *Txn) conversation(cid uint64) (*conversation, error) {
	key := conversationKey(cid)
	v, err := t.get(key)
	if err != nil || v == nil {
		return nil, err
	}
	c, err := parseConversation(v)
	if err != nil {
		t.store.o.Log.Error("IOERROR: conversations_audit parse error", "user", t.user, "key", key, "error", err)
		return nil, nil
	}
	return c, nil
}

func conversationKey(cid uint64) string { return fmt.Sprintf("B%016x", cid) }

// putConversation stores a B record, or removes it with its last message.
func (t *Txn) putConversation(cid uint64, c *conversation) {
	if c.records == 0 {
		t.put(conversationKey(cid), nil)
		return
	}
	t.put(conversationKey(cid), c.encode(len(t.flags)))
}

// putPlaces writes the G records of a message and its parts, or removes them.
func (t *Txn) putPlaces(folder int, old, new *Message, cache *message.Cache) error {
	if old != nil && new != nil && old.Flags == new.Flags && old.InternalDate == new.InternalDate {
		return nil
	}
	m := new
	if m == nil {
		m = old
	}
	root, err := cache.Sections()
	if err != nil {
		return err
	}
	p := place{folder: folder, uid: m.UID, version: placeByID, cid: m.CID, system: m.system(), internal: m.internal(), date: uint64(m.InternalDate)}
	if t.byName {
		p.version = placeByName
	}
	put := func(g GUID, part string) {
		p.part = part
		if new == nil {
			t.put(string(p.key(g)), nil)
		} else {
			t.put(string(p.key(g)), p.encode())
		}
	}
	if err := t.upgradePlaces(m.GUID); err != nil {
		return err
	}
	put(m.GUID, "")
	eachPart(root, "", put)
	return nil
}

// Place is a copy of a message that the database knows.
type Place struct {
	Folder string // its unique id; in old databases, see Folders, its name
	UID    uint32
}

// Copies returns where copies of a message are whose files lie on the partition
// of their folder, not in the archive. What cannot be read is left out.
func (t *Txn) Copies(g GUID) (places []Place, err error) {
	const archived = 1 << 29
	err = t.each("G"+g.String(), func(key string, v []byte) error {
		p, err := parsePlace([]byte(key), v)
		if err == nil && p.part == "" && p.internal&archived == 0 && p.folder < len(t.folders) && t.folders[p.folder] != noFolder {
			places = append(places, Place{t.folders[p.folder], p.uid})
		}
		return nil
	})
	return places, err
}

// upgradePlaces replaces a G record of the first form, which had all places
// in its value.
func (t *Txn) upgradePlaces(g GUID) error {
	key := "G" + g.String()
	v, err := t.get(key)
	if err != nil || v == nil {
		return err
	}
	for where := range strings.SplitSeq(string(v), ",") {
		t.put(key+":"+where, []byte{})
	}
	t.put(key, nil)
	return nil
}

// counter counts the copies of one message before and after a change.
type counter struct {
	folder, trash int
	pre, post     copies
	inFolders     map[int]bool // folders that have a copy
}

// copies is how many there are of a message, in all folders and in one.
type copies struct {
	records, exists, unseen       uint32
	inRecords, inExists, inUnseen uint32
}

func (l *Limits) exceeded(c *copies) bool {
	return c.records > l.Records || c.exists > l.Exists || c.inExists > l.InFolder
}

// count counts the copies of a message. Trash does not make it unseen
// elsewhere.
func (t *Txn) count(g GUID, n *counter, c *copies) error {
	return t.each("G"+g.String(), func(key string, v []byte) error {
		if len(key) == 1+40 {
			return nil
		}
		p, err := parsePlace([]byte(key), v)
		if err != nil {
			return t.badRecord(key, err)
		}
		if p.part != "" {
			return nil
		}
		here := p.folder == n.folder
		add := func(all, in *uint32) {
			*all++
			if here {
				*in++
			}
		}
		add(&c.records, &c.inRecords)
		if p.version > 0 && (p.system&deleted != 0 || p.internal&expunged != 0) {
			return nil
		}
		add(&c.exists, &c.inExists)
		n.inFolders[p.folder] = true
		if p.version == 0 || p.system&(seen|draft) == 0 {
			if p.folder != n.trash {
				c.unseen++
			}
			if here {
				c.inUnseen++
			}
		}
		return nil
	})
}

// Use is how many messages the user has, and their octets, with copies of one
// counted once.
func (t *Txn) Use() (emails, octets int64, err error) {
	if err := t.readUse(); err != nil {
		return 0, 0, err
	}
	return t.use.emails, t.use.octets, nil
}

// readUse reads Q, once.
func (t *Txn) readUse() error {
	if t.use != nil {
		return nil
	}
	v, err := t.get(useKey)
	if err != nil {
		return err
	}
	var u use
	if v != nil {
		if u, err = parseUse(v); err != nil {
			return t.badRecord(useKey, err)
		}
	}
	t.use = &u
	return nil
}

// changeUse changes Q.
func (t *Txn) changeUse(emails int, octets int64) error {
	if emails == 0 && octets == 0 {
		return nil
	}
	if err := t.readUse(); err != nil {
		return err
	}
	t.use.emails += int64(emails)
	t.use.octets += octets
	return nil
}

// boolDelta is the difference of two counts that are 0 or 1.
func boolDelta(now, before bool) int {
	switch {
	case now && !before:
		return 1
	case before && !now:
		return -1
	}
	return 0
}

// apply adds a difference; it stops at 0.
func apply(n *uint32, delta int) {
	if delta < 0 {
		*n -= min(*n, uint32(-delta))
	} else {
		*n += uint32(delta)
	}
}

func (c *conversation) addCount(i, delta int) {
	for len(c.counts) <= i {
		c.counts = append(c.counts, 0)
	}
	apply(&c.counts[i], delta)
}

// updateEmail counts a message of c; delta is 1 for its first copy, -1 for its
// last.
func (c *conversation) updateEmail(g GUID, date uint32, delta int) {
	i := slices.IndexFunc(c.emails, func(e email) bool { return e.guid == g })
	switch {
	case i < 0 && delta <= 0:
		return
	case i < 0:
		i = len(c.emails)
		c.emails = append(c.emails, email{guid: g})
	case int64(c.emails[i].exists)+int64(delta) <= 0:
		c.emails = slices.Delete(c.emails, i, i+1)
		return
	}
	c.emails[i].date = date
	apply(&c.emails[i].exists, delta)
	slices.SortStableFunc(c.emails, func(a, b email) int {
		if d := cmp.Compare(a.date, b.date); d != 0 {
			return d
		}
		return strings.Compare(string(a.guid[:]), string(b.guid[:]))
	})
}

// updateCounts does the counts of a conversation, its folders, and all that
// the folders count. modseq is that of the change.
//
// Source: conversation_update in Cyrus imap/conversations.c.
func (t *Txn) updateCounts(c *conversation, n *counter, size int, modseq uint64) error {
	here := c.folder(n.folder)
	d := c.deltas(n)
	was := *here
	hadUnseen := c.unseen
	apply(&c.records, d.records)
	apply(&c.exists, d.exists)
	apply(&c.unseen, d.unseen)
	apply(&c.size, size)
	apply(&here.records, d.inRecords)
	apply(&here.exists, d.inExists)
	apply(&here.unseen, d.inUnseen)
	c.modseq = max(c.modseq, modseq)
	here.modseq = max(here.modseq, modseq)

	x := statusChange{n: n, was: was, now: *here, hadUnseen: hadUnseen > 0, hasUnseen: c.unseen > 0}
	for i := range c.folders {
		f := &c.folders[i]
		if f.number >= len(t.folders) || t.folders[f.number] == noFolder {
			continue
		}
		key := "F" + t.folders[f.number]
		s, err := t.status(key)
		if err != nil {
			return err
		}
		old := s
		if f.number == n.folder {
			x.here(&s)
		} else {
			x.elsewhere(&s, f)
		}
		s.modseq = max(s.modseq, modseq)
		if s != old {
			t.putStatus(key, s)
		}
	}
	return nil
}

// delta is how the counts of a conversation change.
type delta struct{ records, exists, unseen, inRecords, inExists, inUnseen int }

func (c *conversation) deltas(n *counter) delta {
	pre, post := &n.pre, &n.post
	diff := func(now, before uint32) int {
		if c.version < newVersion {
			return int(now) - int(before)
		}
		return boolDelta(now > 0, before > 0)
	}
	return delta{
		diff(post.records, pre.records), diff(post.exists, pre.exists), diff(post.unseen, pre.unseen),
		diff(post.inRecords, pre.inRecords), diff(post.inExists, pre.inExists), diff(post.inUnseen, pre.inUnseen),
	}
}

// statusChange is what a change of one message means for the folders of its
// conversation.
type statusChange struct {
	n                    *counter
	was, now             folder // of the message
	hadUnseen, hasUnseen bool   // the conversation, outside of Trash
}

func (x *statusChange) inTrash() bool { return x.n.folder == x.n.trash }

// threadUnseen is how many more conversations are unseen.
func (x *statusChange) threadUnseen() int {
	if x.inTrash() {
		return boolDelta(x.now.unseen > 0, x.was.unseen > 0)
	}
	return boolDelta(x.hasUnseen, x.hadUnseen)
}

// here changes the counts of the folder of the message.
func (x *statusChange) here(s *status) {
	pre, post := &x.n.pre, &x.n.post
	exists := boolDelta(post.inExists > 0, pre.inExists > 0)
	unseen := boolDelta(post.unseen > 0, pre.unseen > 0)
	apply(&s.emails, exists)
	switch {
	case x.inTrash():
		apply(&s.unseenEmails, boolDelta(post.inUnseen > 0, pre.inUnseen > 0))
	case exists > 0 && post.unseen > 0:
		apply(&s.unseenEmails, 1)
	case exists < 0 && pre.unseen > 0:
		apply(&s.unseenEmails, -1)
	case exists == 0:
		apply(&s.unseenEmails, unseen)
	}
	apply(&s.threads, boolDelta(x.now.exists > 0, x.was.exists > 0))
	isUnseen, wasUnseen := x.hasUnseen, x.hadUnseen
	if x.inTrash() {
		isUnseen, wasUnseen = x.now.unseen > 0, x.was.unseen > 0
	}
	switch {
	case x.now.exists > 0 && x.was.exists == 0 && isUnseen:
		apply(&s.unseenThreads, 1)
	case x.now.exists == 0 && x.was.exists > 0 && wasUnseen:
		apply(&s.unseenThreads, -1)
	case x.now.exists > 0:
		apply(&s.unseenThreads, x.threadUnseen())
	}
}

// elsewhere changes the counts of another folder. Trash stands for itself.
func (x *statusChange) elsewhere(s *status, f *folder) {
	if x.inTrash() || f.number == x.n.trash || f.exists == 0 {
		return
	}
	if x.n.inFolders[f.number] {
		apply(&s.unseenEmails, boolDelta(x.n.post.unseen > 0, x.n.pre.unseen > 0))
	}
	apply(&s.unseenThreads, x.threadUnseen())
}

// status reads an F record.
func (t *Txn) status(key string) (s status, err error) {
	v, err := t.get(key)
	if err != nil || v == nil {
		return s, err
	}
	if s, err = parseStatus(v); err != nil {
		return s, t.badRecord(key, err)
	}
	return s, nil
}

func (t *Txn) putStatus(key string, s status) {
	if s.modseq == 0 {
		t.put(key, nil)
		return
	}
	t.put(key, s.encode())
}

// Touch tells that a folder's highest modseq is at least this.
//
// Source: mailbox_update_xconvmodseq in Cyrus imap/mailbox.c.
func (t *Txn) Touch(f Folder, modseq uint64) error {
	key := "F" + t.key(f)
	s, err := t.status(key)
	if err != nil || s.modseq >= modseq {
		return err
	}
	s.modseq = modseq
	t.putStatus(key, s)
	return nil
}

// Drop forgets a folder whose messages are gone.
//
// Source: conversations_rename_folder in Cyrus imap/conversations.c.
func (t *Txn) Drop(f Folder) {
	if n := slices.Index(t.folders, t.key(f)); n >= 0 {
		t.folders[n] = noFolder
		t.putFolders()
		t.findTrash()
	}
}

// Rename gives a folder of an old database its new name.
func (t *Txn) Rename(from, to Folder) error {
	n := slices.Index(t.folders, from.Name)
	if !t.byName {
		return nil
	}
	if n >= 0 {
		t.folders[n] = to.Name
		t.putFolders()
		t.findTrash()
	}
	s, err := t.status("F" + from.Name)
	if err != nil {
		return err
	}
	t.putStatus("F"+to.Name, s)
	t.put("F"+from.Name, nil)
	return nil
}
