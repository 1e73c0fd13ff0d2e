package conversations

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gocyrus/libcyrus/dlist"
)

var be = binary.BigEndian

var errFormat = errors.New("bad record of conversations.db")

// GUID identifies the content of a message or of a part.
type GUID [20]byte

// String is g in lower-case hex digits.
func (g GUID) String() string { return hex.EncodeToString(g[:]) }

// msgid is the value of a Message-ID.
type msgid struct {
	cids  []uint64
	stamp int64 // when it was last written
}

func (m *msgid) encode() []byte {
	b := []byte("0 ")
	for i, c := range m.cids {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "%016x", c)
	}
	return fmt.Appendf(b, " %d", m.stamp)
}

func parseMsgid(v []byte) (m msgid, err error) {
	rest, ok := strings.CutPrefix(string(v), "0 ")
	ids, stamp, found := strings.Cut(rest, " ")
	if !ok || !found {
		return m, errFormat
	}
	for id := range strings.SplitSeq(ids, ",") {
		n, err := parseCID(id)
		if err != nil {
			return m, err
		}
		m.cids = append(m.cids, n)
	}
	if m.stamp, err = strconv.ParseInt(stamp, 10, 64); err != nil {
		return m, errFormat
	}
	return m, nil
}

// parseCID reads the 16 hex digits of an id.
func parseCID(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, errFormat
	}
	return n, nil
}

// status is the counts of a folder.
type status struct {
	modseq                 uint64 // the highest of a change of a conversation in it
	threads, unseenThreads uint32
	emails, unseenEmails   uint32
}

func (s *status) encode() []byte {
	return fmt.Appendf(nil, "0 (%d %d %d %d %d)", s.modseq, s.threads, s.unseenThreads, s.emails, s.unseenEmails)
}

func parseStatus(v []byte) (s status, err error) {
	n, err := parseVersioned(v, 0)
	if err != nil || n.Len() > 5 {
		return s, errFormat
	}
	at := func(i int) uint64 { return number(n, i) }
	return status{at(0), uint32(at(1)), uint32(at(2)), uint32(at(3)), uint32(at(4))}, nil
}

// parseVersioned reads a number that is at most version, a blank and a list.
func parseVersioned(v []byte, version uint64) (*dlist.Node, error) {
	head, rest, ok := strings.Cut(string(v), " ")
	n, err := strconv.ParseUint(head, 10, 32)
	if !ok || err != nil || n > version {
		return nil, errFormat
	}
	list, err := dlist.Parse([]byte(rest))
	if err != nil || list.Kind != dlist.List {
		return nil, errFormat
	}
	return list, nil
}

// number is item i of a list as a number; 0 if it is none.
func number(n *dlist.Node, i int) uint64 {
	if i >= n.Len() {
		return 0
	}
	v, _ := n.Items[i].Uint()
	return v
}

// conversation is the value of a B record.
type conversation struct {
	version int
	modseq  uint64
	records uint32 // messages, expunged ones too; copies count once here and below
	exists  uint32
	unseen  uint32
	counts  []uint32 // of flags
	folders []folder // by number
	senders []sender // the latest first
	subject *string  // nil: only drafts so far
	size    uint32
	emails  []email // by date
	created uint64  // modseq
}

// folder is what a folder has of a conversation.
type folder struct {
	number                  int
	modseq                  uint64
	records, exists, unseen uint32
}

// sender is somebody who wrote messages of a conversation; nil is NIL.
type sender struct {
	name, route, mailbox, domain *string
	last                         uint32 // date of the latest message
	exists                       uint32
}

// email is a message of a conversation, whatever the number of copies.
type email struct {
	guid   GUID
	exists uint32
	date   uint32
}

// newVersion is the version of new B records, which count each message once;
// version 0 counted each copy.
const newVersion = 1

// maxSenders is more than the senders that are stored.
const maxSenders = 100

// encode is c's value; flags is how many flags are counted.
func (c *conversation) encode(flags int) []byte {
	b := fmt.Appendf(nil, "%d (%d %d %d %d (", c.version, c.modseq, c.records, c.exists, c.unseen)
	for i := range flags {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendUint(b, uint64(c.count(i)), 10)
	}
	b = append(b, ") ("...)
	first := true
	sep := func() {
		if !first {
			b = append(b, ' ')
		}
		first = false
	}
	for i := range c.folders {
		if f := &c.folders[i]; f.records > 0 {
			sep()
			b = fmt.Appendf(b, "(%d %d %d %d %d)", f.number, f.modseq, f.records, f.exists, f.unseen)
		}
	}
	b = append(b, ") ("...)
	first = true
	for i := 0; i < len(c.senders) && i+1 < maxSenders; i++ {
		sep()
		b = c.senders[i].append(b)
	}
	b = append(b, ") "...)
	b = appendString(b, c.subject)
	b = fmt.Appendf(b, " %d (", c.size)
	first = true
	for i := range c.emails {
		if e := &c.emails[i]; e.exists > 0 {
			sep()
			b = fmt.Appendf(b, "(%s %d %d)", e.guid, e.exists, e.date)
		}
	}
	return fmt.Appendf(b, ") %d)", c.created)
}

func (c *conversation) count(i int) uint32 {
	if i < len(c.counts) {
		return c.counts[i]
	}
	return 0
}

func (s *sender) append(b []byte) []byte {
	b = append(b, '(')
	for _, p := range []*string{s.name, s.route, s.mailbox, s.domain} {
		b = append(appendString(b, p), ' ')
	}
	return fmt.Appendf(b, "%d %d)", s.last, s.exists)
}

// appendString appends a scalar; nil is NIL.
func appendString(b []byte, s *string) []byte {
	if s == nil {
		return append(b, "NIL"...)
	}
	return dlist.AppendString(b, []byte(*s))
}

// parseConversation reads a B record. What old versions lack is zero.
func parseConversation(v []byte) (*conversation, error) {
	n, err := parseVersioned(v, newVersion)
	if err != nil || n.Len() < 8 {
		return nil, errFormat
	}
	c := &conversation{
		modseq: number(n, 0), records: uint32(number(n, 1)), exists: uint32(number(n, 2)), unseen: uint32(number(n, 3)),
		subject: text(n, 7), size: uint32(number(n, 8)), created: number(n, 10),
	}
	if v[0] == '1' {
		c.version = 1
	}
	for i := range n.Items[4].Items {
		c.counts = append(c.counts, uint32(number(&n.Items[4], i)))
	}
	for i := range n.Items[5].Items {
		f := &n.Items[5].Items[i]
		*c.folder(int(uint32(number(f, 0)))) = folder{
			int(uint32(number(f, 0))), number(f, 1), uint32(number(f, 2)), uint32(number(f, 3)), uint32(number(f, 4)),
		}
	}
	for i := range n.Items[6].Items {
		s := &n.Items[6].Items[i]
		x := sender{text(s, 0), text(s, 1), text(s, 2), text(s, 3), uint32(number(s, 4)), uint32(number(s, 5))}
		if x.mailbox != nil && x.domain != nil && x.exists > 0 {
			c.senders = append(c.senders, x)
		}
	}
	if n.Len() > 9 {
		return c, c.parseEmails(&n.Items[9])
	}
	return c, nil
}

func (c *conversation) parseEmails(list *dlist.Node) error {
	for i := range list.Items {
		e := &list.Items[i]
		if e.Len() < 3 {
			return errFormat
		}
		x := email{exists: uint32(number(e, 1)), date: uint32(number(e, 2))}
		guid, err := hex.DecodeString(e.Items[0].String())
		if err != nil || len(guid) != len(x.guid) {
			return errFormat
		}
		copy(x.guid[:], guid)
		c.emails = append(c.emails, x)
	}
	return nil
}

// text is item i of a list, nil for NIL.
func text(n *dlist.Node, i int) *string {
	if i >= n.Len() || n.Items[i].IsNil() {
		return nil
	}
	s := n.Items[i].String()
	return &s
}

// folder returns the folder with a number, which it makes if there is none. It
// is valid until the next call.
func (c *conversation) folder(number int) *folder {
	i := 0
	for i < len(c.folders) && c.folders[i].number < number {
		i++
	}
	if i == len(c.folders) || c.folders[i].number != number {
		c.folders = append(c.folders, folder{})
		copy(c.folders[i+1:], c.folders[i:])
		c.folders[i] = folder{number: number}
	}
	return &c.folders[i]
}

// place is where a message or a part of one is: what a G record says.
type place struct {
	folder   int
	uid      uint32
	part     string // "" is the message itself
	version  byte   // 0: the values below are not known
	cid      uint64
	system   uint32 // flags
	internal uint32
	date     uint64
}

// Versions of G values: folders by name, and by unique id.
const (
	placeByName = 1
	placeByID   = 2
)

func (p *place) key(g GUID) []byte {
	b := fmt.Appendf(nil, "G%s:%d:%d", g, p.folder, p.uid)
	if p.part != "" {
		b = fmt.Appendf(b, "[%s]", p.part)
	}
	return b
}

func (p *place) encode() []byte {
	b := append(make([]byte, 0, 25), 0x80|p.version)
	b = be.AppendUint64(b, p.cid)
	b = be.AppendUint32(b, p.system)
	b = be.AppendUint32(b, p.internal)
	return be.AppendUint64(b, p.date)
}

// parsePlace reads a G record. The key is "G", 40 hex digits, ":" and what
// place.key makes.
func parsePlace(key, v []byte) (p place, err error) {
	const head = 1 + 40
	if len(key) <= head || key[head] != ':' {
		return p, errFormat
	}
	where := string(key[head+1:])
	if i := strings.IndexByte(where, '['); i >= 0 {
		part, ok := strings.CutSuffix(where[i+1:], "]")
		if !ok || part == "" {
			return p, errFormat
		}
		where, p.part = where[:i], part
	}
	num, uid, ok := strings.Cut(where, ":")
	n, err := strconv.ParseUint(num, 10, 31)
	u, err2 := strconv.ParseUint(uid, 10, 32)
	if !ok || err != nil || err2 != nil {
		return p, errFormat
	}
	p.folder, p.uid = int(n), uint32(u)
	switch {
	case len(v) < 16:
	case v[0]&0x80 == 0:
		p.cid, err = parseCID(string(v[:16]))
	case len(v) < 25:
		return p, errFormat
	default:
		p.version = v[0] & 0x7f
		p.cid, p.system, p.internal, p.date = be.Uint64(v[1:]), be.Uint32(v[9:]), be.Uint32(v[13:]), be.Uint64(v[17:])
	}
	return p, err
}

// use is the value of Q.
type use struct{ emails, octets int64 }

func (u use) encode() []byte {
	return fmt.Appendf(nil, "1 %%(E %d S %d)", max(u.emails, 0), max(u.octets, 0))
}

func parseUse(v []byte) (u use, err error) {
	rest, ok := strings.CutPrefix(string(v), "1 %(E ")
	rest, end := strings.CutSuffix(rest, ")")
	e, s, cut := strings.Cut(rest, " S ")
	if !ok || !end || !cut {
		return u, errFormat
	}
	if u.emails, err = strconv.ParseInt(e, 10, 64); err == nil {
		u.octets, err = strconv.ParseInt(s, 10, 64)
	}
	return u, err
}
